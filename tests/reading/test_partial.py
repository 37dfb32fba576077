"""What is read for rows and for several arrays at once: few chunks, each once, on all cores, in little memory."""

from __future__ import annotations

import io
import itertools
import pickle
import threading
import tracemalloc
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any, Callable, Iterator

import hypothesis
import numpy as np
import pytest
from common import each, small_chunks
from format_parts import Parts
from golden_contents import PickleBuffer
from hypothesis import strategies as st
from internals import CHUNK_BYTES, Crew, DescriptorSource, FileReader, PartialRead, Source, View, exhaust

import binpickle
from binpickle import BinPickleFile, Buffer, FormatError, IntegrityError, LimitError, Limits

LONG = (np.arange(1 << 18) * 7919 % 100_003).reshape(-1, 64)
SHUFFLE = [{"id": "shuffle", "elementsize": 8}, "zstd"]
CODECS = {"raw": None, "zstd": "zstd", "shuffle and zstd": SHUFFLE}
# Chunk 0 is the stream, and each chunk of the array has these rows.
CHUNK = 1 << 16
ROWS = CHUNK // LONG[0].nbytes


def opened(data: bytes, **options: Any) -> BinPickleFile:
    return BinPickleFile(io.BytesIO(data), **options)


def long_file(codecs: Any = SHUFFLE, **options: Any) -> bytes:
    with small_chunks(CHUNK):
        return binpickle.dumps([LONG], codecs=codecs, **options)


# ---------------------------------------------------------------------------------------------------------- chunks


