"""The names of the buffers: by which way an object reaches each first, in the order of the stream.

Rule: each object is visited once, by a loop and not by recursion. An array that is reached again keeps its first name.
Names are bounded in length and number of characters, since each level of a deep object repeats those above.
"""

from __future__ import annotations

from typing import Any, Iterator

from ..trust.tokens import Global
from .form import Context, Form
from .forms import form_of
from .instances import dict_parts
from .items import LEAVES, Buffer, Made, elements_of, pairs_of
from .paths import unique

__all__ = ["LONE", "name_buffers"]

LONE = "."
"""The name of an array that is the whole object."""

# A longer name tells nobody anything.
_MOST_CHARACTERS = 2000
# So many characters may all names have together, and besides so many for each buffer.
_ALL_CHARACTERS, _EACH = 1 << 24, 100

_NDARRAY = ("numpy", "ndarray")
# What has no buffers below it, and there is much of it.
_NO_BUFFERS = frozenset({("numpy", "dtype"), ("numpy._core.multiarray", "scalar")})


class _Names:
    """The names that are found.

    Args:
        count: how many buffers there are.
    """

    def __init__(self, count: int):
        self.found = [""] * count
        self._left = _ALL_CHARACTERS + _EACH * count

    def give(self, data: Any, name: str) -> None:
        """Name a buffer, if it has no name yet."""
        if type(data) is Buffer and not self.found[data] and self._left >= len(name):
            self.found[data] = name
            self._left -= len(name)


def name_buffers(context: Context, root: Any) -> tuple[str, ...]:
    """Return the name of each buffer, or an empty string where none can be told.

    Args:
        context: what forms need.
        root: the item of the whole object.

    Raises:
        LimitError: the stream asks for more work than it may.
    """
    names = _Names(context.count)
    form = form_of(context, root)
    names.give(form.data, LONE)
    seen = {id(root)}
    stack = [("", _parts(context, form, root=True))]
    while stack:
        prefix, parts = stack[-1]
        for text, child in parts:
            kind = type(child)
            if kind in LEAVES:
                continue
            name = prefix + text
            if len(name) > _MOST_CHARACTERS:
                continue
            if kind is Made and child.more is None and _give_array(names, child, name):
                continue
            if kind is Buffer:
                names.give(child, name)
                continue
            if id(child) in seen or kind is Global:
                continue
            if kind is not Form:  # those live only for a moment, and another one may get the same id
                seen.add(id(child))
            below = _below(context, names, child, kind, name)
            if below is not None:
                stack.append((name + "/", below))
                break
        else:
            stack.pop()
    return tuple(names.found)


def _give_array(names: _Names, made: Made, name: str) -> bool:
    """Name the buffer of an array that has nothing else, as most have; return whether it is one."""
    if type(made.function) is not Global or made.function.name != _NDARRAY:
        return False
    arguments = made.arguments
    if type(arguments) is tuple and len(arguments) >= 3 and type(arguments[2]) is Buffer:
        names.give(arguments[2], name)
        return True
    return False


def _below(context: Context, names: _Names, child: Any, kind: type, name: str) -> Iterator[tuple[str, Any]] | None:
    """Name the buffer of a node, and return its parts; `None` if no buffer is below it."""
    if kind is Made:
        if type(child.function) is Global and child.function.name in _NO_BUFFERS:
            return None
    elif kind is not Form:
        items = pairs_of(child) if kind is dict else elements_of(child) if kind is set else child
        if LEAVES.issuperset(map(type, items)):
            return None
    form = form_of(context, child)
    if form.data is not None:
        names.give(form.data, name)
    return _parts(context, form) if form.children or form.besides else None


def _parts(context: Context, form: Form, root: bool = False) -> Iterator[tuple[str, Any]]:
    """Yield the names of the parts of a form, escaped, and the items, those last that are not listed."""
    texts, children = form.texts, form.children
    if form.besides:
        more, items = dict_parts(context, form.besides)
        texts, children = [*texts, *more], [*children, *items]
    return zip(unique(texts, ("",) if root and "" in texts else ())[1], children)
