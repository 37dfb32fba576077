"""The index: one form for what was written, and every lie in it is refused."""

from __future__ import annotations

import copy
import hashlib
from typing import Any

import msgpack
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from internals import (
    HEADER,
    MAX_ENCODED_CHUNK,
    NATIVE_ORDER,
    PAGE,
    TRAILER,
    Contents,
    Header,
    IndexBuilder,
    Kind,
    Limits,
    Trailer,
    check_index,
    check_trailer,
)
from internals import parse_of_read_index as parse

from binpickle.errors import FormatError, IntegrityError, LimitError

HEADER_3 = Header(3, NATIVE_ORDER)
ZSTD = {"id": "zstd", "level": 1}
KINDS = [Kind(80, np.dtype("<f8"), (2, 5), "F"), Kind(64), Kind(0, np.dtype("|u1"), (0, 3), (1, 0))]
# A pickle stream of 5 bytes, an array of 80 that zstd makes 60, plain bytes at a multiple of 64, and nothing.
INDEX = {
    "requires": [],
    "stream": 5,
    "chains": [[], [ZSTD]],
    "chunks": {
        "count": 3,
        "length": [5, b"\0\x4b\x3b"],
        "stored": [5, b"\0\x37\x3b"],
        "padding": [0, b"\0\0\x2f"],
        "chain": [0, b"\0\1\0"],
        "checksum": "xxh3-128",
        "values": b"s" * 16 + b"z" * 16 + b"r" * 16,
    },
    "kinds": [["<f8", [2, 5], "F"], 64, ["|u1", [0, 3], [1, 0]]],
    "buffers": {"count": 3, "first": 5, "kind": [0, b"\0\1\2"], "gap": 0},
    "metadata": {"a": "b"},
    "libraries": {"python": "3.7"},
}
END = 192  # of the chunks
GENEROUS = Limits()


def build() -> tuple[bytes, Trailer]:
    """Make the index the way files get it."""
    builder = IndexBuilder("xxh3-128")
    assert builder.place(5, 5, (), b"s" * 16) == 0
    assert builder.place(80, 60, (ZSTD,), b"z" * 16) == 0
    assert builder.place(64, 64, (), b"r" * 16, 64) == 47
    starts, kind_ids = [5, 85, 149], [0, 1, 2]
    return builder.finish(5, starts, KINDS, kind_ids, INDEX["metadata"], INDEX["libraries"])


def read(index: Any, end: int = END, limits: Limits = GENEROUS) -> Contents:
    """Parse an index, in a trailer that fits it."""
    data = index if isinstance(index, bytes) else msgpack.packb(index)
    trailer = Trailer(end, len(data), end + len(data) + TRAILER.size, hashlib.sha256(data).digest())
    check_trailer(trailer, trailer.file_length, limits)
    return parse(HEADER_3, trailer, data, limits)


def changed(path: str, value: Any) -> Any:
    """Return the index with another value in one place; without it where the value is `...`."""
    index: Any = copy.deepcopy(INDEX)
    *way, last = (int(key) if key.isdigit() else key for key in path.split("."))
    inner = index
    for key in way:
        inner = inner[key]
    if value is ...:
        del inner[last]
    else:
        inner[last] = value
    return index


def test_built() -> None:
    """An index is written in one form, and the trailer fits it."""
    data, trailer = build()
    assert data == msgpack.packb(INDEX)
    assert trailer == Trailer(END, len(data), END + len(data) + TRAILER.size, hashlib.sha256(data).digest())


