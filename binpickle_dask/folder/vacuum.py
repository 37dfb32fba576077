"""Removing from a folder what is no longer needed: old snapshots, and runs that were given up.

Rule: the current snapshot is never touched, nor what may still become one. Seals are not checked: who could forge what
this reads could as well remove the files.
"""

from __future__ import annotations

import os
import shutil
import time
from contextlib import suppress

from binpickle.errors import FormatError, SnapshotGoneError

from .manifest import read_manifest
from .paths import manifest_path, naming_host, read_pointer, run_names, snapshot_names
from .sealing import lonely_seals, seal_path

__all__ = ["ABANDONED_AFTER", "vacuum"]

# A run in which nothing was written for so long was given up, or belongs to a task that takes longer than any other.
ABANDONED_AFTER = 24 * 3600.0


def vacuum(root: str, abandoned_after: float) -> int:
    """Remove all snapshots but the current one, and runs that were given up; return how many bytes that freed.

    Args:
        root: the folder.
        abandoned_after: seconds after which something that is in nobody's use is taken for given up.

    Raises:
        SnapshotGoneError: the current snapshot is not there.
        FormatError: its manifest is damaged.
        OSError: from the operating system, with the host.
    """
    with naming_host():
        current, since = _current(root)
        # What is newer than the current snapshot is about to take its place, unless its saver died.
        runs, superseded = _runs(root), {}
        for path in runs:
            if path != current and (_changed(path) < since or _age(path) > abandoned_after):
                superseded[path] = runs[path]
                _unlink(path)
                _unlink(seal_path(path))
        for seal in lonely_seals(root):
            if _age(seal) > abandoned_after:
                _unlink(seal)
        kept = {run for path, run in runs.items() if path not in superseded}
        old = {run for run in superseded.values() if run is not None} - kept
        nobodys = set(run_names(root)) - set(runs.values())
        old |= {run for run in nobodys if _age_of_run(os.path.join(root, run)) > abandoned_after}
        return sum(_remove_tree(os.path.join(root, run)) for run in sorted(old))


def _current(root: str) -> tuple[str, float]:
    """Return the path of the current manifest, which is whole, and when it was written."""
    while True:
        name = read_pointer(root)
        try:
            read_manifest(root, name)
            path = manifest_path(root, name)
            return path, os.stat(path).st_mtime
        except (SnapshotGoneError, FileNotFoundError):  # by another vacuum, if there is a newer one now
            if read_pointer(root) == name:
                raise


def _runs(root: str) -> dict[str, str | None]:
    """Return the path of each manifest, and the run it is of: `None` if it is damaged."""
    runs: dict[str, str | None] = {}
    for name in snapshot_names(root):
        path = manifest_path(root, name)
        try:
            runs[path] = read_manifest(root, name).run
        except SnapshotGoneError:  # another vacuum was here
            pass
        except FormatError:
            runs[path] = None
    return runs


def _changed(path: str) -> float:
    """Return when a file was written; what has just been removed is as if it were new."""
    try:
        return os.stat(path).st_mtime
    except FileNotFoundError:
        return time.time()


def _age(path: str) -> float:
    return time.time() - _changed(path)


def _age_of_run(folder: str) -> float:
    with os.scandir(folder) as entries:
        return min([_age(folder), *(_age(entry.path) for entry in entries)])


def _unlink(path: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(path)


def _remove_tree(folder: str) -> int:
    try:
        freed = sum(entry.stat().st_size for entry in os.scandir(folder))
        shutil.rmtree(folder)
    except FileNotFoundError:  # another vacuum is at it
        return 0
    return freed
