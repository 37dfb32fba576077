"""Reading files of every kind of source, mapped or not, whole or in parts, and refusing wrong files and arguments."""

from __future__ import annotations

import gc
import gzip
import io
import os
import pickle as standard_pickle
import socket
import sys
import tempfile
import threading
import warnings
import zlib
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Callable, Iterator

import numcodecs
import numpy as np
import pytest
from common import assert_same, each, leftovers, python, small_chunks
from internals import CHUNK_BYTES, TRAILER, pickle
from legacy_files import Entry, build_v2

import binpickle
from binpickle import BinPickleFile, FormatWarning, Limits

ARRAY = np.arange(2000.0)
OBJECT = {
    "array": ARRAY,
    "Fortran": np.asfortranarray(ARRAY.reshape(40, 50)),
    "turned": ARRAY.reshape(10, 10, 20).transpose(2, 0, 1),
    "dates": ARRAY.astype("M8[s]"),
    "small": np.arange(100),
    "text": "x" * 600,
}
NOISE = np.frombuffer(np.random.RandomState(0).bytes(5000), np.uint8)


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    """Return the path of a mappable file of `OBJECT`."""
    binpickle.dump(OBJECT, tmp_path / "a.bpk", mappable=True)
    yield tmp_path / "a.bpk"
    assert leftovers(tmp_path) == []


# ---------------------------------------------------------------------------------------------------------- sources


@contextmanager
def as_path(data: bytes, folder: Path) -> Iterator[Any]:
    (folder / "source.bpk").write_bytes(data)
    yield folder / "source.bpk"


@contextmanager
def as_text_path(data: bytes, folder: Path) -> Iterator[Any]:
    with as_path(data, folder) as path:
        yield str(path)


@contextmanager
def as_bytes_path(data: bytes, folder: Path) -> Iterator[Any]:
    with as_path(data, folder) as path:
        yield os.fsencode(path)


@contextmanager
def as_file(data: bytes, folder: Path, **how: Any) -> Iterator[Any]:
    with as_path(data, folder) as path, open(path, "rb", **how) as file:
        yield file


@contextmanager
def as_unbuffered_file(data: bytes, folder: Path) -> Iterator[Any]:
    with as_file(data, folder, buffering=0) as file:
        yield file


@contextmanager
def as_written_file(data: bytes, folder: Path) -> Iterator[Any]:
    with open(folder / "written.bpk", "w+b") as file:
        file.write(data)
        file.seek(0)
        yield file


@contextmanager
def as_temporary_file(data: bytes, folder: Path) -> Iterator[Any]:
    with tempfile.NamedTemporaryFile(dir=folder) as file:
        file.write(data)
        file.seek(0)
        yield file


@contextmanager
def as_offset_file(data: bytes, folder: Path) -> Iterator[Any]:
    with as_file(b"something before" * 9 + data, folder) as file:
        file.seek(9 * 16)
        yield file


@contextmanager
def as_bytes_io(data: bytes, folder: Path) -> Iterator[Any]:
    file = io.BytesIO(b"before" + data)
    file.seek(6)
    yield file


@contextmanager
def as_spooled_file(data: bytes, folder: Path) -> Iterator[Any]:
    with tempfile.SpooledTemporaryFile() as file:
        file.write(data)
        file.seek(0)
        yield file


@contextmanager
def as_gzip(data: bytes, folder: Path) -> Iterator[Any]:
    (folder / "source.gz").write_bytes(gzip.compress(data))
    with gzip.open(folder / "source.gz") as file:
        yield file


@contextmanager
def as_stored_gzip(data: bytes, folder: Path) -> Iterator[Any]:
    (folder / "source.gz").write_bytes(gzip.compress(data, 0))
    with gzip.open(folder / "source.gz") as file:
        yield file


@contextmanager
def fed(target: Any, data: bytes) -> Iterator[None]:
    def feed() -> None:
        with target:
            target.write(data)

    feeder = threading.Thread(target=feed)
    feeder.start()
    yield
    feeder.join()


@contextmanager
def as_pipe(data: bytes, folder: Path) -> Iterator[Any]:
    ours, theirs = os.pipe()
    with open(ours, "rb", buffering=0) as file, fed(open(theirs, "wb"), data):
        yield file


@contextmanager
def as_socket(data: bytes, folder: Path) -> Iterator[Any]:
    ours, theirs = socket.socketpair()
    target = theirs.makefile("wb")
    theirs.close()  # for good, once `target` is closed
    with ours, ours.makefile("rb") as file, fed(target, data):
        yield file


class Reader:
    """A file object that has only `read`."""

    def __init__(self, data: bytes):
        self.read = io.BytesIO(data).read


@contextmanager
def as_reader(data: bytes, folder: Path) -> Iterator[Any]:
    yield Reader(data)