def break_chunk(data: bytes, chunk: int) -> bytes:
    """Return a file with a wrong byte in one chunk."""
    parts = Parts(data)
    at = 16 + sum(map(len, parts.zeros[: chunk + 1])) + sum(map(len, parts.chunks[:chunk]))
    changed = bytearray(data)
    changed[at + len(parts.chunks[chunk]) // 2] ^= 1
    return bytes(changed)


@each(CODECS, "codecs")
def test_damage(codecs: Any) -> None:
    """Damage matters only in the chunks that are needed, and the error has the number of the chunk."""
    with opened(break_chunk(long_file(codecs), 3)) as file:
        for wanted in (slice(0, 2 * ROWS), slice(3 * ROWS, None), slice(ROWS, ROWS + 1), 2 * ROWS - 1):
            assert (file.array(0, wanted) == LONG[wanted]).all()
        for wanted in (2 * ROWS, 3 * ROWS - 1, slice(2 * ROWS - 1, 2 * ROWS + 1), slice(None)):
            with pytest.raises(IntegrityError, match="chunk 3 .*is damaged") as caught:
                file.array(0, wanted)
            assert caught.value.chunk == 3
        for read in (lambda: file.array(0, 5, axis=1), lambda: file.arrays({0: 2 * ROWS}), lambda: file.arrays([0])):
            with pytest.raises(IntegrityError, match="chunk 3 "):
                read()


def test_damage_unverified() -> None:
    """Without checks, the rows of a raw chunk that is damaged elsewhere are there, and no other byte is read."""
    with opened(break_chunk(long_file(None), 3), verify=False) as file:
        assert (file.array(0, 2 * ROWS) == LONG[2 * ROWS]).all()


@pytest.mark.parametrize("way", [{"verify": True}, {"key": bytes(32)}], ids=["verify", "key"])
def test_damage_mapped(way: Any, tmp_path: Path) -> None:
    """Of a mapped file the chunks are compared with their checksums that rows touch, if all data is to be verified."""
    data = long_file(None, **({"key": way["key"]} if "key" in way else {}))
    (tmp_path / "a.bpk").write_bytes(break_chunk(data, 3))
    with BinPickleFile(tmp_path / "a.bpk", mmap_mode="r", **way) as file:
        assert (file.array(0, ROWS) == LONG[ROWS]).all()
        with pytest.raises(IntegrityError, match="chunk 3 "):
            file.array(0, 2 * ROWS)


def test_bytes_between_buffers() -> None:
    """A chunk that several arrays share is looked at as a whole, for bytes between them that are not zero."""
    small = [np.arange(n, n + 601, dtype="u1") for n in range(3)]
    parts = Parts(binpickle.dumps(small, codecs=None))
    forged = bytearray(parts.chunks[1])
    forged[602] = 1
    parts.replace(1, bytes(forged))
    with opened(parts.join()) as file:
        for i in range(3):
            with pytest.raises(FormatError, match="the bytes between buffers are not zero"):
                file.array(i, 5)


def test_limits_of_copies() -> None:
    """Arrays that are asked for very many times count as often as they are copied, unless limits were given."""
    data = binpickle.dumps([np.zeros(1 << 20)])
    many = [0] * 20_000
    with opened(data) as file, pytest.raises(LimitError):
        file.arrays(many)
    with opened(data, limits=Limits()) as file:
        assert len(file.arrays([0] * 20)) == 20


# ---------------------------------------------------------------------------------------------------------- arrays

SEVERAL = [LONG, LONG[:3], np.arange(600), np.arange(600) // 9, LONG.T, np.arange(100_000.0)]


def test_arrays() -> None:
    """Several arrays come in the order in which they were asked for, and a dict gives a dict."""
    with opened(binpickle.dumps(SEVERAL)) as file:
        numbers = [*range(len(file.buffers)), 0, -1]
        singly = [file.array(i) for i in numbers]
        for threads in (None, 1, 3):
            for got, want in zip(file.arrays(iter(numbers), threads=threads), singly):
                assert (got.dtype, got.shape, got.tobytes()) == (want.dtype, want.shape, want.tobytes())
                assert got.flags.writeable
        assert file.arrays([]) == []
        assert file.arrays({}) == {}
        got = file.arrays({3: slice(5, 9), 0: 7, -1: None})
        assert list(got) == [3, 0, -1]
        assert [array.tolist() for array in got.values()] == [
            singly[3][5:9].tolist(),
            singly[0][7].tolist(),
            singly[-1].tolist(),
        ]
        first, second = file.arrays([0, 0])
        assert not np.shares_memory(first, second)


WRONG = {
    "number": (lambda file: file.arrays([0, 99]), IndexError),
    "name of letters": (lambda file: file.arrays("ab"), (TypeError, KeyError)),
    "one number": (lambda file: file.arrays(0), TypeError),
    "threads": (lambda file: file.arrays([0], threads=0), ValueError),
    "rows": (lambda file: file.arrays({0: slice(0, 5, 2)}), ValueError),
}


@each(WRONG, "call", "error")
def test_wrong_arguments(call: Callable[[BinPickleFile], Any], error: Any) -> None:
    """Wrong arguments are refused."""
    with opened(binpickle.dumps(SEVERAL)) as file, pytest.raises(error):
        call(file)


def test_each_chunk_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A chunk that several arrays need is read and decoded once."""
    with small_chunks(CHUNK):
        data = binpickle.dumps([LONG, LONG[5:9], *(np.arange(n, n + 200) for n in range(9))])
    seen: list[int] = []
    read = FileReader.read_pieces

    def noting(reader: FileReader, i: int, *args: Any) -> None:
        seen.append(i)
        read(reader, i, *args)

    monkeypatch.setattr(FileReader, "read_pieces", noting)
    with opened(data) as file:
        count = len(file.buffers)
        file.arrays([*range(count), *range(count)])
    assert sorted(seen) == sorted(set(seen))
    assert len(seen) > 30


# --------------------------------------------------------------------------------------------- threads and memory


@contextmanager
def counted_threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[object]]:
    """Yield a list that gets an item for each helper that a crew starts."""
    started: list[object] = []
    admit = Crew.admit

    def noting(crew: Crew) -> bool:
        started.append(crew)
        return admit(crew)

    with monkeypatch.context() as patch:
        patch.setattr(Crew, "admit", noting)
        yield started


def test_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows of one chunk start no thread, rows of many chunks do, and one thread is as many as the caller allows."""
    data = binpickle.dumps([np.arange(8 * CHUNK_BYTES // 8) % 1009])
    with opened(data) as file, counted_threads(monkeypatch) as started:
        file.array(0, 5)
        file.array(0, slice(0, 1000))
        file.arrays([0], threads=1)
        assert not started
        file.arrays([0], threads=4)
        assert started
    assert not [thread for thread in threading.enumerate() if thread.name == "binpickle-helper"]


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("threads", [1, 2])
@each(CODECS, "codecs")
def test_memory(codecs: Any, threads: int, axis: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Rows take the memory of the result and at most two chunks for each thread."""
    many = (np.arange(8 * CHUNK_BYTES // 8) * 7919 % 100_003).reshape(-1, 256)
    binpickle.dump([many], tmp_path / "a.bpk", codecs=codecs)
    with BinPickleFile(tmp_path / "a.bpk") as file:
        rows = slice(100, 1500) if axis == 0 else slice(100, 110)
        monkeypatch.setattr("binpickle.reading.arrays.check_threads", lambda _: threads)
        file.array(0, 0)
        tracemalloc.start()
        try:
            got = file.array(0, rows, axis)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert (got == (many[rows] if axis == 0 else many[:, rows])).all()
    assert peak <= got.nbytes + (2 * threads * CHUNK_BYTES) + (1 << 20)


# ----------------------------------------------------------------------------------------------------------- views

NOISE = np.random.RandomState(4).randint(0, 256, 5000).astype("u1")


def read_views(data: bytes, views: list[Any], **options: Any) -> list[np.ndarray]:
    """Return what views give, each with the number of its buffer, or bytes in its place."""
    from internals import BytesSource

    reader = FileReader(BytesSource(data), Limits())
    with Crew(1) as crew:
        steps = PartialRead(reader, options.get("mapped"), views).steps(crew, True, False)
        arrays: list[np.ndarray] = exhaust(steps)
    return arrays


VIEWS = {
    "whole": View(np.dtype("u1"), (5000,), (1,)),
    "a column": View(np.dtype("<i4"), (40,), (100,), 8),
    "columns": View(np.dtype("<i4"), (40, 3), (100, 4), 8),
    "backwards": View(np.dtype("<i2"), (10, 20), (-40, 2), 4000),
    "both backwards": View(np.dtype("<i2"), (10, 20), (-40, -2), 4000),
    "turned": View(np.dtype("<f8"), (5, 6, 7), (8, 40, 240)),
    "gaps on two axes": View(np.dtype("<i2"), (5, 6, 7), (900, 60, 4), 3),
    "far apart": View(np.dtype("u1"), (2, 2, 2), (4000, 500, 20)),
    "repeated": View(np.dtype("<i4"), (5, 9, 3), (0, 4, 400), 100),
    "one repeated": View(np.dtype("<i4"), (1000, 1000), (0, 0), 4996),
    "windows": View(np.dtype("<i4"), (100, 7), (4, 4), 4),
    "one": View(np.dtype("<i4"), (), (), 17),
    "axes of one": View(np.dtype("<i4"), (1, 5, 1), (7, 4, 999)),
    "none": View(np.dtype("<i4"), (0, 5), (4, 4), 0),
    "unaligned": View(np.dtype("<f8"), (50,), (9,), 1),
}


@each(VIEWS, "view")
@each({**CODECS, "shuffle and zstd": [{"id": "shuffle", "elementsize": 4}, "zstd"]}, "codecs")
def test_views(view: View, codecs: Any) -> None:
    """A view over a buffer, or over bytes, is the array that NumPy makes over all of the bytes."""
    with small_chunks(256):
        data = binpickle.dumps([NOISE], codecs=codecs)
    want = np.ndarray(view.shape, view.dtype, NOISE, view.offset, view.strides)
    for got in read_views(data, [(0, view), (NOISE.tobytes(), view)]):
        assert (got.dtype, got.shape) == (want.dtype, want.shape)
        assert (got == want).all()
        assert got.flags.writeable


@hypothesis.given(data=st.data())
def test_any_view(data: st.DataObject) -> None:
    """A view of any shape and strides is the array that NumPy makes of it; several are read at once."""
    with small_chunks(data.draw(st.integers(40, 6000))):
        file = binpickle.dumps([NOISE], codecs=data.draw(st.sampled_from([None, "zstd"])))
    views = [data.draw(views_of(len(NOISE))) for _ in range(data.draw(st.integers(1, 3)))]
    for view, got in zip(views, read_views(file, [(0, view) for view in views])):
        want = np.ndarray(view.shape, view.dtype, NOISE, view.offset, view.strides)
        assert got.shape == want.shape
        assert got.tobytes() == want.tobytes()


@st.composite
def views_of(draw: Any, nbytes: int) -> View:
    dtype = np.dtype(draw(st.sampled_from(["u1", "<i2", "<i4", "V3", "<c16"])))
    axes = draw(
        st.lists(st.tuples(st.integers(1, 9), st.integers(-300, 300) | st.sampled_from([-2, 1, 2, 4, 8])), max_size=4)
    )
    view = View(dtype, tuple(n for n, _ in axes), tuple(step for _, step in axes), nbytes // 2)
    hypothesis.assume(view.extent[0] >= 0 and view.extent[1] <= nbytes)
    return view


REFUSED = {
    "before": View(np.dtype("<i4"), (5,), (-4,), 8),
    "behind": View(np.dtype("<i4"), (5,), (4,), 4984),
    "offset": View(np.dtype("u1"), (1,), (1,), -1),
    "shape": View(np.dtype("u1"), (1 << 40, 1 << 40), (0, 0)),
    "text in windows": View(np.dtype("<U1"), (1000, 1000), (4, 1)),
}


@each(REFUSED, "view")
def test_refused_views(view: View) -> None:
    """A view that leads out of its bytes, or that no array can be made of at a fair price, is refused."""
    for source in (0, NOISE.tobytes()):
        with pytest.raises(FormatError):
            read_views(binpickle.dumps([NOISE]), [(source, view)])


# --------------------------------------------------------------------------------------------------------- buffers


def test_buffer() -> None:
    """A buffer of an open file gives rows, and is otherwise the description that it was."""
    with opened(long_file()) as file:
        buffer = file.buffers[0]
        assert (buffer[5] == LONG[5]).all()
        assert (buffer[5:9] == LONG[5:9]).all()
        assert buffer == file.buffers[0]
        values = {field.name: getattr(buffer, field.name) for field in fields(buffer)}
        alone = Buffer(**values)
        assert alone == buffer
        assert repr(alone) == repr(buffer)
        for other in (alone, pickle.loads(pickle.dumps(buffer)), pickle.loads(pickle.dumps(file.buffers))[0]):
            assert other == buffer
            with pytest.raises(TypeError, match="belongs to no open file"):
                other[5]
        with pytest.raises(TypeError):
            iter(buffer)  # type: ignore[call-overload]


ORDERS = {
    "C": (LONG, 0),
    "F": (LONG.T, 1),
    "turned": (np.arange(6000).reshape(10, 20, 30).transpose(2, 0, 1), 1),
    "bytes": (PickleBuffer(bytearray(5000)), 0),
    "no axes": (np.zeros((), "S600"), None),
}


@each(ORDERS, "obj", "axis")
def test_slowest_axis(obj: Any, axis: int | None) -> None:
    """Rows along the slowest axis lie together."""
    with opened(binpickle.dumps([obj], mappable=True)) as file:
        assert file.buffers[0].slowest_axis == axis


def test_table() -> None:
    """Shown, the buffers are a table of the first ones."""
    with opened(binpickle.dumps([np.arange(700 + n) for n in range(30)], codecs=None)) as file:
        lines = repr(file.buffers).splitlines()
    assert lines[0] == "30 buffers, 171 kB"
    assert lines[1].split()[:4] == ["#", "dtype", "shape", "order"]
    assert lines[2].split()[:4] == ["0", "int64", "(700,)", "C"]
    assert len(lines) == 13
    assert lines[-1] == "..."
    with opened(binpickle.dumps([])) as file:
        assert repr(file.buffers) == "0 buffers, 0 B"


# ------------------------------------------------------------------------------------------------------- the plan


@pytest.fixture
def noted(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[int, int]]]:
    """Note what sources are told of; at the end of the test each read lies within it. Yield the reads."""
    planned: dict[int, np.ndarray] = {}
    reads: list[tuple[int, int]] = []
    unplanned: list[tuple[int, int]] = []
    read_into = DescriptorSource.read_into

    def plan(source: Source, ranges: Any) -> None:
        known = planned.setdefault(id(source), np.zeros(source.size, bool))
        for start, stop in ranges:
            assert 0 <= start <= stop <= source.size
            known[start:stop] = True

    def noting(source: DescriptorSource, offset: int, out: np.ndarray) -> None:
        reads.append((offset, offset + len(out)))
        if len(out) and not planned.get(id(source), np.zeros(source.size, bool))[offset : offset + len(out)].all():
            unplanned.append(reads[-1])
        read_into(source, offset, out)

    monkeypatch.setattr(Source, "plan", plan)
    monkeypatch.setattr(DescriptorSource, "read_into", noting)
    yield reads
    assert reads
    assert not unplanned


def _repack(path: Path) -> None:
    binpickle.repack(path, path.with_suffix(".new"), mappable=True)


def _repack_by_function(path: Path) -> None:
    binpickle.repack(path, path.with_suffix(".new"), codecs=[lambda data: "zstd" if len(data) > 1000 else None])


def _open(use: Callable[[BinPickleFile], Any], **options: Any) -> Callable[[Path], Any]:
    def run(path: Path) -> None:
        with BinPickleFile(path, **options) as file:
            use(file)

    return run


READERS: dict[str, Callable[[Path], Any]] = {
    "load": binpickle.load,
    "load verified": lambda path: binpickle.load(path, verify=True),
    "load unverified": lambda path: binpickle.load(path, verify=False),
    "load on one thread": lambda path: binpickle.load(path, threads=1),
    "load restricted": lambda path: binpickle.load(path, trusted=()),
    "load mapped": _open(lambda file: file.load(), direct="nowarn"),
    "load mapped and verified": _open(lambda file: file.load(), direct="nowarn", verify=True),
    "load within limits": lambda path: binpickle.load(path, limits=Limits()),
    "inspect": binpickle.inspect,
    "file_info": binpickle.file_info,
    "repack": _repack,
    "repack by a function": _repack_by_function,
    "find_errors": _open(lambda file: file.find_errors()),
    "find_errors decoding": _open(lambda file: file.find_errors(decode=True)),
    "stream": _open(lambda file: file.stream()),
    "array": _open(lambda file: [file.array(i) for i in range(len(file.buffers))]),
    "rows": _open(lambda file: [file.array(0, 400), file.array(0, slice(5, 900)), file.array(0, 3, axis=1)]),
    "rows unverified": _open(lambda file: [file.array(0, 400), file.array(0, 3, axis=1)], verify=False),
    "rows of a buffer": _open(lambda file: file.buffers[0][5:900]),
    "rows mapped and verified": _open(lambda file: file.array(0, 400), mmap_mode="r", verify=True),
    "arrays": _open(lambda file: file.arrays([*range(len(file.buffers))])),
    "names": _open(lambda file: file.names),
    "tree": _open(lambda file: str(file.tree())),
    "arrays by name": _open(lambda file: [file["array"], file.get("small"), dict(file.items())]),
    "warm": _open(lambda file: [file.warm(), file.warm([0])]),
    "open and load": _open(lambda file: file.load()),
}
OBJECTS = {
    "large": {"array": LONG, "text": "x" * 300_000, "small": [np.arange(n + 100) for n in range(9)], "view": LONG[5:9]},
    "small": {"array": LONG[:1000:2, :8], "n": 1},
}


@each(READERS, "reader")
@each(OBJECTS, "obj")
@each({**CODECS, "auto": "auto"}, "codecs")
def test_plan(reader: Any, obj: Any, codecs: Any, noted: list[Any], tmp_path: Path) -> None:
    """Whoever reads from a source has told it before what it will read."""
    if codecs == SHUFFLE:
        codecs = [lambda data: SHUFFLE[0] if data.nbytes % 8 == 0 else None, "zstd"]
    with small_chunks(CHUNK):
        binpickle.dump(obj, tmp_path / "a.bpk", codecs=codecs)
        reader(tmp_path / "a.bpk")


@pytest.mark.anyio
async def test_plan_of_aload(noted: list[Any], tmp_path: Path) -> None:
    """So has `aload`."""
    with small_chunks(CHUNK):
        binpickle.dump(OBJECTS["large"], tmp_path / "a.bpk")
    await binpickle.aload(tmp_path / "a.bpk")


def test_order_of_plan(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neighbours are one range, the ranges come in the order of the reads, and rows need few of them."""
    told: list[list[tuple[int, int]]] = []
    monkeypatch.setattr(Source, "plan", lambda _, ranges: told.append(list(ranges)))
    (tmp_path / "a.bpk").write_bytes(long_file(None))
    with BinPickleFile(tmp_path / "a.bpk") as file:
        offset = file.buffers[0].offset
        assert offset is not None
        told.clear()
        file.array(0)
        assert told == [[(offset, offset + LONG.nbytes)]]
        told.clear()
        file.array(0, slice(ROWS - 1, ROWS + 1))
        assert told == [[(offset, offset + 2 * CHUNK)]]
        told.clear()
        file.load()
    assert [stop - start for start, stop in itertools.chain(*told)][0] == LONG.nbytes
