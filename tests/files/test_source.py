"""Files that change while they are read, and file systems that map no files."""

from __future__ import annotations

import errno
import io
import mmap
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from common import assert_same, each

import binpickle
from binpickle import BinPickleFile, FormatError, FormatWarning

OBJECT = [np.arange(100_000), "text"]


@pytest.mark.parametrize("share", [0, 0.5])
def test_path_that_shrinks(share: float, tmp_path: Path) -> None:
    """A file that is cut off after it was opened is truncated, wherever the cut is."""
    path = tmp_path / "a.bpk"
    binpickle.dump(OBJECT, path, codecs=[])
    with BinPickleFile(path) as opened:
        os.truncate(str(path), int(share * path.stat().st_size))
        with pytest.raises(FormatError, match="the file is truncated"):
            opened.load()


class Reading(io.BytesIO):
    """A file object in memory with a `read` of its own, so that it is read by seeking."""

    def read(self, size: int | None = -1) -> bytes:
        return super().read(size)


def test_file_object_that_shrinks() -> None:
    """A file object that ends earlier than it did when it was opened is truncated."""
    file = Reading(binpickle.dumps(OBJECT, codecs=[]))
    with BinPickleFile(file) as opened:
        file.truncate(file.seek(0, io.SEEK_END) // 2)
        with pytest.raises(FormatError, match="the file is truncated"):
            opened.load()


@each({"no mapping": errno.ENODEV, "no permission": errno.EACCES, "unsuitable": errno.EINVAL}, "code")
@pytest.mark.parametrize("mode", ["r", "c"])
def test_file_system_that_maps_no_files(code: int, mode: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the file system maps no files, a file is read into memory, and a warning says so."""
    binpickle.dump(OBJECT, tmp_path / "a.bpk", mappable=True)
    _refuse_to_map(code, monkeypatch)
    with pytest.warns(FormatWarning):
        got = binpickle.load(tmp_path / "a.bpk", mmap_mode=mode)
    assert_same(got, OBJECT, writeable=mode == "c")


def test_no_room_to_map(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Any other error of mapping a file is raised."""
    binpickle.dump(OBJECT, tmp_path / "a.bpk", mappable=True)
    _refuse_to_map(errno.ENOMEM, monkeypatch)
    with pytest.raises(OSError, match=os.strerror(errno.ENOMEM)):
        binpickle.load(tmp_path / "a.bpk", mmap_mode="r")


def _refuse_to_map(code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(mmap, "mmap", refuse)
