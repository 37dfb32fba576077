"""An open file: its tables, and its chunks read, checked and decoded one at a time.

Rule: the tables of an open file are consistent, so that all they promise can be read. `read_chunk` and `check_chunk`
are safe in any thread.
"""

from __future__ import annotations

from copy import copy
from threading import RLock
from typing import Callable, Iterable, Iterator, Sequence

import numpy as np

from ..codecs.chain import Chain, chain_from_specs, decode_pieces
from ..errors import BinPickleError, CodecError, FormatError, IntegrityError
from ..files.source import Source
from ..format.checksums import ALGORITHMS
from ..format.contents import Contents
from ..format.header import VERSION
from ..format.runs import Piece, gather, whole_of, whole_piece
from ..keys import Keys
from ..limits import Limits
from ..types import BytesLike
from .chunknames import ChunkNames
from .gaps import gaps_in, has_bytes
from .limiting import check_decoding, decoding_nbytes
from .pages import allocate
from .tables import read_tables

__all__ = ["Advance", "FileReader"]

Advance = Callable[[int], None]
"""Called with the number of bytes that have just been done."""

TellNames = Callable[["FileReader"], Sequence[str]]
"""Returns the names of the buffers of an open file; raises nothing."""


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
        stream_chunks: the numbers of the chunks that hold the pickle stream.
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
        self.stream_chunks = _stream_chunks(self.contents)
        self.tell_names: TellNames | None = None
        self._chunk_names: ChunkNames | None = None
        self._names_lock = RLock()
        self._chains: list[Chain | None] = [None] * len(self.contents.chains)
        # Padding that is far away is fetched and checked with the chunk behind it.
        self._padding = {stop: start for start, stop in padding} if source.remote else {}
        if not source.remote:
            source.plan(padding)
            for start, stop in padding:
                self._check_padding(start, stop)

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
        self._fill(i, [whole_piece(out)], check, hostile, brief)
        if check:
            self._check_gaps(i, out)
        return out

    def read_pieces(self, i: int, pieces: Sequence[Piece], check: bool = True, hostile: bool = False) -> None:
        """Read and check a chunk, and decode pieces of it, no more than these where possible.

        Args:
            i: the number of the chunk.
            pieces: which bytes of the chunk are wanted, and where they go.
            check: see `read_chunk`.
            hostile: see `read_chunk`.

        Raises:
            BinPickleError: see `read_chunk`.
        """
        if not check or gaps_in(self.contents, self.placement, i) is None:
            self._fill(i, pieces, check, hostile)
            return
        chunk = self.read_chunk(i, None, check, hostile)
        for piece in pieces:
            gather(chunk, piece)

    def plan(self, chunks: Iterable[int]) -> None:
        """Tell the source that chunks will be read, in this order, after those that it was told of before.

        Args:
            chunks: the numbers of the chunks. Only a source that can make use of them goes through them.
        """
        self.source.plan(self._ranges(chunks))

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
        self._check_padding_before(i)
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

    def _ranges(self, chunks: Iterable[int]) -> Iterator[tuple[int, int]]:
        """Yield the ranges of the file that hold chunks: those of neighbours as one, unless they are fetched ahead."""
        start = stop = 0
        for i in chunks:
            offset, stored = int(self.contents.chunk_offsets[i]), int(self.contents.chunk_stored[i])
            if self.source.remote:  # which cuts between chunks if it can, so that a read waits for one request
                yield self._padding.get(offset, offset), offset + stored
                continue
            if offset != stop:
                if start < stop:
                    yield start, stop
                start = offset
            stop = offset + stored
        if start < stop:
            yield start, stop

    def _fill(self, i: int, pieces: Sequence[Piece], check: bool, hostile: bool, brief: bool = False) -> None:
        """Read a chunk, compare its checksum, and put pieces of it into their places."""
        chain = self.chain(i)
        self._check_padding_before(i)
        if not chain:
            self._fill_raw(i, pieces, check, brief)
            return
        data = self.source.read(int(self.contents.chunk_offsets[i]), int(self.contents.chunk_stored[i]))
        if check or not all(step.hostile_safe for step in chain):  # Blosc is not memory-safe on damaged frames
            self._check_stored(i, data, brief)
        try:
            hostile = hostile and not self.authenticated
            decode_pieces(chain, memoryview(data), self.chunk_nbytes(i), pieces, hostile=hostile)
        except CodecError as error:
            error.chunk = i
            error.args = (f"{self._describe(i)}: {error.args[0]}",)
            raise

    def _fill_raw(self, i: int, pieces: Sequence[Piece], check: bool, brief: bool) -> None:
        offset, nbytes = int(self.contents.chunk_offsets[i]), int(self.contents.chunk_stored[i])
        whole = whole_of(pieces, nbytes)
        if whole is not None:
            self.source.read_into(offset, whole.out)
            data = whole.out
        elif check:
            data = np.frombuffer(self.source.read(offset, nbytes), np.uint8)
        else:
            start, stop = min(piece.runs.start for piece in pieces), max(piece.runs.stop for piece in pieces)
            data = np.frombuffer(self.source.read(offset + start, stop - start), np.uint8)
            pieces = [Piece(piece.runs.shifted(-start), piece.out) for piece in pieces]
        if check:
            self._check_stored(i, data, brief)
        for piece in pieces:
            if piece.out is not data:
                gather(data, piece)

    def _check_padding_before(self, i: int) -> None:
        """Check the padding before a chunk, if opening the file did not."""
        stop = int(self.contents.chunk_offsets[i])
        if stop in self._padding:
            self._check_padding(self._padding[stop], stop)

    def _check_padding(self, start: int, stop: int) -> None:
        if bytes(self.source.read(start, stop - start)) != bytes(stop - start):
            raise FormatError(f"the padding at {start} is not zero: the file is damaged or forged")

    def _check_stored(self, i: int, data: BytesLike, brief: bool = False) -> None:
        checksum = self.contents.checksum
        if ALGORITHMS[checksum.name].of(data) != checksum[i]:
            message = f"{self._describe(i)} is damaged: its checksum differs; get the file again"
            raise IntegrityError(message, i, () if brief else self.placement.in_chunk(self.contents, i).tolist())

    def _describe(self, i: int) -> str:
        """Return the number of a chunk and what it holds, as text."""
        with self._names_lock:
            if self._chunk_names is None:
                names: Sequence[str] = [""] * len(self.contents.buffer_starts)
                if self.tell_names is not None:
                    names = self.tell_names(self._without_names())
                self._chunk_names = ChunkNames(self.contents, self.placement, names)
            return self._chunk_names.describe(i)

    def _without_names(self) -> FileReader:
        """Return a reader of the same file that tells buffers by number.

        Names are read with it: if the stream is damaged that has them, its error must neither ask for names nor wait
        for those that are being read, in whichever thread it is raised.
        """
        other = copy(self)
        other.tell_names, other._chunk_names, other._names_lock = None, None, RLock()
        return other

    def _check_gaps(self, i: int, data: np.ndarray) -> None:
        gaps = gaps_in(self.contents, self.placement, i)
        if gaps is not None and has_bytes(data, *gaps):
            raise FormatError(f"{self._describe(i)}: the bytes between buffers are not zero; the file is forged")


def _stream_chunks(contents: Contents) -> range:
    if contents.stream is None:
        return range(0)
    starts, (begin, end) = contents.chunk_starts, contents.stream
    return range(int(np.searchsorted(starts, begin, "right")) - 1, int(np.searchsorted(starts, end)))
