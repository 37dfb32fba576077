"""Which run a save writes its parts into: a new one, or with `resume=True` the one that it continues.

Rule: a run is continued only by the same computation, split in the same way and stored with the same codecs. Nothing
that is committed is superseded unless the caller says so.
"""

from __future__ import annotations

import os
from typing import Any

from binpickle.errors import NotCommittedError

from ..folder.manifest import read_manifest
from ..folder.paths import RUN_FILE, SNAPSHOTS, manifest_path, naming_host, new_name, read_pointer, read_run, run_names
from ..folder.sealing import Sealing, put_sealed

__all__ = ["choose_run"]


def choose_run(
    root: str, identity: dict[str, Any], *, overwrite: bool, resume: bool, durable: bool, sealing: Sealing
) -> str:
    """Return the run to write into, made if it is new.

    Args:
        root: the folder; made if it is not there.
        identity: of the computation: `token`, and how it is split and stored.
        overwrite: whether a snapshot of another computation may be superseded.
        resume: whether to continue a run of the same computation.
        durable: sync what is made to the disk.
        sealing: what the run is sealed with.

    Raises:
        AuthenticationError: the seal of a run to continue is missing or wrong.
        FileExistsError: the folder holds a snapshot, and neither `overwrite` nor `resume` allow another.
        ValueError: the folder holds unfinished runs, and none is of this computation.
        OSError: from the operating system, with the host.
    """
    token = _committed_token(root)
    if token is not None and not overwrite and not (resume and token == identity["token"]):
        of = ", and of another computation: resume=True cannot continue it" if resume else ""
        raise FileExistsError(17, f"holds a snapshot already{of}; overwrite=True puts another in its place", root)
    if resume:
        found = _find(root, identity, sealing, refuse=token is None and not overwrite)
        if found is not None:
            return found
    run = new_name()
    _write_run(root, run, identity, durable, sealing)
    return run


def _write_run(root: str, run: str, identity: dict[str, Any], durable: bool, sealing: Sealing) -> None:
    """Make the folder of a run, and say in it what it is for, so that workers can tell that they see it."""
    folder = os.path.join(root, run)
    with naming_host():
        os.makedirs(os.path.join(root, SNAPSHOTS), exist_ok=True)
        os.makedirs(folder)
    put_sealed(os.path.join(folder, RUN_FILE), {**identity, "run": run}, sealing, durable=durable)


def _committed_token(root: str) -> str | None:
    """Seals are not checked for it: a token that was forged keeps from resuming, and does no more."""
    try:
        snapshot = read_pointer(root)
    except (NotCommittedError, FileNotFoundError, NotADirectoryError):
        return None
    return read_manifest(root, snapshot).token if os.path.lexists(manifest_path(root, snapshot)) else ""


def _find(root: str, identity: dict[str, Any], sealing: Sealing, refuse: bool) -> str | None:
    """The run of the same computation that has got furthest."""
    runs = {name: read_run(root, name) or {} for name in run_names(root)}
    same = [name for name, data in runs.items() if _matches(data, identity)]
    if sealing:
        same = [name for name in same if _matches(read_run(root, name, sealing.check), identity)]
    if same:
        return max(same, key=lambda name: (len(os.listdir(os.path.join(root, name))), name))
    if runs and refuse:
        differing = sorted({key for data in runs.values() for key, value in identity.items() if data.get(key) != value})
        raise ValueError(
            f"{root}: the unfinished runs here are of another computation (they differ in {', '.join(differing)}). "
            "Names that dask makes up at random, as for unseeded random numbers or delayed(pure=False), differ in each "
            "process. overwrite=True starts anew"
        )
    return None


def _matches(data: dict[str, Any] | None, identity: dict[str, Any]) -> bool:
    return data is not None and all(data.get(key) == value for key, value in identity.items())
