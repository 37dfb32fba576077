"""Saving: `to_bpk` saves one collection; `checkpoint` saves several, and returns them loaded from disk.

Rule: nobody sees anything of a save before its manifest is complete and the pointer is switched, and nothing that
existed before is touched. The parts of a save that failed serve `resume=True`, until `vacuum` removes them.
"""

# mypy: allow-untyped-calls
from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Any, Callable, Mapping, Sequence

from dask._task_spec import List as TaskList
from dask._task_spec import Task, TaskRef
from dask.delayed import Delayed

from .folder.layout import new_name
from .folder.manifest import PartRecord
from .folder.sealing import KeySource, PathLike
from .kinds.registry import is_collection
from .load import from_bpk
from .parts.verify import Progress
from .saving.commit import Draft, commit
from .saving.graph import Job, write_graph
from .saving.plan import SaveOptions, make_plan
from .saving.running import run
from .saving.runs import choose_run

if TYPE_CHECKING:
    from binpickle.types import CodecsLike

    from .parts.file import AutoMmapMode

__all__ = ["checkpoint", "to_bpk"]


def to_bpk(
    collection: Any,
    path: PathLike,
    *,
    codecs: CodecsLike = None,
    overwrite: bool = False,
    resume: bool = False,
    compute: bool = True,
    return_stored: bool = False,
    durable: bool | None = None,
    digests: bool = False,
    key: KeySource = None,
    context: bytes = b"",
    compute_kwargs: Mapping[str, Any] | None = None,
    client: Any = None,
    progress: Progress | None = None,
) -> Any:
    """Save a dask collection: each chunk or partition as a `.bpk` file, written by the worker that computed it.

    Args:
        collection: an array, frame, Series, bag, Delayed, xarray object, or any other dask collection.
        path: path of a folder that the client and all workers see; made if it does not exist.
        codecs: `None` stores parts raw, so that they can be mapped; else as in `binpickle.dump`.
        overwrite: allow a new snapshot in a folder that holds one. The old snapshot stays readable until `vacuum()`.
        resume: continue a save of the same computation that did not end: only missing parts are computed. The
            computation must have the same names in every process.
        compute: `False` returns a Delayed that saves when it is computed, and then returns the `StoreInfo`.
        return_stored: return the collection that loads what was saved, instead of a `StoreInfo`.
        durable: `True` syncs all files to the disk; `None` syncs only files whose loss would put an earlier snapshot at
            risk.
        digests: record a SHA-256 root digest of each part, and compare it whenever the part is loaded.
        key: seal all files with the bytes of a key file. Give the path of the key file, which must be right on all
            workers; or a list of paths, of which the first key seals; or an importable function that returns what
            `binpickle.dump` takes as `key`. Keys themselves are refused: they would travel in the graph.
        context: bytes that are bound into the seals, as in `binpickle.dump`; they travel in the graph.
        compute_kwargs: as for `dask.compute`: `scheduler` and its arguments, such as `retries`.
        client: the distributed client to use.
        progress: called in this thread with the number of parts written, and the number of parts to write.

    Returns:
        A `StoreInfo`, a Delayed or a collection: see `compute` and `return_stored`.

    Raises:
        TypeError: this is not a collection (`checkpoint` saves several, and structures of them); the key is neither a
            path nor a function that can be imported.
        ValueError: the arguments exclude each other; a codec is refused; `resume` meets unfinished runs of another
            computation, or the computation has no token that is the same in every process.
        FileExistsError: the folder holds a snapshot, and `overwrite` is not given.
        AuthenticationError: `resume` meets a run or a part whose seal is missing or wrong.
        NotSharedError: a worker does not see the folder.
        OSError: from the operating system, with the host.
        Exception: an error of the computation.
    """
    if not is_collection(collection):
        raise TypeError(f"{type(collection).__name__} is not a dask collection; checkpoint() saves structures of them")
    if not compute and (return_stored or resume or progress is not None):
        raise ValueError("compute=False excludes return_stored, resume and progress")
    options = SaveOptions.of(
        path, key=key, context=context, codecs=codecs, digests=digests, durable=durable, overwrite=overwrite,
        resume=resume, compute_kwargs=compute_kwargs, client=client, progress=progress,
    )  # fmt: skip
    saved = _save(collection, options, compute=compute)
    return from_bpk(saved.path, snapshot=saved.snapshot, key=key, context=context) if return_stored else saved


