"""The labels of an index of pandas, which name the columns of a frame.

Rule: labels are read where they are in the stream, or in a small buffer that somebody fetches. Where they cannot be
read there are none, and columns are numbered.
"""

from __future__ import annotations

from typing import Any, Sequence

import numpy as np

from ..form import UNUSUAL, Context
from ..held import named, state_of
from ..items import Made, is_call
from .arrays import data_of
from .arrow import strings_of

__all__ = ["MOST_COLUMNS", "integers_of", "labels_of"]

MOST_COLUMNS = 1 << 16
"""So many columns of a frame have names at most."""

_NUMBERS = "biufmM"
_DEEPEST = 6


def labels_of(context: Context, index: Any) -> Sequence[Any]:
    """Return the first labels of an index, as items; an empty sequence if they cannot be read.

    Args:
        context: what forms need.
        index: what makes the index.
    """
    known = context.labels.get(id(index))
    if known is None:
        try:
            known = _labels(context, index, _DEEPEST) or ()
            context.budget.pay(1 if type(known) is range else len(known))
        except UNUSUAL:  # it is not made as usual
            known = ()
        context.labels[id(index)] = known
    return known


def _labels(context: Context, item: Any, depth: int) -> Sequence[Any] | None:
    """Return labels as items."""
    if type(item) is not Made or not depth:
        return None
    if is_call(item, ("pyarrow.lib", "_restore_array")):
        return strings_of(context, item, MOST_COLUMNS)
    if is_call(item, ("pyarrow.lib", "chunked_array")):
        chunks = item.arguments[0]
        return _labels(context, chunks[0], depth - 1) if len(chunks) == 1 else None
    state = state_of(item)
    if type(state) is dict:  # an array of a class of pandas
        held = named(context, state)
        inner = held.get("_pa_array", held.get("_ndarray", held.get("_data")))
        return _labels(context, inner, depth - 1)
    arguments = item.arguments
    if len(arguments) == 2 and type(arguments[1]) is dict:
        held = named(context, arguments[1])
        if "levels" in held:
            return _tuples(context, held["levels"], held["codes"], depth)
        if "start" in held and "data" not in held:
            return range(held["start"], held["stop"], held["step"])[:MOST_COLUMNS]
        return _labels(context, held.get("data"), depth - 1)
    return _items(context, item, depth)


def _items(context: Context, item: Made, depth: int) -> Sequence[Any] | None:
    """Return the items of an array of NumPy, or of what has one in its state."""
    state = state_of(item)
    if type(state) is tuple and len(state) == 5 and type(state[4]) is list:
        return state[4][:MOST_COLUMNS]
    if type(state) is tuple and 2 <= len(state) <= 3:  # of an array of dates, or of categories
        return _backed(context, state, depth)
    return _numbers(context, item)


def _backed(context: Context, state: tuple[Any, ...], depth: int) -> Sequence[Any] | None:
    dtype, data = state[:2]
    held = named(context, state_of(dtype))
    if "categories" not in held:
        return _labels(context, data, depth - 1)
    labels, codes = labels_of(context, held["categories"]), integers_of(context, data)
    return None if codes is None else [labels[code] if code >= 0 else "nan" for code in codes]


def _tuples(context: Context, levels: Any, codes: Any, depth: int) -> Sequence[Any] | None:
    """Return the labels of an index of several levels."""
    columns: list[list[Any]] = []
    for level, numbers in zip(_listed(levels), _listed(codes)):
        labels, found = labels_of(context, level), integers_of(context, numbers)
        if found is None or len(columns) == depth:
            return None
        columns.append([labels[code] if code >= 0 else "nan" for code in found])
    return list(zip(*columns))


def _listed(item: Any) -> Any:
    return item.more.items if type(item) is Made and item.more is not None else item


def integers_of(context: Context, item: Any) -> list[int] | None:
    """Return the first numbers of an array of integers; `None` if they cannot be read."""
    found = _numbers(context, item)
    return found if found is not None and {*map(type, found)} <= {int} else None


def _numbers(context: Context, item: Any) -> list[Any] | None:
    form = context.form_of(item)
    data, view = form.data, form.view() if form.view is not None else None
    if data is None or view is None or len(view.shape) != 1 or view.dtype.kind not in _NUMBERS:
        return None
    held = context.read(data_of(data))
    if held is None:
        return None
    array = np.ndarray(view.shape, view.dtype, memoryview(held).cast("B"), view.offset, view.strides)[:MOST_COLUMNS]
    context.budget.pay(len(array))
    return array.tolist() if view.dtype.kind in "biuf" else array.astype("U").tolist()  # type: ignore[no-any-return]
