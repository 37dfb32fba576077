"""The end of a save: all parts are written; now they become a snapshot, and the snapshot becomes the current one.

Rule: the manifest is written after everything that it describes, and the pointer after the manifest. This machine must
see all parts, with the sizes that their writers reported.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, replace
from typing import Any, Sequence

from binpickle.errors import NotCommittedError, PartError

from ..folder.folder import Folder
from ..folder.hosts import HOST
from ..folder.layout import META, POINTER
from ..folder.manifest import Item, Manifest, PartRecord
from ..kinds.registry import module_of
from ..parts.file import PartFile
from ..parts.writer import write_new
from ..store import StoreInfo

__all__ = ["Draft", "commit"]

# In seconds. Network file systems may show a new file to other machines only after their caches expire.
_VISIBLE_WITHIN = 30.0


@dataclass(frozen=True)
class Draft:
    """A snapshot whose parts are being written. Travels in the graph.

    Attributes:
        folder: the folder that will hold the snapshot.
        manifest: the manifest, as far as it is known before the parts are written.
        metas: the meta of each item, as far as it is known.
        structure: what was saved, with a `Slot` in the place of each collection.
        durable: as in `binpickle.dump`.
        ncomputed: how many parts this save writes; the others it found.
    """

    folder: Folder
    manifest: Manifest
    metas: tuple[dict[str, Any], ...]
    structure: Any
    durable: bool | None
    ncomputed: int


def commit(draft: Draft, records: Sequence[PartRecord]) -> StoreInfo:
    """Make a snapshot of the parts, and make it the current one.

    Args:
        draft: the snapshot.
        records: the records of all parts, in any order.

    Raises:
        NotSharedError: this machine does not see the folder.
        PartError: this machine does not see a part.
        ValueError: the parts do not fit together.
        OSError: from the operating system, with the host.
    """
    folder, run, snapshot = draft.folder, draft.manifest.run, draft.manifest.snapshot
    folder.check_shared(run)
    by_name = {record.name: record for record in records}
    finished = [_finish(item, meta, by_name) for item, meta in zip(draft.manifest.items, draft.metas)]
    deadline = time.monotonic() + _VISIBLE_WITHIN
    for record in records:
        _await(folder.path(run, record.name), record, deadline)
    _write_meta(draft, [meta for _, meta in finished])
    manifest = replace(draft.manifest, items=tuple(item for item, _ in finished))
    # By default only the pointer to an earlier snapshot is protected: a crash would put that snapshot at risk.
    durable = os.path.exists(folder.path(POINTER)) if draft.durable is None else draft.durable
    path = folder.manifest_path(snapshot)
    again = os.path.lexists(path)  # dask may run this task twice; no other save has this name
    if not again:
        folder.write_json(path, manifest.to_json(), durable=durable)
    if not again or not _is_superseded(folder, snapshot):
        folder.switch(snapshot, durable=durable)
    nparts = sum(item.nparts for item in manifest.items)
    nbytes = sum(sum(item.nbytes) for item in manifest.items)
    return StoreInfo(folder.root, snapshot, manifest.kind, nparts, nbytes, draft.ncomputed)


def _is_superseded(folder: Folder, snapshot: str) -> bool:
    """Return whether a committed snapshot is the current one or older than the current one."""
    try:
        current = folder.current()
    except NotCommittedError:
        return False
    names = folder.snapshots()
    return current in names and names.index(current) >= names.index(snapshot)


def _finish(item: Item, meta: dict[str, Any], by_name: dict[str, PartRecord]) -> tuple[Item, dict[str, Any]]:
    records = [by_name[name] for name in item.part_names()]
    facts, meta = module_of(item.kind).finish(item, meta, records)
    digests = tuple(record.digest for record in records if record.digest is not None)
    return replace(item, facts=facts, nbytes=tuple(record.nbytes for record in records), digests=digests), meta


def _await(path: str, record: PartRecord, deadline: float) -> None:
    """Wait until this machine sees a part in its full size."""
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


def _write_meta(draft: Draft, metas: list[dict[str, Any]]) -> None:
    """Write `meta.bpk`. A run that is continued may have it already, with the same content; then it stays."""
    file = PartFile(draft.folder, draft.manifest.run, META)
    file.remove_if_damaged()
    write_new(file, {"items": metas, "structure": draft.structure}, durable=draft.durable)
