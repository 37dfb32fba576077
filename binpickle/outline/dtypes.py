"""The element types that a stream describes, made by the checked rules of the strict machine.

Rule: `trust.rules.dtype` makes every dtype. This module hands it what the stream holds in the form that it expects,
and gives up where a stream does not look like a pickle of a dtype. Metadata is left out.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import FormatError
from ..trust.rules.dtype import CALLS
from ..trust.tokens import Args, Global, Pending
from .form import Context
from .items import Made, pairs_of

__all__ = ["dtype_of"]

_DTYPE = ("numpy", "dtype")
_DEEPEST = 8  # as the rules have it
_STATE = 8


def dtype_of(context: Context, item: Any) -> np.dtype | None:
    """Return a dtype, or `None` if the item is none that can be made here."""
    known = context.dtypes
    if id(item) not in known:
        try:
            known[id(item)] = _make(context, item, _DEEPEST)
        except Exception:  # as in the machine: the rules raise whatever Python and NumPy raise on odd arguments
            known[id(item)] = None
    return known[id(item)]


def _make(context: Context, item: Any, depth: int) -> np.dtype:
    if type(item) is not Made or type(item.function) is not Global or item.function.name != _DTYPE or not depth:
        raise FormatError("no dtype")
    arguments = item.arguments
    if type(arguments) is not tuple or not 1 <= len(arguments) <= 3:
        raise FormatError("no arguments of a dtype")
    spec, *flags = arguments
    begun = CALLS[_DTYPE](context.budget, _spec(context, spec, depth), *flags)
    if type(begun) is Pending:
        if item.more is None:
            raise FormatError("a dtype without a state")
        begun = begun.build(_state(context, item.more.state, depth))
    return begun  # type: ignore[no-any-return]


def _spec(context: Context, spec: Any, depth: int) -> Any:
    """Return what `numpy.dtype` is called with."""
    if type(spec) is dict:
        layout = _plain_dict(context, spec)
        formats = layout.get("formats")
        if type(formats) is list:
            layout["formats"] = [_inner(context, part, depth) for part in formats]
        return layout
    if type(spec) is tuple and len(spec) == 2 and type(spec[0]) is Global:
        return Args((spec[0], _inner(context, spec[1], depth)))
    return spec


def _state(context: Context, state: Any, depth: int) -> Any:
    if type(state) is not tuple or len(state) not in (_STATE, _STATE + 1):
        raise FormatError("no state of a dtype")
    parts = list(state)
    if type(parts[2]) is tuple and len(parts[2]) == 2:
        parts[2] = (_inner(context, parts[2][0], depth), parts[2][1])
    if type(parts[4]) is dict:
        parts[4] = {name: _field(context, field, depth) for name, field in _plain_dict(context, parts[4]).items()}
    if len(parts) > _STATE:
        date = parts.pop()
        if type(date) is tuple and len(date) == 2:
            parts.append((None, date[1]))
    return tuple(parts)


def _field(context: Context, field: Any, depth: int) -> Any:
    if type(field) is not tuple or not field:
        raise FormatError("no field")
    return (_inner(context, field[0], depth), *field[1:])


def _inner(context: Context, item: Any, depth: int) -> np.dtype:
    known = context.dtypes.get(id(item))
    if known is None:
        known = context.dtypes[id(item)] = _make(context, item, depth - 1)
    return known


def _plain_dict(context: Context, made: dict[Any, Any]) -> dict[str, Any]:
    """Return a dict of the stream that has strings as keys."""
    pairs = pairs_of(made)
    context.budget.pay(len(pairs))
    if not {*map(type, pairs[::2])} <= {str}:
        raise FormatError("a key is no string")
    return dict(zip(pairs[::2], pairs[1::2]))
