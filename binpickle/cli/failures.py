"""Failures as one line on stderr.

Rule: the line holds printable text only, and names a Python exception only where its message does not explain itself.
"""

from __future__ import annotations

import os
import sys

from binpickle import BinPickleError

from ..show.text import printable

__all__ = ["error_text", "print_error"]

# The messages of these are written for whoever gave the arguments; other messages need the name of their exception.
_READABLE = (BinPickleError, OSError, ValueError, TypeError, ImportError)


def print_error(text: str) -> None:
    """Write one line to stderr."""
    print(f"binpickle: {printable(text)}", file=sys.stderr)


def error_text(error: Exception) -> str:
    """Return the message of an exception, for users who do not know Python."""
    if isinstance(error, OSError) and error.strerror:
        name = error.filename
        if name is None:
            return error.strerror
        return f"{os.fsdecode(name) if isinstance(name, bytes) else name}: {error.strerror}"
    return str(error) if isinstance(error, _READABLE) and str(error) else f"{type(error).__name__}: {error}"
