"""An array over the bytes of a buffer: its dtype, shape, strides and offset, and what of the bytes a part of it needs.

Rule: values in, values out. A view may come from a file of unknown origin, so whoever makes an array of it compares its
extent with the length of the buffer first.
"""

from __future__ import annotations

from operator import index
from typing import Any, NamedTuple, Sequence

import numpy as np

from .contents import Kind
from .shapes import element_count

__all__ = ["View", "view_of"]


class View(NamedTuple):
    """An array over the bytes of a buffer.

    Attributes:
        dtype: its element type.
        shape: its shape.
        strides: for each axis the distance of neighbours, in bytes.
        offset: where its first element begins, in bytes.
    """

    dtype: np.dtype
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int = 0

    @property
    def extent(self) -> tuple[int, int]:
        """The first byte of the buffer that belongs to an element, and the one behind the last; equal if none does."""
        if not element_count(self.shape) * self.dtype.itemsize:
            return self.offset, self.offset
        reach = [(n - 1) * step for n, step in zip(self.shape, self.strides)]
        first = self.offset + sum(step for step in reach if step < 0)
        last = self.offset + sum(step for step in reach if step > 0)
        return first, last + self.dtype.itemsize

    def rows(self, rows: Any, axis: int = 0) -> View:
        """Return some rows, as NumPy indexes them.

        Args:
            rows: an integer, which drops the axis, or a slice of step 1; negative numbers count from the end.
            axis: the axis that they are counted along; a negative number counts from the last axis.

        Raises:
            IndexError: there is no such row or axis.
            TypeError: `rows` is neither an integer nor a slice.
            ValueError: the step of the slice is not 1.
        """
        axis = _number(axis, len(self.shape), "axis")
        length, step = self.shape[axis], self.strides[axis]
        if isinstance(rows, slice):
            start, stop, by = rows.indices(length)
            if by != 1:
                raise ValueError(f"rows must be a slice of step 1, not of step {by}: slice the array that you get")
            shape: Sequence[int] = [*self.shape[:axis], max(stop - start, 0), *self.shape[axis + 1 :]]
            strides: Sequence[int] = self.strides
        else:
            start = _number(rows, length, "row")
            shape, strides = (
                [*self.shape[:axis], *self.shape[axis + 1 :]],
                [*self.strides[:axis], *self.strides[axis + 1 :]],
            )
        return View(self.dtype, tuple(shape), tuple(strides), self.offset + (start * step if length else 0))


def view_of(kind: Kind) -> View:
    """Return the whole of a buffer as the index describes it; plain bytes are uint8, 1-d."""
    if kind.dtype is None or kind.shape is None:
        return View(np.dtype(np.uint8), (kind.nbytes,), (1,))
    axes = range(len(kind.shape)) if kind.order == "C" else kind.order
    axes = range(len(kind.shape))[::-1] if kind.order == "F" else axes
    strides, step = [0] * len(kind.shape), kind.dtype.itemsize
    for axis in reversed(list(axes)):
        strides[axis] = step
        step *= kind.shape[axis]
    return View(kind.dtype, kind.shape, tuple(strides))


def _number(i: Any, count: int, what: str) -> int:
    try:
        return range(count)[index(i)]
    except IndexError:
        raise IndexError(f"there is no {what} {i}: the array has {count}") from None
    except TypeError:
        raise TypeError(f"{what} must be an integer, not {i!r:.80}") from None
