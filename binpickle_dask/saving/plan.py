"""What a save will write, known before anything is computed: its graph, its parts, its manifest.

Rule: planning writes nothing. `SaveOptions` is the definition of the arguments that `to_bpk` and `checkpoint` share.
"""

# mypy: allow-untyped-calls
from __future__ import annotations

import json
import os
import platform
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Mapping, Sequence

import dask
import numpy as np
from dask.base import tokenize

import binpickle

from ..folder.folder import Folder
from ..folder.manifest import Item, Manifest
from ..folder.sealing import KeySource, PathLike
from ..kinds.registry import is_collection, kind_of, module_of, settled
from ..parts.verify import Progress
from ..parts.writer import PartWriter, Storage
from ..structure import Slot, pack
from .graph import Graph, Job, chunk_graph

if TYPE_CHECKING:
    from binpickle.types import CodecsLike

__all__ = ["Plan", "SaveOptions", "make_plan"]


@dataclass(frozen=True)
class SaveOptions:
    """Where and how to save. `to_bpk` describes the fields from `overwrite` on.

    Attributes:
        folder: the folder, and where to get its keys.
        storage: how parts are stored.
    """

    folder: Folder
    storage: Storage
    overwrite: bool
    resume: bool
    compute_kwargs: Mapping[str, Any] | None
    client: Any
    progress: Progress | None

    @classmethod
    def of(
        cls, path: PathLike, *, key: KeySource, context: bytes, codecs: CodecsLike, digests: bool, durable: bool | None,
        **others: Any,
    ) -> SaveOptions:  # fmt: skip
        """Return the options for a caller's arguments. Sealed parts always have root digests.

        Raises:
            TypeError: the key is neither a path nor a function that can be imported.
            ValueError: the path is a URL; a codec is refused; a key is too short.
        """
        if "://" in os.fsdecode(path):
            raise ValueError(f"{os.fsdecode(path)}: path must be a folder of a file system that all workers see")
        folder = Folder.of(path, key, context)
        binpickle.dumps(None, codecs=codecs)  # refuses wrong codecs before anything is made
        return cls(folder, Storage(codecs, digests or bool(folder.sealing), durable), **others)


@dataclass(frozen=True)
class Plan:
    """What is to be saved.

    Attributes:
        structure: what was saved, with a `Slot` in the place of each collection.
        collections: the collections.
        token: dask's token of the computation.
        graph: the optimized graph of all collections.
        keys: the keys of each collection's chunks, in C order.
        items: the collections as the manifest describes them, as far as that is known.
        metas: the meta of each collection, as far as that is known.
    """

    structure: Any
    collections: Sequence[Any]
    token: str
    graph: Graph
    keys: Sequence[Sequence[Any]]
    items: tuple[Item, ...]
    metas: tuple[dict[str, Any], ...]

    def identity(self, options: SaveOptions) -> dict[str, Any]:
        """Return the properties that a run must share with this save, so that the save can continue it."""
        return {
            "token": self.token,
            "codecs": _codecs_text(options.storage.codecs),
            "digests": options.storage.digests,
            "sealed": bool(options.folder.sealing),
            "blocks": [list(item.numblocks) for item in self.items],
        }

    def jobs(self, run: str, options: SaveOptions) -> list[Job]:
        """Return the parts to write."""
        jobs = []
        for item, keys in zip(self.items, self.keys):
            writer = PartWriter(options.folder, run, item.kind, options.storage)
            jobs += [Job(key, name, writer) for key, name in zip(keys, item.part_names())]
        return jobs

    def manifest(self, snapshot: str, run: str, options: SaveOptions) -> Manifest:
        """Return the manifest, as far as it is known before the parts are written."""
        codecs = _codecs_text(options.storage.codecs)
        structured = not isinstance(self.structure, Slot)
        return Manifest(snapshot, run, self.token, codecs, _libraries(), self.items, structured)


def make_plan(obj: Any, *, resume: bool) -> Plan:
    """Plan the save of a collection or of a structure of collections.

    Args:
        obj: the collection or the structure.
        resume: whether the token must be the same in every process.

    Raises:
        TypeError: there is no collection in the structure.
        ValueError: `resume` is given, and the computation has no such token.
    """
    structure, collections = pack(obj, is_collection)
    if not collections:
        raise TypeError("there is no dask collection in this")
    token = _token(structure, collections, resume)
    collections = [settled(collection) for collection in collections]
    graph, keys = chunk_graph(collections)
    items, metas = [], []
    for i, collection in enumerate(collections):
        kind = kind_of(collection)
        numblocks, facts, meta = module_of(kind).begin(collection)
        items.append(Item(kind, "" if isinstance(structure, Slot) else f"{i}-", numblocks, facts=facts))
        metas.append(meta)
    return Plan(structure, collections, token, graph, keys, tuple(items), tuple(metas))


def _libraries() -> dict[str, str]:
    """Return the versions that a manifest records."""
    return {
        "binpickle": binpickle.__version__,
        "dask": str(vars(dask)["__version__"]),
        "numpy": np.__version__,
        "python": platform.python_version(),
    }


def _token(structure: Any, collections: Sequence[Any], resume: bool) -> str:
    try:
        return str(tokenize(structure, *collections, ensure_deterministic=resume or None))
    except RuntimeError as error:  # TokenizationError of dask is one
        raise ValueError(f"resume=True needs a computation with a token that does not change: {error}") from error


def _codecs_text(codecs: CodecsLike) -> str | None:
    """Return codecs as text that is the same in every process."""
    if codecs is None or isinstance(codecs, str):
        return codecs
    several = codecs if isinstance(codecs, (list, tuple)) else [codecs]
    return json.dumps([_codec_text(codec) for codec in several])


def _codec_text(codec: Any) -> Any:
    if isinstance(codec, (str, dict)):
        return codec
    return codec.get_config() if hasattr(codec, "get_config") else getattr(codec, "__qualname__", type(codec).__name__)
