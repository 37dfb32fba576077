"""The bytes that a view needs, as runs: pieces of one length at one distance.

Rule: values in, values out. Rows along any axis of an array without gaps are such runs, since the axes outside of the
chosen one follow each other at one distance. A view that is no such runs needs all bytes of its extent.
"""

from __future__ import annotations

from typing import NamedTuple, Sequence

import numpy as np

from .shapes import element_count
from .views import View

__all__ = ["Piece", "Runs", "gather", "packed", "whole_of", "whole_piece"]

_LONGEST_ITEM = (1 << 31) - 1  # the largest item size of NumPy


class Runs(NamedTuple):
    """Bytes of a buffer or chunk: `times` runs of `length` bytes, which do not overlap.

    Attributes:
        start: where the first run begins.
        length: the bytes of each run.
        period: from the begin of a run to the begin of the next one; not 0.
        times: how many runs there are.
    """

    start: int
    length: int
    period: int
    times: int

    @property
    def nbytes(self) -> int:
        """The bytes of all runs."""
        return self.length * self.times

    @property
    def stop(self) -> int:
        """The end of the last run."""
        return self.start + (self.times - 1) * self.period + self.length

    def touched(self, begins: np.ndarray, ends: np.ndarray) -> np.ndarray:
        """Return for each range whether a run has bytes in it.

        Args:
            begins: int64, where the ranges begin.
            ends: int64, where they end.
        """
        runs = np.maximum((begins - self.start - self.length) // self.period + 1, 0)  # the first that ends in or behind
        touched: np.ndarray = (ends > begins) & (runs < self.times) & (self.start + runs * self.period < ends)
        return touched

    def within(self, begin: int, end: int) -> list[tuple[Runs, int]]:
        """Return what of the runs lies within a range, as runs: a cut one at each end, and those between.

        Args:
            begin: where the range begins.
            end: where it ends.

        Returns:
            Runs counted from the begin of the range, each with its position when all runs are joined.
        """
        first = max((begin - self.start - self.length) // self.period + 1, 0)
        stop = min(-((self.start - end) // self.period), self.times)
        found = []
        if end > begin and first < stop:
            at = self.start + first * self.period
            if at < begin:
                found.append((_run(0, min(at + self.length, end) - begin), first * self.length + begin - at))
                first += 1
            at = self.start + (stop - 1) * self.period
            if first < stop and at + self.length > end:
                stop -= 1
                found.append((_run(at - begin, end - at), stop * self.length))
        if end > begin and first < stop:
            at = self.start + first * self.period - begin
            found.append((Runs(at, self.length, self.period, stop - first), first * self.length))
        return found

    def shifted(self, by: int) -> Runs:
        """Return the runs, each `by` bytes further on."""
        return self._replace(start=self.start + by)


class Piece(NamedTuple):
    """Some bytes of a chunk, and where they go.

    Attributes:
        runs: which bytes, counted from the begin of the chunk.
        out: where they go, joined: uint8, 1-d, writable.
    """

    runs: Runs
    out: np.ndarray


def whole_of(pieces: Sequence[Piece], nbytes: int) -> Piece | None:
    """Return the first piece that is a whole chunk of `nbytes` bytes, or `None`."""
    return next((piece for piece in pieces if piece.runs.nbytes == nbytes), None)


def whole_piece(out: np.ndarray) -> Piece:
    """Return the piece that is a whole chunk."""
    return Piece(_run(0, len(out)), out)


def gather(data: np.ndarray, piece: Piece) -> None:
    """Copy a piece out of the decoded bytes of its chunk, uint8 and 1-d."""
    start, length, period, times = piece.runs
    if times == 1:
        piece.out[:] = data[start : start + length]
    elif length <= _LONGEST_ITEM:  # items of NumPy's, which it copies at once
        item = np.dtype((np.void, length))
        piece.out.view(item)[:] = np.ndarray(times, item, data, start, (period,))
    else:
        piece.out.reshape(times, length)[:] = np.ndarray((times, length), np.uint8, data, start, (period, 1))


def packed(view: View) -> tuple[Runs, View]:
    """Return which bytes of a buffer a view needs, and the view over these bytes when they are joined.

    The joined elements lie in the order in which they lie in the buffer. Axes of stride 0 take no memory.
    """
    start, stop = view.extent
    if start == stop:
        return _run(0, 0), View(view.dtype, view.shape, (0,) * len(view.shape))
    if stop - start == element_count(view.shape) * view.dtype.itemsize and min(view.strides, default=1) > 0:
        return _run(start, stop - start), view._replace(offset=0)  # most arrays: without gaps
    axes = [axis for axis, n in enumerate(view.shape) if n > 1 and view.strides[axis]]
    axes.sort(key=lambda axis: abs(view.strides[axis]))
    runs = _runs(start, view.dtype.itemsize, [(view.shape[axis], abs(view.strides[axis])) for axis in axes])
    if runs is None:
        return _run(start, stop - start), view._replace(offset=view.offset - start)
    strides, step, offset = [0] * len(view.shape), view.dtype.itemsize, 0
    for axis in axes:
        strides[axis] = step if view.strides[axis] > 0 else -step
        offset += 0 if view.strides[axis] > 0 else step * (view.shape[axis] - 1)
        step *= view.shape[axis]
    return runs, View(view.dtype, view.shape, tuple(strides), offset)


def _runs(start: int, itemsize: int, axes: Sequence[tuple[int, int]]) -> Runs | None:
    """Return the runs of elements; `None` if they are no runs of one length at one distance.

    Args:
        start: where the first element begins.
        itemsize: the bytes of an element.
        axes: length and stride of each axis, the fastest first; none is 1 or 0.
    """
    length, period, times = itemsize, 0, 1
    for n, stride in axes:
        if times == 1 and stride == length:
            length *= n
        elif times == 1 and stride > length:
            period, times = stride, n
        elif times > 1 and stride == period * times:
            times *= n
        else:
            return None
    return Runs(start, length, period or length, times)


def _run(start: int, nbytes: int) -> Runs:
    return Runs(start, nbytes, max(nbytes, 1), 1)
