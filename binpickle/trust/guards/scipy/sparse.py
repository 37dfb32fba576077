"""Guards for sparse matrices and arrays of SciPy: all that its compiled code believes of each format.

Rule: after a check every index is inside of the shape, every length agrees, and no cached flag claims what is not so.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import numpy as np

from ...budget import Budget
from ...rules.checks import shown
from ..guard import Guard
from ..parts import (
    INDICES,
    expect_array,
    expect_flag,
    expect_number,
    expect_parts,
    expect_range,
    fail,
    own,
    whole,
)

__all__ = ["STATES"]

_KINDS = "biufc"  # of the data
_PARTS = frozenset(
    {"_shape", "maxprint", "data", "indices", "indptr", "coords", "row", "col", "offsets", "rows", "dtype", "_dict"}
    | {"_has_sorted_indices", "_has_canonical_format", "has_canonical_format", "has_sorted_indices", "format"}
)
_MOST_DIMENSIONS = 64
_NUMBERS = (int, float, complex, bool)


class _Kind(NamedTuple):
    """What a class of SciPy is, which a class that derives from it is, too.

    Attributes:
        format: one of csr, csc and so on.
        is_matrix: whether it has two dimensions always.
    """

    format: str
    is_matrix: bool


def _begin(matrix: Any, dimensions: tuple[int, ...]) -> tuple[dict[str, Any], tuple[int, ...]]:
    """Return the attributes and the shape of a sparse object."""
    parts = expect_parts(matrix, _PARTS)
    shape = parts.get("_shape")
    if type(shape) is not tuple or len(shape) not in dimensions:
        raise fail(matrix, f"its shape has not {dimensions[0]} dimensions")
    for length in shape:
        expect_number(matrix, "a length of its shape", length, 0, (1 << 63) - 1)
    expect_number(matrix, "maxprint", parts.get("maxprint", 50), 0, (1 << 63) - 1)
    return parts, shape


def _data(matrix: Any, value: Any, shape: tuple[int | None, ...]) -> np.ndarray:
    dtype = getattr(value, "dtype", None)
    if not isinstance(dtype, np.dtype) or dtype.kind not in _KINDS or not dtype.isnative:
        raise fail(matrix, "its data is not an array of numbers in the order of this machine")
    return expect_array(matrix, "data", value, (dtype,), shape)


def _compressed(kind: _Kind, budget: Budget, matrix: Any) -> None:
    """Check csr (of one dimension, too) and csc."""
    parts, shape = _begin(matrix, (2,) if kind.is_matrix or kind.format == "csc" else (2, 1))
    lines, width = (1, shape[0]) if len(shape) == 1 else shape if kind.format == "csr" else shape[::-1]
    _data(matrix, parts.get("data"), (None,))
    _lines(budget, matrix, parts, lines, width, len(parts["data"]))


def _blocks(kind: _Kind, budget: Budget, matrix: Any) -> None:
    """Check bsr."""
    parts, shape = _begin(matrix, (2,))
    data = _data(matrix, parts.get("data"), (None, None, None))
    height, width = data.shape[1:]
    if not height or not width or shape[0] % height or shape[1] % width:
        raise fail(matrix, f"blocks of {(height, width)} do not divide the shape {shape}")
    _lines(budget, matrix, parts, shape[0] // height, shape[1] // width, len(data))


def _lines(budget: Budget, matrix: Any, parts: dict[str, Any], lines: int, width: int, stored: int) -> None:
    """Check the index arrays of a compressed format.

    Args:
        budget: pays for the walk.
        matrix: the sparse object.
        parts: its attributes.
        lines: how many lines (rows, columns, rows of blocks) there are.
        width: how many items a line has at most.
        stored: how many items there are.
    """
    expect_array(matrix, "indptr", parts.get("indptr"), INDICES, (lines + 1,))
    expect_array(matrix, "indices", parts.get("indices"), INDICES, (stored,))
    own(budget, parts, "indptr", "indices")
    indptr, indices = parts["indptr"], parts["indices"]
    budget.pay(len(indptr))
    if indptr[0] != 0 or (indptr[1:] < indptr[:-1]).any():
        raise fail(matrix, "indptr does not begin with 0 and grow")
    if indptr[-1] > stored:
        raise fail(matrix, f"indptr ends at {indptr[-1]} and there are {stored} items")
    expect_range(budget, matrix, "indices", indices, 0, width - 1)
    claims = [_claim(matrix, parts, "_has_sorted_indices"), _claim(matrix, parts, "_has_canonical_format")]
    if any(claims):
        budget.pay(stored + lines)
        last = int(indptr[-1])
        steps = np.diff(indices[:last])
        inside = np.ones(len(steps), bool)
        begins = indptr[1:-1]
        inside[begins[(begins > 0) & (begins < last)] - 1] = False
        if (steps[inside] < (1 if claims[1] else 0)).any():
            raise fail(matrix, "a flag claims that its indices are sorted and each is there once, and it is not so")


def _claim(matrix: Any, parts: dict[str, Any], name: str) -> bool:
    return name in parts and expect_flag(matrix, name, parts[name])


def _coordinates(kind: _Kind, budget: Budget, matrix: Any) -> None:
    """Check coo, of any number of dimensions."""
    parts, shape = _begin(matrix, (2,) if kind.is_matrix else (2, 1, *range(3, _MOST_DIMENSIONS + 1)))
    coords = parts.get("coords", (parts.get("row"), parts.get("col")))
    data = _data(matrix, parts.get("data"), (None,))
    if type(coords) is not tuple or len(coords) != len(shape):
        raise fail(matrix, f"it has not coordinates for {len(shape)} dimensions")
    for along in coords:
        expect_array(matrix, "coords", along, INDICES, (len(data),))
    coords = _own_coordinates(budget, parts, coords)
    for length, along in zip(shape, coords):
        expect_range(budget, matrix, "coords", along, 0, length - 1)
    if _claim(matrix, parts, "has_canonical_format") and len(data):
        budget.pay(len(data) * len(shape) * 4)
        order = np.lexsort(coords)
        if np.logical_and.reduce([along[order[1:]] == along[order[:-1]] for along in coords]).any():
            raise fail(matrix, "a flag claims that each coordinate is there once, and it is not so")


def _own_coordinates(budget: Budget, parts: dict[str, Any], coords: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return coordinates that nothing else can write to, which the object has now."""
    if "coords" not in parts:
        own(budget, parts, "row", "col")  # of SciPy before 1.11
        return parts["row"], parts["col"]
    named = dict(zip(map(str, range(len(coords))), coords))
    own(budget, named, *named)
    parts["coords"] = tuple(named.values())
    return parts["coords"]  # type: ignore[no-any-return]


