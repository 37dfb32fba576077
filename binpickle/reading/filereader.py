"""An open file: its tables, and its chunks read, checked and decoded one at a time.

Rule: the tables of an open file are consistent, so that all they promise can be read. `read_chunk` and `check_chunk`
are safe in any thread.
"""

from __future__ import annotations

from functools import partial
from threading import RLock
from typing import Callable, Iterator, Optional, Sequence, Tuple

import numpy as np

from ..codecs.chain import Chain, chain_from_specs, decode
from ..errors import BinPickleError, CodecError, FormatError, IntegrityError
from ..files.source import Source
from ..format.checksums import ALGORITHMS
from ..format.header import VERSION
from ..keys import Keys
from ..limits import Limits
from ..threads.crew import Crew, Job, Pipeline
from ..types import BytesLike
from .limiting import check_decoding, decoding_nbytes
from .naming import ChunkNames
from .pages import allocate
from .tables import read_tables

__all__ = ["FileReader", "check_chunks", "read_job"]

Advance = Callable[[int], None]
"""Called with the number of bytes that have just been done."""

Report = Callable[[int, Optional[BinPickleError]], None]
"""Called with the number of a checked chunk and its error, `None` if the chunk is intact."""

TellNames = Callable[["FileReader"], Sequence[str]]
"""Returns the names of the buffers of an open file; raises nothing."""

_Checked = Tuple[int, Optional[BinPickleError]]

# Gaps for alignment are short. Their bytes are compared through arrays of positions, which take 8 bytes for each byte
# of a gap, so only some thousand gaps are compared at a time.
_SHORT_GAP = 256
_GAPS_AT_A_TIME = 4096


class FileReader:
    """An open file whose structure and index have been checked.

    Args:
        source: the bytes of the file; whoever opened the source closes it.
        limits: how much the file may ask for.
        keys: refuse a file that none of these keys sealed, before its index is parsed.

    Attributes:
        source: the bytes of the file.
        authenticated: whether keys were given, so that a holder of a key wrote the file.
        header: see `Tables`.
        contents: see `Tables`.
        placement: see `Tables`.
        views: see `Tables`.
        tell_names: returns the names of the buffers of an open file, for messages; `None` tells buffers by number.

    Raises:
        FormatError: the file is not a BinPickle file, is truncated or inconsistent.
        LimitError: the file asks for more than `limits` allow.
        IntegrityError: the index is damaged.
        AuthenticationError: the seal is missing or wrong.
    """

    def __init__(self, source: Source, limits: Limits, keys: Keys | None = None):
        self.source = source
        self.authenticated = keys is not None
        self.header, self.contents, self.placement, padding, self.views = read_tables(source, limits, keys)
        if limits.decoded_per_byte < Limits.decoded_per_byte:  # by default there is no such limit
            check_decoding(decoding_nbytes(self.contents, self.placement), self.contents.length, limits)
        self.tell_names: TellNames | None = None
        self._chunk_names: ChunkNames | None = None
        self._naming = RLock()
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
        """Return the sum of the decoded lengths of some chunks."""
        return int((self.contents.chunk_starts[chunks + 1] - self.contents.chunk_starts[chunks]).sum())

    def chunk_nbytes(self, i: int) -> int:
        """Return the decoded length of a chunk."""
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
        self, i: int, out: np.ndarray | None = None, check: bool = True, hostile: bool = False, brief: bool = False
    ) -> np.ndarray:
        """Read, check and decode a chunk.

        Args:
            i: the number of the chunk.
            out: memory to decode into, uint8, 1-d, of the chunk's decoded length; by default fresh memory.
            check: compare the checksum, and check that the bytes between buffers are zero.
            hostile: allow only codecs that are memory-safe on any input, unless the file is authenticated.
            brief: see `check_chunk`.

        Returns:
            The decoded bytes, uint8, 1-d.

        Raises:
            IntegrityError: the stored bytes are damaged.
            CodecError: the stored bytes do not decode.
            FormatError: a byte between buffers is not zero.
        """
        if out is None:
            out = allocate(self.chunk_nbytes(i))
        try:
            self._decode(i, out, check, hostile, brief)
        except CodecError as error:
            error.chunk = i
            error.args = (f"{self._describe(i)}: {error.args[0]}",)
            raise
        if check:
            self._check_gaps(i, out)
        return out

    def check_chunk(self, i: int, brief: bool = False, decode: bool = False) -> None:
        """Compare a chunk's stored bytes with its checksum.

        Args:
            i: the number of the chunk.
            brief: do not list the buffers of a damaged chunk in the error: that takes time for each buffer of the file.
            decode: decode the chunk, too, and drop what comes out; only with codecs that are memory-safe on any input,
                unless the file is authenticated.

        Raises:
            IntegrityError: the stored bytes are damaged.
            CodecError: the stored bytes do not decode.
            FormatError: a byte between buffers is not zero, in a chunk that is stored raw or decoded.
        """
        if decode:
            self.read_chunk(i, hostile=True, brief=brief)
            return
        data = self.source.read(int(self.contents.chunk_offsets[i]), int(self.contents.chunk_stored[i]))
        self._check_stored(i, data, brief)
        if not self.contents.chains[int(self.contents.chunk_chains[i])]:
            self._check_gaps(i, np.frombuffer(data, np.uint8))

    def needs_helper(self, i: int) -> bool:
        """Whether a chunk must not be decoded in the main thread; false if its codecs are unknown, as reading says."""
        try:
            return any(step.needs_helper for step in self.chain(i))
        except BinPickleError:
            return False

    def _decode(self, i: int, out: np.ndarray, check: bool, hostile: bool, brief: bool) -> None:
        offset, stored = int(self.contents.chunk_offsets[i]), int(self.contents.chunk_stored[i])
        chain = self.chain(i)
        if not chain:
            self.source.read_into(offset, out)
            if check:
                self._check_stored(i, out, brief)
            return
        data = self.source.read(offset, stored)
        if check or not all(step.hostile_safe for step in chain):  # Blosc is not memory-safe on damaged frames
            self._check_stored(i, data, brief)
        decode(chain, memoryview(data), len(out), out, hostile=hostile and not self.authenticated)

    def _check_stored(self, i: int, data: BytesLike, brief: bool = False) -> None:
        checksum = self.contents.checksum
        if ALGORITHMS[checksum.name].of(data) != checksum[i]:
            message = f"{self._describe(i)} is damaged: its checksum differs; get the file again"
            raise IntegrityError(message, i, () if brief else self.placement.in_chunk(self.contents, i).tolist())

    def _describe(self, i: int) -> str:
        """Return the number of a chunk and what it holds, as text."""
        with self._naming:
            if self._chunk_names is None:
                # If the stream is damaged that has the names, this is called again for it, and must not ask once more.
                tell, self.tell_names = self.tell_names, None
                names = [""] * len(self.contents.buffer_starts) if tell is None else tell(self)
                self._chunk_names = ChunkNames(self.contents, self.placement, names)
            return self._chunk_names.describe(i)

    def _check_gaps(self, i: int, data: np.ndarray) -> None:
        """Refuse a chunk if a byte between its buffers is not zero; versions 1 and 2 may have any bytes there."""
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


