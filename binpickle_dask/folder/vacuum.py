"""Removing what a folder no longer needs: old snapshots, and runs that were given up.

Rule: the current snapshot is never touched, nor anything that may still become the current one. Seals are not checked:
who could forge the files that this module reads could as well remove the others.
"""

from __future__ import annotations

import os
import shutil
import time
from contextlib import suppress

from binpickle.errors import FormatError, SnapshotGoneError

from .folder import Folder
from .hosts import naming_host
from .sealing import seal_path

__all__ = ["ABANDONED_AFTER", "vacuum"]

# In seconds. A run in which nothing was written for so long was given up, or has a task that takes longer than a day.
ABANDONED_AFTER = 24 * 3600.0


def vacuum(folder: Folder, abandoned_after: float) -> int:
    """Remove all snapshots but the current one, and runs that were given up; return how many bytes that freed.

    Args:
        folder: to clean up.
        abandoned_after: age in seconds from which unfinished runs, and snapshots that never became the current one,
            count as given up.

    Raises:
        SnapshotGoneError: the current snapshot does not exist.
        FormatError: the manifest of the current snapshot is damaged.
        OSError: from the operating system, with the host.
    """
    folder = folder.unchecked
    with naming_host():
        current, since = _current(folder)
        # A snapshot that is newer than the current one is about to replace it, unless its saver died.
        runs, superseded = _runs(folder), {}
        for path in runs:
            if path != current and (_changed(path) < since or _age(path) > abandoned_after):
                superseded[path] = runs[path]
                _unlink(path)
                _unlink(seal_path(path))
        for seal in folder.lonely_seals():
            if _age(seal) > abandoned_after:
                _unlink(seal)
        kept = {run for path, run in runs.items() if path not in superseded}
        old = {run for run in superseded.values() if run is not None} - kept
        uncommitted = set(folder.runs()) - set(runs.values())
        old |= {run for run in uncommitted if _age_of_run(folder.path(run)) > abandoned_after}
        return sum(_remove_tree(folder.path(run)) for run in sorted(old))


def _current(folder: Folder) -> tuple[str, float]:
    """Return the path of the current manifest, once it was read without an error, and when it was written."""
    while True:
        name = folder.current()
        try:
            folder.read_manifest(name)
            path = folder.manifest_path(name)
            return path, os.stat(path).st_mtime
        except (SnapshotGoneError, FileNotFoundError):  # another vacuum removed it, if a newer one is current now
            if folder.current() == name:
                raise


def _runs(folder: Folder) -> dict[str, str | None]:
    """Return the run of each manifest by the path of the manifest; `None` if the manifest is damaged."""
    runs: dict[str, str | None] = {}
    for name in folder.snapshots():
        path = folder.manifest_path(name)
        try:
            runs[path] = folder.read_manifest(name).run
        except SnapshotGoneError:  # another vacuum removed it
            pass
        except FormatError:
            runs[path] = None
    return runs


def _changed(path: str) -> float:
    """Return when a file was written; a file that was just removed counts as written now."""
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
    except FileNotFoundError:  # another vacuum is removing it
        return 0
    return freed
