"""`binpickle.files.write_atomically`: a file appears whole under its name, or not at all."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest
from common import choose_temporary, each, leftovers
from internals import linux_module, open_sink, temporary_module

from binpickle.files import write_atomically

posix = pytest.mark.skipif(os.name == "nt", reason="needs the modes and links of POSIX")


@each({"bytes": b"abc", "nothing": b"", "an array": memoryview(bytearray(b"abcd")).cast("H")})
def test_written(row: bytes, tmp_path: Path) -> None:
    """The file holds the bytes of any contiguous buffer, and no temporary file is left."""
    write_atomically(str(tmp_path / "a"), row)
    assert (tmp_path / "a").read_bytes() == bytes(row)
    assert leftovers(tmp_path) == []


@posix
def test_replaced(tmp_path: Path) -> None:
    """A file that exists is replaced by another one of the same mode; a symbolic link to it stays a link."""
    path, link = tmp_path / "a", tmp_path / "link"
    path.write_bytes(b"old")
    path.chmod(0o640)
    link.symlink_to(path)
    with open(path, "rb") as reader:
        write_atomically(str(link), b"new")
        assert reader.read() == b"old"
    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode), link.is_symlink()) == (b"new", 0o640, True)


def test_exclusive(tmp_path: Path) -> None:
    """An exclusive write refuses a file that exists, and leaves it as it was."""
    path = tmp_path / "a"
    write_atomically(str(path), b"first", exclusive=True)
    with pytest.raises(FileExistsError, match=path.name):
        write_atomically(str(path), b"second", exclusive=True)
    assert path.read_bytes() == b"first"
    assert leftovers(tmp_path) == []


@posix
@pytest.mark.parametrize("unnamed", [True, False])
@pytest.mark.parametrize("renameat2", [True, False])
def test_no_hard_links(renameat2: bool, unnamed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An exclusive write needs no hard links: without `renameat2`, too, only one of two writers makes the file."""
    refuse_links(monkeypatch)
    if not renameat2:
        monkeypatch.setattr(linux_module, "c_function", lambda *_: None)
    choose_temporary(monkeypatch, not unnamed)
    path = tmp_path / "a"
    write_atomically(str(path), b"first", exclusive=True)
    with pytest.raises(FileExistsError, match=path.name):
        write_atomically(str(path), b"second", exclusive=True)
    assert path.read_bytes() == b"first"
    assert os.listdir(tmp_path) == ["a"]


@posix
def test_name_taken_at_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that another program makes meanwhile is not replaced by an exclusive write, in any way of making names."""
    path = tmp_path / "a"
    for way in ("link", "renameat2", "O_EXCL"):
        if way == "renameat2":
            refuse_links(monkeypatch)
        if way == "O_EXCL":
            monkeypatch.setattr(linux_module, "c_function", lambda *_: None)
        with pytest.raises(FileExistsError, match=path.name):
            write_too_late(path)
        assert path.read_bytes() == b"first"
        assert os.listdir(tmp_path) == ["a"]
        path.unlink()


def write_too_late(path: Path) -> None:
    with open_sink(str(path), exclusive=True) as sink:
        sink.write(b"second")
        path.write_bytes(b"first")


def refuse_links(monkeypatch: pytest.MonkeyPatch) -> None:
    def link(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", link)
    monkeypatch.setattr(temporary_module, "NAMEABLE", {})  # what is found out meanwhile is no longer true afterwards


@posix
@pytest.mark.parametrize("durable", [None, False])
def test_name_taken_by_a_private_file(durable: bool | None, tmp_path: Path) -> None:
    """A file that appears while a new one is written is replaced, and keeps its mode."""
    path = tmp_path / "a"
    with open_sink(str(path), durable) as sink:
        sink.write(b"new")
        path.write_bytes(b"old")
        path.chmod(0o600)
    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (b"new", 0o600)
    assert os.listdir(tmp_path) == ["a"]


@posix
def test_exclusive_refuses_links(tmp_path: Path) -> None:
    """An exclusive write refuses a symbolic link, also one that leads nowhere, and makes no file where it leads."""
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "nowhere")
    with pytest.raises(FileExistsError, match="link"):
        write_atomically(str(link), b"abc", exclusive=True)
    assert os.listdir(tmp_path) == ["link"]


@posix
@each(
    {
        "always": (True, False, 2),
        "for a new file": (None, False, 0),
        "for an old file": (None, True, 1),
        "never": (False, True, 0),
    }
)
def test_durable(row: tuple, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`durable` syncs file and folder, the file alone if it replaces another, or nothing."""
    durable, exists, count = row
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    if exists:
        (tmp_path / "a").write_bytes(b"old")
    write_atomically(str(tmp_path / "a"), b"abc", durable=durable)
    assert len(synced) == count


def test_failure_leaves_the_old_file(tmp_path: Path) -> None:
    """Data that is no buffer is a TypeError, and the old file stays."""
    (tmp_path / "a").write_bytes(b"old")
    with pytest.raises(TypeError):
        write_atomically(str(tmp_path / "a"), "text")
    assert (tmp_path / "a").read_bytes() == b"old"
    assert leftovers(tmp_path) == []
