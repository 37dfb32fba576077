"""The bounds of shapes and item sizes are those of NumPy 1, and a length of 0 hides no other length."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from internals import shapes

F8 = np.dtype("f8")
PAIR = np.dtype((F8, (2,)))


@pytest.mark.parametrize(
    ("value", "expected"),
    [([], True), ([0, 1 << 80], True), ([-1], False), ([True], False), ([1.0], False), ((1,), False), ("", False)],
)
def test_shapes_are_lists_of_lengths(value: Any, expected: bool) -> None:
    """Only a list of integers that are not negative is a shape."""
    assert shapes.is_shape(value) is expected


@pytest.mark.parametrize(
    ("dtype", "shape", "expected"),
    [
        (F8, [1] * 32, True),
        (F8, [1] * 33, False),
        (F8, [(1 << 59) - 1], True),
        (F8, [1 << 59], False),
        (F8, [0, 1 << 59], False),
        (np.dtype("V0"), [1 << 62], False),
        (PAIR, [1], False),
    ],
)
def test_arrays_of_any_numpy(dtype: np.dtype, shape: list[int], expected: bool) -> None:
    """Arrays have at most 32 dimensions and less than 2**62 bytes, where lengths and item sizes of 0 count as 1."""
    assert shapes.is_array(dtype, shape) is expected


@pytest.mark.parametrize(
    ("base", "shape", "expected"),
    [
        (F8, [1] * 32, True),
        (F8, [1] * 33, False),
        (F8, [(1 << 28) - 1], True),
        (F8, [1 << 28], False),
        (F8, [0, 1 << 28], False),
        (PAIR, [1], False),
    ],
)
def test_subarrays_of_any_numpy(base: np.dtype, shape: list[int], expected: bool) -> None:
    """Subarrays have at most 32 dimensions and less than 2**31 bytes, and no subarrays as their items."""
    assert shapes.is_subarray(base, shape) is expected


@pytest.mark.parametrize(
    ("offsets", "itemsize", "expected"),
    [
        ([0, 8], 16, True),
        ([0, 9], 16, False),
        ([-1, 8], 16, False),
        ([0, 8], (1 << 31) - 1, True),
        ([0, 8], 1 << 31, False),
    ],
)
def test_fields_lie_within_their_item(offsets: list[int], itemsize: int, expected: bool) -> None:
    """No field begins before its item or ends after it, and no item has 2**31 bytes."""
    assert shapes.fields_fit([F8, F8], offsets, itemsize) is expected


def test_counts_do_not_overflow() -> None:
    """The number of elements is exact, however large it is."""
    assert shapes.element_count([1 << 40, 1 << 40, 3]) == 3 << 80
    assert shapes.element_count(()) == 1
