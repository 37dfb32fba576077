"""Reading from object stores: how many requests it takes, and that it gives what a local file gives."""

from __future__ import annotations

import pickle
from typing import Any, Callable

import numpy as np
import pytest
from internals import EDGE
from stores import MemoryStore

import binpickle
from binpickle import (
    AuthenticationError,
    BinPickleFile,
    FileStatus,
    FormatError,
    FormatWarning,
    IntegrityError,
    LimitError,
    Limits,
    ObjectChangedError,
    ObjectPath,
    UntrustedError,
)

KEY = b"k" * 32
NOISE = np.random.default_rng(0)


def noise(nbytes: int) -> np.ndarray:
    """Bytes that no codec makes smaller."""
    return NOISE.integers(0, 256, nbytes, np.uint8)


def stored(obj: Any, **options: Any) -> tuple[MemoryStore, ObjectPath]:
    """A store with the file of an object."""
    store = MemoryStore()
    store.objects["file.bpk"] = binpickle.dumps(obj, **options)
    return store, ObjectPath(store, "file.bpk")


def spans(store: MemoryStore) -> list[tuple[int, int]]:
    """The ranges that were read besides head and tail, in the order of the file."""
    return sorted(call[2:] for call in store.calls if call[0] == "read")


@pytest.mark.parametrize("size", [10, 1000, 100_000, 1 << 20, 12 << 20], ids=str)
@pytest.mark.parametrize("options", [{}, {"mappable": True}, {"codecs": ["zstd"]}, {"key": KEY}], ids=str)
def test_load(size: int, options: dict[str, Any]) -> None:
    """An object of a store loads as it was dumped, whatever its size and codecs."""
    obj = {"noise": noise(size), "count": np.arange(size // 8), "text": "x" * 100}
    store, file = stored(obj, **options)
    loaded = binpickle.load(file, key=options.get("key"))
    assert (loaded["noise"] == obj["noise"]).all()
    assert (loaded["count"] == obj["count"]).all()
    assert loaded["text"] == obj["text"]


COUNTS: dict[str, tuple[Any, Callable[[BinPickleFile], Any], int]] = {
    "open": ([noise(9 << 20)], lambda file: file.buffers, 2),
    "small file": ([noise(60_000)], lambda file: file.load(), 2),
    "one array": ([noise(900_000) for _ in range(20)], lambda file: file.array(10), 3),
    "array of several chunks": ([noise(900_000), noise(9 << 20)], lambda file: file.array(1), 2 + 3),
    "all of 18 MB": ([noise(900_000) for _ in range(20)], lambda file: file.load(), 2 + 5),
    "all of 1 MB": ([noise(1 << 20)], lambda file: file.load(), 3),
    "rows": (noise(32 << 20).reshape(1 << 15, -1), lambda file: file.array(0, rows=slice(10, 20)), 3),
    "rows by name": ({"a": noise(32 << 20)}, lambda file: file.array("a", rows=slice(10, 20)), 3),
    "names": ({"a": noise(9 << 20), "b": noise(9 << 20)}, lambda file: list(file), 2),
    "several arrays": ([noise(5 << 20) for _ in range(4)], lambda file: file.arrays([0, 3]), 2 + 4),
    "all checksums": ([noise(9 << 20)], lambda file: file.find_errors(), 2 + 3),
    "globals": ([noise(9 << 20)], lambda file: file.stream(), 2),
}


@pytest.mark.parametrize("case", COUNTS)
def test_requests(case: str) -> None:
    """A read takes exactly so many requests."""
    obj, read, count = COUNTS[case]
    store, path = stored(obj)
    with BinPickleFile(path) as file:
        read(file)
    assert len(store.calls) == count, store.calls
    assert sorted(call[0] for call in store.calls[:2]) == ["head", "tail"]


def test_opening_reads_no_padding() -> None:
    """A mappable file of many arrays with odd sizes is opened with two requests, however much padding it has."""
    store, path = stored([noise(10_001 + i) for i in range(100)], mappable=True)
    with BinPickleFile(path) as file:
        assert len(file.buffers) == 100
    assert len(store.calls) == 2


def test_bytes_of_a_load() -> None:
    """A load fetches no byte twice, but those of head and tail that lie within a chunk."""
    store, path = stored([noise(900_000) for _ in range(20)])
    binpickle.load(path)
    size = len(store.objects["file.bpk"])
    found = spans(store)
    assert all(before[1] <= after[0] for before, after in zip(found, found[1:]))
    assert sum(stop - start for start, stop in found) <= size


def test_forged_padding() -> None:
    """Padding that is not zero is found by the read of the chunk behind it."""
    obj = [noise(5_000_001), noise(5_000_001)]
    store, path = stored(obj, mappable=True)
    data = bytearray(store.objects["file.bpk"])
    gap = data.find(obj[1][:64].tobytes()) - 1
    assert data[gap] == 0
    data[gap] = 1
    store.objects["file.bpk"] = bytes(data)
    with pytest.raises(FormatError, match="padding"):
        binpickle.load(path)
    with BinPickleFile(path) as file, pytest.raises(FormatError, match="padding"):
        file.array(1)


def test_restricted_load_fetches_the_stream_alone() -> None:
    """A stream that restricted loading refuses costs no request for buffers."""
    store, path = stored([pickle.Pickler, noise(9 << 20)])
    with pytest.raises(UntrustedError):
        binpickle.load(path, trusted=())
    assert len(store.calls) == 2
    assert (binpickle.load(stored([noise(9 << 20)])[1], trusted=())[0] < 256).all()


def test_wrong_key() -> None:
    """A file with another key's seal is refused after the first round trip."""
    store, path = stored([noise(9 << 20)], key=KEY)
    with pytest.raises(AuthenticationError):
        binpickle.load(path, key=b"x" * 32)
    assert len(store.calls) == 2


def test_limits() -> None:
    """A file that is larger than the limits allow is refused before its data is fetched."""
    store, path = stored([noise(9 << 20)])
    with pytest.raises(LimitError):
        binpickle.load(path, limits=Limits(stored_bytes=1 << 20))
    assert len(store.calls) == 2


def test_replaced() -> None:
    """An object that is replaced while it is open raises `ObjectChangedError`, which is an `IntegrityError`."""
    store, path = stored([noise(9 << 20)])
    with BinPickleFile(path) as file:
        store.objects["file.bpk"] = binpickle.dumps([noise(9 << 20)])
        with pytest.raises(ObjectChangedError, match="test://store/file.bpk") as raised:
            file.load()
    assert isinstance(raised.value, IntegrityError)


def test_damage() -> None:
    """A damaged chunk raises `IntegrityError` with the address of the object."""
    store, path = stored([noise(1 << 20)])
    data = bytearray(store.objects["file.bpk"])
    data[500_000] ^= 1
    store.objects["file.bpk"] = bytes(data)
    with pytest.raises(IntegrityError, match=r"test://store/file\.bpk: .*damaged"):
        binpickle.load(path)
    with BinPickleFile(path) as file:
        assert len(file.find_errors()) == 1


@pytest.mark.parametrize(
    "data", [b"", b"x", b"BPCK", bytes(300_000), b"<!DOCTYPE html>" * 9], ids=lambda data: str(data[:5])
)
def test_other_objects(data: bytes) -> None:
    """Objects that are no BinPickle files are refused, and `file_info` says so."""
    store = MemoryStore()
    store.objects["other"] = data
    with pytest.raises(FormatError):
        binpickle.load(ObjectPath(store, "other"))
    assert binpickle.file_info(ObjectPath(store, "other")).status is FileStatus.INVALID


def test_missing() -> None:
    """An object that is not there raises `FileNotFoundError` with its address; `file_info` calls it missing."""
    path = ObjectPath(MemoryStore(), "none")
    with pytest.raises(FileNotFoundError) as raised:
        binpickle.load(path)
    assert raised.value.filename == "test://store/none"
    assert binpickle.file_info(path).status is FileStatus.MISSING


def test_failure_of_a_request() -> None:
    """The error of any request ends the load, and the next load works."""
    obj = [noise(900_000) for _ in range(20)]
    for number in range(1, 8):
        store, path = stored(obj)
        store.fails[number] = OSError(5, "no luck")
        with pytest.raises(OSError, match="no luck"):
            binpickle.load(path)
        store.fails.clear()
        assert len(binpickle.load(path)) == len(obj)


def test_mapping() -> None:
    """An object cannot be mapped: it is read into memory, with a warning."""
    _, path = stored(noise(9 << 20), mappable=True)
    with pytest.warns(FormatWarning):
        assert not binpickle.load(path, mmap_mode="r").flags.writeable


def test_closed() -> None:
    """An open file that was closed reads no more."""
    _, path = stored(noise(9 << 20))
    file = BinPickleFile(path)
    file.close()
    with pytest.raises(ValueError, match="closed"):
        file.load()


def test_inspect_and_repack() -> None:
    """`inspect` and `repack` take objects as sources, and `repack` as targets."""
    obj = [noise(9 << 20)]
    store, path = stored(obj, codecs=["zstd"])
    assert len(binpickle.inspect(path).buffers) == 1
    binpickle.repack(path, ObjectPath(store, "new"), mappable=True)
    with BinPickleFile(ObjectPath(store, "new")) as file:
        assert file.is_mappable
        assert (file.load()[0] == obj[0]).all()


def test_edges_of_another_object() -> None:
    """An object that is replaced between the answers for head and tail is opened as the new one."""

    class Replaced(MemoryStore):
        def head(self, key: str, nbytes: int) -> Any:
            return binpickle.dumps("old")[:nbytes], self.info(b"old")

    store = Replaced()
    store.objects["file.bpk"] = binpickle.dumps(["new", noise(EDGE * 3)])
    assert binpickle.load(ObjectPath(store, "file.bpk"))[0] == "new"


@pytest.mark.anyio
async def test_aload() -> None:
    """`aload` and `adump` take objects, too."""
    store = MemoryStore()
    obj = [noise(9 << 20), "text"]
    await binpickle.adump(obj, ObjectPath(store, "a"))
    loaded = await binpickle.aload(ObjectPath(store, "a"))
    assert (loaded[0] == obj[0]).all()
    assert store.objects["a"] == binpickle.dumps(obj)