def checkpoint(
    *collections: Any,
    path: PathLike,
    resume: bool = False,
    overwrite: bool = False,
    codecs: CodecsLike = None,
    durable: bool | None = None,
    digests: bool = False,
    key: KeySource = None,
    context: bytes = b"",
    mmap_mode: AutoMmapMode = "auto",
    compute_kwargs: Mapping[str, Any] | None = None,
    client: Any = None,
    progress: Progress | None = None,
) -> Any:
    """Compute collections, save them together, and return them as collections that load what was saved.

    A replacement for `dask.persist` that returns when all is on disk. Chunks that collections share are computed once,
    and all collections are committed at once. `from_bpk(path)` returns the same later, in another process.

    Args:
        collections: dask collections, and builtin structures that hold collections; other objects are stored as they
            are.
        path: as in `to_bpk`, and so are all arguments but `mmap_mode`.
        resume: compute only the parts that are missing of the same computation.
        overwrite: allow a new snapshot in a folder that holds one.
        codecs: by default parts are stored raw, so that they can be mapped.
        durable: whether to sync the files to the disk.
        digests: whether to record root digests.
        key: the path of a key file, a list of paths, or a function; seals all files.
        context: bytes that are bound into the seals.
        mmap_mode: as in `from_bpk`, for the collections that are returned.
        compute_kwargs: as for `dask.compute`.
        client: the distributed client to use.
        progress: called with the number of parts written, and the number of parts to write.

    Returns:
        A tuple, as `dask.persist` returns.

    Raises:
        TypeError: there is no collection; the key is neither a path nor a function that can be imported.
        Exception: the other errors of `to_bpk`.
    """
    options = SaveOptions.of(
        path, key=key, context=context, codecs=codecs, digests=digests, durable=durable, overwrite=overwrite,
        resume=resume, compute_kwargs=compute_kwargs, client=client, progress=progress,
    )  # fmt: skip
    saved = _save(collections, options)
    return from_bpk(saved.path, snapshot=saved.snapshot, mmap_mode=mmap_mode, key=key, context=context)


def _save(obj: Any, options: SaveOptions, *, compute: bool = True) -> Any:
    """Save a collection or a structure of collections: plan, choose the run, compute and write parts, commit."""
    plan = make_plan(obj, resume=options.resume)
    run_name = choose_run(plan.identity(options), options)
    snapshot = new_name()
    compute_all = partial(
        run, collections=plan.collections, compute_kwargs=options.compute_kwargs, client=options.client
    )
    jobs = plan.jobs(run_name, options)
    found = {}
    if options.resume:
        found = _find_present(jobs, options.folder.path(run_name), f"check-bpk-{snapshot}", compute_all)
    missing = [job for job in jobs if job.name not in found]
    present = [job for job in jobs if job.name in found]
    writes, results = write_graph(plan.graph, missing, present, f"to-bpk-{snapshot}")
    manifest = plan.manifest(snapshot, run_name, options)
    draft = Draft(options.folder, manifest, plan.metas, plan.structure, options.storage.durable, len(missing))
    if compute:
        return commit(draft, [*found.values(), *compute_all(writes, results, progress=options.progress)])
    key = f"commit-bpk-{snapshot}"
    return Delayed(key, {**writes, key: Task(key, commit, draft, TaskList(*map(TaskRef, results)))})


def _find_present(
    jobs: Sequence[Job], run_folder: str, label: str, compute_all: Callable[..., list[PartRecord | None]]
) -> dict[str, PartRecord]:
    """Check the parts that a run has already, on the workers; return the records of whole parts by name."""
    names = set(os.listdir(run_folder))
    graph = {
        (label, i): Task((label, i), job.writer.check, job.name) for i, job in enumerate(jobs) if job.name in names
    }
    records = compute_all(graph, list(graph), progress=None)
    return {record.name: record for record in records if record is not None}
