"""Whatever the system refuses while buffers are fetched, the object loads, and nothing is left."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from common import assert_same, each
from internals import linux_module, mounts, pagecache
from page_cache import PAGE, WAYS, Gate, choose_way, end_of_fetching, evict, fetching_threads, resident

import binpickle

OBJECT = [np.arange(40 * PAGE, dtype="u1"), "text"]
CODES = [errno.EFAULT, errno.ENOMEM, errno.EINVAL, errno.EIO, errno.ENOSYS, errno.EPERM, errno.EBADF, errno.EAGAIN]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file of one array."""
    binpickle.dump(OBJECT, tmp_path / "a.bpk", mappable=True)
    return tmp_path / "a.bpk"


def load(path: Path) -> None:
    """Load and fetch, and see that the object is right."""
    loaded = binpickle.load(path, mmap_mode="r", prefetch=True)
    end_of_fetching()
    assert_same(loaded, OBJECT, writeable=False)


@pytest.mark.parametrize("code", CODES, ids=errno.errorcode.get)
@pytest.mark.parametrize("way", WAYS)
def test_fetch(path: Path, way: str, code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the call that fetches fails, each thread ends after it, and the fetching ends."""
    gate = Gate(monkeypatch, way, code)
    gate.open()
    load(path)
    assert 1 <= gate.windows <= pagecache.MOST_THREADS


def test_advice(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the system refuses to begin to read, the pages come all the same."""
    choose_way(monkeypatch, "populate")
    real, calls = linux_module.c_function, []

    def c_function(name: str, types: Any) -> Any:
        def advise(address: int, nbytes: int, advice: int) -> int:
            calls.append(advice)
            return -1 if advice == linux_module.WILL_NEED else real(name, types)(address, nbytes, advice)

        return advise if name == "madvise" else real(name, types)

    monkeypatch.setattr(linux_module, "c_function", c_function)
    evict(path)
    load(path)
    assert set(calls) == {linux_module.WILL_NEED, linux_module.POPULATE_READ}
    assert resident(path).all()


@each({"an old kernel": errno.EINVAL, "no madvise": None}, "code")
def test_no_populate(path: Path, code: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the kernel cannot fill page tables, the file is read by its descriptor."""
    real = linux_module.c_function

    def c_function(name: str, types: Any) -> Any:
        refused = None if code is None else lambda *_: -1
        return refused if name == "madvise" else real(name, types)

    pagecache.can_populate.cache_clear()
    monkeypatch.setattr(linux_module, "c_function", c_function)
    try:
        assert not pagecache.can_populate()
        load(path)
    finally:
        pagecache.can_populate.cache_clear()


def test_no_descriptor(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If there is no descriptor for the reading, nothing is fetched."""
    choose_way(monkeypatch, "read")

    def refuse(fd: int) -> int:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(os, "dup", refuse)
    load(path)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("started", [0, 1])
def test_no_threads(path: Path, way: str, started: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """If no more threads can be started, those that were started fetch everything, or nothing is fetched."""
    gate = Gate(monkeypatch, way)
    gate.open()
    real, left = threading.Thread.start, [started]

    def start(thread: threading.Thread) -> None:
        if not left[0]:
            raise RuntimeError("can't start new thread")
        left[0] -= 1
        real(thread)

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", start)
        loaded = binpickle.load(path, mmap_mode="r", prefetch=True)
    assert len(fetching_threads()) <= started
    end_of_fetching()
    assert gate.windows == 11 * started
    assert_same(loaded, OBJECT, writeable=False)
    load(path)
    assert gate.windows == 11 * started + 11


NFS = "36 25 0:{} / {} rw,relatime shared:7 - {} server:/home rw,vers=4.2\n"
MOUNTS = "23 1 254:0 / / rw,relatime - ext4 /dev/root rw\n" + "".join(
    NFS.format(number, place, kind)
    for number, place, kind in [
        (41, "/home", "nfs4"),
        (42, "/my\\040files", "fuse.sshfs"),
        (43, "/l", "lustre"),
        (44, "/f", "fuse"),
        (45, "/tmp", "tmpfs"),
        (46, "/c", "fusectl"),
    ]
)
KINDS = {
    "NFS": (os.makedev(0, 41), True),
    "a FUSE file system with a name": (os.makedev(0, 42), True),
    "Lustre": (os.makedev(0, 43), True),
    "FUSE": (os.makedev(0, 44), True),
    "memory": (os.makedev(0, 45), False),
    "a name that begins like FUSE": (os.makedev(0, 46), False),
    "a mount that is not listed": (os.makedev(0, 47), False),
    "a disk": (os.makedev(254, 0), False),
}


@pytest.mark.skipif(not hasattr(os, "makedev"), reason="the system has no numbers of devices")
@each(KINDS, "device", "networked")
def test_network(device: int, networked: bool, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel's list of mounts says which files are on file systems of a network."""
    (tmp_path / "proc" / "self").mkdir(parents=True)
    (tmp_path / "proc" / "self" / "mountinfo").write_text(MOUNTS)
    kind = mounts.kind_of_device(device, str(tmp_path))
    monkeypatch.setattr(mounts, "kind_of_device", lambda found: kind)
    with open(path, "rb") as file:
        status = list(os.fstat(file.fileno()))
        status[2] = device
        monkeypatch.setattr(os, "fstat", lambda fd: os.stat_result(status))
        found = mounts.is_networked(file.fileno())
        monkeypatch.undo()
    assert found == networked


AHEAD = {
    "a disk": ("254:0", {"sys/class/bdi/254:0/read_ahead_kb": "8192"}, 8192 << 10),
    "a partition": ("8:1", {"sys/dev/block/8:1/size": "9", "sys/dev/block/queue/read_ahead_kb": "256"}, 256 << 10),
    "a network": ("0:41", {"sys/class/bdi/0:41/read_ahead_kb": "15360"}, 15360 << 10),
    "nonsense": ("8:0", {"sys/class/bdi/8:0/read_ahead_kb": "much"}, 128 << 10),
    "nothing": ("8:0", {}, 128 << 10),
}


@pytest.mark.skipif(not hasattr(os, "makedev"), reason="the system has no numbers of devices")
@each(AHEAD, "number", "files", "nbytes")
def test_read_ahead(number: str, files: dict[str, str], nbytes: int, tmp_path: Path) -> None:
    """The kernel says how far it reads ahead on a disk, or on the disk of a partition, or on a network."""
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"{text}\n")
    device = os.makedev(*map(int, number.split(":")))
    assert mounts.read_ahead_of_device(device, str(tmp_path)) == nbytes
    assert mounts.read_ahead(-1) == 128 << 10


@each({"far": (2 << 20, 1), "not so far": ((2 << 20) - 1, 4)}, "ahead", "threads")
def test_threads(path: Path, ahead: int, threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the kernel reads far ahead one thread fetches, and elsewhere four."""
    gate = Gate(monkeypatch, "populate")
    monkeypatch.setattr("binpickle.files.source.read_ahead", lambda fd: ahead)
    loaded = binpickle.load(path, mmap_mode="r", prefetch=True)
    assert len(fetching_threads()) == threads
    gate.open()
    end_of_fetching()
    assert gate.windows == 11
    assert loaded[1] == "text"


def test_no_list_of_mounts(tmp_path: Path) -> None:
    """Where the system lists no mounts, files are taken for local."""
    assert mounts.kind_of_device(41, str(tmp_path)) == ""
    assert not mounts.is_networked(-1)
