"""Arrays and rows of an open file: several views at once, in one plan.

Rule: each chunk that a view needs is read, checked and decoded once, whichever views need it; of its last codec only
what they need, if the codec can. What is mapped is sliced, and takes no memory.
"""

from __future__ import annotations

from typing import Generator, Sequence, Tuple, Union

import numpy as np

from ..errors import FormatError
from ..format.dtypes import copied
from ..format.runs import Piece, Runs, gather, packed
from ..format.shapes import is_array
from ..format.text import check_text, text_of
from ..format.views import View, view_of
from ..threads.crew import Crew, Pipeline
from .filereader import FileReader
from .jobs import check_chunks, pieces_job, raise_error
from .pages import allocate

__all__ = ["PartialRead", "Place", "view_of_place"]

Place = Tuple[Union[int, bytes], View]
"""An array: the number of a buffer, or bytes of the pickle stream; and the view over them."""

# More memory than that is not kept for a view that needs few of the bytes that it spans. Views whose items overlap more
# than that have no text that NumPy could be made to look at for long.
_MOST_WASTE = 2
_MOST_OVERLAP = 8


class PartialRead:
    """One reading of some arrays.

    Args:
        reader: the open file.
        mapped: uint8, the whole file as mapped memory; `None` if the file is not mapped.
        places: the arrays.

    Raises:
        FormatError: a view leads out of its bytes, or NumPy cannot make its array.
    """

    def __init__(self, reader: FileReader, mapped: np.ndarray | None, places: Sequence[Place]):
        self._reader = reader
        self._mapped = mapped
        self._arrays = [_Wanted(reader, mapped is not None, source, view) for source, view in places]

    @property
    def decoded(self) -> np.ndarray:
        """The numbers of the chunks to decode: int64, ascending, each once."""
        return _joined([wanted.chunks for wanted in self._arrays if not wanted.in_place])

    @property
    def copied_nbytes(self) -> int:
        """How many bytes are copied besides what is decoded: an array may be asked for many times."""
        nbytes = sum([wanted.runs.nbytes for wanted in self._arrays if not wanted.in_place])
        return max(0, nbytes - self._reader.nbytes_of(self.decoded))

    def steps(self, crew: Crew, check: bool, check_mapped: bool) -> Generator[None, None, list[np.ndarray]]:
        """Return the arrays in their order; yields after each chunk.

        Args:
            crew: does the jobs.
            check: compare the checksums of what is decoded.
            check_mapped: compare the checksums of what is mapped.

        Raises:
            BinPickleError: see `FileReader.read_chunk`.
            FormatError: text of an array has a code point beyond Unicode, or very many items have no bytes.
        """
        if check_mapped:
            chunks = _joined([wanted.chunks for wanted in self._arrays if wanted.in_place])
            yield from check_chunks(self._reader, chunks.tolist(), crew, raise_error)
        memory = [self._memory(wanted) for wanted in self._arrays]
        yield from self._fill(memory, crew, check)
        return [self._made(wanted, data) for wanted, data in zip(self._arrays, memory)]

    def _memory(self, wanted: _Wanted) -> np.ndarray:
        """Return the memory that holds an array, or will hold it."""
        if wanted.in_place and self._mapped is not None:
            return self._mapped[wanted.offset : wanted.offset + wanted.nbytes]
        out = allocate(wanted.runs.nbytes)
        if isinstance(wanted.source, bytes) and len(out):
            gather(np.frombuffer(wanted.source, np.uint8), Piece(wanted.runs, out))
        return out

    def _fill(self, memory: Sequence[np.ndarray], crew: Crew, check: bool) -> Generator[None, None, None]:
        takers: dict[int, list[int]] = {}
        for n, wanted in enumerate(self._arrays):
            for i in () if wanted.in_place else wanted.chunks:
                takers.setdefault(i, []).append(n)
        chunks = sorted(takers)
        self._reader.plan(chunks)
        pipeline: Pipeline[None] = Pipeline(crew, lambda _: None)
        for i in chunks:
            begin, end = (int(n) for n in self._reader.contents.chunk_starts[i : i + 2])
            pieces = [
                Piece(runs, memory[n][at : at + runs.nbytes])
                for n in takers[i]
                for runs, at in self._arrays[n].runs.within(begin, end)
            ]
            pipeline.push(pieces_job(self._reader, i, pieces, check, hostile=True))
            yield
        yield from pipeline.drain()

    def _made(self, wanted: _Wanted, memory: np.ndarray) -> np.ndarray:
        view = wanted.view if wanted.in_place else wanted.packed
        dtype = copied(view.dtype)
        array = np.ndarray(view.shape, dtype, memory, view.offset, view.strides)
        if not self._reader.authenticated:
            _check(array, len(memory))
        if not wanted.in_place and len(memory) > _MOST_WASTE * array.nbytes:
            array = array.copy(order="K")
        return array


