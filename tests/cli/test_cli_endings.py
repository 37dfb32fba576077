"""Every failure of the command line ends with one line and an exit code, never with a traceback."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commandline import Run

import binpickle


@pytest.mark.parametrize(
    ("code", "arguments", "words"),
    [
        (1, "info missing.bpk", "missing.bpk: No such file or directory"),
        (1, "info text", "text: not a BinPickle file"),
        (1, "info text --json", "text: not a BinPickle file"),
        (1, "info truncated", "truncated: the file is truncated"),
        (3, "inspect missing.bpk", "missing.bpk: No such file or directory"),
        (3, "inspect text", "text: not a BinPickle file"),
        (3, "inspect truncated", "truncated: the file is truncated"),
        (1, "verify text", "1 of 1 file is damaged or cannot be read: text"),
        (1, "repack damaged.bpk new.bpk", "damaged.bpk: chunk "),
        (1, "repack missing.bpk new.bpk", "missing.bpk: No such file"),
        (1, "repack model.bpk no/new.bpk", "No such file"),
        (1, "repack model.bpk new.bpk --codec nonsense", "nonsense"),
        (1, "repack model.bpk new.bpk --codec shuffle:4", "--codec shuffle:4: only blosc, bz2, gzip"),
        (1, "repack model.bpk new.bpk --codec zstd:high", "--codec zstd:high: the level is not a whole number"),
        (1, "repack model.bpk new.bpk --codec gzip:10", "codec 'gzip' cannot encode"),
        (1, "repack model.bpk -", "a file of that name is ./-"),
        (1, "warm missing.bpk", "missing.bpk: No such file or directory"),
        (1, "warm text", "text: not a BinPickle file"),
        (1, "warm model.bpk 0 9", "model.bpk: there is no buffer 9: the file has 5"),
        (1, "warm model.bpk -- -1", "model.bpk: nothing is named '-1'"),
        (1, "extract-stream model.bpk model.bpk", "model.bpk: this is the file to read from"),
        (1, "extract-stream model.bpk no/out", "no/out: No such file or directory"),
        (1, "extract-stream text out", "text: not a BinPickle file"),
        (2, "", "arguments are required: COMMAND"),
        (2, "info", "arguments are required: FILE"),
        (2, "nonsense", "nonsense"),
        (2, "info model.bpk --nonsense", "unrecognized arguments: --nonsense"),
        (2, "repack model.bpk new.bpk --codec zstd --mappable", "not allowed with"),
    ],
)
def test_failures(run: Run, damaged: str, code: int, arguments: str, words: str) -> None:
    """Every failure is one line on stderr and an exit code, and leaves no file."""
    Path("text").write_text("What is this?\n" * 9)
    Path("truncated").write_bytes(Path("model.bpk").read_bytes()[:-9])
    before = sorted(os.listdir("."))
    result = run(*arguments.split())
    assert result.code == code
    assert words in result.err
    assert result.err.startswith("binpickle: ")
    assert result.err.count("\n") == 1
    assert sorted(os.listdir(".")) == before


@pytest.mark.parametrize(
    ("error", "code", "err"),
    [
        (KeyboardInterrupt(), 130, "binpickle: interrupted\n"),
        (BrokenPipeError(), 141, ""),
        (MemoryError(), 1, "binpickle: MemoryError: \n"),
        (ZeroDivisionError("what\never"), 1, "binpickle: ZeroDivisionError: what\\never\n"),
        (PermissionError(13, "Permission denied", b"a\xff.bpk"), 1, "binpickle: a\\udcff.bpk: Permission denied\n"),
        (OSError("odd"), 1, "binpickle: odd\n"),
    ],
    ids=repr,
)
def test_exceptions(
    run: Run, model: str, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int, err: str
) -> None:
    """No exception becomes a traceback."""

    def fail(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(binpickle, "repack", fail)
    assert run("repack", model, "new.bpk") == (code, "", err)


@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX")
def test_terminated(run: Run, model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGTERM unwinds the command, so that temporary files are removed, and its handler is restored afterwards."""
    unwound = []

    def wait(*_: Any, **__: Any) -> None:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(10)
        finally:
            unwound.append(True)

    monkeypatch.setattr(binpickle, "repack", wait)
    before = signal.getsignal(signal.SIGTERM)
    assert run("repack", model, "new.bpk") == (128 + signal.SIGTERM, "", "")
    assert unwound == [True]
    assert signal.getsignal(signal.SIGTERM) == before


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device of Linux")
@pytest.mark.parametrize(
    ("arguments", "reader", "code", "err"),
    [
        ("info many.bpk --all", "| head -n 1", 141, ""),
        ("info many.bpk --json", "| true", 141, ""),
        ("extract-stream many.bpk -", "| true", 141, ""),
        ("info many.bpk > /dev/full", "", 1, "binpickle: No space left on device\n"),
        ("extract-stream many.bpk - > /dev/full", "", 1, "binpickle: No space left on device\n"),
        ("info many.bpk >&-", "", 1, "binpickle: there is no standard output\n"),
        ("info missing.bpk 2>&-", "", 1, ""),
    ],
)
def test_output_refused(run: Run, arguments: str, reader: str, code: int, err: str) -> None:
    """The command ends quietly when nobody reads its output, and with one line when the disk is full."""
    binpickle.dump([list(range(100_000)), [np.arange(n) for n in range(200, 1500)]], "many.bpk")
    script = f"exec 3>code; {{ {sys.executable} -m binpickle {arguments}; echo $? >&3; }} {reader}"
    result = subprocess.run(["sh", "-c", script], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=60)
    assert result.stderr.decode() == err
    assert int(Path("code").read_text()) == code
