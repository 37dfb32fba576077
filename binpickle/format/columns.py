"""Columns of integers in the index: a constant, or a base and small unsigned differences from it.

Rule: a column of n equal values costs a few bytes whatever n is; any other costs 1, 2, 4 or 8 bytes a value.
"""

from __future__ import annotations

import struct
from itertools import accumulate
from typing import Any, Sequence

import numpy as np

from ..errors import FormatError

__all__ = ["exact_sums", "pack_column", "unpack_column"]

# Positions stay below this, so that sums of a position and a length never overflow int64.
_LIMIT = 1 << 62
_CODES = {1: "B", 2: "H", 4: "I", 8: "Q"}  # of the module struct, by the bytes of a value
_FEW = 32


def pack_column(values: Sequence[int]) -> Any:
    """Return the value in the index for a column: an integer that all values equal, or `[base, bytes]`."""
    if not values:
        return 0
    base, top = min(values), max(values)
    if base == top:
        return base
    code = next(code for width, code in _CODES.items() if top - base < 1 << 8 * width)
    return [base, struct.pack(f"<{len(values)}{code}", *[value - base for value in values])]


def unpack_column(packed: Any, count: int, name: str) -> np.ndarray:
    """Return the int64 values of a column.

    Args:
        packed: the value in the index.
        count: number of values, which the caller has checked against the limits.
        name: name of the column, for error messages.

    Raises:
        FormatError: it is not a column of that many values, or a value is out of range.
    """
    if _is_int(packed):
        return np.full(count, _bounded(packed, name), np.int64)
    if not (isinstance(packed, list) and len(packed) == 2 and _is_int(packed[0]) and isinstance(packed[1], bytes)):
        raise FormatError(f"index: column {name!r} is neither an integer nor a base and bytes")
    base, data = _bounded(packed[0], name), packed[1]
    width = len(data) // count if count else 0
    if width not in _CODES or width * count != len(data):
        raise FormatError(f"index: column {name!r} has {len(data)} bytes for {count} values")
    differences = np.frombuffer(data, f"<u{width}")
    _bounded(base + int(differences.max()), name)
    return differences.astype(np.int64) + base


def exact_sums(values: np.ndarray, start: int, name: str) -> np.ndarray:
    """Return `start`, followed by the running sums of `values` from it: n + 1 values, all proved to be in range.

    Raises:
        FormatError: a sum is negative or out of range.
    """
    if len(values) > _FEW and int(np.abs(values).max()) * len(values) + start < _LIMIT:
        sums = np.concatenate(([start], values)).cumsum()
    else:  # int64 might overflow: Python's integers do not, and take less time for a few
        exact = list(accumulate([start, *values.tolist()]))
        for extreme in (min(exact), max(exact)):
            if not -_LIMIT < extreme < _LIMIT:
                raise FormatError(f"index: column {name!r} adds up to {extreme}, which is out of range")
        sums = np.array(exact, np.int64)
    if int(sums.min()) < 0:
        raise FormatError(f"index: column {name!r} adds up to something negative")
    return sums


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _bounded(value: int, name: str) -> int:
    if not -_LIMIT < value < _LIMIT:
        raise FormatError(f"index: column {name!r} holds {value}, which is out of range")
    return value
