"""The parameters of `dump`, and the file at a path while and after a dump succeeds, fails or is killed."""

from __future__ import annotations

import io
import os
import stat
import sys
import threading
from pathlib import Path
from typing import Any, Callable, Iterator

import numcodecs
import numpy as np
import pytest
from common import assert_same, each, leftovers, python, small_chunks
from faults import FAULTS, KINDS, PIECES, faulty_dump
from internals import CHUNK_BYTES, HEADER, Flags, pickle

import binpickle
from binpickle import BinPickleFile, BinPickler

ARRAY = np.arange(2000.0)
OBJECT = {"array": ARRAY, "small": np.arange(3), "text": "x" * 600, "wide": ARRAY.reshape(40, 50).T}
# Enough for room to be allocated beforehand; small ones are written several at once, zeros for alignment between them.
LARGE = [np.random.RandomState(0).bytes(100), np.arange(3 * CHUNK_BYTES // 8 + 1.0)]

posix = pytest.mark.skipif(os.name != "posix", reason="POSIX only")


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    """Return the path to dump to; fail a test that leaves a temporary file beside it."""
    yield tmp_path / "a.bpk"
    assert leftovers(tmp_path) == []


def opened(obj: Any, **way: Any) -> BinPickleFile:
    """Dump to memory, and open the bytes."""
    return BinPickleFile(io.BytesIO(binpickle.dumps(obj, **way)))


def codecs_of(obj: Any, **way: Any) -> list[list[str]]:
    """Return the ids of the codecs of each buffer."""
    with opened(obj, **way) as file:
        assert_same(file.load(), obj)
        return [[spec["id"] for spec in buffer.codecs] for buffer in file.buffers]


# ---------------------------------------------------------------------------------------------------------- codecs

FORMS = {
    "codec": numcodecs.Zlib(3),
    "config": {"id": "zlib", "level": 3},
    "id": "zlib",
    "function giving a codec": lambda buffer: numcodecs.Zlib(3),
    "function giving a config": lambda buffer: {"id": "zlib"},
    "function giving an id": lambda buffer: "zlib",
    "function giving a list": lambda buffer: ["zlib"],
}


@each(FORMS, "form")
@pytest.mark.parametrize("kind", [list, tuple])
def test_forms(form: Any, kind: Callable[[list], Any]) -> None:
    """A codec may be an object, a config, an id, or a function that returns one of these."""
    assert codecs_of([ARRAY], codecs=kind([form])) == [["zlib"]]


def test_chain() -> None:
    """Codecs apply in the order of the list; a `None` in the list is left out."""
    chain = [None, {"id": "shuffle", "elementsize": 8}, lambda buffer: None, "zstd", lambda buffer: ["crc32", None]]
    assert codecs_of([ARRAY], codecs=chain) == [["shuffle", "zstd", "crc32"]]


@pytest.mark.parametrize("codecs", [[], (), None])
def test_no_codecs(codecs: Any) -> None:
    """An empty list, or `None`, stores everything raw, the stream too."""
    with opened([ARRAY], codecs=codecs) as file:
        assert [entry.codecs for entry in file.entries] == [(), ()]


def test_explicit_codecs_are_always_applied() -> None:
    """An explicit chain is applied to every buffer and the stream; only `auto` stores chunks raw that do not shrink."""
    noise = np.frombuffer(np.random.RandomState(0).bytes(5000), np.uint8)
    with opened([noise, ARRAY], codecs=["zstd"]) as file:
        assert [[spec["id"] for spec in entry.codecs] for entry in file.entries] == [["zstd"]] * 3
    assert codecs_of([noise, ARRAY], codecs="auto") == [[], ["shuffle", "zstd"]]


def test_auto_per_chunk() -> None:
    """Under `auto` a chunk that does not shrink is stored raw, in a buffer of which other chunks shrink."""
    noise = np.frombuffer(np.random.RandomState(0).bytes(CHUNK_BYTES), np.uint8)
    mixed = np.concatenate([np.zeros(CHUNK_BYTES, np.uint8), noise])
    with opened([mixed]) as file:
        assert_same(file.load(), [mixed])
        assert file.buffers[0].codecs
        assert CHUNK_BYTES < file.buffers[0].stored_nbytes < CHUNK_BYTES + 1000


def test_mappable() -> None:
    """`mappable` stores every buffer raw, whatever the codecs; the stream may be encoded."""
    with opened(OBJECT, mappable=True, codecs=["zstd"]) as file:
        assert file.is_mappable
        assert file.header.flags & Flags.MAPPABLE
        assert [buffer.codecs for buffer in file.buffers] == [()] * 3
        assert all(buffer.offset % 64 == 0 for buffer in file.buffers)
    with opened(OBJECT, codecs=["zstd"]) as file:
        assert not file.is_mappable
        assert not file.header.flags & Flags.MAPPABLE


def test_functions_see_whole_buffers() -> None:
    """A function is called once with each whole buffer that is not empty; its `.obj` is the array of the buffer."""
    arrays = [np.arange(3 * CHUNK_BYTES, dtype="u1"), ARRAY, np.zeros(0), np.asfortranarray(ARRAY.reshape(40, 50))]
    arrays += [ARRAY[:100], ARRAY.astype("M8[s]"), ARRAY[::-1]]
    seen: list[Any] = []
    binpickle.dumps(arrays, codecs=[lambda buffer: seen.append(buffer)], threads=3)
    assert [view.nbytes for view in seen] == [3 * CHUNK_BYTES, 16000, 16000, 16000, 16000]
    assert seen[0].obj is arrays[0]
    assert seen[1].obj is arrays[1]
    assert all(isinstance(view.obj, np.ndarray) for view in seen)
    assert np.shares_memory(seen[2].obj, arrays[3])
    assert seen[3].obj.dtype == np.int64
    for view in seen:
        view.release()


def test_functions_choose_for_each_buffer() -> None:
    """A function may choose by the array of the buffer; codecs that need elements see its elements."""

    def choose(buffer: memoryview) -> Any:
        return [{"id": "delta", "dtype": "<f8"}, "zstd"] if buffer.obj.dtype == np.float64 else "lz4"

    assert codecs_of([ARRAY, ARRAY.astype("i4")], codecs=[choose]) == [["delta", "zstd"], ["lz4"]]


def test_lossy_codecs_round() -> None:
    """A codec that rounds is applied, and rounds."""
    data = binpickle.dumps(ARRAY / 3, codecs=[{"id": "bitround", "keepbits": 5}, "zstd"])
    got = binpickle.loads(data)
    assert not np.array_equal(got, ARRAY / 3)
    assert np.allclose(got, ARRAY / 3, rtol=0.05)


REFUSED_CODECS = {
    "a number": (1, TypeError),
    "auto as nobody writes it": ("AUTO", ValueError),
    "a number in it": ([1], TypeError),
    "a class in it": ([numcodecs.Zstd], TypeError),
    "a config without id": ([{"level": 3}], TypeError),
    "unknown": (["no such codec"], ValueError),
    "pickle": (["pickle"], ValueError),
    "objects": ([{"id": "json2"}], ValueError),
    "too many": (["zstd"] * 9, ValueError),
    "parameter of another type": ([{"id": "zstd", "level": "high"}], ValueError),
    "unknown parameter": ([{"id": "zstd", "speed": 3}], ValueError),
}
REFUSED = {
    **{f"codecs: {name}": ({"codecs": codecs}, error) for name, (codecs, error) in REFUSED_CODECS.items()},
    "codec unknown": ({"codecs": ["vlen-utf8"]}, ValueError),
    "threads 0": ({"threads": 0}, ValueError),
    "threads negative": ({"threads": -1}, ValueError),
    "threads a float": ({"threads": 1.5}, TypeError),
    "threads a flag": ({"threads": True}, TypeError),
    "threads text": ({"threads": "2"}, TypeError),
    "threads an array": ({"threads": np.array([1, 2])}, TypeError),
    "metadata of numbers": ({"metadata": {"a": 1}}, TypeError),
    "metadata by numbers": ({"metadata": {1: "a"}}, TypeError),
    "metadata no map": ({"metadata": "ab"}, TypeError),
    "digests by name": ({"digests": "sha1"}, TypeError),
    "mappable in words": ({"mappable": "yes"}, TypeError),
    "a context without a key": ({"context": b"a"}, ValueError),
    "metadata that is no Unicode": ({"metadata": {"a": "\ud800"}}, ValueError),
    "metadata by no Unicode": ({"metadata": {"\udfff": "a"}}, ValueError),
    "pickler no class": ({"pickler": pickle.Pickler(io.BytesIO())}, TypeError),
    "pickler no pickler": ({"pickler": dict}, TypeError),
    "pickler with ids": (
        {"pickler": type("Ids", (pickle.Pickler,), {"persistent_id": lambda self, obj: None})},
        ValueError,
    ),
}


@each(REFUSED, "way", "error")
def test_refused(way: dict[str, Any], error: Any, path: Path) -> None:
    """A wrong argument raises before anything is pickled or written."""
    file = io.BytesIO()
    for target in (path, file):
        with pytest.raises(error):
            binpickle.dump(Explosive(), target, **way)
    with pytest.raises(error):
        binpickle.dumps(Explosive(), **way)
    assert file.getvalue() == b""
    assert not path.exists()


class Explosive:
    """An object that must not be pickled."""

    def __reduce__(self) -> Any:
        raise AssertionError("pickled")


@each({"None": None, "text": io.StringIO(), "a number": 7, "bytes": b"a\0", "a list": []}, "file")
def test_no_file(file: Any) -> None:
    """A file that is neither a path nor a binary file object raises `TypeError`."""
    with pytest.raises(TypeError):
        binpickle.dump(Explosive(), file)


@pytest.mark.parametrize("way", [{"durable": True}, {"exclusive": True}])
def test_needs_a_path(way: dict[str, Any]) -> None:
    """Arguments that concern the folder of a path are refused with a file object."""
    with pytest.raises(TypeError, match="need a path"):
        binpickle.dump(Explosive(), io.BytesIO(), **way)


def test_function_that_fails(path: Path) -> None:
    """An error or a wrong result of a codec function raises, and leaves no file."""
    for function, error in ((lambda buffer: 1 / 0, ZeroDivisionError), (lambda buffer: 5, TypeError)):
        with pytest.raises(error):
            binpickle.dump(OBJECT, path, codecs=[function])
    with pytest.raises(ValueError, match="pickle"):
        binpickle.dump(OBJECT, path, codecs=[lambda buffer: "pickle"])
    assert not path.exists()


def test_codec_that_cannot_encode(path: Path) -> None:
    """A codec that cannot encode a buffer raises a `ValueError` that names the codec, and leaves no file."""
    with pytest.raises(ValueError, match="bitround"):
        binpickle.dump(np.arange(2000), path, codecs=[{"id": "bitround", "keepbits": 5}])
    assert not path.exists()


# ---------------------------------------------------------------------------------------- what else is written


def test_metadata_and_libraries() -> None:
    """Metadata and the versions of the libraries that the stream names are read without unpickling."""
    metadata = {"b": "2", "a": "\u00e9", "": ""}
    with opened([ARRAY, numcodecs.Zstd()], metadata=metadata) as file:
        assert file.metadata == metadata
        assert list(file.metadata) == list(metadata)
        assert file.libraries["numpy"] == np.__version__
        assert file.libraries["numcodecs"] == numcodecs.__version__
        assert file.libraries["binpickle"] == binpickle.__version__
        assert file.libraries["python"] == ".".join(map(str, sys.version_info[:3]))
        with pytest.raises(TypeError):
            file.metadata["a"] = "c"  # type: ignore[index]
    with opened([1]) as file:
        assert file.metadata == {}
        assert set(file.libraries) == {"binpickle", "python"}


def test_digests() -> None:
    """With digests there is a root digest that identifies the content."""
    with opened(OBJECT, digests=True) as one, opened(OBJECT, digests=True) as same, opened([ARRAY]) as none:
        assert len(one.root_digest) == 32
        assert one.root_digest == same.root_digest
        assert none.root_digest is None
    ways: list[Any] = [{"codecs": []}, {"mappable": True}, {"metadata": {"a": "b"}}]
    digests = {one.root_digest}
    for way in ways:
        with opened(OBJECT, digests=True, **way) as other:
            digests.add(other.root_digest)
    assert len(digests) == 4


class Fancy(pickle.Pickler):
    """A pickler that reduces complex numbers and fractions itself."""

    def reducer_override(self, obj: Any) -> Any:
        return (complex, (0, 0)) if isinstance(obj, complex) else NotImplemented


class Table(pickle.Pickler):
    """A pickler with a dispatch table."""

    dispatch_table = {complex: lambda obj: (complex, (0, 0))}


class Slow(pickle._Pickler):  # type: ignore[name-defined,misc]
    """A pickler written in Python."""

    def reducer_override(self, obj: Any) -> Any:
        return (complex, (0, 0)) if isinstance(obj, complex) else NotImplemented


@pytest.mark.parametrize("pickler", [Fancy, Table, Slow])
def test_pickler(pickler: Any) -> None:
    """A pickler class keeps its own reductions, and arrays go out of band."""
    with opened([5j, ARRAY[::2]], pickler=pickler, codecs=[]) as file:
        zero, array = file.load()
        assert zero == 0
        assert_same(array, ARRAY[::2])
        assert [buffer.nbytes for buffer in file.buffers] == [8000]


# ------------------------------------------------------------------------------------------------------- progress


def test_progress() -> None:
    """Progress is called in the calling thread with growing numbers, not too often, and at the end."""
    calls: list[Any] = []

    def progress(done: int, total: Any) -> None:
        calls.append((done, total, threading.current_thread()))

    obj = [list(range(2_000_000)), *LARGE]
    data = binpickle.dumps(obj, codecs=[], threads=2, progress=progress)
    assert {thread for _, _, thread in calls} == {threading.current_thread()}
    done = [done for done, _, _ in calls]
    assert done == sorted(done)
    assert calls[0][1] is None
    assert calls[-1][0] == calls[-1][1] > sum(array.nbytes for array in LARGE[1:])
    assert len(calls) < 200
    calls.clear()
    binpickle.loads(data, progress=progress)
    assert calls[-1][0] == calls[-1][1] > 0


def test_bytes_path(tmp_path: Path) -> None:
    """A path may be given as bytes; and threads as an integer of NumPy."""
    binpickle.dump(1, os.fsencode(tmp_path / "a\u00e9"), threads=np.int64(2))
    assert binpickle.load(tmp_path / "a\u00e9", threads=np.uint8(1)) == 1


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError])
@pytest.mark.parametrize("when", ["pickling", "encoding", "end"])
def test_progress_that_raises(when: str, error: Any, threads: int, path: Path) -> None:
    """An error that progress raises, Ctrl-C included, ends the dump and leaves the old file."""
    path.write_bytes(b"old")

    def progress(done: int, total: Any) -> None:
        if (total is None) == (when == "pickling") and (when != "end" or done == total):
            raise error

    with small_chunks(), pytest.raises(error):
        binpickle.dump([list(range(9999)), PIECES], path, progress=progress, threads=threads)
    assert path.read_bytes() == b"old"


