"""The fixed-size parts of a file, header and trailer, and the constants of the format.

Rule: bytes in, values out, and back; no I/O. All fixed-size integers are big-endian, the index's columns little-endian.
`docs/format.md` specifies the whole format; its tests compare its sizes with these.
"""

from __future__ import annotations

import enum
import hashlib
import struct
import sys
from dataclasses import dataclass

from ..errors import FormatError
from .foreign import LOOK_AT, describe

__all__ = [
    "ALIGNMENT",
    "ALIGN_FROM",
    "CHUNK_BYTES",
    "Flags",
    "HEADER",
    "HEADER_FORMAT",
    "LARGE",
    "LEAST_ALIGNMENT",
    "MAGIC",
    "MAX_CODECS",
    "MAX_ENCODED_CHUNK",
    "NATIVE_ORDER",
    "PAGE",
    "SEAL_DOMAIN",
    "SEALED_TRAILER",
    "SHARE_BELOW",
    "TRAILER",
    "UNKNOWN_LENGTH",
    "VERSION",
    "Header",
    "Trailer",
]

MAGIC = b"BPCK"
VERSION = 3
HEADER = struct.Struct("!4sHHq")  # magic, version, flags, length
HEADER_FORMAT = HEADER  # the name that users of earlier releases know

# Version 3 is written in one pass, so its header cannot hold the length. The trailer holds it.
UNKNOWN_LENGTH = -1


class Flags(enum.IntFlag):
    """The flags of a header.

    Attributes:
        BIG_ENDIAN: the file was written on a big-endian machine.
        MAPPABLE: every buffer is stored raw and aligned.
    """

    BIG_ENDIAN = 1
    MAPPABLE = 2


NATIVE_ORDER = Flags.BIG_ENDIAN if sys.byteorder == "big" else Flags(0)
_KNOWN_FLAGS = int(Flags.BIG_ENDIAN | Flags.MAPPABLE)
_BIG_ENDIAN, _NATIVE = int(Flags.BIG_ENDIAN), int(NATIVE_ORDER)

TRAILER = struct.Struct("!QQQ32s32s8s")  # index offset, index length, file length, index digest, seal, closing magic
CLOSING_MAGIC = b"BPCK\x03END"
NO_SEAL = bytes(32)
# How many bytes of a trailer come before the seal. A tag and the root digest cover these bytes and the header.
SEALED_TRAILER = TRAILER.size - len(NO_SEAL) - len(CLOSING_MAGIC)

# What a seal is made for, so that a tag made by the same key for another purpose does not pass for one.
SEAL_DOMAIN = b"binpickle seal 3\0"

# Chunks are the unit of all work. 4 MiB amortizes a call to a codec, gives every core work from some 10 MB on, and the
# few chunks in flight stay within the last-level cache.
CHUNK_BYTES = 4 << 20
# Smaller buffers share chunks. A buffer of a quarter of a chunk or more fills chunks of its own well enough.
SHARE_BELOW = CHUNK_BYTES // 4
# A reader must hold an encoded chunk whole, so a file may not claim a larger chunk.
MAX_ENCODED_CHUNK = 64 << 20

# AVX-512 loads and cache lines have 64 bytes. Aligning buffers smaller than ALIGN_FROM would waste too much room.
ALIGNMENT = 64
LEAST_ALIGNMENT = 16  # no element type needs more, and the vector loads of compilers want it
ALIGN_FROM = 4 << 10
# Large mappable buffers start at a page, so that advice to the kernel and huge pages fit them. A constant, not the
# machine's page size, so that all machines write the same bytes.
PAGE = 4 << 10
LARGE = 1 << 20

# A chain of more codecs is a mistake or an attack.
MAX_CODECS = 8


