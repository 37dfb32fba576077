"""The command line in a folder of its own, files for it to read, and terminals for it to write to."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from commandline import MODEL, OpenTerminal, Result, Run, Terminal
from internals import entry as cli

import binpickle


def choose(buffer: memoryview) -> str | None:
    """Compress the counts and the records only."""
    return "zstd" if buffer.nbytes in (MODEL["counts"].nbytes, MODEL["records"].nbytes) else None


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the command line in a folder of its own."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> Result:
        try:
            code = cli.main(arguments)
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 0
        return Result(code, *capsys.readouterr())

    return run


@pytest.fixture
def model(run: Run) -> str:
    """A file with metadata and some buffers, two of them compressed."""
    metadata = {"author": "me", "trained": "on a Tuesday"}
    binpickle.dump(MODEL, "model.bpk", codecs=[choose], metadata=metadata, digests=True)
    return "model.bpk"


@pytest.fixture
def damaged(model: str) -> str:
    """A copy of `model` with one bit changed in the largest buffer."""
    data = bytearray(Path(model).read_bytes())
    data[len(data) // 2] ^= 1
    Path("damaged.bpk").write_bytes(data)
    return "damaged.bpk"


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> OpenTerminal:
    """Puts a terminal in the place of stdout or stderr."""
    for name, value in [("TERM", "xterm-256color"), ("LINES", "24")]:
        monkeypatch.setenv(name, value)
    for name in ["NO_COLOR", "FORCE_COLOR", "COLORTERM", "TTY_COMPATIBLE", "TTY_INTERACTIVE"]:
        monkeypatch.delenv(name, raising=False)

    def replace(name: str, columns: int = 80) -> Terminal:
        monkeypatch.setenv("COLUMNS", str(columns))
        stream = Terminal()
        monkeypatch.setattr(sys, name, stream)
        return stream

    return replace