# --------------------------------------------------------------------------------------------------- file objects


class Miser:
    """A file object that takes few bytes at a time, and has only `write`."""

    def __init__(self) -> None:
        self.taken = b""

    def write(self, data: Any) -> int:
        part = bytes(data[:777])
        self.taken += part
        return len(part)


class Silent(Miser):
    """A file object whose `write` returns `None`."""

    def write(self, data: Any) -> None:  # type: ignore[override]
        self.taken += bytes(data)


@pytest.mark.parametrize("kind", [Miser, Silent])
def test_any_writer(kind: Any) -> None:
    """An object with `write` is a file object, whether it takes all bytes at once or not."""
    file = kind()
    binpickle.dump(OBJECT, file)
    assert file.taken == binpickle.dumps(OBJECT)


def test_position(tmp_path: Path) -> None:
    """Writing begins at the position of a file object, which is then at the end of the data and still open."""
    with open(tmp_path / "a", "w+b") as file:
        file.write(b"before")
        binpickle.dump(OBJECT, file)
        assert not file.closed
        file.seek(6)
        assert file.read() == binpickle.dumps(OBJECT)
        file.seek(6)
        assert_same(binpickle.load(file), OBJECT)


@posix
def test_full_pipe() -> None:
    """A pipe that takes no more bytes for the moment raises an error, and no bytes are lost silently."""
    ours, theirs = os.pipe()
    os.set_blocking(theirs, False)
    with open(ours, "rb"), open(theirs, "wb", buffering=0) as file, pytest.raises(BlockingIOError):
        binpickle.dump(LARGE, file, codecs=[])


