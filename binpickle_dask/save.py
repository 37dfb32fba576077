"""Saving: `to_bpk` for one collection, and `save`, which `checkpoint` shares with it.

Rule: nothing of a save can be seen before its manifest is complete and the pointer switched, and nothing that was there
before is touched. A save that fails leaves its finished parts to `resume=True`, and to `vacuum`.
"""

# mypy: allow-untyped-calls
from __future__ import annotations

from typing import Any, Mapping

from .folder.sealing import Sealing
from .kinds.registry import is_collection
from .load import from_bpk
from .saving.running import Progress
from .saving.save import SaveOptions, save

__all__ = ["checkpoint", "to_bpk"]


def to_bpk(
    collection: Any,
    path: Any,
    *,
    codecs: Any = None,
    overwrite: bool = False,
    resume: bool = False,
    compute: bool = True,
    return_stored: bool = False,
    durable: bool | None = None,
    digests: bool = False,
    key: Any = None,
    context: bytes = b"",
    compute_kwargs: Mapping[str, Any] | None = None,
    client: Any = None,
    progress: Progress | None = None,
) -> Any:
    """Save a dask collection: each chunk or partition as a `.bpk` file, written by the worker that computed it.

    Args:
        collection: array, frame, Series, bag, Delayed, xarray object, or any other dask collection.
        path: a folder that the client and all workers see; made if it is not there.
        codecs: `None` stores raw, so that parts can be mapped; else as in `binpickle.dump`.
        overwrite: allow a new snapshot where the folder holds one. The old one stays readable until `vacuum()`.
        resume: continue a save of the same computation that did not end: only missing parts are computed.
        compute: `False` returns a Delayed that saves when it is computed, and gives a `StoreInfo`.
        return_stored: return the collection that loads what was saved, instead of a `StoreInfo`.
        durable: `True` syncs all files to the disk; `None` only what would put an earlier snapshot at risk.
        digests: record a SHA-256 root digest of each part, and compare it whenever the part is loaded.
        key: seal all files with the bytes of a key file: its path, one that is right on all workers, or a list of paths
            (the first seals), or an importable function that gives what `binpickle.dump` takes as `key`. Keys
            themselves are refused: they would travel in the graph.
        context: bound into the seals, as in `binpickle.dump`; travels in the graph.
        compute_kwargs: as for `dask.compute`: `scheduler` and what it takes, such as `retries`.
        client: the distributed client to use.
        progress: called in this thread with how many parts are written, and how many will be.

    Returns:
        A `StoreInfo`, a Delayed or a collection: see `compute` and `return_stored`.

    Raises:
        TypeError: this is no collection; for several and for structures of them there is `checkpoint`. The key is
            neither a path nor a function that can be imported.
        ValueError: the arguments do not go together; a codec is refused; `resume` meets unfinished runs of another
            computation, or what is computed has no token that would be the same in another process.
        FileExistsError: the folder holds a snapshot, and `overwrite` is not given.
        AuthenticationError: `resume` meets a run or a part whose seal is missing or wrong.
        NotSharedError: a worker does not see the folder.
        OSError: from the operating system, with the host.
        Exception: what computing raises.
    """
    if not is_collection(collection):
        raise TypeError(
            f"{type(collection).__name__} is no dask collection; for structures of them there is checkpoint()"
        )
    if not compute and (return_stored or resume or progress is not None):
        raise ValueError("compute=False cannot go with return_stored, resume or progress")
    sealing = Sealing.of(key, context)
    options = SaveOptions(codecs, overwrite, resume, durable, digests, sealing, compute_kwargs, client, progress)
    saved = save(collection, path, options, compute=compute)
    return from_bpk(saved.path, snapshot=saved.snapshot, key=key, context=context) if return_stored else saved


def checkpoint(
    *collections: Any,
    path: Any,
    resume: bool = False,
    overwrite: bool = False,
    codecs: Any = None,
    durable: bool | None = None,
    digests: bool = False,
    key: Any = None,
    context: bytes = b"",
    mmap_mode: str | None = "auto",
    compute_kwargs: Mapping[str, Any] | None = None,
    client: Any = None,
    progress: Progress | None = None,
) -> Any:
    """Compute collections, save them together, and return them as collections that load what was saved.

    A drop-in for `dask.persist`, which returns when all is on disk. What the collections share is computed once. All of
    them are committed at once. `from_bpk(path)` gives the same later, in another process.

    Args:
        collections: dask collections, and builtin structures with collections in them; anything else is passed through.
        path: the folder; see `to_bpk`, as for all that follows.
        resume: compute only what is missing of the same computation; needs names that are the same in every process.
        overwrite: allow a new snapshot where the folder holds one.
        codecs: by default parts are stored raw, so that they can be mapped.
        durable: whether to sync to the disk.
        digests: whether to record root digests.
        key: what to seal all with: the path of a key file, or a function.
        context: what the seals are for.
        mmap_mode: how the collections that are returned load: see `from_bpk`.
        compute_kwargs: as for `dask.compute`.
        client: the distributed client to use.
        progress: called with how many parts are written, and how many will be.

    Returns:
        A tuple, as `dask.persist` does.

    Raises:
        Exception: as `to_bpk`.
    """
    sealing = Sealing.of(key, context)
    options = SaveOptions(codecs, overwrite, resume, durable, digests, sealing, compute_kwargs, client, progress)
    saved = save(collections, path, options)
    return from_bpk(saved.path, snapshot=saved.snapshot, mmap_mode=mmap_mode, key=key, context=context)
