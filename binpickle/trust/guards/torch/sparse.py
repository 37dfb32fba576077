"""Checks of the call that makes a sparse tensor: what torch's documentation calls the invariants of each layout.

torch checks them only for those who ask it to, and follows the indices without a look.
"""

from __future__ import annotations

from typing import Any, Callable

import numpy as np

from ....errors import FormatError
from ....format.shapes import element_count
from ...budget import Budget
from ...rules.checks import expect, shown
from .parts import check_extent, expect_plain, expect_size, is_a, owned_numbers

__all__ = ["ARGUMENTS"]

_INDICES = ("int32", "int64")
_BY_ROWS = ("sparse_csr", "sparse_bsr")
_BLOCKS = ("sparse_bsr", "sparse_bsc")
_COMPRESSED = ("sparse_csr", "sparse_csc", *_BLOCKS)
_MOST_INT32 = (1 << 31) - 1
# What the call takes at least, in units of work, and what it takes to begin with one more batch.
_CALL, _BATCH = 200, 64


def _tensor(budget: Budget, layout: Any, data: Any) -> tuple[Any, ...]:
    """Check the arguments of `_rebuild_sparse_tensor`."""
    budget.pay(_CALL)
    name = str(layout).rpartition(".")[2] if is_a(layout, "torch", "layout") else ""
    expect(data, "the parts of a sparse tensor of torch", tuple)
    if name == "sparse_coo" and len(data) in (3, 4):
        return layout, _coordinates(budget, *data)
    if name in _COMPRESSED and len(data) == 4:
        return layout, _compressed(budget, name, *data)
    raise FormatError(f"a sparse tensor of torch has the layout {shown(name)} and {len(data)} parts")


def _size(budget: Budget, size: Any, values: Any) -> tuple[int, ...]:
    """Return the size of a sparse tensor, if torch can count its elements."""
    numbers = expect_size(size, "the size of a sparse tensor of torch")
    check_extent(budget, 0, numbers, (0,) * len(numbers), values.dtype.itemsize, None)
    return numbers


def _coordinates(budget: Budget, indices: Any, values: Any, size: Any, is_coalesced: Any = None) -> tuple[Any, ...]:
    """Return the parts of a tensor in coordinates, with indices of its own."""
    lengths = _size(budget, size, expect_plain(values, "values of a sparse tensor of torch"))
    expect(is_coalesced, "whether a sparse tensor of torch is coalesced", bool, type(None))
    indices, places = owned_numbers(budget, indices, "indices of a sparse tensor of torch", ("int64",), 2)
    along, stored = places.shape
    if values.dim() < 1 or lengths[along:] != tuple(values.shape[1:]) or len(values) != stored or along > len(lengths):
        raise _unlike(values, lengths)
    for length, numbers in zip(lengths, places):
        _expect_within(numbers, length)
    if is_coalesced:
        budget.pay(4 * places.size)
        order = np.zeros(max(stored - 1, 0), np.int8)
        for numbers in places:
            order = np.where(order == 0, np.sign(np.diff(numbers)), order)
        if (order != 1).any():
            raise FormatError("a sparse tensor of torch says that it is coalesced, and its indices do not ascend")
    return (indices, values, size) if is_coalesced is None else (indices, values, size, is_coalesced)


def _compressed(budget: Budget, layout: str, pointers: Any, indices: Any, values: Any, size: Any) -> tuple[Any, ...]:
    """Return the parts of a tensor in compressed rows or columns, or in blocks of these, with indices of its own."""
    lengths = _size(budget, size, expect_plain(values, "values of a sparse tensor of torch"))
    pointers, ends = owned_numbers(budget, pointers, "compressed indices of a sparse tensor of torch", _INDICES)
    indices, places = owned_numbers(budget, indices, "indices of a sparse tensor of torch", _INDICES)
    batches, shape = ends.ndim - 1, tuple(values.shape)
    blocks = 2 if layout in _BLOCKS else 0
    if ends.dtype != places.dtype or ends.ndim < 1 or places.ndim != ends.ndim or len(lengths) < batches + 2:
        raise _unlike(values, lengths)
    stored, dense = places.shape[-1], shape[batches + 1 + blocks :]
    block = shape[batches + 1 : batches + 3] if blocks else (1, 1)
    matrix = lengths[batches : batches + 2]
    if len(shape) < batches + 1 + blocks or lengths[batches + 2 :] != dense or shape[batches] != stored:
        raise _unlike(values, lengths)
    if not all(block) or any(length % width for length, width in zip(matrix, block)):
        raise FormatError(f"a sparse tensor of torch has blocks of {block} in a matrix of {matrix}")
    lines, width = (length // part for length, part in zip(matrix, block))
    if layout not in _BY_ROWS:
        lines, width = width, lines
    batch = lengths[:batches]
    if not all(batch):
        raise FormatError("a sparse tensor of torch has no batches")  # torch divides by their number in conversions
    if ends.shape != (*batch, lines + 1) or places.shape[:-1] != batch or shape[:batches] != batch:
        raise _unlike(values, lengths)
    if ends.dtype == np.int32 and max(*matrix, stored) > _MOST_INT32:
        raise FormatError("a sparse tensor of torch has indices of 32 bits for lengths of more")
    count = element_count(batch)
    _check_lines(budget, ends.reshape(count, lines + 1), places.reshape(count, stored), width)
    return pointers, indices, values, size


def _check_lines(budget: Budget, ends: np.ndarray, places: np.ndarray, width: int) -> None:
    """Check that each batch has lines that follow each other, and in each of them indices that ascend.

    Args:
        budget: pays for the walk.
        ends: where each line ends among the indices, after a 0, for each batch.
        places: the indices of each batch.
        width: how many places a line has.
    """
    stored = places.shape[1]
    budget.pay(_BATCH * len(ends) + 4 * (ends.size + places.size))
    if (ends[:, 0] != 0).any() or (ends[:, -1] != stored).any() or (np.diff(ends, axis=1) < 0).any():
        raise FormatError(f"compressed indices of a sparse tensor of torch do not ascend from 0 to {stored}")
    _expect_within(places, width)
    for begins, numbers in zip(ends, places):
        ascend = np.diff(numbers) > 0
        inside = begins[(begins > 0) & (begins < stored)]
        ascend[inside - 1] = True
        if not ascend.all():
            raise FormatError("indices of a sparse tensor of torch do not ascend within a row or column")


def _expect_within(numbers: np.ndarray, length: int) -> None:
    if numbers.size and not 0 <= numbers.min() <= numbers.max() < length:
        raise FormatError(f"indices of a sparse tensor of torch are not from 0 to {length - 1}")


def _unlike(values: Any, lengths: tuple[int, ...]) -> FormatError:
    return FormatError(
        f"a sparse tensor of torch of the size {lengths} has indices that do not fit it, or values of the size "
        f"{tuple(values.shape)}"
    )


ARGUMENTS: dict[tuple[str, str], Callable[..., Any]] = {("binpickle.rebuild", "torch_sparse_tensor"): _tensor}
"""See `guards.ARGUMENTS`."""
