"""The end of a process whose event loop was stopped, and not run to its end: it comes soon, and leaves the old file."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import binpickle

PROGRAM = Path(__file__).with_name("exits.py")
OLD = binpickle.dumps("the old object")
WAYS = [
    "idle",
    "not closed",
    "closed",
    "signal",
    "nested",
    "in a thread",
    "progress",
    "sending",
    "queue",
    "iterating",
    "stuck",
    "system exit",
]
WITHOUT_UNNAMED = "import os, runpy, sys; vars(os).pop('O_TMPFILE', None); runpy.run_path(sys.argv.pop(1))"


@pytest.mark.skipif(os.name == "nt", reason="POSIX only")
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("named", [False, True], ids=["unnamed", "named"])
def test_exits(way: str, named: bool, tmp_path: Path) -> None:
    """The process ends without a signal or an error; the old file stands, and no temporary file is left."""
    (tmp_path / "file").write_bytes(OLD)
    code = ["-c", WITHOUT_UNNAMED] if named else []  # without files that have no name, the temporary file has one
    command = [sys.executable, "-W", "ignore", *code, str(PROGRAM), way, str(tmp_path)]
    ended = subprocess.run(command, capture_output=True, timeout=60)
    assert ended.stdout == (b"" if way == "system exit" else b"end\n")
    assert ended.returncode == 0
    assert b"Traceback" not in ended.stderr
    assert (tmp_path / "file").read_bytes() == OLD
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "small"]
