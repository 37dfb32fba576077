"""`BinPickleFile.warm` reads a file, or some of its buffers, so that it is in the page cache."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from common import each
from internals import prefetching
from page_cache import PAGE, evict, resident

import binpickle
from binpickle import BinPickleFile, FormatError

MIB = 1 << 20
OBJECT = [np.random.default_rng(0).random(MIB), np.zeros(MIB), "text"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file of a raw and an encoded array that is not in the page cache."""
    binpickle.dump(OBJECT, tmp_path / "a.bpk")
    evict(tmp_path / "a.bpk")
    return tmp_path / "a.bpk"


@pytest.mark.parametrize("threads", [None, 1, 3])
@pytest.mark.parametrize("mode", [None, "r"])
def test_whole(path: Path, threads: int | None, mode: Any) -> None:
    """All pages of a file come, and `warm` returns how many bytes these are."""
    with BinPickleFile(path, mmap_mode=mode) as opened:
        assert opened.warm(threads=threads) == (opened.nbytes, opened.nbytes)
    assert resident(path).all()


def test_progress(path: Path) -> None:
    """`progress` is told the bytes that are done, and how many there are."""
    told: list[tuple[int, int | None]] = []
    with BinPickleFile(path) as opened:
        opened.warm(progress=lambda done, total: told.append((done, total)))
        assert told[-1] == (opened.nbytes, opened.nbytes)
    assert told == sorted(told)


def test_progress_that_raises(path: Path) -> None:
    """What `progress` raises ends the reading."""
    with BinPickleFile(path) as opened, pytest.raises(ZeroDivisionError):
        opened.warm(progress=lambda done, total: 1 // 0)


def test_room(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No more is read than memory has room for, and `warm` returns how much that was."""
    monkeypatch.setattr(prefetching, "available_memory", lambda: 6 * MIB)
    with BinPickleFile(path) as opened:
        assert opened.warm() == (4 * MIB, opened.nbytes)
    assert resident(path)[: 4 * MIB // PAGE].all()


def test_not_a_file() -> None:
    """Files in memory and file objects are read, which changes nothing."""
    data = binpickle.dumps(OBJECT)
    with BinPickleFile(io.BytesIO(data)) as opened:
        assert opened.warm() == (len(data), len(data))


@each(
    {
        "too large": ([2], IndexError),
        "no name": (["a"], KeyError),
        "no number": ([0.5], TypeError),
        "not a list": (1, TypeError),
    },
    "which",
    "error",
)
def test_wrong(path: Path, which: Any, error: type[Exception]) -> None:
    """A buffer that there is not is refused."""
    with BinPickleFile(path) as opened, pytest.raises(error):
        opened.warm(which)


def test_closed(path: Path) -> None:
    """A file that was closed is not read."""
    with BinPickleFile(path) as opened:
        pass
    with pytest.raises(ValueError, match="the file is closed"):
        opened.warm()


def test_truncated(path: Path) -> None:
    """A file that was cut after it was opened is truncated."""
    with BinPickleFile(path) as opened:
        os.truncate(str(path), MIB)
        with pytest.raises(FormatError, match=r"a\.bpk.*the file is truncated"):
            opened.warm()