class _Wanted:
    """One array to read.

    Attributes:
        source: see `Place`.
        view: see `Place`.
        nbytes: the length of the buffer or bytes.
        runs: which bytes it needs: logical positions in the file; in bytes of the stream, positions in these.
        packed: the view over these bytes, when they are joined.
        in_place: whether it is a part of the mapped file.
        offset: where the buffer begins in the mapped file.
        chunks: the numbers of the chunks that hold some of it, ascending.
    """

    def __init__(self, reader: FileReader, is_mapped: bool, source: int | bytes, view: View):
        self.source = source
        self.view = view
        self.in_place = False
        self.offset = 0
        self.chunks: Sequence[int] = ()
        if isinstance(source, bytes):
            self.nbytes = len(source)
            self._require_within()
            self.runs, self.packed = packed(view)
            return
        contents, placement = reader.contents, reader.placement
        start = int(contents.buffer_starts[source])
        self.nbytes = int(placement.stops[source]) - start
        self._require_within()
        runs, self.packed = packed(view)
        self.runs = runs.shifted(start)
        if runs.nbytes:
            self.in_place = is_mapped and bool(placement.mappable[source])
            self.offset = int(placement.offsets[source])
            first, last = int(placement.first[source]), int(placement.last[source])
            self.chunks = (first,) if first == last else _chunks(contents.chunk_starts, self.runs)

    def _require_within(self) -> None:
        """Refuse a view that no array of these bytes can have: a file may say anything."""
        start, stop = self.view.extent
        inside = start == stop or start >= 0 and stop <= self.nbytes
        dtype = self.view.dtype
        if not inside or dtype.hasobject or not is_array(dtype, self.view.shape):
            raise FormatError(f"an array of shape {self.view.shape!s:.80} leads out of its buffer; the file is forged")


def view_of_place(reader: FileReader, source: int) -> View:
    """Return the view of a whole buffer, as the index describes it."""
    contents = reader.contents
    return view_of(contents.kinds[int(contents.buffer_kinds[source])])


def _chunks(starts: np.ndarray, runs: Runs) -> Sequence[int]:
    """Return the numbers of the chunks that runs have bytes in.

    Args:
        starts: int64, the logical starts of the chunks, and the end of the last one.
        runs: logical positions.
    """
    first = int(np.searchsorted(starts, runs.start, "right")) - 1
    stop = int(np.searchsorted(starts, runs.stop, "left"))
    touched = runs.touched(starts[first:stop], starts[first + 1 : stop + 1])
    return (np.flatnonzero(touched) + first).tolist()


def _joined(chunks: Sequence[Sequence[int]]) -> np.ndarray:
    return np.array(sorted({i for some in chunks for i in some}), np.int64)


def _check(array: np.ndarray, nbytes: int) -> None:
    """Check what NumPy believes of the data of an array.

    Args:
        array: the array.
        nbytes: the length of its memory.

    Raises:
        FormatError: see `check_text`; or its items overlap so often that looking at them would take long.
    """
    if array.dtype.kind in "biufcmM":  # most arrays, whose check should cost nothing
        return
    if array.nbytes > nbytes:  # a stride of 0 repeats an item, which one look will do for
        array = array[tuple([slice(None) if step else slice(0, 1) for step in array.strides])]
    if array.nbytes > _MOST_OVERLAP * nbytes and text_of(array.dtype)[1]:
        raise FormatError("the items of an array overlap many times: no honest file has them")
    check_text(array)
