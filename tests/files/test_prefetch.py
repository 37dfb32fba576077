"""`load(prefetch=)` brings mapped buffers into the page cache: all of them or those asked for, by either way."""

from __future__ import annotations

import os
import threading
from functools import partial
from pathlib import Path
from typing import Any, Callable

import anyio
import numpy as np
import pytest
from common import assert_same, each, python
from internals import pagecache, prefetching
from page_cache import PAGE, WAYS, Gate, choose_way, end_of_fetching, evict, fetching_threads, resident

import binpickle
from binpickle import BinPickleFile, UntrustedError

MIB = 1 << 20
MODEL = {"first": np.arange(2 * MIB), "second": np.arange(3 * MIB), "third": np.arange(2 * MIB), "name": "model"}
SMALL = [np.arange(40 * PAGE, dtype="u1"), "text"]

either_way = pytest.mark.parametrize("way", WAYS)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A file of three large arrays that is not in the page cache."""
    binpickle.dump(MODEL, tmp_path / "model.bpk", mappable=True)
    evict(tmp_path / "model.bpk")
    return tmp_path / "model.bpk"


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A file of one array, of ten windows as `Gate` has them."""
    binpickle.dump(SMALL, tmp_path / "small.bpk", mappable=True)
    return tmp_path / "small.bpk"


