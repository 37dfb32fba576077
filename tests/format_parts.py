"""Takes files of format version 3 apart and puts them together again, for tests that change them on the way.

Rule: lengths, checksums and digests fit what they cover, so that a lie that a test puts into an index is met by the
reader, and not by a checksum.
"""

from __future__ import annotations

import hashlib
import hmac
import struct
from typing import Any

import format_reader
import msgpack
import xxhash

__all__ = ["Parts", "as_packed", "flip"]

TRAILER = 96
CHUNK_COLUMNS, BUFFER_COLUMNS = ("length", "stored", "padding", "chain"), ("kind", "gap")


class Parts:
    """The parts of a file.

    Attributes:
        header: its bytes.
        index: the index; the columns of its tables are lists of int.
        chunks: stored bytes.
        zeros: the padding before each.
    """

    def __init__(self, file: bytes):
        offset, length = struct.unpack_from(">QQ", file, len(file) - TRAILER)
        self.header = file[:16]
        self.index: Any = msgpack.unpackb(file[offset : offset + length])
        self.table, buffers = self.index["chunks"], self.index["buffers"]
        for name in CHUNK_COLUMNS:
            self.table[name] = format_reader.column(self.table[name], self.table["count"])
        for name, count in zip(BUFFER_COLUMNS, (buffers["count"], max(buffers["count"] - 1, 0))):
            buffers[name] = format_reader.column(buffers[name], count)
        self.chunks, self.zeros, at = [], [], 16
        for padding, stored in zip(self.table["padding"], self.table["stored"]):
            self.zeros.append(file[at : at + padding])
            self.chunks.append(file[at + padding : at + padding + stored])
            at += padding + stored

    def replace(self, i: int, data: bytes) -> None:
        """Change what is stored for a chunk, with all that is said of it."""
        self.chunks[i] = data
        self.table["stored"][i] = len(data)
        if not self.index["chains"][self.table["chain"][i]]:
            self.table["length"][i] = len(data)
        self.table["values"] = b"".join(map(xxhash.xxh3_128_digest, self.chunks))

    def join(self, packed: bytes | None = None, key: bytes | None = None, **changed: int) -> bytes:
        """Return the file.

        Args:
            packed: what stands in for the index.
            key: seals the file.
            **changed: `offset`, `length` or `file` of the trailer, in place of what fits.
        """
        packed = msgpack.packb(as_packed(self.index)) if packed is None else packed
        body = self.header + b"".join(zeros + chunk for zeros, chunk in zip(self.zeros, self.chunks))
        numbers = {"offset": len(body), "length": len(packed), "file": len(body) + len(packed) + TRAILER, **changed}
        trailer = struct.pack(">QQQ", *numbers.values()) + hashlib.sha256(packed).digest()
        tag = bytes(32)
        if key is not None:
            tag = hmac.new(key, b"binpickle seal 3\0" + bytes(8) + self.header + trailer, "sha256").digest()
        return body + packed + trailer + tag + b"BPCK\x03END"


def as_packed(value: Any) -> Any:
    """Return what the index holds, columns in the widest form."""
    if not isinstance(value, dict):
        return value
    columns = (*CHUNK_COLUMNS, *BUFFER_COLUMNS)
    return {name: _column(item) if name in columns else as_packed(item) for name, item in value.items()}


def _column(values: Any) -> Any:
    if not isinstance(values, list) or any(type(value) is not int for value in values):
        return values  # what a test put there
    return [min(values), b"".join(struct.pack("<Q", n - min(values)) for n in values)] if values else 0


def flip(file: bytes, at: int) -> bytes:
    """Return the bytes with one bit changed; a negative position counts from the end."""
    at %= len(file)
    return file[:at] + bytes([file[at] ^ 1]) + file[at + 1 :]
