"""The forms of containers of Python's standard library that a call makes.

Rule: what the call is given in place of the items is not shown.
"""

from __future__ import annotations

from typing import Any

from ...errors import FormatError
from ...pickling.renames import Name
from ..form import Context, Form, Rule
from ..held import state_of
from ..instances import attributes
from ..items import Made
from ..short import name_of

__all__ = ["RULES"]


def _container(context: Context, made: Made) -> Form:
    """Return the form of a container that is made empty, and then filled."""
    return Form(name_of(made.function), *attributes(context, made))


def _wrapper(context: Context, made: Made) -> Form:
    """Return the form of a container that is made of another one."""
    if len(made.arguments) != 1:
        raise FormatError("a container is made of several arguments")
    return Form(name_of(made.function), *attributes(context, made), inner=made.arguments[0])


def _partial(context: Context, made: Made) -> Form:
    """Return the form of `functools.partial`, whose state repeats its argument."""
    state: Any = state_of(made)
    function, arguments, keywords, _ = state
    return Form("functools:partial", ["func", "args", "keywords"], [function, arguments, keywords])


RULES: dict[Name, Rule] = {
    ("collections", "OrderedDict"): _container,
    ("collections", "defaultdict"): _container,
    ("collections", "deque"): _container,
    ("collections", "Counter"): _wrapper,
    ("builtins", "set"): _wrapper,
    ("builtins", "frozenset"): _wrapper,
    ("functools", "partial"): _partial,
}
"""The rules of these containers, by canonical name."""
