"""Builds the index of a file while its chunks are written.

Rule: chunks lie one behind the other, so the index records only lengths and padding, and no positions.
"""

from __future__ import annotations

import hashlib
from typing import Any, Mapping, Sequence, Tuple

import msgpack

from .columns import pack_column
from .contents import Kind, Spec
from .dtypes import pack_kinds
from .header import HEADER, TRAILER, Trailer

__all__ = ["IndexBuilder"]

Specs = Tuple[Spec, ...]


class IndexBuilder:
    """Remembers the place of each chunk, and makes the index and the trailer.

    Attributes:
        position: where the last chunk ends, in bytes from the header.
    """

    def __init__(self, algorithm: str):
        self._algorithm = algorithm
        self.position = HEADER.size
        self._rows: list[tuple[int, int, int, int]] = []  # logical length, stored length, padding, chain
        self._values: list[bytes] = []
        self._chains: dict[str, int] = {}
        self._specs: list[Specs] = []

    def place(self, nbytes: int, stored: int, specs: Specs, checksum: bytes, alignment: int = 1) -> int:
        """Add the next chunk and return how many zeros go before it.

        Args:
            nbytes: logical length of the chunk.
            stored: length of the encoded bytes.
            specs: the codec chain of the chunk; empty if it is stored raw.
            checksum: of the stored bytes.
            alignment: of the chunk's place in the file, in bytes.
        """
        padding = -self.position % alignment
        self._rows.append((nbytes, stored, padding, self._chain_id(specs)))
        self._values.append(checksum)
        self.position += padding + stored
        return padding

    def _chain_id(self, specs: Specs) -> int:
        key = repr(specs)
        if key not in self._chains:
            self._chains[key] = len(self._specs)
            self._specs.append(specs)
        return self._chains[key]

    def finish(
        self,
        stream: int,
        starts: Sequence[int],
        kinds: Sequence[Kind],
        kind_ids: Sequence[int],
        metadata: Mapping[str, str],
        libraries: Mapping[str, str],
    ) -> tuple[bytes, Trailer]:
        """Return the index and the trailer, which follow the last chunk.

        Args:
            stream: length of the pickle stream.
            starts: logical positions of the buffers.
            kinds: what the buffers are.
            kind_ids: for each buffer an index into `kinds`.
            metadata: the caller's.
            libraries: versions by module.
        """
        columns = list(zip(*self._rows)) or [()] * 4
        names = ("length", "stored", "padding", "chain")
        index = {
            "requires": [],
            "stream": stream,
            "chains": self._specs,
            "chunks": {
                "count": len(self._rows),
                **{name: pack_column(column) for name, column in zip(names, columns)},
                "checksum": self._algorithm,
                "values": b"".join(self._values),
            },
            "kinds": pack_kinds(kinds),
            "buffers": _pack_buffers(starts, kinds, kind_ids),
            "metadata": dict(metadata),
            "libraries": dict(libraries),
        }
        data = msgpack.packb(index, use_bin_type=True)
        length = self.position + len(data) + TRAILER.size
        return data, Trailer(self.position, len(data), length, hashlib.sha256(data).digest())


def _pack_buffers(starts: Sequence[int], kinds: Sequence[Kind], kind_ids: Sequence[int]) -> dict[str, Any]:
    # Most buffers follow one another, so the distances from the end of each to the start of the next are mostly 0.
    sizes = [kind.nbytes for kind in kinds]
    gaps = [then - start - sizes[kind_id] for start, kind_id, then in zip(starts, kind_ids, starts[1:])]
    return {
        "count": len(starts),
        "first": starts[0] if starts else 0,
        "kind": pack_column(kind_ids),
        "gap": pack_column(gaps),
    }
