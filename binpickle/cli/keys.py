"""The options `--key-file` and `--context` as arguments of functions.

Rule: a key is the content of a file and never an argument of the command, which every process of the machine can read.
"""

from __future__ import annotations

import os
from typing import Any, Sequence

from ..keys import read_key

__all__ = ["folder_arguments", "key_arguments", "key_context"]


def key_arguments(key_files: Sequence[str] | None, context: str | None) -> dict[str, Any]:
    """Return the arguments `key` and `context` for a function of BinPickle.

    Args:
        key_files: paths of files that hold a key each; empty or `None` asks for no seal.
        context: the context that the file was sealed in.

    Returns:
        The keys as bytes under `key`, and `context`; empty if no seal is asked for.

    Raises:
        ValueError: there is a context and no key that could check it, or a file holds no key.
        OSError: a key file cannot be read.
    """
    found = folder_arguments(key_files, context)
    return {**found, "key": [read_key(path) for path in found["key"]]} if found else {}


def folder_arguments(key_files: Sequence[str] | None, context: str | None) -> dict[str, Any]:
    """Return the arguments `key` and `context` for a function of `binpickle_dask`, which takes keys by their paths.

    Args:
        key_files: paths of files that hold a key each; empty or `None` asks for no seal.
        context: the context that the folder was sealed in.

    Returns:
        The paths under `key`, and `context`; empty if no seal is asked for.

    Raises:
        ValueError: there is a context and no key that could check it.
    """
    if not key_files:
        if context is not None:
            raise ValueError("--context is the context of a seal, which only --key-file can check")
        return {}
    return {"key": list(key_files), "context": key_context(context or "")}


def key_context(text: str) -> bytes:
    """Return the bytes that the shell gave for a context, as a rule UTF-8."""
    return os.fsencode(text)