def test_parsed() -> None:
    """What was written is read."""
    contents = parse(HEADER_3, build()[1], build()[0], GENEROUS)
    columns = {
        "chunk_starts": [0, 5, 85, 149],
        "chunk_offsets": [16, 21, 128],
        "chunk_stored": [5, 60, 64],
        "chunk_chains": [0, 1, 0],
        "buffer_starts": [5, 85, 149],
        "buffer_kinds": [0, 1, 2],
        "buffer_nbytes": [80, 64, 0],
    }
    assert {name: getattr(contents, name).tolist() for name in columns} == columns
    assert contents.chains == ((), (ZSTD,))
    assert contents.kinds == tuple(KINDS)
    assert [contents.checksum[i] for i in range(3)] == [b"s" * 16, b"z" * 16, b"r" * 16]
    assert (contents.version, contents.flags, contents.stream) == (3, NATIVE_ORDER, (0, 5))
    assert (contents.metadata, contents.libraries) == (INDEX["metadata"], INDEX["libraries"])
    assert contents.root_digest is None


def test_digests() -> None:
    """With digests instead of checksums there is a root digest."""
    index = changed("chunks.checksum", "sha256")
    index["chunks"]["values"] = bytes(96)
    contents = read(index)
    assert contents.checksum[2] == bytes(32)
    assert len(contents.root_digest or b"") == 32


def test_no_buffers() -> None:
    """A file of a stream alone is a whole one."""
    builder = IndexBuilder("xxh3-128")
    builder.place(9, 9, (), bytes(16))
    data, trailer = builder.finish(9, [], [], [], {}, {})
    contents = parse(HEADER_3, trailer, data, GENEROUS)
    assert (contents.stream, contents.chunk_starts.tolist(), contents.buffer_starts.tolist()) == ((0, 9), [0, 9], [])


@pytest.mark.parametrize("path", ["unknown", "chunks.unknown", "buffers.unknown"])
def test_unknown_parts_are_optional(path: str) -> None:
    """What a later version adds without requiring it is ignored."""
    assert read(changed(path, [1, {"a": 2}])).kinds == tuple(KINDS)


@pytest.mark.parametrize(
    "kind",
    [
        Kind(8, np.dtype("O"), (1,)),
        Kind(40, np.dtype("|u1"), (1,) * 39 + (40,)),
        Kind(0, np.dtype("<f8"), (0, 1 << 60)),
        Kind(8, np.dtype([]), (8,)),
    ],
)
def test_unreadable_kinds_are_plain(kind: Kind) -> None:
    """An array that not every reader could make is listed as plain bytes."""
    builder = IndexBuilder("xxh3-128")
    builder.place(1, 1, (), bytes(16))
    builder.place(64, 64, (), bytes(16))
    data, trailer = builder.finish(1, [1], [kind], [0], {}, {})
    assert parse(HEADER_3, trailer, data, GENEROUS).kinds == (Kind(kind.nbytes),)


BIG = 1 << 62
WRONG = {
    "requires": [["magic"], {"a": 1}, "x", 1],
    "stream": [..., 0, 4, 149 + 1, -1, True, "5", None, BIG, 85],
    "chains": [..., None, {}, [[]], [[], ZSTD], [[], [1]], [[], [{"id": 1}]], [[], [{}]], [[], [ZSTD] * 9]],
    "chunks": [..., None, [], {}],
    "chunks.count": [..., 2, 4, -1, 3.0, None, True],
    "chunks.length": [..., None, 5, [5, b"\0\x4b"], [0, b"\0\x50\x40"], [-5, b"\0\0\0"], [5, b"\0\x4b\x3b\0"]],
    "chunks.stored": [..., 5, [5, b"\0\x37\x3c"], [5, b"\0\x37"], -1, BIG, [6, b"\0\x36\x3a"]],
    "chunks.padding": [..., 1, -1, PAGE, [0, b"\0\0\x30"], [-1, b"\0\0\x31"]],
    "chunks.chain": [..., 2, -1, 0, [0, b"\0\1\2"], [0, b"\0\1"], "zstd"],
    "chunks.checksum": [..., "md5", "adler32", None, ["xxh3-128"], {}],
    "chunks.values": [..., bytes(47), bytes(49), b"", "a" * 48, None],
    "kinds": [..., None, {}, [], [64, 64], [80, 64, 1]],
    "kinds.0": [-1, BIG, True, 1.5, [], ["<f8"], ["<f8", [2, 5]], ["<f8", [2, 5], "K"], ["<f8", [2, 5], [0]]],
    "kinds.0.0": ["|O", "f8", None, ["<f8", [1]], "<c16"],
    "kinds.0.1": [None, 10, [2, -5], [-2, -5], [2, 5.0], [True, 10], [1] * 33, [2, 6], [0, BIG]],
    "kinds.0.2": ["", None, "A", [1, 1], [0, 1, 2], [0, -1], [False, True], [0.0, 1.0], "01"],
    "buffers": [..., None, [], {}],
    "buffers.count": [..., -1, 2, 4, 3.0, True, BIG],
    "buffers.first": [..., -1, 4, 6, 69, True, 5.0, BIG],
    "buffers.kind": [..., 3, -1, [0, b"\0\1"], [0, b"\0\1\3"], [-1, b"\0\1\2"], 0],
    "buffers.gap": [..., 1, -85, BIG - 1, -BIG + 1, [0, b"\0"], True],
    "metadata": [..., None, [], {"a": 1}, {"a": b"b"}, {"a": None}, {"a": {}}],
    "libraries": [..., None, {"python": 3}],
}


