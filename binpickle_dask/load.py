"""Loading: `from_bpk` gives back the collection that was saved, whose graph holds nothing but loads.

Rule: keys are named for the snapshot, never for the path, so that a folder that is written again cannot give what it
held before.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Iterable

from .kinds.registry import module_of
from .parts.loader import PartLoader, Reading
from .store import Store, open_bpk
from .structure import fill

__all__ = ["from_bpk"]


def from_bpk(
    path: Any,
    *,
    mmap_mode: str | None = "auto",
    chunks: Any = None,
    columns: Any = None,
    snapshot: str | None = None,
    verify: bool | None = None,
    trusted: Iterable[Any] | None = None,
    key: Any = None,
    context: bytes = b"",
) -> Any:
    """Return what was saved into a folder, as a collection that loads each part on the worker that needs it.

    Unpickles what the folder holds, here and on the workers, and so **runs code that it names**, unless `trusted` is
    given: load only what you trust.

    Args:
        path: the folder.
        mmap_mode: `"r"` maps what is stored raw, arrays are read-only; `"c"` maps copy-on-write; `None` reads into
            memory. `"auto"` is `"r"`, with a key `None`: what is mapped can still change after it was checked.
        chunks: of an array, as in `dask.array.from_array`; by default those that were saved.
        columns: of a frame to load; by default all.
        snapshot: by default the one that was committed last.
        verify: as in `binpickle.load`.
        trusted: as in `binpickle.load`, for each part; travels in the graph.
        key: refuse what is not sealed by the bytes of a key file: its path, one that is right on all workers, or a list
            of paths (any of them will do), or an importable function that gives what `binpickle.load` takes as `key`.
        context: what the seals must have been made for.

    Raises:
        FileNotFoundError: there is no such folder.
        NotCommittedError: no save into it has ended.
        SnapshotGoneError: the folder does not hold this snapshot, or no longer does.
        ValueError: an argument is for another kind of collection.
        KeyError: there is no such column.
        TypeError: the key is neither a path nor a function that can be imported; `trusted` is no collection.
        AuthenticationError: a key is given, and a seal is missing or wrong.
        UntrustedError: `trusted` is given, and the folder uses what is not in it.
        BinPickleError: the folder is damaged.
        OSError: from the operating system, with the host.
    """
    store = open_bpk(path, snapshot=snapshot, key=key, context=context, trusted=trusted)
    reading = Reading.of(mmap_mode, verify, store.sealing, store.trusted)
    options = _options(store, chunks, columns)
    values = []
    for i, item in enumerate(store.items):
        loader = PartLoader(store.path, store.snapshot, i, reading)
        values.append(module_of(item.kind).load(item, partial(store.meta, i), loader, **options))
    return fill(store.structure(), values)


def _options(store: Store, chunks: Any, columns: Any) -> dict[str, Any]:
    """The arguments that are for one kind of collection, checked against what is there."""
    options = {}
    for name, value, kind in (("chunks", chunks, "array"), ("columns", columns, "frame")):
        if value is not None:
            if store.kind != kind:
                raise ValueError(f"{name}= is for an {kind}, this folder holds: {store.kind}")
            options[name] = value
    return options
