"""Removing from a folder what is no longer needed: old snapshots, and runs that were given up.

Rule: the current snapshot is never touched, nor what may still become one. Seals are not checked: who could forge what
this reads could as well remove the files.
"""

from __future__ import annotations

import os
import shutil
import time

from .folder import manifest_path, naming_host, read_pointer, run_names, snapshot_names
from .manifest import read_manifest
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
        OSError: from the operating system, with the host.
    """
    with naming_host():
        current = read_pointer(root)
        runs = {name: read_manifest(root, name).run for name in snapshot_names(root)}
        for name in runs:
            if name != current:
                _remove_snapshot(root, name)
        for seal in lonely_seals(root):
            if time.time() - os.stat(seal).st_mtime > abandoned_after:
                os.unlink(seal)
        old = {run for run in runs.values() if run != runs[current]}
        old |= {run for run in set(run_names(root)) - set(runs.values()) if _age(root, run) > abandoned_after}
        return sum(_remove_tree(os.path.join(root, run)) for run in sorted(old))


def _remove_snapshot(root: str, name: str) -> None:
    path = manifest_path(root, name)
    os.unlink(path)
    if os.path.lexists(seal_path(path)):
        os.unlink(seal_path(path))


def _age(root: str, run: str) -> float:
    with os.scandir(os.path.join(root, run)) as entries:
        return time.time() - max(entry.stat().st_mtime for entry in entries)


def _remove_tree(folder: str) -> int:
    freed = sum(entry.stat().st_size for entry in os.scandir(folder))
    shutil.rmtree(folder)
    return freed
