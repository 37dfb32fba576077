"""`binpickle.files.write_atomically`: a file appears whole under its name, or not at all."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest
from common import each, leftovers

from binpickle.files import NO_HARD_LINKS, write_atomically

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
@pytest.mark.parametrize("code", sorted(NO_HARD_LINKS), ids=errno.errorcode.get)
def test_no_hard_links(code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a file system has no hard links, an exclusive write fails with that error, and leaves nothing."""

    def link(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "link", link)
    with pytest.raises(OSError, match=r"/a'") as caught:
        write_atomically(str(tmp_path / "a"), b"abc", exclusive=True)
    assert caught.value.errno == code
    assert os.listdir(tmp_path) == []


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