def _diagonals(kind: _Kind, budget: Budget, matrix: Any) -> None:
    """Check dia."""
    parts, shape = _begin(matrix, (2,))
    expect_array(matrix, "offsets", parts.get("offsets"), INDICES, (None,))
    own(budget, parts, "offsets")
    offsets = parts["offsets"]
    _data(matrix, parts.get("data"), (len(offsets), None))
    expect_range(budget, matrix, "offsets", offsets, -shape[0], shape[1])
    if len(np.unique(offsets)) != len(offsets):
        raise fail(matrix, "two diagonals have one offset")


def _lists(kind: _Kind, budget: Budget, matrix: Any) -> None:
    """Check lil."""
    parts, shape = _begin(matrix, (2,))
    objects = (np.dtype(object),)
    rows = expect_array(matrix, "rows", parts.get("rows"), objects, (shape[0],))
    data = expect_array(matrix, "data", parts.get("data"), objects, (shape[0],))
    _number_dtype(matrix, parts)
    budget.pay(1 + len(rows))
    for indices, values in zip(rows.tolist(), data.tolist()):
        if type(indices) is not list or type(values) is not list or len(indices) != len(values):
            raise fail(matrix, "a row is not two lists of one length")
        budget.pay(2 * len(indices))
        before = -1
        for index in indices:
            if whole(index) is None or not before < index < shape[1]:
                raise fail(matrix, "the indices of a row are not sorted, or not inside of its shape")
            before = index
        _expect_numbers(matrix, values)
    parts["rows"], parts["data"] = _own_lists(rows), _own_lists(data)


def _own_lists(lists: np.ndarray) -> np.ndarray:
    """Return an array of lists that nothing else holds."""
    owned = np.empty(len(lists), object)
    for i, items in enumerate(lists):
        owned[i] = list(items)
    return owned


def _keys(kind: _Kind, budget: Budget, matrix: Any) -> None:
    """Check dok."""
    parts, shape = _begin(matrix, (2,) if kind.is_matrix else (2, 1))
    _number_dtype(matrix, parts)
    held = [dict(dict.items(matrix))] if isinstance(matrix, dict) else []
    if "_dict" in parts:
        held.append(parts["_dict"])
    for items in held:
        if type(items) is not dict:
            raise fail(matrix, "its items are not a dict")
        budget.pay(1 + 4 * len(items))
        for key in items:
            place = key if type(key) is tuple else (key,)
            if len(place) != len(shape) or not all(
                whole(index) is not None and 0 <= index < length for index, length in zip(place, shape)
            ):
                raise fail(matrix, f"the key {shown(key)} is not inside of its shape {shape}")
        _expect_numbers(matrix, items.values())
    if "_dict" in parts:
        parts["_dict"] = dict(parts["_dict"])


def _expect_numbers(matrix: Any, values: Any) -> None:
    for value in values:
        if type(value) not in _NUMBERS and not (isinstance(value, np.generic) and value.dtype.kind in _KINDS):
            raise fail(matrix, f"an item is a {type(value).__name__}, not a number")


def _number_dtype(matrix: Any, parts: dict[str, Any]) -> None:
    dtype = parts.get("dtype")
    if not isinstance(dtype, np.dtype) or dtype.kind not in _KINDS or not dtype.isnative:
        raise fail(matrix, "its dtype is not one of numbers in the order of this machine")


_CHECKS = {
    "bsr": _blocks,
    "coo": _coordinates,
    "csc": _compressed,
    "csr": _compressed,
    "dia": _diagonals,
    "dok": _keys,
    "lil": _lists,
}
_MODULES = "scipy.sparse._{0}:{0}_matrix scipy.sparse._{0}:{0}_array scipy.sparse._arrays:{0}_array"
_OLD_MODULE = " scipy.sparse.{0}:{0}_matrix"


STATES: dict[tuple[str, str], Guard] = {}
"""See `guards.STATES`. In releases before 1.13, dok is a dict, which a stream can fill after BUILD."""

for _name, _check in _CHECKS.items():
    for _place in (_MODULES + _OLD_MODULE).format(_name).split():
        _module, _, _class = _place.partition(":")
        _kind = _Kind(_name, _class.endswith("_matrix"))
        STATES[_module, _class] = Guard(partial(_check, _kind), again=_name == "dok")