def test_partial_file() -> None:
    """A failure leaves a partial file in a file object, which readers refuse."""
    file = io.BytesIO()
    with pytest.raises(AssertionError, match="pickled"):
        binpickle.dump([list(range(10_000)), Explosive()], file)
    file.seek(0)
    with pytest.raises(binpickle.FormatError):
        binpickle.load(file)


# ------------------------------------------------------------------------------------------------------ BinPickler


def test_binpickler(path: Path) -> None:
    """A BinPickler writes one object to one file, complete when `dump` returns."""
    with BinPickler(path) as pickler:
        pickler.dump(OBJECT)
        assert_same(binpickle.load(path), OBJECT)
        with pytest.raises(ValueError, match="one object"):
            pickler.dump(OBJECT)
        pickler.close()
    with BinPickleFile(path) as file:
        assert {entry.codecs for entry in file.entries} == {()}


def test_binpickler_without_dump(path: Path) -> None:
    """A BinPickler without `dump` makes no file, and may be closed twice."""
    pickler = BinPickler(path)
    pickler.close()
    pickler.close()
    with pytest.raises(ValueError, match="one object"):
        pickler.dump(1)
    assert not path.exists()


def test_binpickler_ways(path: Path) -> None:
    """A BinPickler makes mappable, compressed and aligned files."""
    with BinPickler.mappable(path) as pickler:
        pickler.dump(OBJECT)
    with BinPickleFile(path) as file:
        assert file.is_mappable
    for codec in ({}, {"codec": "bz2"}, {"codec": numcodecs.BZ2()}):
        with BinPickler.compressed(path, **codec) as pickler:
            pickler.dump(OBJECT)
        with BinPickleFile(path) as file:
            assert {entry.codecs[0]["id"] for entry in file.entries} == {"bz2" if codec else "gzip"}
    with BinPickler(path, align=True) as pickler:
        pickler.dump([*map(np.ones, (70, 71, 72))])
    with BinPickleFile(path) as file:
        assert [buffer.offset % 64 for buffer in file.buffers] == [0, 0, 0]


