"""Whether a snapshot is whole: all its files against their checksums, and with a key against their seals.

Rule: nothing is unpickled or decoded. What is wrong is said in words, and does not end the search.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import Any, Callable, Iterator

import binpickle
from binpickle.errors import BinPickleError

from ..folder.manifest import Manifest
from ..folder.paths import HOST, META, RUN_FILE, read_run
from ..folder.sealing import Sealing
from .loader import check_part

__all__ = ["find_errors"]


def find_errors(
    root: str, manifest: Manifest, sealing: Sealing, progress: Callable[[int, int], Any] | None
) -> list[str]:
    """Return what is wrong with the files of a snapshot.

    Args:
        root: the folder.
        manifest: of the snapshot; checked when it was read.
        sealing: what all must be sealed with.
        progress: called with the bytes of the parts done and in total.

    Raises:
        OSError: a key cannot be read.
    """
    errors: list[str] = []
    done, total = 0, sum(sum(item.nbytes) for item in manifest.items)
    folder = os.path.join(root, manifest.run)
    for item in manifest.items:
        for position, name in enumerate(item.part_names()):
            path = os.path.join(folder, name)
            sealed = sealing.arguments(path)
            with _noting(errors, path):
                check_part(path, item, position, sealed)
                errors += _damages(path, sealed)
            done += item.nbytes[position]
            if progress is not None:
                progress(done, total)
    meta = os.path.join(folder, META)
    sealed = sealing.arguments(meta)
    with _noting(errors, meta):
        errors += _damages(meta, sealed)
    return errors + _errors_of_run(root, manifest.run, sealing)


@contextmanager
def _noting(errors: list[str], path: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        errors.append(f"{path}: the file is missing (host {HOST})")
    except OSError as error:
        errors.append(f"{path}: the file cannot be read: {error.strerror}")
    except BinPickleError as error:
        errors.append(str(error))


def _damages(path: str, sealed: dict[str, Any]) -> list[str]:
    with binpickle.BinPickleFile(path, **sealed) as file:
        return [f"{path}: {error}" for error in file.find_errors()]


def _errors_of_run(root: str, run: str, sealing: Sealing) -> list[str]:
    """What is wrong with the file that says what a run is of; only who goes on with the run relies on it."""
    errors: list[str] = []
    path = os.path.join(root, run, RUN_FILE)
    with _noting(errors, path):
        if read_run(root, run, sealing.check) is None:
            errors.append(f"{path}: the file is missing or damaged (host {HOST})")
    return errors
