"""Columns of integers: small in the index, exact when they come back, refused when they lie."""

from __future__ import annotations

from itertools import accumulate
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from internals import exact_sums, pack_column, unpack_column

from binpickle.errors import FormatError

LIMIT = 1 << 62  # of positions in a file
POSITIONS = st.integers(-LIMIT + 1, LIMIT - 1)
COLUMNS = st.one_of(
    st.lists(POSITIONS, max_size=20),
    st.builds(lambda base, rest: [base + n for n in rest], st.integers(-9, 1 << 40), st.lists(st.integers(0, 70000))),
)
PACKED = {
    "none": ([], 0),
    "constant": ([7, 7, 7], 7),
    "negative constant": ([-5], -5),
    "one byte": ([3, 258, 4], [3, b"\0\xff\1"]),
    "two bytes": ([3, 259], [3, b"\0\0\0\1"]),
    "four bytes": ([0, 1 << 16], [0, bytes(4) + b"\0\0\1\0"]),
    "eight bytes": ([-1, 1 << 32], [-1, bytes(8) + b"\1\0\0\0\1\0\0\0"]),
    "all of the range": ([1 - LIMIT, LIMIT - 1], [1 - LIMIT, bytes(8) + (2 * LIMIT - 2).to_bytes(8, "little")]),
}
REFUSED = {
    "a flag": (True, 1),
    "a float": (1.0, 1),
    "nothing": (None, 1),
    "text": ("1", 1),
    "too large": (LIMIT, 1),
    "too small": (-LIMIT, 1),
    "no bytes": ([0], 1),
    "three items": ([0, b"\0", 0], 1),
    "flag for a base": ([True, b"\0"], 1),
    "text for bytes": ([0, "a"], 1),
    "too few": ([0, b"\0"], 2),
    "too many": ([0, b"\0\0\0"], 2),
    "three bytes each": ([0, bytes(6)], 2),
    "sixteen bytes each": ([0, bytes(16)], 1),
    "bytes for nothing": ([0, b"\0"], 0),
    "no bytes for nothing": ([0, b""], 0),
    "base too large": ([LIMIT, b"\0"], 1),
    "sum too large": ([LIMIT - 1, b"\1"], 1),
    "sum far too large": ([1, b"\xff" * 8], 1),
}


def int64(values: list[int]) -> np.ndarray:
    return np.array(values, np.int64)


def each(table: dict[str, Any]) -> Any:
    return pytest.mark.parametrize("row", table.values(), ids=list(table))


@each(PACKED)
def test_packed(row: Any) -> None:
    """Each column has one form, as small as its values allow."""
    values, packed = row
    assert pack_column(values) == packed
    assert unpack_column(packed, len(values), "x").tolist() == values


@each({name: row for name, row in PACKED.items() if isinstance(row[1], list)})
def test_cut_or_longer(row: Any) -> None:
    """Bytes that are missing or too many are refused."""
    values, (base, data) = row
    for wrong in (data[:-1], data + b"\0"):
        with pytest.raises(FormatError, match="'x' has"):
            unpack_column([base, wrong], len(values), "x")


@each(REFUSED)
def test_refused(row: Any) -> None:
    """What is no column of that many values raises `FormatError`."""
    packed, count = row
    with pytest.raises(FormatError, match="column 'x'"):
        unpack_column(packed, count, "x")


@given(COLUMNS)
def test_round_trip(values: list[int]) -> None:
    """Any column comes back as it was, int64."""
    got = unpack_column(pack_column(values), len(values), "x")
    assert got.dtype == np.int64
    assert got.tolist() == values


@given(COLUMNS, st.integers(0, LIMIT - 1))
def test_sums(values: list[int], start: int) -> None:
    """Sums are exact or refused: int64 never overflows unseen."""
    exact = list(accumulate([start, *values]))
    if min(exact) < 0 or max(exact) >= LIMIT:
        with pytest.raises(FormatError, match="adds up"):
            exact_sums(int64(values), start, "x")
    else:
        assert exact_sums(int64(values), start, "x").tolist() == exact