@contextmanager
def as_fsspec(data: bytes, folder: Path) -> Iterator[Any]:
    fsspec = pytest.importorskip("fsspec")
    with fsspec.open("memory://source.bpk", "wb") as file:
        file.write(data)
    with fsspec.open("memory://source.bpk", "rb") as file:
        yield file


PATHS = (as_path, as_text_path, as_bytes_path)
MAPPED = {f.__name__[3:]: f for f in (*PATHS, as_file, as_unbuffered_file, as_written_file)}
MAPPED.update({f.__name__[3:]: f for f in (as_temporary_file, as_offset_file, as_spooled_file)})
UNMAPPED = {f.__name__[3:]: f for f in (as_bytes_io, as_gzip, as_stored_gzip, as_reader, as_fsspec)}
if os.name == "posix":
    UNMAPPED.update({"pipe": as_pipe, "socket": as_socket})


@each({**MAPPED, **UNMAPPED}, "source")
@pytest.mark.parametrize("mappable", [False, True])
def test_source(source: Callable, mappable: bool, tmp_path: Path) -> None:
    """An object loads from any source."""
    data = binpickle.dumps(OBJECT, mappable=mappable)
    with source(data, tmp_path) as file:
        assert_same(binpickle.load(file), OBJECT)


@each(MAPPED, "source")
@pytest.mark.parametrize("mode", ["r", "c"])
def test_mapped_source(source: Callable, mode: str, tmp_path: Path) -> None:
    """Arrays of a regular file are mapped without a warning, read-only or copy-on-write."""
    data = binpickle.dumps(OBJECT, mappable=True)
    with source(data, tmp_path) as file, BinPickleFile(file, mmap_mode=mode) as opened:
        got = opened.load()
        assert all(buffer.mapped for buffer in opened.buffers)
    assert_same(got, OBJECT, writeable=mode == "c")
    if mode == "c":
        got["array"][:] = 5
        assert set(got["array"]) == {5}
        with source(data, tmp_path) as file:
            assert_same(binpickle.load(file), OBJECT)


@each(UNMAPPED, "source")
@pytest.mark.parametrize("mode", ["r", "c"])
def test_unmapped_source(source: Callable, mode: str, tmp_path: Path) -> None:
    """A file that cannot be mapped is read, with a warning that says why."""
    data = binpickle.dumps(OBJECT, mappable=True)
    with source(data, tmp_path) as file, pytest.warns(FormatWarning, match="not a regular file"):
        got = binpickle.load(file, mmap_mode=mode)
    assert_same(got, OBJECT, writeable=mode == "c")


@pytest.mark.skipif(os.name != "posix", reason="POSIX only")
def test_large_pipe(tmp_path: Path) -> None:
    """A large file from a pipe goes through an unnamed file, and can be mapped."""
    want = np.arange(3 << 20)
    for mode, writeable in ((None, True), ("r", False)):
        with as_pipe(binpickle.dumps(want, mappable=True), tmp_path) as file:
            assert_same(binpickle.load(file, mmap_mode=mode), want, writeable)


KINDS = {"bytes": bytes, "bytearray": bytearray, "memoryview": memoryview}
KINDS.update({"array": lambda data: np.frombuffer(data, "u1"), "read-only": lambda data: memoryview(bytes(data))})


@each(KINDS, "kind")
@pytest.mark.parametrize("mappable", [False, True])
def test_loads(kind: Callable, mappable: bool) -> None:
    """Bytes-like objects of any kind load, copied or shared read-only."""
    data = kind(binpickle.dumps(OBJECT, mappable=mappable))
    assert_same(binpickle.loads(data), OBJECT)
    got = binpickle.loads(data, copy=False)
    assert_same(got, OBJECT, writeable=False)
    assert np.shares_memory(got["array"], np.frombuffer(data, "u1")) == mappable


def test_loads_lets_go() -> None:
    """Bytes from which arrays were copied can be freed."""
    data = bytearray(binpickle.dumps(OBJECT))
    got = binpickle.loads(data)
    data.append(0)
    assert_same(got, OBJECT)


def test_loads_nothing_else() -> None:
    """Data that is no contiguous bytes-like object raises `TypeError`."""
    for data in ("text", 5, None, memoryview(bytes(99))[::2]):
        with pytest.raises(TypeError):
            binpickle.loads(data)


@each({"None": None, "text": io.StringIO(), "number": 3, "bytes": b"a\0"}, "file")
def test_no_file(file: Any) -> None:
    """A file that is neither a path nor a binary file object raises `TypeError`."""
    for read in (binpickle.load, BinPickleFile, binpickle.file_info):
        with pytest.raises(TypeError):
            read(file)


