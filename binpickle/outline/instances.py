"""The forms of objects of classes that have no rule of their own, and of attributes, items and keys of all.

Rule: what a person writes to get at a part is its name: the key, the position, the attribute. The arguments of a call
are the part `()`, and a state that is no dict of attributes is the part `state`.
"""

from __future__ import annotations

from typing import Any, List, Sequence, Tuple

from ..trust.tokens import Global
from .form import Context, Form
from .held import attribute_pairs
from .items import Made
from .rules.scalars import key_text
from .short import name_of

__all__ = ["Parts", "attributes", "dict_parts", "generic"]

Parts = Tuple[List[str], List[Any]]
"""Names and items of parts."""

_RECONSTRUCTOR = ("copyreg", "_reconstructor")


def dict_parts(context: Context, pairs: Sequence[Any]) -> Parts:
    """Return the parts of a dict.

    Args:
        context: what forms need.
        pairs: keys and values by turns.
    """
    context.budget.pay(len(pairs))
    keys = pairs[::2]
    if not {*map(type, keys)} <= {str}:
        keys = [key if type(key) is str else key_text(context, key) for key in keys]
    return list(keys), list(pairs[1::2])


def attributes(context: Context, made: Made) -> Parts:
    """Return what was added to an object after it was made: items, keys, attributes."""
    more = made.more
    if more is None:
        return [], []
    texts, children = [*map(str, range(len(more.items)))], [*more.items]
    pairs = attribute_pairs(context, made)
    context.budget.pay(len(more.items))
    for part in (more.pairs, pairs or ()):
        if part:
            names, values = dict_parts(context, part)
            texts += names
            children += values
    if pairs is None:
        texts.append("state")
        children.append(more.state)
    return texts, children


def generic(context: Context, made: Made) -> Form:
    """Return the form of an object that is only known by what makes it."""
    texts, children = attributes(context, made)
    arguments, name = made.arguments, name_of(made.function)
    if type(made.function) is Global and made.function.name == _RECONSTRUCTOR:
        name, arguments = _reconstructed(name, arguments)
    if made.more is not None and made.more.keywords is not None:
        texts.insert(0, "**")
        children.insert(0, made.more.keywords)
    if type(arguments) is not tuple or arguments:
        texts.insert(0, "()")
        children.insert(0, arguments)
    if type(made.function) is not Global:
        texts.insert(0, "call")
        children.insert(0, made.function)
    return Form(name, texts, children)


def _reconstructed(name: str, arguments: Any) -> tuple[str, Any]:
    """Return the class that `copyreg._reconstructor` makes an instance of, and what of its arguments says more."""
    if type(arguments) is not tuple or len(arguments) != 3 or type(arguments[0]) is not Global:
        return name, arguments
    return name_of(arguments[0]), () if arguments[2] is None else (arguments[2],)