def read_job(reader: FileReader, i: int, out: np.ndarray | None, check: bool, hostile: bool) -> Job[np.ndarray]:
    """Return the job of reading one chunk; see `FileReader.read_chunk` for the arguments."""
    chain = reader.chain(i)
    return Job(
        partial(reader.read_chunk, i, out, check, hostile),
        off_main=any(step.needs_helper for step in chain),
        light=out is None and not chain,
    )


def check_chunks(
    reader: FileReader, chunks: Sequence[int], crew: Crew, report: Report, brief: bool = False, decode: bool = False
) -> Iterator[None]:
    """Check chunks; yields after each chunk.

    Args:
        reader: the open file.
        chunks: the numbers of the chunks.
        crew: does the jobs.
        report: called for each chunk, in their order.
        brief: see `FileReader.check_chunk`.
        decode: see `FileReader.check_chunk`.
    """

    def check(i: int) -> _Checked:
        try:
            reader.check_chunk(i, brief, decode)
        except BinPickleError as error:
            return i, error
        return i, None

    pipeline: Pipeline[_Checked] = Pipeline(crew, lambda checked: report(*checked))
    for i in chunks:
        pipeline.push(Job(partial(check, i), off_main=decode and reader.needs_helper(i)))
        yield
    yield from pipeline.drain()


def _any_in(data: np.ndarray, starts: np.ndarray, lengths: np.ndarray) -> bool:
    """Return whether any byte in some ranges is not zero."""
    long = lengths > _SHORT_GAP
    if any(data[a : a + n].any() for a, n in zip(starts[long].tolist(), lengths[long].tolist())):
        return True
    starts, lengths = starts[~long], lengths[~long]
    for at in range(0, len(starts), _GAPS_AT_A_TIME):
        begins, counts = starts[at : at + _GAPS_AT_A_TIME], lengths[at : at + _GAPS_AT_A_TIME]
        where = np.repeat(begins - (counts.cumsum() - counts), counts) + np.arange(int(counts.sum()))
        if data[where].any():
            return True
    return False
