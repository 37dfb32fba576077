"""Limits that hold from the first byte on, limits by the size of the file, and reports that take no time for pairs."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Any, Callable, Sequence

import numpy as np
import pytest
from assembler import NEXT, NONE, stream, tup
from internals import NATIVE_ORDER, VERSION, Header, IndexBuilder, Kind, limiting
from numcodecs import BZ2, LZMA, Delta, Shuffle, Zstd

import binpickle
from binpickle import BinPickleFile, FormatError, LimitError, Limits

ZEROS = np.zeros(9 << 20, np.float64)
ZSTD = {"id": "zstd", "level": 1}


def file_of(
    pickled: bytes,
    chunks: Sequence[tuple[bytes, int]] = (),
    kinds: Sequence[Kind] = (),
    starts: Sequence[int] = (),
    specs: tuple[Any, ...] = (),
    wrong: bool = False,
) -> bytes:
    """Return a file.

    Args:
        pickled: the stream.
        chunks: stored bytes and decoded length of each chunk behind the stream.
        kinds: of the buffers, one after the other; the last is repeated.
        starts: of the buffers, counted from the end of the stream.
        specs: the codec chain of the chunks.
        wrong: let no checksum fit.
    """
    index, body = IndexBuilder("sha256"), pickled
    index.place(len(pickled), len(pickled), (), hashlib.sha256(pickled).digest())
    for stored, nbytes in chunks:
        index.place(nbytes, len(stored), specs, bytes(32) if wrong else hashlib.sha256(stored).digest())
        body += stored
    positions = [start + len(pickled) for start in starts]
    kind_ids = [min(i, len(kinds) - 1) for i in range(len(starts))]
    data, trailer = index.finish(len(pickled), positions, kinds, kind_ids, {}, {})
    return Header(VERSION, NATIVE_ORDER).pack() + body + data + trailer.pack()


def bomb(pickled: bytes = stream(NEXT)) -> bytes:
    """Return a file of a few kilobytes that decodes to 64 MiB, and passes through five codecs."""
    nbytes = 64 << 20
    specs = (*[{"id": "shuffle", "elementsize": 2}] * 4, ZSTD)
    stored = bytes(Zstd(1).encode(bytes(nbytes)))
    return file_of(pickled, [(stored, nbytes)] * 3, [Kind(3 * nbytes)], [0], specs)


# ------------------------------------------------------------------------------------ by the size of the file


@pytest.mark.parametrize(
    "codecs",
    [
        "auto",
        [Zstd(1)],
        [Shuffle(8), Zstd(9)],
        [Delta("f8"), Shuffle(8), Zstd(1)],
        [Shuffle(8), BZ2(9)],
        [LZMA(preset=0)],
    ],
    ids=["auto", "zstd", "shuffle+zstd", "delta+shuffle+zstd", "shuffle+bz2", "lzma"],
)
def test_honest_zeros(codecs: Any) -> None:
    """Zeros, which shrink more than anything else, load under `trusted=` whatever encodes them."""
    data = binpickle.dumps(ZEROS, codecs=codecs)
    assert np.array_equal(binpickle.loads(data, trusted=()), ZEROS)


WAYS: dict[str, Callable[[bytes], Any]] = {
    "load": lambda data: binpickle.loads(data, trusted=()),
    "load of an open file": lambda data: BinPickleFile(io.BytesIO(data)).load(trusted=()),
    "array": lambda data: BinPickleFile(io.BytesIO(data)).array(0),
    "find_errors": lambda data: BinPickleFile(io.BytesIO(data)).find_errors(decode=True),
    "inspect": lambda data: binpickle.inspect(io.BytesIO(data)),
    "repack": lambda data: binpickle.repack(io.BytesIO(data), io.BytesIO()),
    "limits": lambda data: BinPickleFile(io.BytesIO(data), limits=Limits(decoded_per_byte=1000)),
}


@pytest.mark.parametrize("way", WAYS)
def test_decoding_that_the_size_does_not_justify(way: str) -> None:
    """A few kilobytes that stand for very much decoding are refused wherever a file may be of unknown origin."""
    with pytest.raises(LimitError, match=r"are decoded of a file of .* bytes.*Limits\(decoded_per_byte=") as caught:
        WAYS[way](bomb())
    assert caught.value.limit == "decoded_per_byte"


def test_stream_that_the_size_does_not_justify() -> None:
    """`stream` does not decode gigabytes of stream from a few kilobytes."""
    index, nbytes = IndexBuilder("sha256"), 64 << 20
    stored = bytes(Zstd(1).encode(bytes(nbytes)))
    for _ in range(10):
        index.place(nbytes, len(stored), (*[{"id": "shuffle", "elementsize": 2}] * 4, ZSTD), bytes(32))
    data, trailer = index.finish(10 * nbytes, [], [], [], {}, {})
    whole = Header(VERSION, NATIVE_ORDER).pack() + 10 * stored + data + trailer.pack()
    with BinPickleFile(io.BytesIO(whole)) as opened, pytest.raises(LimitError, match="each counted for every codec"):
        opened.stream()


def test_limits_allow_more() -> None:
    """Who knows a file can allow it, by the number that the message has."""
    data = bomb()
    with pytest.raises(LimitError) as caught:
        BinPickleFile(io.BytesIO(data)).array(0)
    allowed = int(str(caught.value).partition("decoded_per_byte=")[2].partition(")")[0])
    for limit, fine in ((allowed, True), (allowed - 1, False)):
        limits = Limits(decoded_per_byte=limit)
        if fine:
            assert BinPickleFile(io.BytesIO(data), limits=limits).nbytes == len(data)
        else:
            with pytest.raises(LimitError):
                BinPickleFile(io.BytesIO(data), limits=limits)


def test_copies_of_views_count() -> None:
    """Views of one range are decoded once and copied each: the copies count."""
    data = file_of(stream(NEXT), [(bytes(1 << 16), 1 << 16)], [Kind(1 << 16)], [0] * 2000)
    with pytest.raises(LimitError, match="131072009|are decoded of a file of") as caught:
        binpickle.loads(data, trusted=(), limits=Limits(decoded_per_byte=100))
    assert caught.value.limit == "decoded_per_byte"


def test_views_that_nobody_takes_are_not_copied() -> None:
    """A file lists a gigabyte of views and its stream takes one: only that one is made."""
    with memory_traced() as peak:
        data = file_of(stream(NEXT), [(bytes(1 << 20), 1 << 20)], [Kind(1 << 20)], [0] * 1000)
        for trusted in ((), None):
            assert len(binpickle.loads(data, trusted=trusted)) == 1 << 20
    assert peak() < 50 << 20


class memory_traced:  # noqa: N801 - used as a function
    """Measures the most memory that Python and NumPy take in a block."""

    def __enter__(self) -> Callable[[], int]:
        import tracemalloc

        tracemalloc.start()
        return lambda: self.peak

    def __exit__(self, *_: object) -> None:
        import tracemalloc

        self.peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()


# ------------------------------------------------------------------------------------ from the first byte on


HEADER = binpickle.dumps(1)[:16]


class Endless:
    """A file object that cannot seek and has no end, and begins as a BinPickle file does."""

    def __init__(self) -> None:
        self.read_bytes = 0

    def read(self, nbytes: int = -1) -> bytes:
        assert self.read_bytes < 64 << 20, "nothing ended the reading"
        self.read_bytes += nbytes
        return HEADER + bytes(nbytes - len(HEADER))


SMALL = Limits(stored_bytes=1 << 20)
SPOOLING: dict[str, Callable[[Any], Any]] = {
    "load": lambda file: binpickle.load(file, limits=SMALL),
    "BinPickleFile": lambda file: BinPickleFile(file, limits=SMALL),
    "inspect": lambda file: binpickle.inspect(file, limits=SMALL),
    "file_info": lambda file: binpickle.file_info(file, limits=SMALL),
    "repack": lambda file: binpickle.repack(file, io.BytesIO(), limits=SMALL),
}


@pytest.mark.parametrize("way", SPOOLING)
def test_spooling_stops(way: str) -> None:
    """What cannot seek is copied up to the limit and no further, whoever reads it."""
    file = Endless()
    with pytest.raises(LimitError) as caught:
        SPOOLING[way](file)
    assert caught.value.limit == "stored_bytes"
    assert file.read_bytes < 4 << 20


def test_spooling_stops_at_the_restricted_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """`load(trusted=...)` of a pipe copies up to the limits of restricted loading, not up to those of plain loading."""
    monkeypatch.setattr(limiting, "RESTRICTED_LIMITS", SMALL)
    file = Endless()
    with pytest.raises(LimitError):
        binpickle.load(file, trusted=())
    assert file.read_bytes < 4 << 20


@pytest.mark.parametrize("limit", ["decoded_bytes", "stored_bytes", "buffers", "index_bytes"])
def test_limits_of_repack(limit: str, tmp_path: Path) -> None:
    """`repack` refuses a source that asks for more than its limits, and writes nothing."""
    binpickle.dump([np.arange(5000)], tmp_path / "a.bpk")
    with pytest.raises(LimitError) as caught:
        binpickle.repack(tmp_path / "a.bpk", tmp_path / "b.bpk", limits=Limits(**{limit: 0}))
    assert caught.value.limit == limit
    assert not (tmp_path / "b.bpk").exists()


def test_limits_of_file_info() -> None:
    """A file that asks for more than the limits of `file_info` is invalid."""
    data = binpickle.dumps([np.arange(5000)])
    for limits, valid in ((None, True), (Limits(buffers=0), False)):
        assert binpickle.file_info(io.BytesIO(data), limits=limits).is_valid == valid
    for call in (binpickle.file_info, lambda file, limits: binpickle.repack(file, io.BytesIO(), limits=limits)):
        with pytest.raises(TypeError, match="limits must be"):
            call(io.BytesIO(data), limits=100)


def test_limits_of_rows() -> None:
    """Of a file that would take very much decoding rows are read that take few chunks of it."""
    with BinPickleFile(io.BytesIO(bomb())) as opened:
        assert not opened.array(0, slice(5, 9)).any()
        for read in (lambda: opened.array(0, slice(5, None)), lambda: opened.arrays([0])):
            with pytest.raises(LimitError):
                read()


# ------------------------------------------------------------------------------------ reports


def test_errors_name_no_pairs() -> None:
    """Each damaged chunk has one short message: it names few buffers, and counts the views."""
    kinds = [Kind(200), *[Kind(4)] * 29, Kind(200)]
    starts = [0, *range(0, 116, 4), *[0] * 970]
    data = file_of(stream(NONE), [(bytes(4), 4)] * 50, kinds, starts, wrong=True)
    with BinPickleFile(io.BytesIO(data)) as opened:
        errors = opened.find_errors()
    assert len(errors) == 50
    assert "chunk 1 (buffer 0 and 971 views) is damaged" in errors[0]
    assert "chunk 50 (buffer 0 and 970 views) is damaged" in errors[-1]


def test_messages_name_few_buffers() -> None:
    """Of many buffers in a chunk the message names the first ranges; the error has all of them."""
    starts, kinds = [4 * n for n in range(40)], [Kind(4)] * 40
    backwards = file_of(stream(NEXT), [(bytes(160), 160)], kinds, starts[::-1], wrong=True)
    with pytest.raises(binpickle.IntegrityError, match=r"chunk 1 \(the array, buffers 1-39\) is damaged") as caught:
        binpickle.loads(backwards)
    assert caught.value.buffers == tuple(range(40))
    by_turns = [start for pair in zip(starts[:20], starts[20:]) for start in pair]
    spread = file_of(stream(NEXT), [(bytes(80), 80)] * 2, kinds, by_turns, wrong=True)
    with pytest.raises(binpickle.IntegrityError, match=r"\(the array, buffers 2, 4, 6, 8, 10, 12, 14, 16, \.\.\.\) is"):
        binpickle.loads(spread)


def test_buffers_on_demand() -> None:
    """The buffers of an inspection are made when they are asked for, equal those of the file, and outlive it."""
    data = binpickle.dumps([np.arange(5000), np.arange(6000.0), bytes(1 << 20)])
    seen = binpickle.inspect(io.BytesIO(data))
    with BinPickleFile(io.BytesIO(data)) as opened:
        assert not isinstance(seen.buffers, (list, tuple))
        assert seen.buffers == opened.buffers == list(opened.buffers)
        assert seen.buffers[1:] != opened.buffers
        assert seen.buffers_nbytes == sum(buffer.nbytes for buffer in opened.buffers)
    assert [buffer.nbytes for buffer in seen.buffers][:2] == [40_000, 48_000]
    assert seen == binpickle.inspect(io.BytesIO(data))
    assert str(seen.buffers_nbytes) in repr(seen)


# ------------------------------------------------------------------------------------ copies, and what is believed


def test_dtypes_are_copies() -> None:
    """A caller who renames the fields of an array, or of its structures, changes nothing for the next file."""
    inner = [("x", "<f4"), ("y", "<f4")]
    data = binpickle.dumps(np.zeros(300, [("a", "<f8"), ("b", inner), ("c", inner, (2,))]), mappable=True)
    for _ in range(2):
        with BinPickleFile(io.BytesIO(data)) as opened:
            for dtype in (opened.array(0).dtype, opened.buffers[0].dtype):
                assert dtype.names == ("a", "b", "c")
                assert dtype["b"].names == dtype["c"].base.names == ("x", "y")
                dtype["b"].names = dtype["c"].base.names = ("s", "t")
                dtype.names = ("d", "e", "f")


def test_wide_structures_are_summed_up() -> None:
    """A structure of thousands of fields is not written out where a file is described."""
    dtype = np.dtype([(f"f{n}", "u1") for n in range(2000)])
    with BinPickleFile(io.BytesIO(binpickle.dumps(np.zeros(3, dtype)))) as opened:
        assert list(opened.summary.by_dtype) == ["structure of 2000 fields, 2000 bytes"]
        assert opened.buffers[0].dtype == dtype


def test_array_checks_text() -> None:
    """`array` refuses text beyond Unicode and very many items of no bytes, unless a key vouches for the file."""
    bad = np.full(5000, 0x110000, "<u4").view("<U5")
    key = bytes(32)
    for way in ({}, {"mappable": True}, {"key": key}):
        data = binpickle.dumps(bad, **way)
        with BinPickleFile(io.BytesIO(data), key=way.get("key")) as opened:
            if way.get("key"):
                assert opened.array(0).nbytes == bad.nbytes
            else:
                with pytest.raises(FormatError, match="beyond Unicode"):
                    opened.array(0)
    empty = file_of(stream(NONE), [], [Kind(0, np.dtype("V0"), (1 << 40,))], [0])
    with BinPickleFile(io.BytesIO(empty)) as opened, pytest.raises(FormatError, match="items of no bytes"):
        opened.array(0)


def test_opcodes_by_the_size_of_the_file() -> None:
    """A kilobyte of zstd cannot stand for millions of opcodes, under `trusted=` or for `inspect`."""
    pickled = stream(tup(NONE * 4_000_000))
    stored = bytes(Zstd(9).encode(pickled))
    index = IndexBuilder("sha256")
    index.place(len(pickled), len(stored), (ZSTD,), hashlib.sha256(stored).digest())
    data, trailer = index.finish(len(pickled), [], [], [], {}, {})
    whole = Header(VERSION, NATIVE_ORDER).pack() + stored + data + trailer.pack()
    for call in (lambda: binpickle.loads(whole, trusted=()), lambda: binpickle.inspect(io.BytesIO(whole))):
        with pytest.raises(LimitError, match="opcodes"):
            call()