@pytest.mark.parametrize(("path", "value"), [(path, value) for path, values in WRONG.items() for value in values])
def test_refused(path: str, value: Any) -> None:
    """An index with one part that is missing, of another type or inconsistent raises `FormatError`."""
    with pytest.raises(FormatError):
        read(changed(path, value))


NO_INDEX = {
    "nothing": b"",
    "no map": msgpack.packb([1]),
    "a key twice": msgpack.packb(INDEX).replace(b"\x88", b"\x89", 1) + msgpack.packb("stream") + b"\x05",
    "keys that are no text": msgpack.packb({1: 2}),
    "more behind": msgpack.packb(INDEX) + b"\0",
    "text that is none": msgpack.packb(INDEX).replace(b"\xa1a\xa1b", b"\xa1a\xa1\xff"),
    "an extension": msgpack.packb({"requires": msgpack.ExtType(1, b"x")}),
    "a timestamp": b"\x81\xa1a\xd6\xff\0\0\0\0",
    "very deep": b"\x81\xa1a" + b"\x91" * 100_000 + b"\0",
    "a long array": b"\x81\xa1a\xdd\xff\xff\xff\xff",
    "a long map": b"\x81\xa1a\xdf\xff\xff\xff\xff",
    "a long text": b"\x81\xa1a\xdb\xff\xff\xff\xff",
}


@pytest.mark.parametrize("data", NO_INDEX.values(), ids=list(NO_INDEX))
def test_no_index(data: bytes) -> None:
    """What is no map in MessagePack raises `FormatError`."""
    with pytest.raises(FormatError, match="index: "):
        read(data)


def test_truncated_index() -> None:
    """An index that was cut off anywhere raises `FormatError`."""
    data = msgpack.packb(INDEX)
    for n in range(len(data)):
        with pytest.raises(FormatError):
            read(data[:n])


def test_damaged_index() -> None:
    """An index that differs from its digest raises `IntegrityError`, before anything of it is parsed."""
    data, trailer = build()
    check_index(trailer, data)
    for n in range(len(data)):
        with pytest.raises(IntegrityError, match="index differs"):
            check_index(trailer, data[:n] + bytes([data[n] ^ 1]) + data[n + 1 :])


@pytest.mark.parametrize("end", [END - 1, END + 1, 16])
def test_chunks_must_fill_the_file(end: int) -> None:
    """Chunks that do not end where the index begins are refused."""
    with pytest.raises(FormatError, match="the chunks end at"):
        read(INDEX, end=end)


