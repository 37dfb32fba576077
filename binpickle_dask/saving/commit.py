"""The end of a save: once all parts are written, they become a snapshot, and the snapshot the current one.

Rule: the manifest comes after everything that it speaks of, and the pointer after the manifest. All parts must be seen
from here, with the sizes that their writers told.
"""

from __future__ import annotations

import os
import platform
import time
from dataclasses import dataclass, replace
from typing import Any, Sequence

import cloudpickle
import dask
import numpy as np

import binpickle
from binpickle.errors import NotCommittedError, PartError

from ..folder.manifest import Item, Manifest, PartRecord
from ..folder.paths import (
    HOST,
    META,
    check_shared,
    manifest_path,
    naming_host,
    read_pointer,
    snapshot_names,
    switch_pointer,
)
from ..folder.sealing import UNSEALED, Sealing, put_sealed
from ..kinds.registry import module_of
from ..parts.loader import remove_damaged
from ..store import StoreInfo

__all__ = ["Draft", "commit", "libraries"]

# Network file systems may show a new file to other machines only after their caches expire.
_VISIBLE_WITHIN = 30.0


@dataclass(frozen=True)
class Draft:
    """A snapshot whose parts are being written.

    Attributes:
        root: the folder.
        manifest: with all that is known before.
        metas: what JSON cannot say, for each item.
        structure: what holds the items.
        durable: as in `binpickle.dump`.
        ncomputed: how many parts are written, not found.
        sealing: what all is sealed with.
    """

    root: str
    manifest: Manifest
    metas: tuple[dict[str, Any], ...]
    structure: Any
    durable: bool | None
    ncomputed: int
    sealing: Sealing = UNSEALED


def commit(draft: Draft, records: Sequence[PartRecord]) -> StoreInfo:
    """Make a snapshot of the parts, and make it the current one.

    Args:
        draft: of it.
        records: of all parts, in any order.

    Raises:
        NotSharedError: this machine does not see the folder.
        PartError: it does not see a part.
        ValueError: the parts do not fit together.
        OSError: from the operating system, with the host.
    """
    root, run = draft.root, draft.manifest.run
    check_shared(root, run)
    by_name = {record.name: record for record in records}
    finished = [_finish(item, meta, by_name) for item, meta in zip(draft.manifest.items, draft.metas)]
    deadline = time.monotonic() + _VISIBLE_WITHIN
    for record in records:
        _await(os.path.join(root, run, record.name), record, deadline)
    _put_meta(draft, [meta for _, meta in finished])
    manifest = replace(draft.manifest, items=tuple(item for item, _ in finished))
    durable = _is_durable(draft)
    path = manifest_path(root, manifest.snapshot)
    again = os.path.lexists(path)  # the name is this save's own, but dask may run a task twice
    if not again:
        put_sealed(path, manifest.to_json(), draft.sealing, durable=durable)
    if not again or not _is_superseded(root, manifest.snapshot):
        switch_pointer(root, manifest.snapshot, durable)
    return _info(draft, manifest)


def libraries() -> dict[str, str]:
    """Return the versions that a manifest records."""
    return {
        "binpickle": binpickle.__version__,
        "dask": str(vars(dask)["__version__"]),
        "numpy": np.__version__,
        "python": platform.python_version(),
    }


def _is_superseded(root: str, snapshot: str) -> bool:
    """Return whether a snapshot that was committed before is the current one, or older than that."""
    try:
        current = read_pointer(root)
    except NotCommittedError:
        return False
    names = snapshot_names(root)
    return current in names and names.index(current) >= names.index(snapshot)


def _finish(item: Item, meta: dict[str, Any], by_name: dict[str, PartRecord]) -> tuple[Item, dict[str, Any]]:
    records: list[PartRecord] = [by_name[name] for name in item.part_names()]
    facts, meta = module_of(item.kind).finish(item, meta, records)
    digests = tuple(record.digest for record in records if record.digest is not None)
    return replace(item, facts=facts, nbytes=tuple(record.nbytes for record in records), digests=digests), meta


def _await(path: str, record: PartRecord, deadline: float) -> None:
    while True:
        try:
            size: int | None = os.stat(path).st_size
        except FileNotFoundError:
            size = None
        if size == record.nbytes:
            return
        if time.monotonic() > deadline:
            raise PartError(f"{path}: host {record.host} wrote this part, host {HOST} does not see it", path, HOST)
        time.sleep(0.1)


def _put_meta(draft: Draft, metas: list[dict[str, Any]]) -> None:
    """Write what JSON cannot say; a run that is continued may have it already, and it is the same."""
    path = os.path.join(draft.root, draft.manifest.run, META)
    meta = {"items": metas, "structure": draft.structure}
    sealed = draft.sealing.arguments(path)
    remove_damaged(path, sealed)
    try:
        with naming_host():
            binpickle.dump(meta, path, exclusive=True, durable=draft.durable, pickler=cloudpickle.Pickler, **sealed)
    except FileExistsError:
        pass


def _is_durable(draft: Draft) -> bool:
    """By default only what would put something else at risk is synced: the pointer to a snapshot that was there."""
    return os.path.exists(os.path.join(draft.root, "_bpk.json")) if draft.durable is None else draft.durable


def _info(draft: Draft, manifest: Manifest) -> StoreInfo:
    nparts = sum(item.nparts for item in manifest.items)
    nbytes = sum(sum(item.nbytes) for item in manifest.items)
    return StoreInfo(draft.root, manifest.snapshot, manifest.kind, nparts, nbytes, draft.ncomputed)
