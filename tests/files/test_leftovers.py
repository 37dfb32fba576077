"""What killed writers leave where temporary files have names, and what a later dump removes of it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Iterator

import pytest
from common import leftovers
from internals import atomic_module, open_sink

pytestmark = pytest.mark.skipif(os.name != "posix", reason="locks that end with their process are those of POSIX")

TESTS = str(Path(__file__).parents[1])
DAY = 24 * 60 * 60
NAMED = "from internals import Folder; Folder.takes_unnamed = False\n"
DUMP = NAMED + "import sys, binpickle\nfor path in sys.argv[1:]: binpickle.dump(1, path)"
HANG = (
    NAMED
    + """
import sys, time
from internals import open_sink
with open_sink(sys.argv[1]) as sink:
    sink.write(bytes(1 << 20))
    print("written", flush=True)
    time.sleep(600)
"""
)


def run(program: str, *paths: Path) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([TESTS, *sys.path])}
    command = [sys.executable, "-c", program, *map(str, paths)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


def dump(*paths: Path) -> None:
    """Dump in another process, since each process sweeps a folder once."""
    with run(DUMP, *paths) as process:
        assert process.wait() == 0


def age(path: Path, seconds: float) -> Path:
    then = time.time() - seconds
    os.utime(path, (then, then), follow_symlinks=False)
    return path


def left(folder: Path, name: str = ".a.0123abcd.bpk-tmp", seconds: float = 2 * DAY) -> Path:
    path = folder / name
    path.write_bytes(b"some")
    return age(path, seconds)


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that is writing a file."""
    with run(HANG, tmp_path / "held") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "written\n"
        yield process
        process.kill()


def test_old_ones_are_removed(tmp_path: Path) -> None:
    """A dump removes the old temporary files of its folder, whatever file they were for."""
    left(tmp_path)
    left(tmp_path, "..fedcba98.bpk-tmp")  # of a name that is not UTF-8
    left(tmp_path, ".another\nname.bpk.89abcdef.bpk-tmp")
    dump(tmp_path / "new")
    assert leftovers(tmp_path) == []
    assert [path.name for path in tmp_path.iterdir()] == ["new"]


def test_others_stay(tmp_path: Path) -> None:
    """A dump does not remove what is young, no file, no temporary file, or someone else's."""
    others = [
        left(tmp_path, seconds=DAY - 600),
        left(tmp_path, ".a.0123abc.bpk-tmp"),
        left(tmp_path, "a.0123abcd.bpk-tmp"),
        left(tmp_path, ".a.0123abcd.bpk-tmp.bpk"),
        tmp_path / ".b.0123abcd.bpk-tmp",
        tmp_path / ".c.0123abcd.bpk-tmp",
    ]
    others[-1].mkdir()
    others[-2].symlink_to(others[0])
    for path in others[-2:]:
        age(path, 2 * DAY)
    if os.geteuid() == 0:
        others.append(left(tmp_path, ".d.0123abcd.bpk-tmp"))
        os.chown(others[-1], 1500, 1500)
    dump(tmp_path / "new")
    assert sorted(tmp_path.iterdir()) == sorted([*others, tmp_path / "new"])


def test_one_that_is_written_stays(tmp_path: Path, writer: subprocess.Popen[str]) -> None:
    """A dump does not remove what another process still writes, however old it seems; it does once that is killed."""
    (held,) = leftovers(tmp_path)
    age(tmp_path / held, 2 * DAY)
    dump(tmp_path / "new")
    assert leftovers(tmp_path) == [held]
    writer.kill()
    writer.wait()
    dump(tmp_path / "new")
    assert leftovers(tmp_path) == []


def test_once_a_folder(tmp_path: Path) -> None:
    """A process sweeps each of the folders that it writes to."""
    paths = [tmp_path / name / "new" for name in "ab"]
    for path in paths:
        path.parent.mkdir()
        left(path.parent)
    dump(*paths)
    assert [leftovers(path.parent) for path in paths] == [[], []]


@pytest.mark.skipif(not hasattr(os, "O_TMPFILE"), reason="elsewhere all temporary files have names")
@pytest.mark.parametrize("old", [False, True])
@pytest.mark.parametrize("nbytes", [atomic_module.HELD, atomic_module.HELD + 1])
def test_nothing_shows(nbytes: int, old: bool, tmp_path: Path) -> None:
    """On Linux no temporary file shows while a file is written, be it small or large, new or to replace another."""
    path = tmp_path / "a"
    if old:
        path.write_bytes(b"old")
    with open_sink(str(path)) as sink:
        sink.write(bytes(nbytes))
        assert os.listdir(tmp_path) == ["a"] * old
    assert path.stat().st_size == nbytes


def test_folder_that_cannot_be_listed(tmp_path: Path) -> None:
    """A dump into a folder that cannot be listed sweeps nothing, and works."""
    tmp_path.chmod(0o300)
    try:
        dump(tmp_path / "new")
    finally:
        tmp_path.chmod(0o700)
    assert (tmp_path / "new").exists()