def test_hints(tmp_path: Path) -> None:
    """The error for a mixed-up function or a socket names the function to use."""
    with pytest.raises(TypeError, match="use load to read"):
        binpickle.loads(str(tmp_path))
    with pytest.raises(TypeError, match="loads takes bytes"):
        binpickle.load(binpickle.dumps(1))
    one, other = socket.socketpair()
    with one, other:
        with pytest.raises(TypeError, match=r"makefile\('rb'\)"):
            binpickle.load(one)
        with pytest.raises(TypeError, match=r"makefile\('wb'\)"):
            binpickle.dump(1, one)


def test_errors_of_the_system(tmp_path: Path) -> None:
    """Errors of the operating system come through unchanged, and name the path."""
    for path, error in ((tmp_path / "missing", FileNotFoundError), (tmp_path, IsADirectoryError)):
        for read in (binpickle.load, BinPickleFile):
            with pytest.raises(error) as caught:
                read(path)
            assert str(caught.value.filename) == str(path)


def test_wrong_arguments(path: Path) -> None:
    """Wrong arguments raise `TypeError` or `ValueError`, whatever the file."""
    ways: list[Any] = [{"mmap_mode": "w"}, {"mmap_mode": "r+"}, {"mmap_mode": True}, {"threads": 0}]
    for way in ways:
        with pytest.raises(ValueError, match="must be"):
            binpickle.load(path, **way)
    for way in ({"threads": 1.5}, {"threads": "2"}, {"verify": "yes"}, {"limits": {"buffers": 1}}):
        with pytest.raises(TypeError):
            binpickle.load(path, **way)
    with pytest.raises(ValueError, match="nothing without a key"):
        binpickle.load(path, context=b"a")
    for direct in ("r", 2, None):
        with pytest.raises(ValueError, match="direct"):
            BinPickleFile(path, direct=direct)


# ---------------------------------------------------------------------------------------------------------- mapping


def test_direct(path: Path) -> None:
    """`direct` is the name of mapping in older releases; "nowarn" leaves out the warning."""
    with BinPickleFile(path, direct=True) as opened:
        assert_same(opened.load(), OBJECT, writeable=False)
    binpickle.dump(OBJECT, path, codecs=["zstd"])
    with BinPickleFile(path, direct="nowarn") as opened:
        assert_same(opened.load(), OBJECT, writeable=False)
    with BinPickleFile(path, direct=True) as opened, pytest.warns(FormatWarning, match="stored encoded"):
        opened.load()


@pytest.mark.parametrize("mappable", [False, True])
def test_mapping_nothing(mappable: bool, tmp_path: Path) -> None:
    """A file that has only empty arrays is mapped without a warning: there is nothing to map."""
    binpickle.dump([np.zeros((0, 3)), np.zeros(0, "u1")], tmp_path / "a", mappable=mappable)
    assert [array.shape for array in binpickle.load(tmp_path / "a", mmap_mode="r")] == [(0, 3), (0,)]


def test_warning_is_at_the_callers_line(path: Path) -> None:
    """The warning that nothing is mapped points at the caller."""
    binpickle.dump(OBJECT, path, codecs=["zstd"])
    with pytest.warns(FormatWarning) as caught:
        binpickle.load(path, mmap_mode="r")
    assert {warning.filename for warning in caught} == {__file__}


@pytest.mark.parametrize("obj", [1, [], "x" * 99, np.zeros(0), [np.zeros((0, 3))], None])
def test_nothing_to_map(obj: Any, path: Path) -> None:
    """A file with nothing to map raises no warning."""
    binpickle.dump(obj, path, codecs=["zstd"])
    assert_same(binpickle.load(path, mmap_mode="r"), obj)


@pytest.mark.parametrize("mode", ["r", "c"])
def test_partly_mapped(mode: Any, path: Path) -> None:
    """Raw buffers are mapped and other buffers decoded, without a warning."""
    binpickle.dump([NOISE, ARRAY], path, codecs="auto")
    with BinPickleFile(path, mmap_mode=mode) as opened:
        assert [buffer.mapped for buffer in opened.buffers] == [True, False]
        assert_same(opened.load(), [NOISE, ARRAY], writeable=mode == "c" and None)


def test_copy_on_write(path: Path) -> None:
    """With "c" changes stay private; arrays whose buffer is stored once share memory, as documented."""
    binpickle.dump([ARRAY, ARRAY[:]], path, mappable=True)
    one, other = binpickle.load(path, mmap_mode="c")
    one[:] = 7
    assert set(other) == {7}
    assert_same(binpickle.load(path, mmap_mode="r"), [ARRAY, ARRAY[:]], writeable=False)


@pytest.mark.parametrize("mode", [None, "r", "c"])
def test_arrays_outlive_the_file(mode: Any, path: Path) -> None:
    """Arrays live on when the file is closed, replaced or unlinked."""
    with BinPickleFile(path, mmap_mode=mode) as opened:
        got, part = opened.load(), opened.array(0)
    opened.close()
    binpickle.dump([1], path)
    os.unlink(path)
    gc.collect()
    assert_same(got, OBJECT, writeable=mode != "r")
    assert np.array_equal(part.ravel("K"), ARRAY)


