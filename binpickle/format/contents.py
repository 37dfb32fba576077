"""The tables of a file in memory: one value, `Contents`, for all format versions.

Rule: the decoded data of a file is one logical sequence of bytes, tiled by chunks; buffers and the pickle stream are
ranges of it. Whoever makes a `Contents` (`layout` for version 3, `legacy` for 1 and 2) has checked every number in it;
nothing downstream checks again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Dict, Mapping

import numpy as np

__all__ = ["Checksum", "Contents", "Kind", "Spec"]

Spec = Dict[str, Any]
"""A codec spec: the numcodecs config dict of one codec, `id` and parameters."""


@dataclass(frozen=True)
class Kind:
    """The element type, shape and order of a buffer; buffers that agree in these share one kind.

    Attributes:
        nbytes: length of the buffer.
        dtype: element type of an array, or `None` for plain bytes.
        shape: shape of the array, or `None` for plain bytes.
        order: `"C"`, `"F"`, or the tuple of axes, slowest first, in which the elements lie.
        items: what a writer knows of plain bytes, for codecs: the type of the numbers that they are. No file has it.
    """

    nbytes: int
    dtype: np.dtype | None = None
    shape: tuple[int, ...] | None = None
    order: Any = "C"
    items: np.dtype | None = None


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
        sealed: whether the file has a seal. The seal may be wrong.
        root_digest: 32 bytes that identify everything in the file, or `None` where chunks have checksums only.
        entry_info: in versions 1 and 2 the index's note about each entry, for display; else `None`.
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
