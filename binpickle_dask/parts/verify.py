"""Whether a snapshot is whole: all its files against their checksums, and in a folder with keys against their seals.

Rule: nothing is unpickled, and decoded only on request. A damaged file becomes a message, and does not end the search.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import Any, Callable, Iterator

import binpickle
from binpickle.errors import BinPickleError

from ..folder.folder import Folder
from ..folder.hosts import HOST
from ..folder.layout import META, RUN_FILE
from ..folder.manifest import Manifest
from .file import PartFile

__all__ = ["Progress", "find_errors"]

Progress = Callable[[int, int], Any]
"""The `progress` argument: called with how much is done, and how much there is in total."""


def find_errors(folder: Folder, manifest: Manifest, decode: bool, progress: Progress | None) -> list[str]:
    """Return messages about all damaged or missing files of a snapshot.

    Args:
        folder: the folder that holds the snapshot.
        manifest: the manifest of the snapshot, checked when it was read.
        decode: decode the data of the files, too.
        progress: called with the bytes of the parts done and in total.

    Raises:
        OSError: a key cannot be read.
    """
    errors: list[str] = []
    done, total = 0, sum(sum(item.nbytes) for item in manifest.items)
    for item in manifest.items:
        for position, name in enumerate(item.part_names()):
            file = PartFile(folder, manifest.run, name)
            with _noting(errors, file.path):
                file.check(item, position)
                errors += _damages(file, decode)
            done += item.nbytes[position]
            if progress is not None:
                progress(done, total)
    meta = PartFile(folder, manifest.run, META)
    with _noting(errors, meta.path):
        errors += _damages(meta, decode)
    # Only a save that continues the run relies on its run file.
    path = folder.path(manifest.run, RUN_FILE)
    with _noting(errors, path):
        if folder.read_run(manifest.run) is None:
            errors.append(f"{path}: the file is missing or damaged (host {HOST})")
    return errors


@contextmanager
def _noting(errors: list[str], path: str) -> Iterator[None]:
    """Turn errors about a file into messages."""
    try:
        yield
    except FileNotFoundError:
        errors.append(f"{path}: the file is missing (host {HOST})")
    except OSError as error:
        errors.append(f"{path}: the file cannot be read: {error.strerror}")
    except BinPickleError as error:
        errors.append(str(error))


def _damages(file: PartFile, decode: bool) -> list[str]:
    with binpickle.BinPickleFile(file.path, **file.sealed) as opened:
        return [f"{file.path}: {error}" for error in opened.find_errors(decode=decode)]
