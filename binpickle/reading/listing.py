"""The buffers of an open file as a sequence: each is described when somebody asks for it.

Rule: nothing of the data is read for a description. Rows of a buffer are read by whoever opened the file.
"""

from __future__ import annotations

from functools import partial
from operator import eq
from typing import Any, Callable, Iterator, Sequence, overload

import numpy as np

from ..format.contents import Contents
from ..format.dtypes import copied
from ..format.placement import Placement
from ..types import Rows
from .description import Buffer, share_of, stored_before
from .limiting import buffers_nbytes

__all__ = ["Buffers"]


class Buffers(Sequence[Buffer]):
    """The buffers of a file, in the order in which the pickle stream asks for them, each described on demand.

    They stay when the file is closed: nothing of it is read, but rows of a buffer. Pickled, they become a tuple.

    Args:
        contents: the tables of the file.
        placement: how buffers and chunks lie to each other.
        mapped: whether the file is mapped.
        take: returns rows of the buffer of a number.
        number_of: returns the number of the buffer of a name, or raises `KeyError`.
    """

    def __init__(
        self,
        contents: Contents,
        placement: Placement,
        mapped: bool,
        take: Callable[[int, Rows], np.ndarray] | None = None,
        number_of: Callable[[str], int] | None = None,
    ):
        self._take = take
        self._number_of = number_of
        self._contents = contents
        self._placement = placement
        self._mapped = mapped
        self._stored_before = stored_before(contents)
        self._dtypes: dict[int, np.dtype | None] = {}

    def __len__(self) -> int:
        return len(self._contents.buffer_starts)

    def __iter__(self) -> Iterator[Buffer]:
        return (self[i] for i in range(len(self)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, (Buffers, list, tuple)) and len(self) == len(other) and all(map(eq, self, other))

    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> Any:
        return tuple, (list(self),)

    def __repr__(self) -> str:
        from ..show.table import buffers_text  # most programs never need it

        return buffers_text(self, self.nbytes)

    @property
    def nbytes(self) -> int:
        """The sum of the decoded lengths of all buffers, in bytes."""
        return buffers_nbytes(self._contents)

    @overload
    def __getitem__(self, i: int | str) -> Buffer: ...

    @overload
    def __getitem__(self, i: slice) -> list[Buffer]: ...

    def __getitem__(self, i: int | str | slice) -> Buffer | list[Buffer]:
        if isinstance(i, slice):
            return [self[n] for n in range(*i.indices(len(self)))]
        if isinstance(i, str):
            if self._number_of is None:
                raise KeyError(f"{i!r:.200}: these buffers have no names")
            i = self._number_of(i)
        n = range(len(self))[i]
        buffer = self._describe(n)
        if self._take is not None:
            vars(buffer)["_take"] = partial(self._take, n)  # no field: it counts neither in comparisons nor in pickles
        return buffer

    def _describe(self, n: int) -> Buffer:
        contents, placement = self._contents, self._placement
        number = int(contents.buffer_kinds[n])
        kind, dtype = contents.kinds[number], self._dtype(number)
        order = kind.order if kind.shape is not None else None
        if not kind.nbytes:
            return Buffer(dtype, kind.shape, order, 0, 0, codecs=(), offset=None, mapped=False)
        in_place = bool(placement.mappable[n])
        first, last = int(placement.first[n]), int(placement.last[n])
        return Buffer(
            dtype=dtype,
            shape=kind.shape,
            order=order,
            nbytes=kind.nbytes,
            stored_nbytes=round(self._share(first, last + 1, kind.nbytes)),
            codecs=contents.chains[contents.chunk_chains[first]],
            offset=int(placement.offsets[n]) if in_place else None,
            mapped=self._mapped and in_place,
        )

    def _dtype(self, kind: int) -> np.dtype | None:
        """Return the dtype of a kind. Callers get their own: they may rename its fields, and tables may be kept."""
        if kind not in self._dtypes:
            dtype = self._contents.kinds[kind].dtype
            self._dtypes[kind] = None if dtype is None else copied(dtype)
        return self._dtypes[kind]

    def _share(self, first: int, stop: int, nbytes: int) -> float:
        """Return the bytes in the file of a buffer of `nbytes` bytes that lies in chunks `first` to `stop - 1`."""
        before, starts = self._stored_before, self._contents.chunk_starts
        share: float = share_of(int(before[stop] - before[first]), nbytes, int(starts[stop] - starts[first]))
        return share
