"""."""

# mypy: allow-untyped-calls
from __future__ import annotations

import json
import os
from dataclasses import dataclass
from functools import partial
from typing import Any, Callable, Mapping, Sequence

from dask._task_spec import List as TaskList
from dask._task_spec import Task, TaskRef
from dask.base import tokenize
from dask.delayed import Delayed

import binpickle

from ..folder.manifest import Item, Manifest, PartRecord
from ..folder.paths import new_name
from ..folder.sealing import UNSEALED, Sealing
from ..kinds.registry import is_collection, kind_of, module_of, settled
from ..parts.writer import PartWriter
from ..structure import Slot, pack
from .commit import Draft, commit, libraries
from .graph import Job, chunk_graph, write_graph
from .running import Progress, run
from .runs import choose_run

__all__ = ["SaveOptions", "save"]


@dataclass(frozen=True)
class SaveOptions:
    """The arguments of `to_bpk` that say how to save."""

    codecs: Any = None
    overwrite: bool = False
    resume: bool = False
    durable: bool | None = None
    digests: bool = False
    sealing: Sealing = UNSEALED
    compute_kwargs: Mapping[str, Any] | None = None
    client: Any = None
    progress: Progress | None = None

    @property
    def has_digests(self) -> bool:
        """Whether parts have root digests: sealed ones always do."""
        return self.digests or bool(self.sealing)


def save(obj: Any, path: Any, options: SaveOptions, *, compute: bool = True) -> Any:
    """Save a collection or a structure of them; see `to_bpk`."""
    root = _local(path)
    binpickle.dumps(None, codecs=options.codecs)  # refuses what is no codec before anything is made
    plan = _plan(obj, options.resume)
    run_name = choose_run(
        root,
        plan.identity(options),
        overwrite=options.overwrite,
        resume=options.resume,
        durable=bool(options.durable),
        sealing=options.sealing,
    )
    snapshot = new_name()
    jobs = plan.jobs(root, run_name, options)
    compute_all = partial(
        run, collections=plan.collections, compute_kwargs=options.compute_kwargs, client=options.client
    )
    found = _find_present(jobs, root, run_name, f"check-bpk-{snapshot}", compute_all) if options.resume else {}
    missing = [job for job in jobs if job.name not in found]
    present = [job for job in jobs if job.name in found]
    writes, results = write_graph(plan.graph, missing, present, f"to-bpk-{snapshot}")
    manifest = plan.manifest(snapshot, run_name, options)
    draft = Draft(root, manifest, plan.metas, plan.structure, options.durable, len(missing), options.sealing)
    if compute:
        return commit(draft, [*found.values(), *compute_all(writes, results, progress=options.progress)])
    key = f"commit-bpk-{snapshot}"
    return Delayed(key, {**writes, key: Task(key, commit, draft, TaskList(*map(TaskRef, results)))})


@dataclass(frozen=True)
class _Plan:
    """What is to be saved, before anything is computed."""

    structure: Any
    collections: Sequence[Any]
    token: str
    graph: dict[Any, Any]
    keys: Sequence[Sequence[Any]]
    items: tuple[Item, ...]
    metas: tuple[dict[str, Any], ...]

    def identity(self, options: SaveOptions) -> dict[str, Any]:
        """Return what must be the same in a run that is continued."""
        return {
            "token": self.token,
            "codecs": _codecs_text(options.codecs),
            "digests": options.has_digests,
            "sealed": bool(options.sealing),
            "blocks": [list(item.numblocks) for item in self.items],
        }

    def jobs(self, root: str, run_name: str, options: SaveOptions) -> list[Job]:
        """Return the parts to write."""
        jobs = []
        for item, keys in zip(self.items, self.keys):
            writer = PartWriter(
                root, run_name, item.kind, options.codecs, options.has_digests, options.durable, options.sealing
            )
            jobs += [Job(key, name, writer) for key, name in zip(keys, item.part_names())]
        return jobs

    def manifest(self, snapshot: str, run_name: str, options: SaveOptions) -> Manifest:
        """Return the manifest, as far as it is known before the parts are."""
        codecs = _codecs_text(options.codecs)
        structured = not isinstance(self.structure, Slot)
        return Manifest(snapshot, run_name, self.token, codecs, libraries(), self.items, structured)


def _plan(obj: Any, resume: bool) -> _Plan:
    structure, collections = pack(obj, is_collection)
    if not collections:
        raise TypeError("there is no dask collection in this")
    token = _token(structure, collections, resume)
    collections = [settled(collection) for collection in collections]
    graph, keys = chunk_graph(collections)
    items, metas = [], []
    for i, collection in enumerate(collections):
        kind = kind_of(collection)
        numblocks, facts, meta = module_of(kind).plan(collection)
        items.append(Item(kind, "" if isinstance(structure, Slot) else f"{i}-", numblocks, facts=facts))
        metas.append(meta)
    return _Plan(structure, collections, token, graph, keys, tuple(items), tuple(metas))


def _find_present(
    jobs: Sequence[Job], root: str, run_name: str, label: str, compute_all: Callable[..., list[Any]]
) -> dict[str, PartRecord]:
    """Check the parts that a run has already, where the workers are; return the records of those that are whole."""
    there = set(os.listdir(os.path.join(root, run_name)))
    graph = {
        (label, i): Task((label, i), job.writer.check, job.name) for i, job in enumerate(jobs) if job.name in there
    }
    records = compute_all(graph, list(graph), progress=None)
    return {record.name: record for record in records if record is not None}


def _token(structure: Any, collections: Sequence[Any], resume: bool) -> str:
    """Return what names the computation; for `resume` it must be the same in every process."""
    try:
        return str(tokenize(structure, *collections, ensure_deterministic=resume or None))
    except RuntimeError as error:  # dask's TokenizationError is one
        raise ValueError(f"resume=True needs a computation with a token that does not change: {error}") from error


def _codecs_text(codecs: Any) -> str | None:
    """Say in words what codecs are, in the same words in every process."""
    if codecs is None or isinstance(codecs, str):
        return codecs
    return json.dumps([_codec_text(codec) for codec in codecs])


def _codec_text(codec: Any) -> Any:
    if isinstance(codec, (str, dict)):
        return codec
    return codec.get_config() if hasattr(codec, "get_config") else getattr(codec, "__qualname__", type(codec).__name__)


def _local(path: Any) -> str:
    text = os.fsdecode(path)
    if "://" in text:
        raise ValueError(f"{text}: path must be a folder of a file system, which all workers see")
    return os.path.abspath(text)
