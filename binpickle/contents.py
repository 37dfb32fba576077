"""What a file holds, in memory: one value for all format versions.

Rule: the decoded data of a file is one logical sequence of bytes, tiled by chunks; buffers and the pickle stream are
ranges of it. Whoever makes a `Contents` (`layout` for version 3, `legacy` for 1 and 2) has checked every number in it;
nothing downstream checks again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Dict, Mapping

import numpy as np

from .errors import LimitError

__all__ = ["RESTRICTED_LIMITS", "Checksum", "Contents", "Kind", "Limits", "Spec", "check_limits"]

Spec = Dict[str, Any]
"""A codec spec: the numcodecs config dict of one codec, `id` and parameters."""


# Tables of so many take a few MiB.
_FEW_BUFFERS = 1 << 16


@dataclass(frozen=True)
class Limits:
    """How much a file may ask for before it is refused with `LimitError`.

    The defaults are generous: they stop absurd claims, not large files.

    Attributes:
        decoded_bytes: sum of the lengths of the pickle stream and of all buffers, each counted when it is listed.
        stored_bytes: size of the whole file.
        buffers: number of buffers.
        buffers_per_byte: number of buffers for each byte of the file, where there are more than 65,536. A buffer need
            not take any bytes of the index, and hardly any of a compressed stream. A list of a million views of one
            array comes to 300; a number that a few hundred bytes claim is refused before it takes memory.
        index_bytes: size of the index as stored.
        opcodes: in restricted loading and inspection, the number of opcodes in the pickle stream. One of a byte can
            take 200 bytes of memory.
        memo: likewise, the number of objects that the stream may remember.
        nesting: likewise, the depth of containers within containers. CPython's pickler writes 1000 by default; some
            10,000 object arrays in one another end the process when they are freed.
        int_bytes: likewise, the size of one integer. The time to print it grows with the square.
    """

    decoded_bytes: int = 1 << 44
    stored_bytes: int = 1 << 44
    buffers: int = 1 << 22
    buffers_per_byte: int = 1 << 10
    index_bytes: int = 1 << 28
    opcodes: int = 1 << 28
    memo: int = 1 << 26
    nesting: int = 1000
    int_bytes: int = 1 << 16

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if type(value) is not int:
                raise TypeError(f"Limits: {name} must be an integer, not {value!r:.80}")
            if value < 0:
                raise ValueError(f"Limits: {name} must not be negative: {value}")

    def buffers_in(self, nbytes: int) -> int:
        """Return how many buffers a file of so many bytes may have."""
        return min(self.buffers, max(_FEW_BUFFERS, self.buffers_per_byte * nbytes))


RESTRICTED_LIMITS = Limits(
    decoded_bytes=1 << 33,
    stored_bytes=1 << 33,
    buffers=1 << 20,
    index_bytes=1 << 24,
    opcodes=1 << 26,
    memo=1 << 25,
)
"""What restricted loading and inspection allow where the caller gives no limits."""


def check_limits(contents: Contents, limits: Limits) -> None:
    """Refuse contents that were accepted under more generous limits.

    Raises:
        LimitError: they are more than `limits` allow.
    """
    start, stop = contents.stream or (0, 0)
    nbytes = contents.buffer_nbytes
    for limit, found in (
        ("decoded_bytes", stop - start + sum(nbytes.tolist())),
        ("stored_bytes", contents.length),
        ("buffers", len(nbytes)),
    ):
        allowed = getattr(limits, limit)
        if found > allowed:
            raise LimitError(f"the file has {found} {limit}, restricted loading allows {allowed}", limit)


@dataclass(frozen=True)
class Kind:
    """What the bytes of a buffer are.

    Attributes:
        nbytes: length of the buffer.
        dtype: element type of an array, or `None` for plain bytes.
        shape: shape of the array, or `None` for plain bytes.
        order: `"C"`, `"F"`, or the tuple of axes, slowest first, in which the elements lie.
    """

    nbytes: int
    dtype: np.dtype | None = None
    shape: tuple[int, ...] | None = None
    order: Any = "C"


@dataclass(frozen=True)
class Checksum:
    """The algorithm of the chunk checksums or digests, and one value a chunk.

    Attributes:
        name: `"xxh3-128"`, `"sha256"` or `"adler32"`.
        values: the values of all chunks, joined; `size` bytes each, big-endian as the algorithms' canonical forms are.
        size: bytes of one value.
    """

    name: str
    values: bytes
    size: int

    def __getitem__(self, chunk: int) -> bytes:
        return self.values[chunk * self.size : (chunk + 1) * self.size]


@dataclass(frozen=True, eq=False)
class Contents:
    """The tables of one file.

    Attributes:
        version: format version, 1 to 3.
        flags: the header's flags.
        length: size of the whole file in bytes.
        chunk_starts: int64, n + 1 logical positions: chunk `i` holds logical bytes `chunk_starts[i]:chunk_starts[i+1]`.
        chunk_offsets: int64, n positions of the stored bytes, from the header.
        chunk_stored: int64, n lengths of the stored bytes.
        chunk_chains: int64, n indices into `chains`.
        chains: codec chains as specs in encode order; an empty tuple is "stored raw".
        checksum: over the stored bytes of each chunk.
        stream: logical start and stop of the pickle stream, which covers whole chunks; `None` without an object.
        buffer_starts: int64, m logical positions of the buffers, in the order in which the stream asks for them.
        buffer_kinds: int64, m indices into `kinds`.
        kinds: what the buffers are.
        index_digest: SHA-256 of the index bytes (version 1, which has none: computed).
        metadata: the writer's `metadata`.
        libraries: versions of the libraries whose classes the stream names, by top-level module.
        sealed: whether the file has a seal; not whether it is a good one.
        root_digest: 32 bytes that identify everything in the file, or `None` where chunks have checksums only.
        entry_info: versions 1 and 2: what the index says of each entry, for display.
    """

    version: int
    flags: int
    length: int
    chunk_starts: np.ndarray
    chunk_offsets: np.ndarray
    chunk_stored: np.ndarray
    chunk_chains: np.ndarray
    chains: tuple[tuple[Spec, ...], ...]
    checksum: Checksum
    stream: tuple[int, int] | None
    buffer_starts: np.ndarray
    buffer_kinds: np.ndarray
    kinds: tuple[Kind, ...]
    index_digest: bytes
    metadata: Mapping[str, str] = field(default_factory=dict)
    libraries: Mapping[str, str] = field(default_factory=dict)
    sealed: bool = False
    root_digest: bytes | None = None
    entry_info: list[Any] | None = None

    @property
    def buffer_nbytes(self) -> np.ndarray:
        """Lengths of the buffers, int64."""
        nbytes: np.ndarray = np.array([kind.nbytes for kind in self.kinds], np.int64)[self.buffer_kinds]
        return nbytes
