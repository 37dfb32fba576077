"""An open file: its contents, and its chunks read, checked and decoded one at a time.

Rule: what opens is consistent: whatever the tables say can be read. `read_chunk` and `check_chunk` are safe in any
thread.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Callable, Iterator, Sequence

import numpy as np

from ..codecs.chain import Chain, chain_from_specs, decode
from ..errors import BinPickleError, CodecError, FormatError, IntegrityError, LimitError
from ..files.source import Source
from ..format.checksums import ALGORITHMS
from ..format.header import VERSION
from ..keys import Keys
from ..limits import Limits
from ..threads.crew import Crew, Job, Pipeline
from .tables import read_tables

__all__ = ["FileReader", "allocate", "check_chunks", "read_job"]

Advance = Callable[[int], None]
"""Called with the number of bytes that were just done."""


def check_chunks(
    reader: FileReader, chunks: Sequence[int], crew: Crew, report: Callable[[int, BinPickleError | None], None]
) -> Iterator[None]:
    """Check the stored bytes of chunks; yields after each.

    Args:
        reader: the file.
        chunks: numbers of the chunks.
        crew: does the jobs.
        report: called with each chunk's number and its error or `None`.
    """

    def check(i: int) -> tuple[int, BinPickleError | None]:
        try:
            reader.check_chunk(i)
        except BinPickleError as error:
            return i, error
        return i, None

    pipeline: Pipeline[Any] = Pipeline(crew, lambda outcome: report(*outcome))
    for i in chunks:
        pipeline.push(Job(partial(check, i)))
        yield
    yield from pipeline.drain()


def read_job(reader: FileReader, i: int, out: np.ndarray | None, check: bool, hostile: bool) -> Job[np.ndarray]:
    chain = reader.chain(i)
    return Job(
        partial(reader.read_chunk, i, out, check, hostile),
        off_main=any(step.needs_helper for step in chain),
        light=out is None and not chain,
    )


_HUGE_PAGE = 2 << 20

_CACHE_LINE = 64

# Gaps of alignment are short; the positions of their bytes, 8 bytes each, are made for so many gaps together.
_SHORT = 256

_AT_A_TIME = 4096


class FileReader:
    """A file whose structure and index have been checked.

    Args:
        source: its bytes; closed by whoever opened it.
        limits: what to accept.
        keys: refuse a file that is not sealed by one of them, before anything of it is parsed.

    Attributes:
        authenticated: whether keys were given: who wrote the file is known.
        header, contents, placement, views: see `Tables`.

    Raises:
        FormatError: not a BinPickle file, truncated, inconsistent.
        LimitError: more than `limits` allow.
        IntegrityError: the index is damaged.
        AuthenticationError: the seal is missing or wrong.
    """

    def __init__(self, source: Source, limits: Limits, keys: Keys | None = None):
        self.source = source
        self.authenticated = keys is not None
        self.header, self.contents, self.placement, padding, self.views = read_tables(source, limits, keys)
        self._chains: list[Chain | None] = [None] * len(self.contents.chains)
        for start, stop in padding:
            if bytes(source.read(start, stop - start)) != bytes(stop - start):
                raise FormatError(f"the padding at {start} is not zero: the file is damaged or forged")

    @property
    def stream_chunks(self) -> range:
        """The numbers of the chunks that hold the pickle stream."""
        if self.contents.stream is None:
            return range(0)
        starts, (begin, end) = self.contents.chunk_starts, self.contents.stream
        return range(int(np.searchsorted(starts, begin, "right")) - 1, int(np.searchsorted(starts, end)))

    @property
    def stream_nbytes(self) -> int:
        """The length of the pickle stream."""
        start, stop = self.contents.stream or (0, 0)
        return stop - start

    @property
    def is_mappable(self) -> bool:
        """Whether every buffer is stored raw, so that all can be mapped."""
        return bool(self.placement.mappable[self.contents.buffer_nbytes > 0].all())

    def require_object(self) -> None:
        """Refuse a file without an object, which earlier releases could write.

        Raises:
            FormatError: the file has no pickle stream.
        """
        if self.contents.stream is None:
            raise FormatError("the file holds no object: nothing was dumped into it")

    def nbytes_of(self, chunks: np.ndarray) -> int:
        """Return the sum of the logical lengths of some chunks."""
        return int((self.contents.chunk_starts[chunks + 1] - self.contents.chunk_starts[chunks]).sum())

    def chunk_nbytes(self, i: int) -> int:
        """Return the logical length of a chunk."""
        return int(self.contents.chunk_starts[i + 1] - self.contents.chunk_starts[i])

    def chain(self, i: int) -> Chain:
        """Return the codec chain of a chunk.

        Raises:
            UnknownCodecError: a codec is not installed or not allowed from files.
        """
        number = int(self.contents.chunk_chains[i])
        chain = self._chains[number]
        if chain is None:
            legacy_file = self.contents.version < VERSION
            chain = self._chains[number] = chain_from_specs(self.contents.chains[number], legacy=legacy_file)
        return chain

    def read_chunk(
        self, i: int, out: np.ndarray | None = None, check: bool = True, hostile: bool = False
    ) -> np.ndarray:
        """Read, check and decode a chunk.

        Args:
            i: its number.
            out: where to decode to, uint8, 1-d, of the chunk's logical length; by default fresh memory.
            check: compare the checksum, and the zeros between buffers.
            hostile: allow only codecs that are memory-safe on any input, unless the file is authenticated.

        Returns:
            The decoded bytes, uint8, 1-d.

        Raises:
            IntegrityError: the stored bytes are damaged.
            CodecError: they do not decode.
        """
        if out is None:
            out = allocate(self.chunk_nbytes(i))
        try:
            self._decode(i, out, check, hostile)
        except CodecError as error:
            error.chunk = i
            error.args = (f"{self._describe(i)}: {error.args[0]}",)
            raise
        if check:
            self._check_gaps(i, out)
        return out

    def check_chunk(self, i: int) -> None:
        """Compare a chunk's stored bytes with its checksum, decoding nothing.

        Raises:
            IntegrityError: they are damaged.
            FormatError: bytes that no buffer holds are not zero.
        """
        data = self.source.read(int(self.contents.chunk_offsets[i]), int(self.contents.chunk_stored[i]))
        self._check_stored(i, data)
        if not self.contents.chains[int(self.contents.chunk_chains[i])]:
            self._check_gaps(i, np.frombuffer(data, np.uint8))

    def _decode(self, i: int, out: np.ndarray, check: bool, hostile: bool) -> None:
        offset, stored = int(self.contents.chunk_offsets[i]), int(self.contents.chunk_stored[i])
        chain = self.chain(i)
        if not chain:
            self.source.read_into(offset, out)
            if check:
                self._check_stored(i, out)
            return
        data = self.source.read(offset, stored)
        if check or not all(step.hostile_safe for step in chain):  # Blosc is not safe on damaged frames
            self._check_stored(i, data)
        decode(chain, memoryview(data), len(out), out, hostile=hostile and not self.authenticated)

    def _check_stored(self, i: int, data: Any) -> None:
        checksum = self.contents.checksum
        if ALGORITHMS[checksum.name].of(data) != checksum[i]:
            buffers = self.placement.in_chunk(self.contents, i).tolist()
            message = f"{self._describe(i)} is damaged: its checksum differs; get the file again"
            raise IntegrityError(message, i, buffers)

    def _describe(self, i: int) -> str:
        """Return words for a chunk and what it holds."""
        buffers = self.placement.in_chunk(self.contents, i).tolist()
        if not buffers:
            return f"chunk {i} (pickle stream)"
        return f"chunk {i} (buffer{'' if len(buffers) == 1 else 's'} {_ranges(buffers)})"

    def _check_gaps(self, i: int, data: np.ndarray) -> None:
        begin, end = (int(n) for n in self.contents.chunk_starts[i : i + 2])
        placement = self.placement
        if self.contents.version < VERSION or not len(placement.gap_starts):
            return
        first = int(np.searchsorted(placement.gap_stops, begin, "right"))
        stop = int(np.searchsorted(placement.gap_starts, end, "left"))
        starts = np.maximum(placement.gap_starts[first:stop], begin) - begin
        lengths = np.minimum(placement.gap_stops[first:stop], end) - begin - starts
        if _any_in(data, starts, lengths):
            raise FormatError(f"{self._describe(i)}: the bytes between buffers are not zero; the file is forged")


def _any_in(data: np.ndarray, starts: np.ndarray, lengths: np.ndarray) -> bool:
    """Return whether any byte is not zero in some ranges: long ones one by one, short ones some thousands at a time."""
    long = lengths > _SHORT
    if any(data[a : a + n].any() for a, n in zip(starts[long].tolist(), lengths[long].tolist())):
        return True
    starts, lengths = starts[~long], lengths[~long]
    for at in range(0, len(starts), _AT_A_TIME):
        begins, counts = starts[at : at + _AT_A_TIME], lengths[at : at + _AT_A_TIME]
        where = np.repeat(begins - (counts.cumsum() - counts), counts) + np.arange(int(counts.sum()))
        if data[where].any():
            return True
    return False


def allocate(nbytes: int) -> np.ndarray:
    """Return fresh memory, uint8, 1-d: aligned for SIMD, and large ones for huge pages (0.65 of the time to fill)."""
    align = _HUGE_PAGE if nbytes >= 2 * _HUGE_PAGE else _CACHE_LINE
    try:
        memory = np.empty(nbytes + align, np.uint8)
    except (MemoryError, ValueError):
        raise LimitError(f"{nbytes} bytes of memory are needed, more than there are", "decoded_bytes") from None
    skip = -memory.__array_interface__["data"][0] % align
    return memory[skip : skip + nbytes]


def _ranges(numbers: list[int]) -> str:
    """Return ascending numbers in words, runs shortened: 0-3, 7."""
    words: list[str] = []
    start = previous = numbers[0]
    for n in [*numbers[1:], -1]:
        if n != previous + 1:
            words.append(str(start) if start == previous else f"{start}-{previous}")
            start = n
        previous = n
    return ", ".join(words[:8]) + (", ..." if len(words) > 8 else "")