@pytest.mark.parametrize(
    ("offset", "length", "file_length"),
    [(16, 0, 113), (15, 1, 112), (17, 0, 112), (16, 1, 112), (0, 16, 112), (16, 1 << 63, 112), (2**64 - 1, 17, 112)],
)
def test_wrong_trailer(offset: int, length: int, file_length: int) -> None:
    """A trailer whose numbers do not fit the file is refused, in exact integers."""
    with pytest.raises(FormatError):
        check_trailer(Trailer(offset, length, file_length, bytes(32)), 112, GENEROUS)


LIMITED = {
    "index_bytes": Limits(index_bytes=100),
    "buffers": Limits(buffers=2),
    "decoded_bytes": Limits(decoded_bytes=148),
}


@pytest.mark.parametrize("limit", LIMITED)
def test_limits(limit: str) -> None:
    """More than the limits allow raises `LimitError`, which names the limit."""
    with pytest.raises(LimitError) as caught:
        read(INDEX, limits=LIMITED[limit])
    assert caught.value.limit == limit


def test_exactly_the_limits() -> None:
    """What just meets the limits is accepted."""
    size = len(msgpack.packb(INDEX))
    assert read(INDEX, limits=Limits(index_bytes=size, buffers=3, decoded_bytes=149)).length


def test_number_of_buffers_is_bounded_by_the_size_of_the_file() -> None:
    """Buffers that take no bytes of the index are refused where there are many more than the file has bytes."""
    index = changed("kinds", [0, 0])
    index["buffers"] = {"count": 1 << 16, "first": 5, "kind": 0, "gap": 0}
    assert len(read(index, limits=Limits(buffers_per_byte=1)).buffer_starts) == 1 << 16
    index["buffers"]["count"] += 1
    assert len(read(index).buffer_starts) == (1 << 16) + 1
    with pytest.raises(LimitError, match="65537 buffers in") as caught:
        read(index, limits=Limits(buffers_per_byte=1))
    assert caught.value.limit == "buffers"


def test_repeated_buffers_count() -> None:
    """A buffer counts each time it is listed: many over the same bytes are a bomb, too."""
    index = changed("kinds", [80, 64])
    index["buffers"] = {"count": 1000, "first": 5, "kind": 0, "gap": -80}
    with pytest.raises(LimitError, match="80005 bytes decoded"):
        read(index, limits=Limits(decoded_bytes=80_000))


def test_equal_lengths_share_a_kind() -> None:
    """A length takes one byte in the index: a million equal ones take no memory but for their places."""
    kinds = read(changed("kinds", [*INDEX["kinds"], *[7] * 1000])).kinds
    assert len({id(kind) for kind in kinds[3:]}) == 1
    assert kinds[-1] == Kind(7)


def test_large_encoded_chunk() -> None:
    """An encoded chunk that would take much memory is refused, as is one of no bytes."""
    for length in (MAX_ENCODED_CHUNK + 1, 0):
        index = changed("kinds.0", length)
        index["chunks"]["length"] = [0, b"".join(n.to_bytes(4, "little") for n in (5, length, 64))]
        with pytest.raises(FormatError, match="chunk 1 is"):
            read(index)


def nest(inner: Any) -> Any:
    return st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)


NUMBERS = st.integers(-(1 << 63), (1 << 64) - 1) | st.floats()
PARTS = st.recursive(st.sampled_from([None, True]) | NUMBERS | st.binary() | st.text(max_size=5), nest)


@given(st.sampled_from(sorted(WRONG)), PARTS)
@settings(max_examples=300)
def test_any_part(path: str, value: Any) -> None:
    """Whatever stands in one place of an index, it is read or raises `FormatError`."""
    try:
        contents = read(changed(path, value))
    except FormatError:
        return
    assert (contents.chunk_offsets >= HEADER.size).all()
    assert (contents.chunk_offsets + contents.chunk_stored <= END).all()
    assert (contents.buffer_starts + contents.buffer_nbytes <= contents.chunk_starts[-1]).all()
