"""The index of a file, as it grows while chunks are written.

Rule: chunks lie one behind the other, so that only lengths and padding are recorded, no positions.
"""

from __future__ import annotations

import hashlib
from typing import Any, Mapping, Sequence, Tuple

import msgpack
import numpy as np

from .columns import pack_column
from .contents import Kind, Spec
from .dtypes import pack_kinds
from .header import HEADER, TRAILER, Trailer

__all__ = ["IndexBuilder"]

Specs = Tuple[Spec, ...]


class IndexBuilder:
    """Remembers what was written where, and makes the end of the file of it.

    Attributes:
        position: where the next chunk begins, from the header; behind its padding.
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
            nbytes: its logical length.
            stored: bytes as encoded.
            specs: its codec chain; empty when it is stored raw.
            checksum: over the stored bytes.
            alignment: of its place in the file.
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
        starts: np.ndarray,
        kinds: Sequence[Kind],
        kind_ids: np.ndarray,
        metadata: Mapping[str, str],
        libraries: Mapping[str, str],
    ) -> tuple[bytes, Trailer]:
        """Return the index and the trailer, which follow the last chunk.

        Args:
            stream: length of the pickle stream.
            starts: int64, logical positions of the buffers.
            kinds: what the buffers are.
            kind_ids: int64, for each buffer an index into `kinds`.
            metadata: the caller's.
            libraries: versions by module.
        """
        columns = np.array(self._rows, np.int64).reshape(-1, 4).T
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


def _pack_buffers(starts: np.ndarray, kinds: Sequence[Kind], kind_ids: np.ndarray) -> dict[str, Any]:
    # Buffers mostly follow one another: the distance from the end of one to the start of the next is a column of zeros.
    ends = starts + np.array([kind.nbytes for kind in kinds], np.int64)[kind_ids]
    return {
        "count": len(starts),
        "first": int(starts[0]) if len(starts) else 0,
        "kind": pack_column(kind_ids),
        "gap": pack_column(starts[1:] - ends[:-1]),
    }
