"""On a terminal there are colours and bars, and no text of a file acts on the terminal."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from commandline import NOISE, OpenTerminal, Run, lines_of, python

import binpickle

# A title for the window, a cleared screen, a link, an overridden direction, rich's markup, a second line.
HOSTILE = "\x1b]0;title\x07\x1b[2J\x9b31m\x1b]8;;http://a\x1b\\\u202egnp\u2069\r\x08[red]x[/red]:boom:\nsecond\x7f"


@pytest.fixture
def hostile(run: Run) -> str:
    """A file whose name and texts all try to act on a terminal."""
    path = HOSTILE.replace("/", "|") + ".bpk"
    fields = [(HOSTILE, "i4"), ("[bold]", "f8")]
    binpickle.dump([np.zeros(99, fields), NOISE], path, metadata={HOSTILE: HOSTILE, "[link=http://a]": "[blink]"})
    return path


@pytest.mark.parametrize(
    "arguments",
    [
        ["info", "{}"],
        ["info", "{}", "--all"],
        ["info", "{}", "--json"],
        ["inspect", "{}"],
        ["inspect", "{}", "--json"],
        ["verify", "{}", "{}.missing"],
        ["repack", "{}", "{}.again"],
        ["repack", "{}", "no/{}"],
        ["info", "{}", "{}"],
        ["warm", "{}"],
        ["warm", "{}", "{}"],
        ["extract-stream", "{}", "{}"],
    ],
    ids=" ".join,
)
def test_hostile(run: Run, hostile: str, arguments: list[str]) -> None:
    """Whatever text a file, its name or an argument has, only printable text, tabs and ends of lines come out."""
    result = run(*(argument.format(hostile) for argument in arguments))
    shown = result.out + result.err
    assert shown.replace("\n", "").replace("\t", "").isprintable()
    assert {line.count("\t") for line in shown.splitlines()} <= {0, 1, 9}
    assert not lines_of(shown, "second")
    assert "u202egnp" in shown


def test_hostile_damage(run: Run, hostile: str) -> None:
    """The messages of errors are escaped."""
    data = bytearray(Path(hostile).read_bytes())
    data[len(data) // 2] ^= 1
    Path(hostile).write_bytes(data)
    result = run("verify", hostile)
    assert result.code == 1
    assert (result.out + result.err).replace("\n", "").isprintable()


def test_narrow_encoding(run: Run) -> None:
    """Characters that the encoding of the output lacks are escaped."""
    binpickle.dump(None, "f.bpk", metadata={"name": "naïve 数"})
    environ = {**os.environ, "PYTHONIOENCODING": "ascii"}
    result = python("info", "f.bpk", stdout=subprocess.PIPE, env=environ)
    assert (result.returncode, result.stderr) == (0, "")
    assert "metadata\tname: na\\xefve \\u6570" in result.stdout


def test_terminal_hostile(run: Run, hostile: str, terminal: OpenTerminal) -> None:
    """With rich, colours are the only control sequences, and markup in a file is plain text."""
    pytest.importorskip("rich")
    screen = terminal("stdout")
    assert run("info", hostile).code == 0
    shown = "\n".join(screen.lines)
    assert shown.replace("\n", "").isprintable()
    assert "[link=http://a]: [blink]" in shown
    assert "[red]x" in shown
    assert ":boom:" in shown


@pytest.mark.parametrize("columns", [50, 80, 200])
def test_terminal_colours(run: Run, model: str, terminal: OpenTerminal, columns: int) -> None:
    """On a terminal with rich the drawing has colours and fills a line, and no line is wider than the terminal."""
    pytest.importorskip("rich")
    screen = terminal("stdout", columns)
    assert run("info", model).code == 0
    assert len(set(re.findall("\x1b\\[30;48;5;([0-9]+)m", screen.getvalue()))) == 6
    assert max(map(len, screen.lines)) == columns
    assert len([line for line in screen.lines if re.match("^s+A+B+C+.*[.]+$", line)]) == 1


def test_terminal_no_colours(run: Run, model: str, terminal: OpenTerminal, monkeypatch: pytest.MonkeyPatch) -> None:
    """With `NO_COLOR` there are no colours."""
    pytest.importorskip("rich")
    monkeypatch.setenv("NO_COLOR", "1")
    screen = terminal("stdout")
    assert run("info", model).code == 0
    assert "\x1b[3" not in screen.getvalue()


def test_terminal_without_rich(run: Run, model: str, terminal: OpenTerminal, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without rich a terminal shows the plain text that is piped, and no bar."""
    commands = [["info", model], ["verify", model], ["repack", model, "new.bpk"], ["inspect", model]]
    piped = [run(*command).out for command in commands]
    monkeypatch.setitem(sys.modules, "rich", None)
    for command, expected in zip(commands, piped):
        screen, errors = terminal("stdout"), terminal("stderr")
        assert run(*command).code == 0
        assert (screen.getvalue(), errors.getvalue()) == (expected, "")


def test_piped(run: Run, model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Piped output is plain and has no bar, even with rich installed and `FORCE_COLOR` set."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    for command in [["info", model], ["verify", model], ["repack", model, "new.bpk"], ["inspect", model]]:
        result = run(*command)
        assert (result.code, result.err) == (0, "")
        assert result.out.replace("\n", "").replace("\t", "").isprintable()


@pytest.mark.parametrize(
    "arguments",
    [["verify", "model.bpk"], ["repack", "model.bpk", "[red].bpk"], ["warm", "model.bpk"]],
    ids=lambda words: words[0],
)
def test_progress(run: Run, model: str, terminal: OpenTerminal, arguments: list[str]) -> None:
    """On a terminal a bar on stderr shows the progress and is gone at the end; the result goes to stdout."""
    pytest.importorskip("rich")
    screen = terminal("stderr")
    result = run(*arguments)
    assert result.code == 0
    assert result.out.startswith(arguments[-1])
    shown = re.sub("\x1b\\[[0-9;?]*[a-zA-Z]", "", screen.getvalue())
    assert arguments[-1] in shown
    assert "kB" in shown
    assert screen.getvalue().endswith("\x1b[2K")


@pytest.mark.parametrize("columns", [50, 80, 200])
def test_progress_is_one_line(run: Run, model: str, terminal: OpenTerminal, columns: int) -> None:
    """The bar, a long name and the numbers fit one line."""
    pytest.importorskip("rich")
    name = "a long name of a model that was trained on a Tuesday.bpk"
    os.rename(model, name)
    screen = terminal("stderr", columns)
    assert run("warm", name).code == 0
    shown = re.sub("\x1b\\[[0-9;?]*[a-zA-Z]", "", screen.getvalue())
    lines = [line for line in re.split("[\r\n]+", shown) if line.strip()]
    assert all(line.startswith("a long name") and len(line) <= columns for line in lines)
    assert re.search(r" [0-9.]+/[0-9.]+ kB ", lines[-1])


def test_stream_on_terminal(run: Run, model: str, terminal: OpenTerminal) -> None:
    """`extract-stream` refuses to write to a terminal, on which the bytes of a pickle would act."""
    screen = terminal("stdout")
    result = run("extract-stream", model, "-")
    assert result.code == 1
    assert "a pickle stream is not for terminals" in result.err
    assert screen.getvalue() == ""
