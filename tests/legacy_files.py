"""Writes files of format versions 1 and 2 from parts, for tests only.

Rule: checksums and lengths are made to fit what they cover, so that a lie that a test puts into an index is met by the
parser and not by a checksum. The release that wrote such files is not needed.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from dataclasses import dataclass
from typing import Any, Callable

import msgpack

__all__ = ["Entry", "build_v1", "build_v2", "edit_index", "join", "numpy_info", "unpack_index"]

HEADER = struct.Struct("!4sHHq")
TRAILERS = {16: struct.Struct("!QL4s"), 44: struct.Struct("!QL32s"), 76: struct.Struct("!QL32s32s")}

Index = Any
Edit = Callable[[Index], Index]


@dataclass(frozen=True)
class Entry:
    """One entry of a file.

    Attributes:
        stored: its bytes in the file.
        nbytes: its length when decoded; that of `stored` if `None`.
        codecs: version 1: `None` or `[name, config]`; version 2: a list of configs, or `None` for an empty one.
        info: version 2 only.
    """

    stored: bytes
    nbytes: int | None = None
    codecs: Any = None
    info: Any = None


def build_v1(*entries: Entry, align: int = 1, edit: Edit | None = None) -> bytes:
    """Return a file of version 1.

    Args:
        *entries: the buffers, then the pickle stream.
        align: each entry begins at a multiple of this.
        edit: gets the index, a list of maps, and returns what is packed in its place.
    """
    body, offsets = _place(entries, align)
    index = [
        {
            "offset": offset,
            "enc_length": len(entry.stored),
            "dec_length": len(entry.stored) if entry.nbytes is None else entry.nbytes,
            "checksum": zlib.adler32(entry.stored),
            "codec": entry.codecs,
        }
        for offset, entry in zip(offsets, entries)
    ]
    return join(1, body, msgpack.packb(edit(index) if edit else index))


def build_v2(
    *entries: Entry, align: int = 1, flags: int = 0, trailer: int = 76, mac: bytes = bytes(32), edit: Edit | None = None
) -> bytes:
    """Return a file of version 2; arguments as for `build_v1` and `join`."""
    body, offsets = _place(entries, align)
    index = [
        {
            "offset": offset,
            "enc_length": len(entry.stored),
            "dec_length": len(entry.stored) if entry.nbytes is None else entry.nbytes,
            "hash": hashlib.sha256(entry.stored).digest(),
            "info": entry.info,
            "codecs": entry.codecs or [],
        }
        for offset, entry in zip(offsets, entries)
    ]
    return join(2, body, msgpack.packb(edit(index) if edit else index), flags=flags, trailer=trailer, mac=mac)


def join(
    version: int, body: bytes, index: bytes, *, flags: int = 0, trailer: int | None = None, mac: bytes = bytes(32)
) -> bytes:
    """Return a file of these parts, with header and trailer that fit them.

    Args:
        version: 1 or 2.
        body: what lies between header and index.
        index: packed.
        flags: of the header.
        trailer: its size; by default 16 or, in version 2, 76.
        mac: the last bytes of a trailer of 76.
    """
    size = trailer or (16 if version == 1 else 76)
    check = zlib.adler32(index).to_bytes(4, "big") if version == 1 else hashlib.sha256(index).digest()
    end = [mac] if size == 76 else []
    length = HEADER.size + len(body) + len(index) + size
    header = HEADER.pack(b"BPCK", version, flags, length)
    return header + body + index + TRAILERS[size].pack(HEADER.size + len(body), len(index), check, *end)


def unpack_index(data: bytes) -> Index:
    """Return the index of a well-formed file."""
    return msgpack.unpackb(_split(data)[1], strict_map_key=False)


def edit_index(data: bytes, edit: Edit) -> bytes:
    """Return a well-formed file with `edit(index)` for its index, and lengths and checksums that fit again."""
    body, _, trailer = _split(data)
    _, version, flags, _ = HEADER.unpack(data[: HEADER.size])
    return join(version, body, msgpack.packb(edit(unpack_index(data))), flags=flags, trailer=trailer)


def numpy_info(array: Any) -> list[Any]:
    """Return the `info` that version 2 holds for a C-ordered array."""
    return ["ndarray", str(array.dtype), list(array.shape)]


def _split(data: bytes) -> tuple[bytes, bytes, int]:
    version = HEADER.unpack(data[: HEADER.size])[1]
    for size in [16] if version == 1 else [76, 44]:
        offset, length = TRAILERS[size].unpack(data[-size:])[:2]
        if offset + length + size == len(data):
            return data[HEADER.size : offset], data[offset:-size], size
    raise ValueError("not a well-formed file")


def _place(entries: tuple[Entry, ...], align: int) -> tuple[bytes, list[int]]:
    body, offsets = bytearray(), []
    for entry in entries:
        body += bytes(-(HEADER.size + len(body)) % align)
        offsets.append(HEADER.size + len(body))
        body += entry.stored
    return bytes(body), offsets
