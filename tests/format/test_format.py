"""Header and trailer: each value is certain bytes, and any other bytes are refused."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from internals import ALIGNMENT, CHUNK_BYTES, HEADER, NATIVE_ORDER, PAGE, SHARE_BELOW, TRAILER, Flags, Header, Trailer

from binpickle.errors import FormatError

OTHER_ORDER = NATIVE_ORDER ^ Flags.BIG_ENDIAN

HEADERS = {
    "version 1": (Header(1, 0, 123456), b"BPCK\0\x01\0\0" + (123456).to_bytes(8, "big")),
    "version 2": (Header(2, NATIVE_ORDER, 77), b"BPCK\0\x02\0" + bytes([NATIVE_ORDER]) + (77).to_bytes(8, "big")),
    "version 3": (Header(3, NATIVE_ORDER), b"BPCK\0\x03\0" + bytes([NATIVE_ORDER]) + b"\xff" * 8),
    "mappable": (Header(3, NATIVE_ORDER | Flags.MAPPABLE), b"BPCK\0\x03\0" + bytes([NATIVE_ORDER | 2]) + b"\xff" * 8),
}
TRAILERS = {
    "least": (Trailer(16, 0, 128, bytes(32)), b"\0" * 7 + b"\x10" + b"\0" * 15 + b"\x80" + bytes(64) + b"BPCK\x03END"),
    "largest": (
        Trailer(2**64 - 1, 2**64 - 1, 2**64 - 1, b"d" * 32, b"s" * 32),
        b"\xff" * 24 + b"d" * 32 + b"s" * 32 + b"BPCK\x03END",
    ),
}
BAD_HEADERS = {
    "no bytes": (b"", "it is empty"),
    "few bytes": (b"BPCK\0\x03", "only 6 bytes"),
    "another magic": (b"BPCX" + HEADERS["version 3"][1][4:], "begins with b'BPCX'"),
    "version 0": (Header(0).pack(), "version 0"),
    "a version to come": (Header(4, NATIVE_ORDER).pack(), "use a newer binpickle"),
    "unknown flags": (Header(3, NATIVE_ORDER | 4).pack(), "0x4"),
    "flags in version 1": (Header(1, Flags.MAPPABLE, 77).pack(), "0x2"),
    "the other byte order": (Header(3, OTHER_ORDER).pack(), "endian machine"),
    "the other byte order in version 2": (Header(2, OTHER_ORDER, 77).pack(), "endian machine"),
    "a length in version 3": (Header(3, NATIVE_ORDER, 128).pack(), "not -1"),
    "no length in version 1": (Header(1).pack(), "never finished"),
    "no length in version 2": (Header(2, NATIVE_ORDER).pack(), "never finished"),
}


def each(table: dict[str, Any]) -> Any:
    return pytest.mark.parametrize("row", table.values(), ids=list(table))


@each({**HEADERS, **TRAILERS})
def test_pack(row: Any) -> None:
    """A value packs to its bytes, and these unpack to it."""
    value, data = row
    assert value.pack() == data
    assert type(value).unpack(data) == value


@each({**HEADERS, **TRAILERS})
def test_truncated(row: Any) -> None:
    """Bytes that were cut off anywhere are refused."""
    value, data = row
    for n in range(len(data)):
        with pytest.raises(FormatError):
            type(value).unpack(data[:n])


@each(HEADERS)
def test_header_ignores_what_follows(row: Any) -> None:
    """A header is read from the first bytes of a file, whatever follows."""
    value, data = row
    assert Header.unpack(data + b"more") == value


@each(TRAILERS)
def test_trailer_is_the_end(row: Any) -> None:
    """Bytes behind a trailer are refused."""
    _, data = row
    for more in (b"\0", data):
        with pytest.raises(FormatError, match="truncated"):
            Trailer.unpack(data + more)
        with pytest.raises(FormatError, match="followed by other bytes"):
            Trailer.unpack((data + more)[-len(data) :][:-1] + b"\0")


@each(BAD_HEADERS)
def test_bad_header(row: Any) -> None:
    """What is no header that can be read here is refused, with the reason."""
    data, message = row
    with pytest.raises(FormatError, match=message):
        Header.unpack(data)


@given(st.binary(min_size=HEADER.size, max_size=HEADER.size) | st.builds(b"BPCK\0".__add__, st.binary(max_size=11)))
def test_any_header(data: bytes) -> None:
    """Any bytes either are a header and pack to themselves, or raise `FormatError`."""
    try:
        header = Header.unpack(data)
    except FormatError:
        return
    assert header.pack() == data


@given(st.binary(min_size=TRAILER.size - 8, max_size=TRAILER.size - 8))
def test_any_trailer(data: bytes) -> None:
    """Any bytes with the closing magic are a trailer that packs to them."""
    data += b"BPCK\x03END"
    assert Trailer.unpack(data).pack() == data


def test_root_digest() -> None:
    """The root digest covers header and trailer, all but the seal and the closing magic."""
    header, trailer = Header(3, NATIVE_ORDER), Trailer(16, 5, 133, b"d" * 32, b"s" * 32)
    assert trailer.root_digest(header) == hashlib.sha256(header.pack() + trailer.pack()[:-40]).digest()
    assert trailer.root_digest(header) == Trailer(16, 5, 133, b"d" * 32).root_digest(header)
    assert trailer.root_digest(header) != trailer.root_digest(Header(3, NATIVE_ORDER | Flags.MAPPABLE))
    assert trailer.root_digest(header) != Trailer(16, 5, 133, b"e" * 32).root_digest(header)


def test_constants() -> None:
    """Chunks are whole pages, pages whole cache lines; header and trailer are of the sizes that readers expect."""
    assert CHUNK_BYTES % PAGE == PAGE % ALIGNMENT == 0
    assert SHARE_BELOW <= CHUNK_BYTES
    assert (HEADER.size, TRAILER.size) == (16, 96)
