"""Keys in files, whose bytes they are, and the context that they are used in: for the command line, and for workers.

Rule: a key is never an argument, which every process of the machine can read, nor does it travel.
"""

from __future__ import annotations

import os
from typing import Any, Sequence

from ..keys import read_key

__all__ = ["folder_arguments", "key_arguments", "key_context"]


def key_arguments(key_files: Sequence[str] | None, context: str | None) -> dict[str, Any]:
    """Return the arguments `key` and `context` for a function of BinPickle.

    Args:
        key_files: paths, one a key; none or `None` asks for no seal.
        context: what the seal was made for.

    Raises:
        ValueError: there is a context and no key, so that nothing would be compared with it; a file is no key.
        OSError: a key file cannot be read.
    """
    found = folder_arguments(key_files, context)
    return {**found, "key": [read_key(path) for path in found["key"]]} if found else {}


def folder_arguments(key_files: Sequence[str] | None, context: str | None) -> dict[str, Any]:
    """Return the same for a function of `binpickle_dask`, which takes keys by their paths.

    Args:
        key_files: paths, one a key; none or `None` asks for no seal.
        context: what the seals were made for.

    Raises:
        ValueError: there is a context and no key, so that nothing would be compared with it.
    """
    if not key_files:
        if context is not None:
            raise ValueError("--context says what a seal was made for, which only --key-file can check")
        return {}
    return {"key": list(key_files), "context": key_context(context or "")}


def key_context(text: str) -> bytes:
    """Return the bytes of a context: those that the shell gave, as a rule UTF-8."""
    return os.fsencode(text)