def test_binpickler_refuses_early() -> None:
    """Wrong arguments raise when the BinPickler is made."""
    for way, error in REFUSED.values():
        with pytest.raises(error):
            BinPickler("nowhere", **way)


CODEC = {"None": (None, []), "null": ("null", []), "gz": ("gz", ["zlib"]), "blosc": ("blosc", ["blosc"])}
CODEC.update({"codec": (numcodecs.LZ4(), ["lz4"]), "list": (["zstd", "crc32"], ["zstd", "crc32"])})


@each(CODEC, "codec", "ids")
def test_codec_is_deprecated(codec: Any, ids: list[str], path: Path) -> None:
    """`codec=` of older releases works, with a warning at the caller's line."""
    with pytest.warns(DeprecationWarning, match="codecs=") as caught:
        binpickle.dump([ARRAY], path, codec=codec)
    with BinPickleFile(path) as file:
        assert [spec["id"] for spec in file.buffers[0].codecs] == ids
    with pytest.warns(DeprecationWarning, match="codecs=") as more:
        BinPickler(path, codec=codec).dump([ARRAY])
    with BinPickleFile(path) as file:
        assert [spec["id"] for spec in file.buffers[0].codecs] == ids
    assert {warning.filename for warning in [*caught, *more]} == {__file__}


