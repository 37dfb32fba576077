"""Whatever bytes a file holds: it opens, is looked into and is read in parts, or raises `BinPickleError`.

Files of all versions are changed somewhere; checksums, digests and lengths are made to fit again, so that the change
gets past them. Nothing here is loaded the plain way: that would run whatever the mutation spells.

`BINPICKLE_FUZZ=100000` makes the tests longer: examples for each.
"""

from __future__ import annotations

import copy
import io
import os
from typing import Any

import msgpack
import numpy as np
import pytest
from common import ROOT, small_chunks
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from internals import HEADER, TRAILER
from resign import edit_index, join, nodes, resign, split

import binpickle
from binpickle import BinPickleError, BinPickleFile, Limits

EXAMPLES = int(os.environ.get("BINPICKLE_FUZZ", "200"))
FUZZ = settings(
    max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
DATA = ROOT / "tests" / "data"
# Small enough that what a file asks for is never a matter of minutes; whoever asks for more is refused.
LIMITS = Limits(decoded_bytes=16 << 20, buffers=10_000)


def dumped() -> list[bytes]:
    """Make small, different files of the current version."""
    array = np.arange(300.0)
    noise = np.frombuffer(np.random.RandomState(0).bytes(1200), np.uint8)
    several = [
        array,
        array[5:90],
        np.asfortranarray(array.reshape(20, 15)),
        noise,
        np.arange(200, dtype="i4"),
        "x" * 700,
    ]
    several += [np.ones(100 + n, t) for n in range(3) for t in ("u1", "<M8[s]", "S7")]
    ways: list[Any] = [
        {"codecs": [codec]} for codec in ("zstd", "lz4", "zlib", "gzip", "bz2", "lzma", "blosc", "crc32")
    ]
    ways += [{"codecs": [shuffled, "zstd"]}, {"codecs": ["base64", "adler32"]}]
    ways += [{}, {"codecs": []}, {"mappable": True}, {"digests": True, "metadata": {"a": "b"}}]
    files = [binpickle.dumps(several, **way) for way in ways]
    files += [binpickle.dumps(obj) for obj in (1, {"a": [1.5, None]}, np.zeros((0, 3)))]
    files += [binpickle.dumps([array], codecs=[{"id": "delta", "dtype": "<f8"}, {"id": "astype", **ASTYPE}, "zstd"])]
    with small_chunks(512):
        files += [binpickle.dumps([array, array[3:], noise, list(range(500))], **way) for way in ways[-4:]]
    return files


def shuffled(buffer: memoryview) -> Any:
    return {"id": "shuffle", "elementsize": 8} if buffer.nbytes % 8 == 0 else None


ASTYPE = {"encode_dtype": "<f4", "decode_dtype": "<f8"}
NEW = dumped()
OLD = [path.read_bytes() for path in sorted(DATA.glob("*/**/*.bpk")) if path.stat().st_size < 5000]
OLD = [data for data in OLD if len(data) > 100]
FILES = NEW + OLD

# What a number may be changed to, and what may stand in the place of anything.
NUMBERS = [-1, 0, 1, 2, 15, 16, 63, 64, 255, 4096, 1 << 16, 1 << 31, (1 << 32) - 1, 1 << 40, 1 << 61, (1 << 62) - 1]
NUMBERS += [1 << 62, 1 << 63, (1 << 64) - 1, -(1 << 62), -(1 << 63)]
VALUES = [
    *NUMBERS,
    None,
    True,
    0.5,
    "",
    "zstd",
    "|O",
    "<f8",
    "C",
    b"",
    b"\0" * 8,
    b"\xff" * 16,
    [],
    [0],
    {},
    [[]],
    [{}],
]
VALUES += [{"id": codec} for codec in ("zstd", "blosc", "pickle", "msgpack2", "packbits", "vlen-utf8", "lzma", "delta")]

BYTE_EDITS = st.lists(
    st.tuples(
        st.sampled_from(["flip", "set", "insert", "delete", "copy"]), st.integers(0, 1 << 20), st.integers(0, 255)
    ),
    min_size=1,
    max_size=4,
)
INDEX_EDITS = st.lists(
    st.tuples(
        st.integers(0, 1 << 16), st.sampled_from(["replace", "add", "delete", "bytes", "swap"]), st.integers(0, 1 << 16)
    ),
    min_size=1,
    max_size=3,
)


def change_bytes(data: bytes, edits: list[tuple[str, int, int]]) -> bytes:
    """Change some bytes, a few of them at a time."""
    changed = bytearray(data)
    for kind, where, value in edits:
        at = where % (len(changed) or 1)
        if kind == "flip":
            changed[at : at + 1] = bytes([byte ^ 1 << value % 8 for byte in changed[at : at + 1]])
        elif kind == "set":
            changed[at : at + 1 + value % 5] = bytes([value]) * len(changed[at : at + 1 + value % 5])
        elif kind == "insert":
            changed[at:at] = bytes([value]) * (1 + value % 9)
        elif kind == "delete":
            del changed[at : at + 1 + value % 17]
        else:
            there = where // 7 % (len(changed) or 1)
            changed[at : at + value] = changed[there : there + value]
    return bytes(changed)


def change_index(index: Any, edits: list[tuple[int, str, int]]) -> Any:
    """Change some places of an index."""
    for where, kind, value in edits:
        places = list(nodes(index))
        if not places:
            return copy.deepcopy(VALUES[value % len(VALUES)])
        holder, key = places[where % len(places)]
        old = holder[key]
        if kind == "delete":
            del holder[key]
        elif kind == "swap":
            other, place = places[value % len(places)]
            holder[key] = copy.deepcopy(other[place])
        elif kind == "bytes" and isinstance(old, bytes):
            holder[key] = change_bytes(old, [("set", value, value % 256)])
        elif kind == "add" and type(old) is int:
            holder[key] = min(max(old + NUMBERS[value % len(NUMBERS)], -(1 << 63)), (1 << 64) - 1)
        else:
            holder[key] = copy.deepcopy(VALUES[value % len(VALUES)])
    return index


def examine(data: bytes) -> None:
    """Use a file in every way that is safe for files of unknown origin; fail on any error but `BinPickleError`."""
    info = binpickle.file_info(io.BytesIO(data))
    with allowed():
        binpickle.inspect(io.BytesIO(data), limits=LIMITS)
    with allowed():
        binpickle.load(io.BytesIO(data), trusted=(), limits=LIMITS, threads=1)
    try:
        opened = BinPickleFile(io.BytesIO(data), limits=LIMITS)
    except BinPickleError:
        return
    assert info.is_valid
    with opened:
        repr(opened), opened.is_mappable, opened.metadata, opened.root_digest, opened.summary
        assert len(list(opened.buffers)) == len(opened.entries) - bool(opened.entries)
        assert all(isinstance(error, str) for error in opened.find_errors(threads=1))
        with allowed():
            opened.stream()
        for i in range(min(len(opened.buffers), 12)):
            with allowed():
                assert opened.array(i).nbytes == opened.buffers[i].nbytes
    with allowed():
        binpickle.repack(io.BytesIO(data), io.BytesIO(), codecs=["zstd"], threads=1)


class allowed:  # noqa: N801 - reads as a word
    """Swallows the errors that files may cause."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: Any, _: Any) -> bool:
        if error is not None and isinstance(error, BinPickleError):
            str(error)
            return True
        return False


@pytest.mark.parametrize("data", FILES, ids=range(len(FILES)))
def test_unchanged(data: bytes) -> None:
    """The files that the tests below change load before the change, and after they are signed again."""
    assert binpickle.file_info(io.BytesIO(data)).is_valid
    with BinPickleFile(io.BytesIO(resign(data))) as opened:
        assert opened.find_errors() == []
    examine(data)


@given(st.sampled_from(range(len(FILES))), BYTE_EDITS)
@FUZZ
def test_bytes(file: int, edits: Any) -> None:
    """A file with changed bytes anywhere is read safely."""
    examine(change_bytes(FILES[file], edits))


@given(st.sampled_from(range(len(FILES))), st.integers(0, 1 << 16), st.integers(0, 1 << 16))
@FUZZ
def test_cut(file: int, start: int, length: int) -> None:
    """A piece of a file is read safely."""
    data = FILES[file]
    examine(data[: length % len(data)])
    examine(data[start % len(data) :])


@given(st.sampled_from(range(len(FILES))), BYTE_EDITS)
@FUZZ
def test_stored(file: int, edits: Any) -> None:
    """A file with changed stored bytes and fitting checksums, which decoders and the machine meet, is read safely."""
    data = FILES[file]
    end = len(data) - 100 if data[5] < 3 else HEADER.size + len(split(data).body)
    body = change_bytes(data[HEADER.size : end], edits)
    body = (body + bytes(end))[: end - HEADER.size]
    try:
        changed = resign(data[: HEADER.size] + body + data[end:])
    except Exception:  # part of an old index was among the bytes
        return
    examine(changed)


@given(st.sampled_from(range(len(FILES))), INDEX_EDITS)
@FUZZ
def test_index(file: int, edits: Any) -> None:
    """A file whose index lies is read safely."""
    data = FILES[file]
    examine(edit_index(data, lambda index: change_index(index, edits)))


@given(st.sampled_from(range(len(NEW))), INDEX_EDITS)
@FUZZ
def test_index_with_checksums(file: int, edits: Any) -> None:
    """A file whose index lies under fitting checksums is read safely."""
    data = FILES[file]
    changed = edit_index(data, lambda index: change_index(index, edits))
    try:
        changed = resign(changed)
    except Exception:  # where chunks lie is among the lies
        return
    examine(changed)


@given(st.sampled_from(range(len(NEW))), BYTE_EDITS)
@FUZZ
def test_packed_index(file: int, edits: Any) -> None:
    """A file with changed bytes in its packed index is read safely."""
    data = FILES[file]
    parts = split(data)
    packed = msgpack.packb(parts.index)
    examine(join(parts.header, parts.body, change_bytes(packed, edits)))


@given(st.sampled_from(range(len(NEW))), st.sampled_from(range(len(NEW))), st.booleans())
@FUZZ
def test_spliced(file: int, other: int, signed: bool) -> None:
    """A file with the chunks of one file and the index of another is read safely."""
    parts = split(NEW[file])
    changed = join(parts.header, parts.body, split(NEW[other]).index)
    try:
        changed = resign(changed) if signed else changed
    except IndexError:
        return
    examine(changed)


@given(st.sampled_from(range(len(FILES))), BYTE_EDITS)
@FUZZ
def test_ends(file: int, edits: Any) -> None:
    """A file with a changed header or trailer is read safely."""
    data = FILES[file]
    examine(change_bytes(data[: HEADER.size], edits) + data[HEADER.size :])
    examine(data[: -TRAILER.size] + change_bytes(data[-TRAILER.size :], edits))


@given(st.binary(max_size=300))
@FUZZ
def test_anything(data: bytes) -> None:
    """Random bytes are read safely."""
    examine(data)
    examine(NEW[0][: HEADER.size] + data + NEW[0][-TRAILER.size :])
