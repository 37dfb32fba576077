"""Folders on the command line: those that `binpickle_dask` wrote, which it reads, and others, which hold files.

Rule: `binpickle_dask.store` alone is used, which needs no dask and unpickles nothing here. It is imported by name and
only for a folder, so that this package works, and its types can be checked, without `binpickle_dask`.
"""

from __future__ import annotations

import os
from importlib import import_module
from itertools import groupby
from typing import Any, Mapping, NoReturn, Sequence

from ..show.facts import seal_text
from ..show.text import LONGEST_FACT, count_text, nbytes_text, shape_text, shorten
from ..types import Progress

__all__ = ["contents", "find_errors", "folder_facts", "folder_json"]

# Files by which a folder of `binpickle_dask` is known, as `docs/dask.md` draws it: the pointer, and in a subfolder the
# run file, which is there before the first save has ended.
_POINTER, _RUN_FILE = "_bpk.json", "RUN.json"


def contents(folder: str) -> list[str]:
    """Return the paths of the files of BinPickle in a folder and below it, and of the folders of `binpickle_dask`.

    A folder in which there are none is returned itself: reading it says what is wrong.

    Raises:
        OSError: a folder cannot be listed.
    """
    found: list[str] = []
    for here, folders, names in os.walk(folder, onerror=_fail):
        if _POINTER in names or any(os.path.exists(os.path.join(here, name, _RUN_FILE)) for name in folders):
            found.append(here)
            folders.clear()
        else:
            found += [os.path.join(here, name) for name in sorted(names) if name.endswith(".bpk")]
            folders.sort()
    return found or [folder]


def folder_json(folder: str, sealing: Mapping[str, Any]) -> dict[str, Any]:
    """Return the facts of the newest snapshot in a folder, as values that JSON can hold.

    Args:
        folder: the path of the folder.
        sealing: `key` and `context`, or nothing, as `keys.folder_arguments` returns them.
    """
    store = _open(folder, sealing)
    return {
        "path": folder,
        "kind": store.kind,
        "nparts": store.nparts,
        "size": store.nbytes,
        "shape": store.shape,
        "dtype": store.dtype,
        "chunks": store.chunks,
        "columns": store.columns,
        "sealed": store.sealed,
        "snapshot": store.snapshot,
        "snapshots": store.snapshots,
    }


def folder_facts(folder: str, sealing: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the facts of `folder_json` as names and texts, without those that this kind of collection lacks."""
    found = folder_json(folder, sealing)
    facts = [
        ("folder", folder),
        ("kind", found["kind"]),
        ("size", f"{nbytes_text(found['size'])} in {count_text(found['nparts'], 'part')}"),
        ("shape", shape_text(found["shape"])),
        ("dtype", found["dtype"] or ""),
        ("chunks", "; ".join(map(_runs, found["chunks"] or ()))),
        ("columns", ", ".join(map(str, found["columns"] or ()))),
        ("seal", seal_text(bool(sealing)) if found["sealed"] else ""),
        ("snapshot", found["snapshot"]),
        ("snapshots", ", ".join(found["snapshots"])),
    ]
    return [(name, shorten(text, LONGEST_FACT)) for name, text in facts if text]


def find_errors(folder: str, sealing: Mapping[str, Any], decode: bool, progress: Progress | None) -> list[str]:
    """Compare all stored bytes in a folder with their checksums, and decode them on request; return errors in words."""
    errors: list[str] = _open(folder, sealing).verify(decode=decode, progress=progress)
    return errors


def _open(folder: str, sealing: Mapping[str, Any]) -> Any:
    try:
        store = import_module("binpickle_dask.store")
    except ImportError as error:
        raise ImportError(f"{folder} is a folder, which binpickle[dask] reads; it is not installed: {error}") from None
    return store.open_bpk(folder, **sealing)


def _fail(error: OSError) -> NoReturn:
    raise error


def _runs(sizes: Sequence[Any]) -> str:
    """Return the sizes of chunks along one dimension, equal neighbours joined: 9 x 1000, 500."""
    counts = [(size, len(list(run))) for size, run in groupby(sizes)]
    return ", ".join(str(size) if count == 1 else f"{count} x {size}" for size, count in counts)