# ------------------------------------------------------------------------------------------------------------ paths


def test_replaced_at_the_end(path: Path) -> None:
    """Until a dump ends, the path shows the old file, and at most the temporary file appears beside it."""
    path.write_bytes(b"old")
    seen: list[Any] = []

    class Watch:
        def __reduce__(self) -> Any:
            seen.append((path.read_bytes(), set(os.listdir(path.parent)) - set(leftovers(path.parent))))
            return complex, ()

    binpickle.dump(Watch(), path)
    assert seen == [(b"old", {path.name})]
    assert binpickle.file_info(path).is_valid
    assert os.listdir(path.parent) == ["a.bpk"]


class Text(os.PathLike):
    def __init__(self, path: Path):
        self.path = path

    def __fspath__(self) -> str:
        return str(self.path)


@pytest.mark.parametrize("kind", [str, Path, Text])
def test_kinds_of_paths(kind: Any, path: Path) -> None:
    """Strings and path objects are paths, absolute or relative."""
    binpickle.dump(OBJECT, kind(path))
    assert_same(binpickle.load(kind(path)), OBJECT)


def test_relative_path(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bare name is a file in the folder that was the current one when the dump began."""

    class Mover:
        def __reduce__(self) -> Any:
            os.chdir("/")
            return complex, ()

    monkeypatch.chdir(path.parent)
    binpickle.dump(Mover(), "a.bpk")
    assert binpickle.load(path) == 0


NAMES = ["a" * 255, "\u00e9" * 127, "\u4e2d" * 85, "\U0001f40d" * 63, "a b\n.bpk", ".hidden", "a\udcff"]


@posix
@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_names(name: str, path: Path) -> None:
    """A name may have any length and any characters that the file system takes."""
    binpickle.dump(1, path.parent / name)
    assert binpickle.load(path.parent / name) == 1
    assert os.listdir(path.parent) == [name]


def test_errors_name_the_path(path: Path) -> None:
    """Errors of the operating system come through unchanged, and name the given path."""
    cases: list[Any] = [
        (path.parent / "missing" / "a.bpk", FileNotFoundError),
        (path.parent, IsADirectoryError),
        (path.parent / ("a" * 300), OSError),
    ]
    (path.parent / "plain").write_bytes(b"")
    cases.append((path.parent / "plain" / "a.bpk", NotADirectoryError))
    for target, error in cases:
        with pytest.raises(error) as caught:
            binpickle.dump(Explosive(), target)
        assert caught.value.filename == str(target)
        assert str(caught.value).endswith(repr(str(target)))


@posix
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_read_only_folder(path: Path) -> None:
    """A folder without the permission to write raises `PermissionError`."""
    path.write_bytes(b"old")
    path.parent.chmod(0o555)
    try:
        with pytest.raises(PermissionError):
            binpickle.dump(1, path)
        assert path.read_bytes() == b"old"
    finally:
        path.parent.chmod(0o755)


@posix
@pytest.mark.parametrize("mask", [0o022, 0o077, 0o000])
def test_new_file_has_the_masks_mode(mask: int, path: Path) -> None:
    """A new file gets the permissions that the umask allows."""
    old = os.umask(mask)
    try:
        binpickle.dump(1, path)
    finally:
        os.umask(old)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~mask


@posix
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o444, 0o666, 0o755])
def test_replaced_file_keeps_its_mode(mode: int, path: Path) -> None:
    """A file that is replaced keeps its permissions, whatever the umask."""
    path.write_bytes(b"old")
    path.chmod(mode)
    binpickle.dump(1, path)
    assert stat.S_IMODE(path.stat().st_mode) == mode
    assert binpickle.load(path) == 1


@posix
def test_symbolic_link(path: Path) -> None:
    """A symbolic link stays a link: the file it points to is replaced or made, in the folder of that file."""
    folder = path.parent / "elsewhere"
    folder.mkdir()
    path.symlink_to(Path("elsewhere") / "b.bpk")
    for value in (1, 2):
        binpickle.dump(value, path)
        assert path.is_symlink()
        assert not (folder / "b.bpk").is_symlink()
        assert binpickle.load(folder / "b.bpk") == value
    assert os.listdir(folder) == ["b.bpk"]


@posix
def test_hard_link(path: Path) -> None:
    """A hard link to the old file still shows the old file, as readers that have it open see it."""
    path.write_bytes(b"old")
    os.link(path, path.parent / "other")
    binpickle.dump(1, path)
    assert (path.parent / "other").read_bytes() == b"old"


@posix
def test_fifo(path: Path) -> None:
    """A FIFO is written to, not replaced."""
    os.mkfifo(path)
    got: list[Any] = []
    reader = threading.Thread(target=lambda: got.append(binpickle.load(path)))
    reader.start()
    binpickle.dump(OBJECT, path)
    reader.join()
    assert_same(got[0], OBJECT)
    assert stat.S_ISFIFO(path.stat().st_mode)


@posix
def test_devices() -> None:
    """A device is written to, not replaced; errors name the device."""
    binpickle.dump(OBJECT, "/dev/null", durable=True)
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
    with pytest.raises(FileExistsError):
        binpickle.dump(OBJECT, "/dev/null", exclusive=True)
    if os.path.exists("/dev/full"):
        with pytest.raises(OSError, match="No space left") as caught:
            binpickle.dump(OBJECT, "/dev/full")
        assert caught.value.filename == "/dev/full"


def test_exclusive(path: Path) -> None:
    """`exclusive` makes a new file, and replaces none."""
    binpickle.dump(1, path, exclusive=True)
    with pytest.raises(FileExistsError) as caught:
        binpickle.dump(Explosive(), path, exclusive=True)
    assert caught.value.filename == str(path)
    assert binpickle.load(path) == 1


def test_exclusive_at_the_end(path: Path) -> None:
    """A file that appears while the dump runs is not replaced, either."""

    class Rival:
        def __reduce__(self) -> Any:
            path.write_bytes(b"rival")
            return complex, ()

    with pytest.raises(FileExistsError) as caught:
        binpickle.dump(Rival(), path, exclusive=True)
    assert caught.value.filename == str(path)
    assert path.read_bytes() == b"rival"


@posix
@pytest.mark.parametrize(("durable", "syncs"), [(None, [0, 1]), (True, [2, 2]), (False, [0, 0])])
def test_durable(durable: Any, syncs: list[int], path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By default a dump syncs a file that replaces another; `durable` syncs everything or nothing."""
    count = [0]
    fsync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda fd: (count.append(count.pop() + 1), fsync(fd)))
    for expected in syncs:
        count[0] = 0
        binpickle.dump(1, path, durable=durable)
        assert count == [expected]