def test_views_of_mapped_arrays_outlive_all(path: Path) -> None:
    """A view of a mapped array keeps the mapping."""
    view = binpickle.load(path, mmap_mode="r")["array"][5:9]
    gc.collect()
    assert view.tolist() == [5, 6, 7, 8]


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="Linux only")
def test_one_mapping(path: Path) -> None:
    """Thousands of mapped arrays need one mapping and one descriptor at most."""
    binpickle.dump([np.full(n % 50, n) for n in range(5000)], path, mappable=True)
    before = len(os.listdir("/proc/self/fd"))
    got = binpickle.load(path, mmap_mode="r")
    assert len(os.listdir("/proc/self/fd")) - before <= (sys.version_info < (3, 13))
    with open("/proc/self/maps") as maps:
        assert sum(str(path) in line for line in maps) == 1
    assert got[77].tolist() == [77] * 27


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="Linux only")
def test_mapping_costs_no_memory(path: Path) -> None:
    """A mapped load reads little of the file."""
    binpickle.dump(np.zeros(32 << 20, np.uint8) + np.uint8(1), path, mappable=True)
    script = """if True:
        import os, resource, sys, binpickle
        binpickle.load(sys.argv[1], mmap_mode="r")
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        array = binpickle.load(sys.argv[1], mmap_mode="r")
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 4096
        assert array.nbytes == 32 << 20
    """
    python(script, path)


def test_base_chain(path: Path) -> None:
    """No base of a mapped array is a memmap or a mapping: joblib would pass it by path, and rebuild it wrongly."""
    import mmap

    for array in binpickle.load(path, mmap_mode="r").values():
        base = array
        while isinstance(base, np.ndarray):
            assert not isinstance(base, np.memmap)
            base = base.base
        assert not isinstance(base, mmap.mmap)


def test_joblib(path: Path) -> None:
    """Mapped arrays of any order, and transposes of them, arrive right in joblib's workers."""
    pytest.importorskip("joblib")
    script = """if True:
        import sys, joblib, numpy as np, binpickle
        def seen(array): return array.shape, array.ravel()[:5].tolist(), float(array.sum())
        large = np.arange(300_000.0).reshape(500, 600)
        dumped = [large, np.asfortranarray(large), large.reshape(50, 60, 100).transpose(1, 2, 0)]
        binpickle.dump(dumped, sys.argv[1], mappable=True)
        arrays = binpickle.load(sys.argv[1], mmap_mode="r")
        arrays += [array.T for array in arrays] + [arrays[1][:, 3:9], arrays[0][::2]]
        # Where pickle5 is installed, joblib's own way of starting workers fails on Python 3.7, whatever is sent.
        backend = None if sys.version_info >= (3, 8) else "multiprocessing"
        got = joblib.Parallel(2, backend=backend, max_nbytes=1000)(joblib.delayed(seen)(array) for array in arrays)
        assert got == [seen(array) for array in arrays]
    """
    python(script, path)


# ----------------------------------------------------------------------------------------------------- an open file


@pytest.mark.parametrize(
    "way", [{}, {"mappable": True}, {"codecs": ["zstd"]}, {"codecs": []}, {"digests": True}], ids=str
)
@pytest.mark.parametrize("mode", [None, "r", "c"])
def test_buffers(way: Any, mode: Any, tmp_path: Path) -> None:
    """Each buffer is described, and can be read alone as the array it was."""
    arrays = [*(OBJECT[key] for key in ("array", "Fortran", "turned", "dates", "small")), NOISE, ARRAY[7:9000:3].copy()]
    with small_chunks():
        binpickle.dump(arrays, tmp_path / "a.bpk", **way)
    data = (tmp_path / "a.bpk").read_bytes()
    with BinPickleFile(tmp_path / "a.bpk", mmap_mode=mode, direct="nowarn" if mode else False) as opened:
        assert len(opened.buffers) == len(arrays)
        for i, (array, buffer) in enumerate(zip(arrays, opened.buffers)):
            assert (buffer.dtype, buffer.shape, buffer.nbytes) == (array.dtype, array.shape, array.nbytes)
            assert (buffer.offset is not None) == (not buffer.codecs and buffer.stored_nbytes == array.nbytes)
            if buffer.offset is not None:
                stored = data[buffer.offset : buffer.offset + buffer.nbytes]
                assert stored == array.ravel("K").tobytes()
            assert buffer.mapped == (mode is not None and buffer.offset is not None)
            assert_same(opened.array(i), array, writeable=not (buffer.mapped and mode == "r"))
        assert opened.buffers[-1] == opened.buffers[len(arrays) - 1]
        assert opened.buffers[2:4] == [opened.buffers[2], opened.buffers[3]]
        assert [buffer.order for buffer in opened.buffers][:4] == ["C", "F", (1, 2, 0), "C"]
        for i in (len(arrays), -len(arrays) - 1):
            with pytest.raises(IndexError, match=f"the file has {len(arrays)}"):
                opened.array(i)
            with pytest.raises(IndexError):
                opened.buffers[i]


