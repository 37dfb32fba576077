"""Guards for frames and series, the managers of their blocks, and the blocks.

Rule: each block has as many rows as places, the places of all blocks are each column once, and the axes are as long as
the blocks. Compiled code finds columns by these places without looking.
"""

from __future__ import annotations

from typing import Any, Callable

import numpy as np

from ....errors import FormatError
from ...budget import Budget
from ...rules.checks import expect, expect_int, shown
from ..guard import Guard, accept, refuse_state
from .kinds import (
    array_shape,
    expect_label,
    expect_named,
    expect_plain_array,
    expect_state,
    spellings,
)

__all__ = ["ARGUMENTS", "STATES"]

_MANAGERS = "pandas.core.internals.managers"
_NAMES = frozenset({"name", "_name"})
_FRAME = frozenset({"_typ", "_metadata", "attrs", "_attrs", "_flags"}) | _NAMES
_BLOCKS = ("pandas._libs.internals", "SharedBlock"), ("pandas._libs.internals", "Block")
_NUMPY_KINDS = "biufcmMOSUV"


def _unpickle_block(budget: Budget, values: Any, places: Any, ndim: Any) -> None:
    """Check the arguments of `_unpickle_block`: values, the columns that they are, and the dimensions of the frame."""
    expect_int(ndim, "the dimensions of a block", 1, 2)
    shape = _values_shape(values)
    columns = shape[0] if len(shape) == 2 else 1
    if len(shape) > ndim or (ndim == 2 and len(shape) == 1 and type(values) is np.ndarray):
        raise FormatError(f"a block of {ndim} dimensions has values of {len(shape)}")
    budget.pay(columns)
    if len(_places(places)) != (columns if ndim == 2 else shape[0]):
        raise FormatError("a block has more or fewer columns than places")


def _values_shape(values: Any) -> tuple[int, ...]:
    """Return the shape of what a block holds, an array of NumPy or of pandas."""
    shape = array_shape(values, "what a block holds")
    if type(values) is np.ndarray:
        expect_plain_array(values, "what a block holds", _NUMPY_KINDS, len(shape))
    if not 1 <= len(shape) <= 2:
        raise FormatError(f"a block holds an array of {len(shape)} dimensions")
    return shape


def _places(places: Any) -> Any:
    """Return the columns of a block as a range or array, none of them negative."""
    if type(places) is slice:
        start, stop, step = places.start, places.stop, 1 if places.step is None else places.step
        expect_int(start, "the first place of a block", 0, (1 << 62) - 1)
        expect_int(step, "the distance of a block's places", -(1 << 62), 1 << 62)
        low = 0 if step > 0 else -1
        if stop is None and step < 0:
            stop = -1
        expect_int(stop, "the last place of a block", low, (1 << 62) - 1)
        if not step:
            raise FormatError("the places of a block have the distance 0")
        return range(start, stop, step)
    if expect_plain_array(places, "the places of a block", "i").size and places.min() < 0:
        raise FormatError("a block has a negative place")
    return places


def _manager(budget: Budget, blocks: Any, axes: Any) -> None:
    """Check the arguments of `BlockManager`: blocks of two dimensions, and two indexes."""
    budget.pay(len(expect(blocks, "the blocks of a frame", tuple, list)))
    if len(expect(axes, "the axes of a frame", list, tuple)) != 2:
        raise FormatError(f"a frame has {len(axes)} axes")
    columns, rows = (len(expect_named(axis, "an axis of a frame", "Index")) for axis in axes)
    budget.pay_look(9 * columns)
    seen = np.zeros(columns, "bool")
    for block in blocks:
        if not any((base.__module__, base.__qualname__) in _BLOCKS for base in type(block).__mro__):
            raise FormatError(f"a {type(block).__name__} stands among the blocks of a frame")
        if block.ndim != 2 or array_shape(block.values, "what a block holds")[-1] != rows:
            raise FormatError("a block has more or fewer rows than its frame")
        _mark(seen, _places(block.mgr_locs.indexer))
    if not seen.all():
        raise FormatError("a frame has a column without a block")


def _mark(seen: Any, places: Any) -> None:
    """Note the columns of a block, none of which another block has."""
    count = len(places)
    if count and (max(places[0], places[-1]) if type(places) is range else places.max()) >= len(seen):
        raise FormatError("a block has a place outside of its frame")
    indexer = np.arange(places.start, places.stop, places.step) if type(places) is range else places
    if seen[indexer].any() or len(np.unique(indexer)) != count:
        raise FormatError("a column of a frame has two blocks")
    seen[indexer] = True


def _own_blocks(budget: Budget, instance: Any) -> None:
    """Give a manager blocks of its own: pandas changes the places of a block when a column is inserted."""
    instance.blocks = tuple(map(_own_block, instance.blocks))


def _own_block(block: Any) -> Any:
    places = block.mgr_locs
    if type(places.indexer) is not slice:
        places = type(places)(places.indexer.copy())
    return type(block)(block.values, placement=places, ndim=block.ndim)