def pages_of(path: Path, *numbers: int) -> np.ndarray:
    """The pages of a file that hold some of its buffers, as a mask."""
    with BinPickleFile(path) as opened:
        places = [(opened.buffers[n].offset, opened.buffers[n].nbytes) for n in numbers]
    mask = np.zeros(-(-path.stat().st_size // PAGE), bool)
    for offset, nbytes in places:
        mask[offset // PAGE : -(-(offset + nbytes) // PAGE)] = True
    return mask


@pytest.mark.parametrize("mode", ["r", "c"])
@either_way
def test_all(model: Path, mode: Any, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With `prefetch=True` all pages of mapped buffers come, though nobody touches them, and the arrays are right."""
    choose_way(monkeypatch, way)
    loaded = binpickle.load(model, mmap_mode=mode, prefetch=True)
    end_of_fetching()
    assert resident(model)[pages_of(model, 0, 1, 2)].all()
    assert_same(loaded, MODEL, writeable=mode == "c")


@each({"a number": [1], "from the end": [-2], "numbers of NumPy": np.array([1]), "twice": (1, 1)}, "numbers")
@either_way
def test_some(model: Path, numbers: Any, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With numbers of buffers only their pages come, but for what the system reads ahead behind them."""
    choose_way(monkeypatch, way)
    loaded = binpickle.load(model, mmap_mode="r", prefetch=iter(numbers))
    end_of_fetching()
    there, wanted = resident(model), pages_of(model, 1)
    assert there[wanted].all()
    before = pages_of(model, 0)
    before[: MIB // PAGE] = False  # opening the file reads its first bytes, and the system some more
    begin = int(np.argmax(wanted))
    before[begin - 8 * MIB // PAGE : begin] = False  # the system reads around the first page, up to half a read-ahead
    assert not there[before & ~wanted].any()
    assert loaded["name"] == "model"


def test_none(model: Path) -> None:
    """By default nothing is fetched of a file on a disk, nor with `False`, nor with an empty list."""
    kept = [binpickle.load(model, mmap_mode="r", prefetch=prefetch) for prefetch in (None, False, [], ())]
    assert fetching_threads() == []
    assert not resident(model)[pages_of(model, 1)].any()
    assert len(kept) == 4


def test_network(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a file system of a network everything is fetched, unless `prefetch` says otherwise."""
    monkeypatch.setattr("binpickle.files.source.is_networked", lambda fd: True)
    kept = [binpickle.load(model, mmap_mode="r", prefetch=False)]
    assert fetching_threads() == []
    kept.append(binpickle.load(model, mmap_mode="r"))
    end_of_fetching()
    assert resident(model)[pages_of(model, 0, 1, 2)].all()
    assert binpickle.load(model)["name"] == kept[0]["name"]


@either_way
def test_within_a_file_object(tmp_path: Path, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that begins within a file object is fetched where it is."""
    choose_way(monkeypatch, way)
    path = tmp_path / "later.bpk"
    with open(path, "wb") as file:
        file.write(bytes(8 * MIB))
        binpickle.dump(MODEL, file, mappable=True)
    evict(path)
    with open(path, "rb") as file:
        file.seek(8 * MIB)
        loaded = binpickle.load(file, mmap_mode="r", prefetch=[2])
    end_of_fetching()
    assert resident(path)[-16 * MIB // PAGE : -1].all()
    assert not resident(path)[: 4 * MIB // PAGE].any()
    assert_same(loaded["third"], MODEL["third"], writeable=False)


def test_encoded(tmp_path: Path) -> None:
    """Buffers that are decoded into memory have nothing to fetch, and no thread is started for them."""
    binpickle.dump(MODEL, tmp_path / "a.bpk", codecs=["zstd"])
    with pytest.warns(binpickle.FormatWarning):
        loaded = binpickle.load(tmp_path / "a.bpk", mmap_mode="r", prefetch=True)
    assert fetching_threads() == []
    assert_same(loaded, MODEL, writeable=False)


@either_way
def test_restricted(small: Path, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Restricted loads fetch, too, and a load that is refused ends its fetching."""
    gate = Gate(monkeypatch, way)
    loaded = binpickle.load(small, mmap_mode="r", prefetch=True, trusted=())
    gate.open()
    end_of_fetching()
    assert gate.windows == 11
    binpickle.dump([SMALL[0], threading.Thread], small, mappable=True)
    gate = Gate(monkeypatch, way)
    with pytest.raises(UntrustedError):
        binpickle.load(small, mmap_mode="r", prefetch=True, trusted=())
    gate.open()
    end_of_fetching()
    assert gate.windows <= pagecache.MOST_THREADS
    assert len(loaded) == 2


WRONG: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "not mapped": ({"prefetch": True}, ValueError, "give mmap_mode='r' or 'c'"),
    "some, not mapped": ({"prefetch": [0]}, ValueError, "prefetch is for mapped files"),
    "one string": ({"mmap_mode": "r", "prefetch": "weights"}, TypeError, "a list of buffers, not 'weights'"),
    "one number": ({"mmap_mode": "r", "prefetch": 0}, TypeError, "a list of buffers, not 0"),
    "bytes": ({"mmap_mode": "c", "prefetch": b"ab"}, TypeError, "a list of buffers"),
    "no name": ({"mmap_mode": "r", "prefetch": ["weights"]}, KeyError, "nothing is named 'weights'"),
    "too large": ({"mmap_mode": "r", "prefetch": [0, 1]}, IndexError, "there is no buffer 1: the file has 1"),
}


@each(WRONG, "arguments", "error", "message")
def test_wrong(small: Path, arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    """A `prefetch` that asks for nothing that could be done is refused by each function that takes it."""
    mode = arguments.get("mmap_mode")

    def from_file() -> None:
        with BinPickleFile(small, mmap_mode=mode) as opened:
            opened.load(prefetch=arguments["prefetch"])

    calls: list[Callable[[], Any]] = [
        partial(binpickle.load, small, **arguments),
        partial(anyio.run, partial(binpickle.aload, small, **arguments)),
        from_file,
    ]
    for call in calls:
        with pytest.raises(error, match=message):
            call()
    assert fetching_threads() == []


@either_way
def test_close(small: Path, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Closing the file does not end the fetching, since its arrays live on."""
    gate = Gate(monkeypatch, way)
    with BinPickleFile(small, mmap_mode="r") as opened:
        loaded = opened.load(prefetch=True)
    del opened
    gate.open()
    end_of_fetching()
    assert gate.windows == 11
    assert_same(loaded, SMALL, writeable=False)


@either_way
def test_dropped(small: Path, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once all arrays are dropped no further window is fetched, and the mapping and its descriptor are gone."""
    gate = Gate(monkeypatch, way)
    loaded = binpickle.load(small, mmap_mode="r", prefetch=True)
    del loaded
    gate.open()
    end_of_fetching()
    assert gate.windows <= pagecache.MOST_THREADS
    if os.path.exists("/proc/self/maps"):
        assert str(small) not in Path("/proc/self/maps").read_text()


def test_one_array_is_kept(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fetching goes on while a part of an array lives."""
    gate = Gate(monkeypatch, "populate")
    part = binpickle.load(small, mmap_mode="r", prefetch=True)[0][5:7]
    gate.open()
    end_of_fetching()
    assert gate.windows == 11
    assert part.tolist() == [5, 6]


@either_way
def test_truncated(small: Path, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is cut while it is fetched ends the fetching: no signal comes, and no thread tells an error."""
    gate = Gate(monkeypatch, way)
    loaded = binpickle.load(small, mmap_mode="r", prefetch=True)
    os.truncate(str(small), 0)
    gate.open()
    end_of_fetching()
    assert gate.windows <= 2 * pagecache.MOST_THREADS
    assert loaded[1] == "text"


@either_way
def test_shared_pool(small: Path, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many files are fetched at once, a process has four threads for them, and all files are fetched."""
    gate = Gate(monkeypatch, way)
    kept = [binpickle.load(small, mmap_mode="r", prefetch=True) for _ in range(20)]
    assert len(fetching_threads()) <= 4
    gate.open()
    end_of_fetching()
    assert gate.windows == 11 * len(kept)


# Windows have 16384 bytes.
@each({"nothing": (0, 0), "a window": (22000, 1), "two": (44000, 2), "all": (1 << 30, 11)}, "available", "windows")
def test_room(small: Path, available: int, windows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """No more is fetched than three quarters of the memory that is available."""
    gate = Gate(monkeypatch, "populate")
    monkeypatch.setattr(prefetching, "available_memory", lambda: available)
    kept = binpickle.load(small, mmap_mode="r", prefetch=True)
    gate.open()
    end_of_fetching()
    assert gate.windows == windows
    assert len(kept) == 2


def test_shared_room(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that are fetched at once share the room, and a file that comes later finds it free again."""
    gate = Gate(monkeypatch, "populate")
    monkeypatch.setattr(prefetching, "available_memory", lambda: 65 * PAGE)
    kept = [binpickle.load(small, mmap_mode="r", prefetch=True) for _ in range(3)]
    gate.open()
    end_of_fetching()
    assert gate.windows == 11 + 2
    kept.append(binpickle.load(small, mmap_mode="r", prefetch=True))
    end_of_fetching()
    assert gate.windows == 11 + 2 + 11


def test_room_that_shrinks(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is available is looked at again after each 256 MiB: other programs may have taken it meanwhile."""
    available = [1 << 40]
    monkeypatch.setattr(prefetching, "available_memory", lambda: available[0])
    room = prefetching.Room()
    assert room.take(100 * MIB)
    available[0] = 0
    assert room.take(156 * MIB)
    assert not room.take(1)


def test_other_process(model: Path) -> None:
    """What one process fetches is there for all others."""
    code = """
import sys, binpickle
from page_cache import end_of_fetching
kept = binpickle.load(sys.argv[1], mmap_mode="r", prefetch=True)
end_of_fetching()
"""
    python(code, model)
    assert resident(model)[pages_of(model, 0, 1, 2)].all()


ENDS = {
    "end": "",
    "exit": "sys.exit()",
    "exception": "1 / 0",
    "kept in a module": "sys.kept = loaded",
}


@pytest.mark.parametrize("end", ENDS)
@either_way
def test_process_ends(small: Path, end: str, way: str) -> None:
    """A process ends without waiting for what is being fetched."""
    code = f"""
import sys, threading, time, pytest, binpickle
from page_cache import Gate
from internals import pagecache, prefetching
gate = Gate(pytest.MonkeyPatch(), {way!r})
gate._opened.wait = time.sleep
loaded = binpickle.load(sys.argv[1], mmap_mode="r", prefetch=True)
{ENDS[end]}
"""
    done = python(code, small, check=False)
    assert done.returncode == (end == "exception")
    assert b"binpickle-prefetch" not in done.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
@either_way
def test_fork(small: Path, way: str) -> None:
    """A child that is forked meanwhile has no threads and no descriptor of the fetching, and fetches for itself."""
    code = f"""
import os, sys, warnings, pytest, binpickle
from page_cache import Gate, end_of_fetching, fetching_threads
warnings.simplefilter("ignore")
def paths():  # of the open files; the descriptor that lists them is closed by then
    links = ["/proc/self/fd/" + fd for fd in os.listdir("/proc/self/fd")]
    return [os.readlink(link) for link in links if os.path.lexists(link)]
gate = Gate(pytest.MonkeyPatch(), {way!r})
kept = binpickle.load(sys.argv[1], mmap_mode="r", prefetch=True)
if not os.fork():
    gate.windows = 0
    gate.open()
    if os.path.isdir("/proc/self/fd"):
        mapped = sys.version_info < (3, 13)  # until then a mapping has a descriptor
        assert paths().count(sys.argv[1]) == mapped, paths()
    assert fetching_threads() == []
    again = binpickle.load(sys.argv[1], mmap_mode="r", prefetch=True)
    end_of_fetching()
    assert gate.windows == 11, gate.windows
    os._exit(0)
assert os.wait()[1] == 0
gate.open()
end_of_fetching()
"""
    python(code, small)


@pytest.mark.anyio
@either_way
async def test_aload(small: Path, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """`aload` begins the fetching, which goes on when `aload` has returned."""
    gate = Gate(monkeypatch, way)
    loaded = await binpickle.aload(small, mmap_mode="r", prefetch=True)
    gate.open()
    end_of_fetching()
    assert gate.windows == 11
    assert_same(loaded, SMALL, writeable=False)


@pytest.mark.anyio
@either_way
async def test_aload_cancelled(small: Path, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once `aload` is cancelled no further window is fetched."""
    gate = Gate(monkeypatch, way)
    with anyio.CancelScope() as scope:

        def cancel(done: int, total: int | None) -> None:
            scope.cancel()

        await binpickle.aload(small, mmap_mode="r", prefetch=True, progress=cancel, verify=True)
        await anyio.sleep(0)
    gate.open()
    end_of_fetching()
    assert scope.cancel_called
    assert gate.windows <= pagecache.MOST_THREADS
