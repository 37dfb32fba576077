"""Takes files apart and puts them together with checksums, digests and lengths that fit again, for tests only.

Rule: a lie that a test puts into a file is met by the parser or a decoder, not by a checksum. Version 3 here; the older
ones are `legacy_files`' affair.
"""

from __future__ import annotations

import hashlib
import zlib
from typing import Any, Callable, Iterator, NamedTuple

import legacy_files
import msgpack
import xxhash
from internals import HEADER, TRAILER, Trailer

__all__ = ["Parts", "edit_index", "join", "nodes", "resign", "split"]

Index = Any
SUMS: dict[str, Callable[[bytes], bytes]] = {
    "xxh3-128": xxhash.xxh3_128_digest,
    "sha256": lambda data: hashlib.sha256(data).digest(),
}


class Parts(NamedTuple):
    """What a file of version 3 is made of: header and chunks as bytes, the index unpacked."""

    header: bytes
    body: bytes
    index: Index


def split(data: bytes) -> Parts:
    """Take a well-formed file of version 3 apart."""
    trailer = Trailer.unpack(data[-TRAILER.size :])
    end = trailer.index_offset
    return Parts(data[: HEADER.size], data[HEADER.size : end], msgpack.unpackb(data[end : -TRAILER.size]))


def join(header: bytes, body: bytes, index: Index) -> bytes:
    """Put a file together, with a trailer that fits; the index may be packed already."""
    packed = index if isinstance(index, bytes) else msgpack.packb(index)
    end = HEADER.size + len(body)
    trailer = Trailer(end, len(packed), end + len(packed) + TRAILER.size, hashlib.sha256(packed).digest())
    return header + body + packed + trailer.pack()


def edit_index(data: bytes, edit: Callable[[Index], Index]) -> bytes:
    """Return a well-formed file, of any version, with `edit(index)` for its index."""
    if data[5] < 3:
        return legacy_files.edit_index(data, edit)
    parts = split(data)
    return join(parts.header, parts.body, edit(parts.index))


def resign(data: bytes) -> bytes:
    """Return a file whose stored bytes were changed, with checksums that fit them again."""
    return edit_index(data, lambda index: _resigned_3(index, data) if data[5] == 3 else _resigned(index, data))


def _resigned(index: Index, data: bytes) -> Index:
    for entry in index:
        stored = data[entry["offset"] : entry["offset"] + entry["enc_length"]]
        if data[5] == 1:
            entry["checksum"] = zlib.adler32(stored)
        else:
            entry["hash"] = hashlib.sha256(stored).digest()
    return index


def _resigned_3(index: Index, data: bytes) -> Index:
    chunks, position, sums = index["chunks"], HEADER.size, []
    columns = (_column(chunks[name], chunks["count"]) for name in ("padding", "stored"))
    for padding, stored in zip(*columns):
        position += padding + stored
        sums.append(SUMS[chunks["checksum"]](data[position - stored : position]))
    chunks["values"] = b"".join(sums)
    return index


def _column(packed: Any, count: int) -> list[int]:
    if isinstance(packed, int):
        return [packed] * count
    base, data = packed
    width = len(data) // count
    return [base + int.from_bytes(data[i : i + width], "little") for i in range(0, len(data), width)]


def nodes(index: Index) -> Iterator[tuple[Any, Any]]:
    """Yield each place in an index as the container and its key, depth first."""
    items = index.items() if isinstance(index, dict) else enumerate(index) if isinstance(index, list) else ()
    for key, value in items:
        yield index, key
        yield from nodes(value)
