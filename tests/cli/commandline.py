"""An object with buffers of all kinds, and ways to run the command, for all tests of the command line."""

from __future__ import annotations

import io
import re
import subprocess
import sys
from typing import Any, Callable, NamedTuple

import numpy as np

try:
    from pickle import PickleBuffer
except ImportError:  # Python 3.7
    from pickle5 import PickleBuffer


class Raw:
    """Bytes that travel out of band."""

    def __init__(self, data: bytes):
        self.data = data

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        return bytearray, (PickleBuffer(self.data),)


NOISE = np.random.default_rng(0).integers(0, 1 << 62, 20_000)
MODEL: dict[str, Any] = {
    "weights": NOISE.reshape(200, 100),
    "counts": np.arange(50_000),
    "axes": np.arange(24_000.0).reshape(20, 30, 40).transpose(2, 0, 1),
    "records": np.zeros(3000, [("age", "<i8"), ("name", "S10")]),
    "raw": Raw(NOISE[:500].tobytes()),
    "words": ["some", "words"],
}


class Result(NamedTuple):
    """The exit code and the output of one run of the command line."""

    code: int
    out: str
    err: str


Run = Callable[..., Result]


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True

    @property
    def lines(self) -> list[str]:
        """The lines written to the terminal, without colours."""
        return re.sub("\x1b\\[[0-9;]*m", "", self.getvalue()).splitlines()


OpenTerminal = Callable[..., Terminal]
"""Puts a terminal in the place of the stream of this name; a second argument says how many columns it has."""


def python(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "binpickle", *arguments]
    return subprocess.run(command, text=True, stderr=subprocess.PIPE, timeout=60, **options)


def lines_of(text: str, start: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith(start)]