def _before_single(budget: Budget, instance: Any, state: Any) -> None:
    """Check the state of `SingleBlockManager`: of a row of old forms of it, pandas reads the last."""
    if getattr(instance, "blocks", None):
        raise FormatError("a SingleBlockManager is given a second state")
    if len(expect(state, "the state of a SingleBlockManager", tuple)) != 4:
        raise FormatError("the state of a SingleBlockManager has not four parts")
    held = expect_state(state[3], "a SingleBlockManager", frozenset({"0.14.1"}), frozenset())["0.14.1"]
    expect_state(held, "a SingleBlockManager", frozenset({"axes", "blocks"}), frozenset())
    axes, blocks = (expect(held[name], f"the {name} of a series", list) for name in ("axes", "blocks"))
    if len(axes) != 1 or len(blocks) != 1:
        raise FormatError(f"a series has {len(axes)} axes and {len(blocks)} blocks")
    block = expect_state(blocks[0], "a block", frozenset({"values", "mgr_locs"}), frozenset())
    shape, places = _values_shape(block["values"]), _places(block["mgr_locs"])
    rows = len(expect_named(axes[0], "the axis of a series", "Index"))
    if shape != (rows,) or len(places) != rows:
        raise FormatError(f"a series of {rows} rows has values of the shape {shape}")
    if type(places) is not range:
        budget.pay_look(8 * rows)
    if rows and (places != range(rows) if type(places) is range else np.any(places != np.arange(rows))):
        raise FormatError("a series has values that are not in the places of its rows")


def _before_frame(kind: str, manager: str) -> Callable[[Budget, Any, Any], None]:
    """Return the check of the state of a frame or a series."""

    def before(budget: Budget, instance: Any, state: Any) -> None:
        name = type(instance).__name__
        if instance.__dict__:
            raise FormatError(f"a {name} is given a second state")
        own = frozenset(_own_names(type(instance)))
        expect_state(state, f"a {name}", frozenset({"_mgr", "_typ", "_metadata"}), _FRAME | own)
        held = state["_mgr"]
        if (type(held).__module__, type(held).__qualname__) != (_MANAGERS, manager) or not hasattr(held, "blocks"):
            raise FormatError(f"a {name} has a {type(held).__name__} to manage its blocks")
        if expect(state["_typ"], f"the kind of a {name}", str) != kind:  # by which pandas tells what it has
            raise FormatError(f"a {name} is of the kind {shown(state['_typ'])}")
        for attribute in expect(state["_metadata"], f"the attributes of a {name}", list):
            if type(attribute) is not str or attribute not in _NAMES | own:
                raise FormatError(f"a {name} has the attribute {shown(attribute)}")
        for attrs in ("attrs", "_attrs"):
            expect(state.get(attrs, {}), f"the attrs of a {name}", dict)
        _flags(state.get("_flags", {}), name)
        for label in _NAMES.intersection(state):
            expect_label(budget, state[label])

    return before


def _flags(flags: Any, name: str) -> None:
    expect_state(flags, f"the flags of a {name}", frozenset(), frozenset({"allows_duplicate_labels"}))
    for flag in flags.values():
        expect(flag, f"a flag of a {name}", bool)


def _own_names(cls: type) -> list[str]:
    """Return what a subclass of a frame keeps beside: names that are no attributes of pandas' own class."""
    names = [name for name in getattr(cls, "_metadata", ()) if type(name) is str and name not in _NAMES]
    return [name for name in names if not name.startswith("__")]


def _after_frame(budget: Budget, instance: Any) -> None:
    """Give a frame a list of attributes that the stream cannot fill."""
    attributes = instance.__dict__
    if "_metadata" in attributes:
        attributes["_metadata"] = list(attributes["_metadata"])
    if "_attrs" in attributes:
        attributes["_attrs"] = dict(attributes["_attrs"])


ARGUMENTS: dict[tuple[str, str], Callable[..., None]] = {
    ("pandas._libs.internals", "_unpickle_block"): _unpickle_block,
    (_MANAGERS, "BlockManager"): _manager,
}
"""The checks of calls that make frames, see `guards.ARGUMENTS`."""

STATES: dict[tuple[str, str], Guard] = {
    (_MANAGERS, "BlockManager"): Guard(_own_blocks, needs_state=False, before=refuse_state),
    (_MANAGERS, "SingleBlockManager"): Guard(accept, before=_before_single),
    **dict.fromkeys(_BLOCKS, Guard(accept, needs_state=False, before=refuse_state)),
    **dict.fromkeys(spellings("DataFrame"), Guard(_after_frame, before=_before_frame("dataframe", "BlockManager"))),
    **dict.fromkeys(spellings("Series"), Guard(_after_frame, before=_before_frame("series", "SingleBlockManager"))),
}
"""The guards of frames, see `guards.STATES`."""