# --------------------------------------------------------------------------------------------------------- failures


@posix
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("name", "code"), FAULTS)
def test_faults(name: str, code: int, kind: str, tmp_path: Path) -> None:
    """If any system call fails, the old file stays alone and the error names the path; short writes are continued."""
    number = 0
    while faulty_dump(kind, name, number, code, tmp_path) is not None:
        number += 1
    replaces = KINDS[kind][0]
    needed = {"fchmod": replaces, "fsync": replaces}
    if "named" in kind:  # else it depends on the file system of the test
        needed.update({"replace": not kind.startswith("exclusive"), "link": kind.startswith("exclusive")})
    assert (number > 0) == needed.get(name, True) or name in ("replace", "link") and "named" not in kind


class Interrupting:
    """An object whose `__reduce__` raises."""

    def __init__(self, error: Any):
        self.error = error

    def __reduce__(self) -> Any:
        raise self.error


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, MemoryError, RecursionError, ValueError])
def test_reduce_that_raises(error: Any, path: Path) -> None:
    """An error of an object's class comes through unchanged, and leaves the old file."""
    path.write_bytes(b"old")
    with small_chunks(), pytest.raises(error):
        binpickle.dump([list(range(9999)), LARGE, Interrupting(error)], path)
    assert path.read_bytes() == b"old"


