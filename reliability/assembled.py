"""The assembler of the tests, where the long runs find it too, with the opcodes that a benign stream seldom needs."""

from __future__ import annotations

import struct
import sys
from pathlib import Path

TESTS = Path(__file__).parents[1] / "tests"
sys.path.append(str(TESTS))

from assembler import (  # noqa: E402
    FALSE,
    MARK,
    NEXT,
    NONE,
    TRUE,
    build,
    call,
    dic,
    dtype,
    frame,
    glob,
    lst,
    new,
    number,
    raw,
    stream,
    structured,
    text,
    tup,
    writable,
)

__all__ = [
    "FALSE",
    "MARK",
    "MEMOIZE",
    "NEXT",
    "NONE",
    "POP",
    "TESTS",
    "TRUE",
    "build",
    "call",
    "dic",
    "dtype",
    "floating",
    "frame",
    "get",
    "glob",
    "lst",
    "new",
    "number",
    "raw",
    "stream",
    "structured",
    "text",
    "tup",
    "writable",
]

MEMOIZE, POP = b"\x94", b"0"


def get(index: int) -> bytes:
    """Push a remembered object."""
    return b"h" + bytes([index]) if index < 256 else b"j" + struct.pack("<I", index)


def floating(value: float) -> bytes:
    """Push a float."""
    return b"G" + struct.pack(">d", value)