def test_array_of_a_view(path: Path) -> None:
    """A buffer within another can be read alone, too: only its own chunks are read."""
    array = np.arange(3 * CHUNK_BYTES // 8)
    parts = [array[10:110], array[CHUNK_BYTES // 8 - 50 :][:100]]
    for way in ({"codecs": ["zstd"]}, {"mappable": True}):
        binpickle.dump([array, *parts], path, **way)
        data = bytearray(path.read_bytes())
        with BinPickleFile(path) as opened:
            assert_same([opened.array(1), opened.array(2)], parts)
            data[opened.entries[0].offset + opened.entries[0].enc_length - 1] ^= 1
        with BinPickleFile(io.BytesIO(data)) as damaged:
            assert_same(damaged.array(1), parts[0])
            with pytest.raises(binpickle.IntegrityError, match="chunk 3"):
                damaged.array(0)


def test_array_of_plain_bytes() -> None:
    """A buffer that is no array is read as bytes."""
    with BinPickleFile(io.BytesIO(binpickle.dumps(pickle.PickleBuffer(b"abc" * 300)))) as opened:
        assert bytes(opened.array(0)) == b"abc" * 300
        assert (opened.buffers[0].dtype, opened.buffers[0].shape, opened.buffers[0].order) == (None, None, None)


def test_entries(path: Path) -> None:
    """Entries are in the order of the file, the stream last; buffers that share a chunk have no offset."""
    binpickle.dump([np.arange(500), NOISE, np.arange(510)], path, codecs=["zstd"])
    with BinPickleFile(path) as opened:
        *buffers, stream = opened.entries
        assert [entry.dec_length for entry in buffers] == [4000, 4080, 5000]
        assert [entry.offset is None for entry in buffers] == [True, True, False]
        assert [entry.info for entry in buffers] == [
            ("ndarray", "int64", (500,)),
            ("ndarray", "int64", (510,)),
            ("ndarray", "uint8", (5000,)),
        ]
        assert stream.offset == 16
        assert stream.dec_length == len(opened.stream())
        assert {entry.codecs[0]["id"] for entry in opened.entries} == {"zstd"}
        total = sum(entry.enc_length for entry in opened.entries)
        assert 0 < path.stat().st_size - total - TRAILER.size < 700


def test_stream(path: Path) -> None:
    """The stream is a pickle of protocol 5, whole, however it is stored."""
    streams = set()
    for way in ({}, {"codecs": ["zstd"]}, {"codecs": []}):
        with small_chunks(), BinPickleFile(io.BytesIO(binpickle.dumps([list(range(9999)), ARRAY], **way))) as opened:
            streams.add(opened.stream())
    (stream,) = streams
    assert stream[:2] == b"\x80\x05"
    assert stream[-1:] == b"."


def test_find_errors(path: Path) -> None:
    """Damage is found anywhere, without decoding, and the message names the chunk and its buffers."""
    with BinPickleFile(path) as opened:
        assert opened.find_errors() == []
        places = [opened.entries[-1].offset, *(buffer.offset + 3 for buffer in opened.buffers)]
    data = path.read_bytes()
    for place in places:
        damaged = bytearray(data)
        damaged[place] ^= 16
        with BinPickleFile(io.BytesIO(damaged)) as opened:
            (error,) = opened.find_errors(threads=2)
        assert "damaged" in error
        assert ("pickle stream" in error) == (place == places[0])
    both = bytearray(data)
    both[places[0]] ^= 1
    both[places[1]] ^= 1
    calls: list[Any] = []
    with BinPickleFile(io.BytesIO(both)) as opened:
        assert len(opened.find_errors(progress=lambda *call: calls.append(call))) == 2
    assert calls[-1][0] == calls[-1][1] > 0


GOOD = b"any bytes" * 9
WRONG: dict[str, Entry] = {
    "frame": Entry(b"not zstd", 81, [{"id": "zstd", "level": 1}]),
    "shorter": Entry(zlib.compress(GOOD[1:]), 81, [{"id": "zlib", "level": 1}]),
    "longer": Entry(zlib.compress(GOOD + b"x"), 81, [{"id": "zlib", "level": 1}]),
    "no bytes": Entry(zlib.compress(GOOD), 0, [{"id": "zlib", "level": 1}]),
    "unsafe": Entry(numcodecs.Blosc().encode(GOOD), 81, [numcodecs.Blosc().get_config()]),
}


@each(WRONG)
@pytest.mark.parametrize("threads", [1, 3])
def test_find_errors_decoded(row: Entry, threads: int) -> None:
    """`find_errors(decode=True)` finds chunks whose checksums are right and whose data is not, or is not safe."""
    good = Entry(zlib.compress(GOOD), 81, [{"id": "zlib", "level": 1}])
    with BinPickleFile(io.BytesIO(build_v2(good, row, good, Entry(b"\x80\x05N.")))) as opened:
        assert opened.find_errors(threads=threads) == []
        (error,) = opened.find_errors(decode=True, threads=threads)
    assert error.startswith("chunk 1 ")


def test_find_errors_decoded_sealed() -> None:
    """With a key that sealed the file, `find_errors(decode=True)` decodes Blosc too."""
    data = binpickle.dumps(ARRAY, codecs=["blosc"], key=bytes(32))
    with BinPickleFile(io.BytesIO(data), key=bytes(32)) as opened:
        assert opened.find_errors(decode=True) == []


def test_nonzero_gap() -> None:
    """The bytes between buffers must be zero."""
    arrays = [np.full(4097 + n, 1, np.uint8) for n in range(3)]
    data = bytearray(binpickle.dumps(arrays, codecs=[]))
    with BinPickleFile(io.BytesIO(data)) as opened:
        data[opened.buffers[1].offset - 1] ^= 1
    with BinPickleFile(io.BytesIO(data)) as opened:
        assert len(opened.find_errors()) == 1


def damaged(obj: Any, **way: Any) -> tuple[bytes, int]:
    """Dump, and change one byte of the first buffer; return its chunk, too."""
    data = bytearray(binpickle.dumps(obj, **way))
    with BinPickleFile(io.BytesIO(data)) as opened:
        entry = min((entry for entry in opened.entries[:-1]), key=lambda entry: entry.offset)
    data[entry.offset + entry.enc_length // 2] ^= 64
    return bytes(data), 1


@pytest.mark.parametrize(
    "way", [{"codecs": []}, {"mappable": True}, {"digests": True, "codecs": []}, {"codecs": ["lz4"]}]
)
@pytest.mark.filterwarnings("ignore:nothing of the file could be mapped")
def test_verify(way: Any, tmp_path: Path) -> None:
    """By default chunks that are read are checked, and mapped ones are not; `True` checks all chunks, `False` none."""
    data, chunk = damaged([ARRAY], **way)
    (tmp_path / "a.bpk").write_bytes(data)
    path = tmp_path / "a.bpk"
    for more in ({}, {"verify": True}, {"verify": True, "mmap_mode": "r"}):
        with pytest.raises(binpickle.IntegrityError) as caught:
            binpickle.load(path, **more)
        assert (caught.value.chunk, caught.value.buffers, caught.value.file) == (chunk, (0,), str(path))
        assert str(caught.value).startswith(str(path))
    if way != {"codecs": ["lz4"]}:
        for more in ({"verify": False}, {"verify": False, "mmap_mode": "r"}, {"mmap_mode": "r"}):
            (got,) = binpickle.load(path, **more)
            assert (got != ARRAY).sum() == 1
        with BinPickleFile(path, mmap_mode="r", verify=True) as opened, pytest.raises(binpickle.IntegrityError):
            opened.array(0)


def test_blosc_is_always_checked() -> None:
    """Chunks of Blosc are checked even with `verify=False`: its decoder is not memory-safe on damaged frames."""
    data, _ = damaged([ARRAY], codecs=["blosc"])
    with pytest.raises(binpickle.IntegrityError):
        binpickle.loads(data, verify=False)


def test_stream_is_always_checked(path: Path) -> None:
    """A damaged pickle stream is never unpickled by default, mapped or not."""
    data = bytearray(path.read_bytes())
    data[30] ^= 1
    path.write_bytes(data)
    for mode in (None, "r"):
        with pytest.raises(binpickle.IntegrityError, match="pickle stream") as caught:
            binpickle.load(path, mmap_mode=mode)
        assert caught.value.buffers == ()


def test_malformed_stream() -> None:
    """A stream that is no pickle raises `FormatError`."""
    good = binpickle.dumps([1, 2], codecs=[])
    for bad in (b"\x80\x05.", b"\x80\x05K\x01", b"\x80\x05K\x01.x", b"\x80\x05\xff."):
        pickler = type("Bad", (pickle._Pickler,), {"dump": lambda self, obj, bad=bad: self.write(bad)})
        with pytest.raises(binpickle.FormatError):
            binpickle.loads(binpickle.dumps(1, pickler=pickler))
    assert binpickle.loads(good) == [1, 2]


def test_closed_file(path: Path) -> None:
    """A closed file still has its facts and may be closed again; reading it raises."""
    with BinPickleFile(path) as opened:
        pass
    opened.close()
    assert len(opened.buffers) == 5
    for read in (opened.load, opened.stream, lambda: opened.array(0)):
        with pytest.raises(ValueError, match="closed"):
            read()
    with BinPickleFile(path, mmap_mode="r") as mapped:
        kept = mapped.array(0)
    assert kept.tobytes()
    for read in (mapped.load, lambda: mapped.array(0), mapped.find_errors):
        with pytest.raises(ValueError, match="closed"):
            read()


def test_file_object_is_kept(path: Path) -> None:
    """An open file keeps the file object that it reads alive."""
    opened = BinPickleFile(open(path, "rb"))  # noqa: SIM115
    gc.collect()
    with open(os.devnull, "rb"):
        assert_same(opened.load(), OBJECT)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        del opened
        gc.collect()


def test_file_objects_stay_open(path: Path) -> None:
    """A file object of the caller's is not closed."""
    with open(path, "rb") as file:
        binpickle.load(file)
        assert not file.closed
        with BinPickleFile(io.BytesIO(path.read_bytes())) as opened:
            opened.load()


def test_repr(path: Path) -> None:
    """The repr of an open file describes it in one line."""
    with BinPickleFile(path) as opened:
        assert repr(opened) == f"<BinPickleFile {str(path)!r}: 5 buffers, {path.stat().st_size} bytes, version 3>"


def test_pickled(path: Path) -> None:
    """An open file travels as its path and digest, and is refused on arrival if it has changed since."""
    for mode in (None, "r", "c"):
        with BinPickleFile(path, mmap_mode=mode, verify=True) as opened:
            travelling = standard_pickle.dumps(opened)
        assert len(travelling) < 1000
        with standard_pickle.loads(travelling) as arrived:
            assert_same(arrived.load(), OBJECT, writeable=mode != "r")
            assert all(buffer.mapped == (mode is not None) for buffer in arrived.buffers)
    binpickle.dump(OBJECT, path, mappable=True)
    standard_pickle.loads(travelling).close()
    binpickle.dump([1], path)
    with pytest.raises(binpickle.IntegrityError, match="replaced"):
        standard_pickle.loads(travelling)
    path.unlink()
    with pytest.raises(FileNotFoundError):
        standard_pickle.loads(travelling)


def test_pickled_in_another_folder(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An open file travels as an absolute path."""
    monkeypatch.chdir(path.parent)
    with BinPickleFile(path.name) as opened:
        travelling = standard_pickle.dumps(opened)
    monkeypatch.chdir("/")
    with standard_pickle.loads(travelling) as arrived:
        assert len(arrived.buffers) == 5


def test_not_pickled(path: Path) -> None:
    """An open file without a path cannot travel."""
    with open(path, "rb") as file:
        for source in (file, io.BytesIO(path.read_bytes())):
            with BinPickleFile(source) as opened, pytest.raises(TypeError, match="by its path"):
                standard_pickle.dumps(opened)


class Fragile:
    """A class that loads only in the version that wrote it."""

    def __reduce__(self) -> Any:
        return restore, ()


def restore() -> Any:
    raise AttributeError("no such thing any more")


def test_other_versions() -> None:
    """A note on an error of an object's classes names the libraries that had other versions when it was written."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(np, "__version__", "1.2.3")
        data = binpickle.dumps([ARRAY, Fragile()])
    if sys.version_info >= (3, 11):
        with pytest.raises(AttributeError, match="no such thing") as caught:
            binpickle.loads(data)
        assert f"numpy 1.2.3 (here {np.__version__})" in caught.value.__notes__[0]
    else:
        with pytest.warns(FormatWarning, match=r"numpy 1\.2\.3"), pytest.raises(AttributeError):
            binpickle.loads(data)
    with pytest.raises(AttributeError) as same:
        binpickle.loads(binpickle.dumps([ARRAY, Fragile()]))
    assert not getattr(same.value, "__notes__", [])


LIMITED = {
    "decoded_bytes": Limits(decoded_bytes=30_000),
    "stored_bytes": Limits(stored_bytes=1000),
    "buffers": Limits(buffers=4),
    "index_bytes": Limits(index_bytes=50),
}


@pytest.mark.parametrize("limit", LIMITED)
def test_limits(limit: str, path: Path) -> None:
    """A file that asks for more than the limits allow is refused before anything is decoded."""
    for read in (binpickle.load, BinPickleFile):
        with pytest.raises(binpickle.LimitError) as caught:
            read(path, limits=LIMITED[limit])
        assert (caught.value.limit, caught.value.file) == (limit, str(path))


@pytest.mark.parametrize(
    ("value", "error"), [("1GB", TypeError), (1e9, TypeError), (None, TypeError), (-1, ValueError)]
)
def test_no_limits(value: Any, error: Any) -> None:
    """A limit is a natural number."""
    with pytest.raises(error, match="decoded_bytes must"):
        Limits(decoded_bytes=value)


def test_file_info(path: Path) -> None:
    """A file is missing, invalid or a BinPickle file."""
    info = binpickle.file_info(path)
    size = path.stat().st_size
    assert (info.status, info.size, info.version, info.is_valid) == (binpickle.FileStatus.BINPICKLE, size, 3, True)
    assert binpickle.file_info(io.BytesIO(path.read_bytes())) == info
    path.write_bytes(b"something else")
    info = binpickle.file_info(path)
    assert (info.status, info.size, info.version, info.is_valid) == (binpickle.FileStatus.INVALID, 14, None, False)
    path.unlink()
    info = binpickle.file_info(path)
    assert (info.status, info.size, info.is_valid) == (binpickle.FileStatus.MISSING, 0, False)


NOT_BINPICKLE = {
    "nothing": (b"", "not a BinPickle file"),
    "little": (b"BPCK", "not a BinPickle file"),
    "a header alone": (binpickle.dumps(1)[:16], "truncated"),
    "a pickle": (pickle.dumps([1] * 99), "a pickle, as pickle and joblib write"),
    "an array": (b"\x93NUMPY\x01\0" + bytes(99), "load it with numpy.load"),
    "cut off": (binpickle.dumps(OBJECT)[:-1], "truncated"),
    "followed by something": (binpickle.dumps(OBJECT) + b"\n", "followed by other bytes"),
    "twice": (binpickle.dumps(OBJECT) * 2, "the file has"),
    "something before": (b"x" + binpickle.dumps(OBJECT), "not a BinPickle file"),
}


@each(NOT_BINPICKLE, "data", "message")
def test_not_binpickle(data: bytes, message: str, tmp_path: Path) -> None:
    """A file that is not whole is refused, with its name and with advice."""
    path = tmp_path / "a.bpk"
    path.write_bytes(data)
    for mode in (None, "r"):
        with pytest.raises(binpickle.FormatError, match=message) as caught:
            binpickle.load(path, mmap_mode=mode)
        assert caught.value.file == str(path)
    with pytest.raises(binpickle.FormatError, match=message):
        binpickle.loads(data)


def test_every_truncation(path: Path) -> None:
    """A file that was cut off anywhere is refused."""
    data = binpickle.dumps([ARRAY[:100], "text"])
    for n in range(len(data)):
        with pytest.raises(binpickle.FormatError):
            BinPickleFile(io.BytesIO(data[:n]))


def test_progress_of_mapped_loads(path: Path) -> None:
    """Progress counts the chunks that are read, not mapped ones, and reaches its total despite empty arrays."""
    binpickle.dump([ARRAY, np.zeros(0), NOISE], path, mappable=True)
    for mode, least in (("r", 1), (None, 16_000)):
        calls: list[Any] = []
        binpickle.load(path, mmap_mode=mode, progress=lambda *call, calls=calls: calls.append(call))
        assert calls[-1][0] == calls[-1][1] >= least
        assert (calls[-1][1] < 16_000) == (mode == "r")


@pytest.mark.parametrize("threads", [1, 3])
def test_progress_that_raises(threads: int, path: Path) -> None:
    """An error that progress raises ends the load."""

    def progress(done: int, total: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        binpickle.load(path, progress=progress, threads=threads)


@pytest.mark.parametrize("way", [{"codecs": ["zstd"]}, {"codecs": []}, {"codecs": ["blosc"]}], ids=str)
@pytest.mark.parametrize("threads", [1, 2, 4])
def test_memory_of_loaded_arrays(way: Any, threads: int) -> None:
    """A large array has an allocation of its own, and no two writable arrays share memory."""
    arrays = [np.arange(CHUNK_BYTES // 4 + n, dtype="f4") for n in (0, 1, 7)] + [np.full(900 + n, n) for n in range(50)]
    got = binpickle.loads(binpickle.dumps(arrays, **way), threads=threads)
    assert_same(got, arrays)
    for array in got:
        array += 1
    assert all((a == b + 1).all() for a, b in zip(got, arrays))


class Endless(io.RawIOBase):
    """A pipe that never ends, and begins as a BinPickle file does."""

    given = 0

    def readable(self) -> bool:
        return True

    def readinto(self, out: Any) -> int:
        start = binpickle.dumps(1)[:16] if not self.given else b""
        out[: len(start)] = start
        self.given += len(out)
        if self.given > 1 << 28:
            raise AssertionError("read on, whatever the limit")
        return len(out)


def test_limit_of_pipes() -> None:
    """A pipe, which must be read to its end first, is read no further than `stored_bytes` allow."""
    with Endless() as pipe, pytest.raises(binpickle.LimitError) as caught:
        binpickle.load(pipe, limits=Limits(stored_bytes=1 << 20))
    assert caught.value.limit == "stored_bytes"
    assert pipe.given <= 3 << 20