@dataclass(frozen=True)
class Header:
    """The first 16 bytes of a file, the same in all versions.

    Attributes:
        version: format version.
        flags: see `Flags`.
        length: size of the file in bytes. -1 in version 3, whose trailer holds the size; in versions 1 and 2, -1 tells
            that the file was never finished.
    """

    version: int
    flags: Flags = Flags(0)
    length: int = UNKNOWN_LENGTH

    def pack(self) -> bytes:
        """Return the 16 bytes."""
        return HEADER.pack(MAGIC, self.version, self.flags, self.length)

    @classmethod
    def unpack(cls, data: bytes) -> Header:
        """Read a header from the first bytes of a file.

        Args:
            data: the first bytes; `LOOK_AT` of them tell what another file is.

        Raises:
            FormatError: the bytes are not the beginning of a BinPickle file that this version can read here.
        """
        if not data.startswith(MAGIC):
            found = describe(data[:LOOK_AT]) or f": it begins with {data[: len(MAGIC)]!r}, not {MAGIC!r}"
            raise FormatError(f"not a BinPickle file{found}")
        if len(data) < HEADER.size:
            raise FormatError(f"not a BinPickle file: only {len(data)} bytes, a header alone has {HEADER.size}")
        _, version, flags, length = HEADER.unpack(data[: HEADER.size])
        if not 1 <= version <= VERSION:
            raise FormatError(f"format version {version} is not known here (1 to {VERSION} are); use a newer binpickle")
        header = cls(version, Flags(flags), length)
        header._validate()
        return header

    def _validate(self) -> None:
        flags = int(self.flags)  # every load comes here, and integers are several times as fast as flags
        unknown = flags & ~(_KNOWN_FLAGS if self.version > 1 else 0)
        if unknown:
            raise FormatError(f"header flags {unknown:#x} are not known in format version {self.version}")
        if self.version > 1 and flags & _BIG_ENDIAN != _NATIVE:
            order = "big" if self.flags & Flags.BIG_ENDIAN else "little"
            raise FormatError(f"written on a {order}-endian machine; load it on one and dump it in another format")
        if self.version == VERSION and self.length != UNKNOWN_LENGTH:
            raise FormatError(f"the header of a version {VERSION} file holds length {self.length}, not -1")
        if self.version < VERSION and self.length == UNKNOWN_LENGTH:
            raise FormatError("the file was never finished: its writer failed or was killed; dump it again")


@dataclass(frozen=True)
class Trailer:
    """The last bytes of a version 3 file.

    Attributes:
        index_offset: where the index begins, counted from the header.
        index_length: bytes of the index.
        file_length: size of the file in bytes, this trailer included.
        index_digest: SHA-256 of the index bytes.
        seal: the tag over header and trailer; zeros in a file without a seal.
    """

    index_offset: int
    index_length: int
    file_length: int
    index_digest: bytes
    seal: bytes = NO_SEAL

    def pack(self) -> bytes:
        """Return the trailer's bytes."""
        return TRAILER.pack(
            self.index_offset, self.index_length, self.file_length, self.index_digest, self.seal, CLOSING_MAGIC
        )

    @classmethod
    def unpack(cls, data: bytes) -> Trailer:
        """Read a trailer from the last bytes of a file.

        Raises:
            FormatError: these are not the bytes of a trailer; the file was cut off or something follows it.
        """
        if len(data) != TRAILER.size:
            raise FormatError("the file is truncated: it has no trailer; get it again, or dump it again")
        offset, length, file_length, digest, seal, magic = TRAILER.unpack(data)
        if magic != CLOSING_MAGIC:
            raise FormatError("the file is truncated or followed by other bytes: no trailer at its end; get it again")
        return cls(offset, length, file_length, digest, seal)

    def sealed_bytes(self, header: Header) -> bytes:
        """Return the bytes that a seal covers: the header, and the trailer up to its seal.

        They cover the whole file: the trailer holds the digest of the index, and the index that of every chunk.
        """
        return header.pack() + self.pack()[:SEALED_TRAILER]

    def root_digest(self, header: Header) -> bytes:
        """Return the SHA-256 of the bytes that a seal covers: it identifies everything in the file."""
        return hashlib.sha256(self.sealed_bytes(header)).digest()
