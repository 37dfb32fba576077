"""The commands for parts of a file: `tree` shows their names, `export` writes one, `warm` reads them beforehand.

Rule: nothing is unpickled and nothing imported, so all are fit for files from people one does not trust.
"""

from __future__ import annotations

import os
import sys
import time
from typing import Sequence

import numpy as np

from binpickle import BinPickleFile

from ..show.text import nbytes_text
from .keys import key_arguments
from .screen import open_screen, progress_bar

__all__ = ["export", "tree", "warm"]


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
            screen.clipped(line)
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
        try:
            array = opened.array(_chosen(opened, name))
        except LookupError as error:
            raise ValueError(f"{file}: {error.args[0]}") from None
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


def warm(
    file: str,
    names: Sequence[str] | None = None,
    key_files: Sequence[str] | None = None,
    context: str | None = None,
) -> int:
    """Read a file, or some of its buffers, so that it is in the page cache of the system.

    Args:
        file: path of the file.
        names: names of arrays, or of what lies above them, or numbers of buffers; by default the whole file.
        key_files: paths of keys; the file must be sealed with one of them.
        context: the context that the file was sealed in.
    """
    begin = time.monotonic()
    sealing = key_arguments(key_files, context)
    with BinPickleFile(file, **sealing) as opened, progress_bar(sys.stderr, file) as progress:
        try:
            which = [_chosen(opened, name) for name in names] if names else None
            done, total = opened.warm(which, progress=progress)
        except LookupError as error:
            raise ValueError(f"{file}: {error.args[0]}") from None
    seconds = time.monotonic() - begin
    if done < total:
        some = f"{nbytes_text(done)} of {nbytes_text(total)} are in the page cache, {seconds:.2f} s"
        open_screen(sys.stdout).line(f"{file}: {some}; memory has no room for the rest")
    else:
        open_screen(sys.stdout).line(f"{file}: {nbytes_text(done)} are in the page cache, {seconds:.2f} s")
    return 0


def _chosen(opened: BinPickleFile, text: str) -> str | int:
    """Return what a word on the command line stands for: a name, or the number of a buffer if nothing has the name."""
    return text if text in opened or not text.isdigit() else int(text)
