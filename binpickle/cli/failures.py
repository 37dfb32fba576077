"""How the command line says what went wrong: one line on stderr."""

from __future__ import annotations

import os
import sys

from binpickle import BinPickleError

from ..show.text import printable

__all__ = ["error_text", "print_error"]

# Their texts are written for whoever gave the arguments; the text of another exception needs its name.
_SPEAKING = (BinPickleError, OSError, ValueError, TypeError, ImportError)


def print_error(text: str) -> None:
    """Write one line to stderr."""
    print(f"binpickle: {printable(text)}", file=sys.stderr)


def error_text(error: Exception) -> str:
    """Return what an exception says, without Python's names where it needs none."""
    if isinstance(error, OSError) and error.strerror:
        name = error.filename
        return (
            error.strerror
            if name is None
            else f"{os.fsdecode(name) if isinstance(name, bytes) else name}: {error.strerror}"
        )
    return str(error) if isinstance(error, _SPEAKING) and str(error) else f"{type(error).__name__}: {error}"