def test_unpicklable(path: Path) -> None:
    """An object that cannot be pickled leaves the old file."""
    path.write_bytes(b"old")
    for obj in (threading.Lock(), lambda: 1):
        with pytest.raises((TypeError, AttributeError, pickle.PicklingError)):
            binpickle.dump([LARGE, obj], path)
    assert path.read_bytes() == b"old"


@posix
@pytest.mark.parametrize("way", ["auto", "mappable"])
def test_size_limit(way: str, path: Path) -> None:
    """A file larger than the system allows raises `OSError`, and the old file stays."""
    script = """if True:
        import errno, resource, sys, numpy as np, binpickle
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
        try:
            binpickle.dump(np.random.rand(1 << 18), sys.argv[1], mappable=sys.argv[2] == "mappable")
        except OSError as error:
            assert (error.errno, error.filename) == (errno.EFBIG, sys.argv[1])
        else:
            raise AssertionError("no error")
    """
    path.write_bytes(b"old")
    python(script, path, way)
    assert path.read_bytes() == b"old"


@posix
def test_fork(path: Path) -> None:
    """A child that is forked during a dump, and ends, removes no file of its parent."""
    script = """if True:
        import os, sys, numpy as np, binpickle
        class Forking:
            def __reduce__(self):
                child = os.fork()
                if not child:
                    raise SystemExit(0)
                assert os.waitpid(child, 0)[1] == 0
                return complex, ()
        binpickle.dump([list(range(1000)), Forking(), np.random.rand(3 << 20)], sys.argv[1], threads=2)
        assert binpickle.load(sys.argv[1])[1] == 0
        assert os.listdir(os.path.dirname(sys.argv[1])) == ["a.bpk"]
    """
    python(script, path)


