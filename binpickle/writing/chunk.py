"""One chunk of a new file: its bytes gathered, encoded and checksummed, by one pure function."""

from __future__ import annotations

from typing import Any, Callable, Iterator, NamedTuple, Sequence

import numpy as np

from ..codecs.auto import choose
from ..codecs.chain import RAW, Chain, encode
from ..format.checksums import checksum_of

__all__ = ["AUTO", "BYTES", "ChunkPlan", "EncodedChunk", "encode_chunk"]


# In place of a chain: the chunk chooses for itself when it is encoded.
AUTO: Chain | None = None
BYTES = np.dtype(np.uint8)

# Below this average, copying pieces together costs less than handing them on one by one.
_LEAST_PIECE = 4 << 10


class ChunkPlan:
    """One chunk to be encoded.

    Attributes:
        nbytes: its logical length.
        chain: the codecs to apply, or `AUTO`.
        alignment: of its place in the file, should it be stored raw.
        dtype: the type of its elements, as codecs shall see them.
    """

    __slots__ = ("_fetch", "_gaps", "_pieces", "alignment", "chain", "dtype", "nbytes")

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
        self._pieces = pieces
        self._gaps = gaps
        self._fetch = fetch

    def pieces(self) -> list[Any]:
        """Return the chunk's bytes, one behind the other: where they lie, unless that is in many small places."""
        pieces = self._fetched()
        scattered = self.nbytes < _LEAST_PIECE * len(pieces)
        return [self._joined(pieces).view(np.uint8)] if scattered or len(pieces) == 1 else pieces

    def gather(self) -> np.ndarray:
        """Return the chunk's data, 1-d, of its element type; a view of the caller's memory unless pieces are joined."""
        return self._joined(self._fetched())

    def _fetched(self) -> list[Any]:
        pieces = list(self._pieces if self._fetch is None else map(self._fetch, self._pieces))
        return pieces if self._gaps is None else list(_interleave(pieces, self._gaps))

    def _joined(self, pieces: list[Any]) -> np.ndarray:
        data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        return np.frombuffer(data, self.dtype if self.nbytes % self.dtype.itemsize == 0 else BYTES)


class EncodedChunk(NamedTuple):
    """A chunk as it goes into the file: `pieces` one behind the other. What was encoded is no longer held."""

    nbytes: int
    alignment: int
    chain: Chain
    pieces: Sequence[Any]
    stored: int
    checksum: bytes


def encode_chunk(plan: ChunkPlan, algorithm: str, auto: bool = False) -> EncodedChunk:
    """Gather, encode and checksum one chunk: a pure function, safe in any thread.

    Args:
        plan: the chunk.
        algorithm: name of the checksum.
        auto: store it raw where its codecs do not make it smaller.
    """
    if plan.chain == RAW:
        chain, pieces, stored = RAW, plan.pieces(), plan.nbytes
    else:
        chain, encoded = _encoded(plan.gather(), plan.chain, auto)
        pieces, stored = [encoded], encoded.nbytes
    alignment = 1 if chain else plan.alignment
    return EncodedChunk(plan.nbytes, alignment, chain, pieces, stored, checksum_of(pieces, algorithm))


def _encoded(data: np.ndarray, chain: Chain | None, auto: bool) -> tuple[Chain, memoryview]:
    chain = choose(data) if chain is AUTO else chain
    encoded = encode(chain, data)
    return (RAW, encode(RAW, data)) if auto and encoded.nbytes >= data.nbytes else (chain, encoded)


def _interleave(pieces: Sequence[Any], gaps: Sequence[int]) -> Iterator[Any]:
    zeros = [bytes(n) for n in range(max(gaps) + 1)]
    for piece, gap in zip(pieces, gaps):
        yield piece
        if gap:
            yield zeros[gap]
