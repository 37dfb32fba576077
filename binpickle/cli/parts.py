"""The commands `tree` and `export`: what the object of a file holds under which names, and one array of it.

Rule: nothing is unpickled and nothing imported, so both are fit for files from people one does not trust.
"""

from __future__ import annotations

import os
import sys
from typing import Sequence

import numpy as np

from binpickle import BinPickleFile

from ..show.text import nbytes_text
from .keys import key_arguments
from .screen import open_screen

__all__ = ["export", "tree"]


def tree(file: str, key_files: Sequence[str] | None = None, context: str | None = None) -> int:
    """Show the outline of the object in a file.

    Args:
        file: path of a file.
        key_files: paths of keys; the file must be sealed with one of them.
        context: the context that the file was sealed in.
    """
    screen = open_screen(sys.stdout)
    with BinPickleFile(file, **key_arguments(key_files, context)) as opened:
        for line in str(opened.tree()).splitlines():
            screen.line(line)
    return 0


def export(file: str, name: str, out: str, key_files: Sequence[str] | None = None, context: str | None = None) -> int:
    """Write one array of a file as `.npy`.

    Args:
        file: path of a file.
        name: the name of the array; the number of a buffer will do for a buffer without a name.
        out: path to write to, or `-` for stdout.
        key_files: paths of keys; the file must be sealed with one of them.
        context: the context that the file was sealed in.
    """
    with BinPickleFile(file, **key_arguments(key_files, context)) as opened:
        array = _array(opened, name)
    if np.lib.format.descr_to_dtype(np.lib.format.dtype_to_descr(array.dtype)) != array.dtype:
        raise ValueError(f"{file}: {name} is of {array.dtype}, which .npy files cannot hold")
    if out == "-":
        if sys.stdout.isatty():
            raise ValueError("an array is not for terminals: redirect the output, or name a file")
        np.save(sys.stdout.buffer, array, allow_pickle=False)
        return 0
    if os.path.exists(out) and os.path.samefile(file, out):
        raise ValueError(f"{out}: this is the file to read from; name another file to write to")
    with open(out, "wb") as file_out:
        np.save(file_out, array, allow_pickle=False)
    open_screen(sys.stdout).line(f"{out}: {array.dtype} {array.shape}, {nbytes_text(array.nbytes)}")
    return 0


def _array(opened: BinPickleFile, name: str) -> np.ndarray:
    """Return the array of a name.

    Raises:
        ValueError: nothing has the name, or what has it is no array.
    """
    if name not in opened and name.isdigit() and int(name) < len(opened.buffers):
        return opened.array(int(name))
    try:
        return opened.array(name)
    except KeyError as error:
        raise ValueError(error.args[0]) from None