@posix
def test_killed(tmp_path: Path) -> None:
    """A writer that is killed at any moment leaves a file that loads; any other file has a temporary name."""
    script = """if True:
        import os, random, signal, sys, time, numpy as np, binpickle
        path, rounds = sys.argv[1], int(sys.argv[2])
        objects = [[n, np.full(n * 50_000, n)] for n in range(1, 5)]
        binpickle.dump(objects[0], path)
        parent = os.getpid()
        for _ in range(rounds):
            children = []
            for obj in objects[:2]:
                child = os.fork()
                if not child:
                    while os.getppid() == parent:
                        binpickle.dump(obj, path, durable=False, mappable=obj[0] % 2 == 1)
                children.append(child)
            time.sleep(random.random() * 0.02)
            for child in children:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
            n, array = binpickle.load(path)
            assert set(array) == {n} and len(array) == n * 50_000
    """
    python(script, tmp_path / "a.bpk", os.environ.get("BINPICKLE_KILLS", "30"))
    names = set(os.listdir(tmp_path)) - {"a.bpk"}
    assert all(name.startswith(".a.bpk.") and name.endswith(".bpk-tmp") for name in names)


def test_header_first() -> None:
    """A dump writes the header first, so that a reader of a partial file can tell that it is a BinPickle file."""
    file = Miser()
    with pytest.raises(AssertionError, match="pickled"):
        binpickle.dump(Explosive(), file)
    assert file.taken[: HEADER.size].startswith(b"BPCK\0\3")
