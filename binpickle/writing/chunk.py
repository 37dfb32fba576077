"""One chunk of a new file: gathered, encoded and checksummed.

Rule: `encode_chunk` is a pure function of one chunk, safe in any thread; all parallel work of a dump consists of it.
"""

from __future__ import annotations

from typing import Any, Callable, Iterator, NamedTuple, Sequence

import numpy as np

from ..codecs.auto import encode_best
from ..codecs.chain import RAW, Chain, encode
from ..format.checksums import checksum_of

__all__ = ["AUTO", "BYTES", "ChunkPlan", "EncodedChunk", "check_ahead", "encode_chunk"]

AUTO = None
"""In place of a chain: `encode_chunk` chooses the codecs."""

BYTES = np.dtype(np.uint8)

# If pieces are smaller than this on average, joining them costs less than writing them one by one.
_LEAST_PIECE = 4 << 10


class ChunkPlan:
    """One chunk to encode.

    Args:
        pieces: the bytes of the chunk, one piece behind the other: bytes-like objects, or arguments of `fetch`.
        nbytes: see the attribute.
        chain: see the attribute.
        dtype: see the attribute.
        alignment: see the attribute.
        gaps: for each piece the number of zero bytes that follow it; `None` if there are none.
        fetch: loads a piece into memory on demand; `None` if the pieces are in memory already.

    Attributes:
        nbytes: the decoded length of the chunk.
        chain: the codecs to apply, or `AUTO`.
        alignment: the alignment of the chunk in the file, if it is stored raw.
        dtype: the element type that codecs see.
        checksum: that of the bytes, if it was computed ahead.
        begun: whether a thread has begun to encode the chunk.
    """

    __slots__ = ("_fetch", "_gaps", "_pieces", "alignment", "begun", "chain", "checksum", "dtype", "nbytes")

    def __init__(
        self,
        pieces: Sequence[Any],
        nbytes: int,
        chain: Chain | None,
        dtype: np.dtype = BYTES,
        alignment: int = 1,
        gaps: Sequence[int] | None = None,
        fetch: Callable[[Any], Any] | None = None,
    ):
        self.nbytes = nbytes
        self.chain = chain
        self.dtype = dtype
        self.alignment = alignment
        self.checksum: bytes | None = None
        self.begun = False
        self._pieces = pieces
        self._gaps = gaps
        self._fetch = fetch

    @property
    def is_plain(self) -> bool:
        """Whether the chunk is stored as it lies in memory, in one piece."""
        return self.chain == RAW and self._fetch is None and len(self._pieces) == 1

    def pieces(self) -> list[Any]:
        """Return the bytes of the chunk as pieces: those of the caller's memory, unless they are many and small."""
        pieces = self._fetched()
        scattered = self.nbytes < _LEAST_PIECE * len(pieces)
        return [self._joined(pieces).view(np.uint8)] if scattered or len(pieces) == 1 else pieces

    def gather(self) -> np.ndarray:
        """Return the data of the chunk, 1-d, of its element type: a view of the caller's memory if it is one piece."""
        return self._joined(self._fetched())

    def _fetched(self) -> list[Any]:
        pieces = list(self._pieces if self._fetch is None else map(self._fetch, self._pieces))
        return pieces if self._gaps is None else list(_interleave(pieces, self._gaps))

    def _joined(self, pieces: list[Any]) -> np.ndarray:
        data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        return np.frombuffer(data, self.dtype if self.nbytes % self.dtype.itemsize == 0 else BYTES)


class EncodedChunk(NamedTuple):
    """A chunk as it goes into the file: `pieces` one behind the other. It does not hold the memory that was encoded.

    Attributes:
        nbytes: the decoded length.
        alignment: the alignment in the file.
        chain: the codecs that were applied.
        pieces: the stored bytes.
        stored: the stored length.
        checksum: the checksum or digest of the stored bytes.
    """

    nbytes: int
    alignment: int
    chain: Chain
    pieces: Sequence[Any]
    stored: int
    checksum: bytes


def encode_chunk(plan: ChunkPlan, algorithm: str, auto: bool = False) -> EncodedChunk:
    """Gather, encode and checksum one chunk. A pure function, safe in any thread.

    Args:
        plan: the chunk.
        algorithm: the name of the checksum or digest.
        auto: store the chunk raw if its codecs do not make it smaller.
    """
    plan.begun = True
    if plan.chain == RAW:
        chain, pieces, stored = RAW, plan.pieces(), plan.nbytes
    else:
        chain, encoded = _encoded(plan.gather(), plan.chain, auto)
        pieces, stored = [encoded], encoded.nbytes
    alignment = 1 if chain else plan.alignment
    checksum = plan.checksum or checksum_of(pieces, algorithm)
    return EncodedChunk(plan.nbytes, alignment, chain, pieces, stored, checksum)


def check_ahead(chunks: Sequence[ChunkPlan], algorithm: str, goes_on: Callable[[], bool]) -> None:
    """Compute the checksums of plain chunks in a helper, while the owner writes the chunks before them.

    Nobody waits for a checksum: the owner computes one that is not there when it comes to the chunk. Now and then both
    compute the same one, and get the same bytes.

    Args:
        chunks: the chunks, in the order in which they are written; all are plain.
        algorithm: the name of the checksum.
        goes_on: says before each chunk whether there is any use in going on.
    """
    for chunk in chunks:
        if not goes_on():
            break
        if not chunk.begun:
            chunk.checksum = checksum_of(chunk.pieces(), algorithm)


def _encoded(data: np.ndarray, chain: Chain | None, auto: bool) -> tuple[Chain, memoryview]:
    if chain is AUTO:
        chain, encoded = encode_best(data)
    else:
        encoded = encode(chain, data)
    return (RAW, encode(RAW, data)) if auto and encoded.nbytes >= data.nbytes else (chain, encoded)


def _interleave(pieces: Sequence[Any], gaps: Sequence[int]) -> Iterator[Any]:
    """Yield each piece, and behind it the zero bytes of its gap."""
    zeros = [bytes(n) for n in range(max(gaps) + 1)]
    for piece, gap in zip(pieces, gaps):
        yield piece
        if gap:
            yield zeros[gap]
