"""Checks of the call that makes a nested tensor: one row of numbers, which tensors of several sizes share.

Rule: the tensors follow each other in the row without gaps, in the order of C, as torch makes them. torch takes much of
its way through nested tensors on trust.
"""

from __future__ import annotations

from typing import Any, Callable

import numpy as np

from ....errors import FormatError
from ...budget import Budget
from .parts import expect_plain, owned_numbers

__all__ = ["ARGUMENTS"]

_MOST_DIMENSIONS = 63
# What the call takes at least, in units of work.
_CALL = 300
# What a tensor without elements may seem to have along its other dimensions.
_MOST_EMPTY = 1 << 24


def _tensor(budget: Budget, values: Any, sizes: Any, strides: Any, offsets: Any) -> tuple[Any, ...]:
    """Check the arguments of `_rebuild_nested_tensor`."""
    budget.pay(_CALL)
    expect_plain(values, "values of a nested tensor of torch")
    sizes, lengths = owned_numbers(budget, sizes, "sizes of a nested tensor of torch", ("int64",), 2)
    strides, steps = owned_numbers(budget, strides, "strides of a nested tensor of torch", ("int64",), 2)
    offsets, begins = owned_numbers(budget, offsets, "offsets of a nested tensor of torch", ("int64",), 1)
    if values.dim() != 1 or not values.is_contiguous():
        raise FormatError("values of a nested tensor of torch are not one row of numbers")
    if not len(lengths):
        raise FormatError("a nested tensor of torch has no tensors in it")  # torch follows a pointer to the first one
    room = len(values)
    if lengths.shape != steps.shape or len(lengths) != len(begins) or lengths.shape[1] > _MOST_DIMENSIONS:
        raise FormatError("sizes, strides and offsets of a nested tensor of torch do not fit each other")
    budget.pay(4 * lengths.size)
    if lengths.size and (lengths.min() < 0 or _too_large(lengths, room)):
        raise FormatError(f"a nested tensor of torch has sizes that do not lie within its {room} values")
    wanted = np.ones_like(steps)
    wanted[:, :-1] = np.cumprod(lengths[:, :0:-1], axis=1)[:, ::-1]
    counts = lengths.prod(axis=1)
    ends = np.cumsum(counts)
    if (wanted != steps).any() or (ends - counts != begins).any() or int(counts.sum()) != room:
        raise FormatError(f"the tensors of a nested tensor of torch do not follow each other in its {room} values")
    return values, sizes, strides, offsets


def _too_large(lengths: np.ndarray, room: int) -> bool:
    """Whether a product of lengths, zeros left out, or the sum of these, exceeds the room or 64 bits."""
    products = np.maximum(lengths, 1).astype(float).prod(axis=1)
    return bool(products.max() > max(room, _MOST_EMPTY) or products.sum() > 1 << 62)


ARGUMENTS: dict[tuple[str, str], Callable[..., Any]] = {("torch._utils", "_rebuild_nested_tensor"): _tensor}
"""See `guards.ARGUMENTS`."""
