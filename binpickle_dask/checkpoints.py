"""Checkpoints: `dask.persist` that ends on disk, and outlives workers, scheduler and program."""

from __future__ import annotations

from typing import Any, Mapping

from .load import from_bpk
from .running import Progress
from .save import SaveOptions, save
from .sealing import Sealing

__all__ = ["checkpoint"]


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
