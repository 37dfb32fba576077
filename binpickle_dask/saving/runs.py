"""Which run a save writes its parts into: a new run, or with `resume=True` the run that it continues.

Rule: a save continues a run only if that is of the same computation, split in the same way, and stored with the same
codecs. A committed snapshot is superseded only if the caller allows it.
"""

from __future__ import annotations

import errno
import os
from typing import Any

from binpickle.errors import NotCommittedError

from ..folder.folder import Folder
from ..folder.hosts import naming_host
from ..folder.layout import RUN_FILE, SNAPSHOTS, new_name
from .plan import SaveOptions

__all__ = ["choose_run"]


def choose_run(identity: dict[str, Any], options: SaveOptions) -> str:
    """Return the name of the run to write into. A new run is made, and the folder with it if it does not exist.

    Args:
        identity: `token` of the computation, how it is split, and how it is stored.
        options: the folder; whether a snapshot may be superseded, and whether a run may be continued.

    Raises:
        AuthenticationError: the seal of a run to continue is missing or wrong.
        FileExistsError: the folder holds a snapshot, and neither `overwrite` nor `resume` allows another.
        ValueError: the folder holds unfinished runs, and none is of this computation.
        OSError: from the operating system, with the host.
    """
    folder, overwrite, resume = options.folder, options.overwrite, options.resume
    token = _committed_token(folder)
    if token is not None and not overwrite and not (resume and token == identity["token"]):
        other = " of another computation, which resume=True cannot continue" if resume else ""
        message = f"the folder holds a snapshot{other}; overwrite=True replaces it"
        raise FileExistsError(errno.EEXIST, message, folder.root)
    found = _find(folder, identity, refuse=token is None and not overwrite) if resume else None
    return found if found is not None else _make_run(folder, identity, bool(options.storage.durable))


def _make_run(folder: Folder, identity: dict[str, Any], durable: bool) -> str:
    """Make the folder of a run. Its run file says what the run is for, so that workers can tell that they see it."""
    run = new_name()
    with naming_host():
        os.makedirs(folder.path(SNAPSHOTS), exist_ok=True)
        os.makedirs(folder.path(run))
    folder.write_json(folder.path(run, RUN_FILE), {**identity, "run": run}, durable=durable)
    return run


def _committed_token(folder: Folder) -> str | None:
    """Return the token of the current snapshot, unchecked: a forged token prevents resuming, and does no more."""
    try:
        snapshot = folder.current()
    except (NotCommittedError, FileNotFoundError, NotADirectoryError):
        return None
    return folder.unchecked.read_manifest(snapshot).token if os.path.lexists(folder.manifest_path(snapshot)) else ""


def _find(folder: Folder, identity: dict[str, Any], *, refuse: bool) -> str | None:
    """Return the run of the same computation that has the most parts; with `refuse`, raise if all are of others."""
    runs = {name: folder.unchecked.read_run(name) or {} for name in folder.runs()}
    same = [name for name, data in runs.items() if _matches(data, identity)]
    if folder.sealing:
        same = [name for name in same if _matches(folder.read_run(name), identity)]
    if same:
        return max(same, key=lambda name: (len(os.listdir(folder.path(name))), name))
    if runs and refuse:
        differing = sorted({key for data in runs.values() for key, value in identity.items() if data.get(key) != value})
        raise ValueError(
            f"{folder.root}: the unfinished runs here are of another computation (they differ in "
            f"{', '.join(differing)}). Names that dask makes up at random, as for unseeded random numbers or "
            "delayed(pure=False), differ in each process. overwrite=True starts anew"
        )
    return None


def _matches(data: dict[str, Any] | None, identity: dict[str, Any]) -> bool:
    return data is not None and all(data.get(key) == value for key, value in identity.items())
