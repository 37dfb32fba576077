"""Loading: `from_bpk` returns the collection that was saved; its graph holds nothing but loads.

Rule: keys are named for the snapshot, never for the path, so that after a folder was written again, no key stands for
the earlier content.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Iterable

from .folder.sealing import KeySource, PathLike
from .kinds.registry import module_of
from .parts.file import Reading
from .parts.loader import PartLoader
from .store import Store, open_bpk
from .structure import fill

if TYPE_CHECKING:
    from binpickle.types import Trusted

    from .parts.file import AutoMmapMode

__all__ = ["from_bpk"]


def from_bpk(
    path: PathLike,
    *,
    mmap_mode: AutoMmapMode = "auto",
    chunks: Any = None,
    columns: Iterable[Any] | None = None,
    snapshot: str | None = None,
    verify: bool | None = None,
    trusted: Trusted | None = None,
    key: KeySource = None,
    context: bytes = b"",
) -> Any:
    """Return the collection that was saved into a folder. It loads each part on the worker that needs the part.

    Unpickles the content of the folder, here and on the workers, and so **runs code that the folder names**, unless
    `trusted` is given: load only folders that you trust.

    Args:
        path: path of the folder.
        mmap_mode: `"r"` maps parts that are stored raw; arrays are read-only. `"c"` maps them copy-on-write. `None`
            reads parts into memory. `"auto"` means `"r"`, but `None` with a key: a mapped file can still change after
            it was checked.
        chunks: chunks of an array, as in `dask.array.from_array`; by default the chunks that were saved.
        columns: names of the columns of a frame to load, a list or one string; by default all.
        snapshot: name of the snapshot; by default the current one, which was committed last.
        verify: as in `binpickle.load`, for each part.
        trusted: as in `binpickle.load`, for each part; travels in the graph.
        key: refuse files that are not sealed with the bytes of a key file. Give the path of the key file, which must be
            right on all workers; or a list of paths, of which any key is accepted; or an importable function that
            returns what `binpickle.load` takes as `key`.
        context: the context that the seals must have been made for.

    Returns:
        The collection; or, for what `checkpoint` saved, a tuple of the structures and collections.

    Raises:
        FileNotFoundError: the folder does not exist.
        NotCommittedError: no save into the folder has ended.
        SnapshotGoneError: the folder does not hold the snapshot, or no longer does.
        ValueError: an argument is for another kind of collection.
        KeyError: there is no such column.
        TypeError: the key is neither a path nor a function that can be imported; `trusted` is not a collection.
        AuthenticationError: a key is given, and a seal is missing or wrong.
        UntrustedError: `trusted` is given, and the folder uses something that is not trusted.
        BinPickleError: the folder is damaged.
        OSError: from the operating system, with the host.
    """
    store = open_bpk(path, snapshot=snapshot, key=key, context=context, trusted=trusted)
    reading = Reading.of(store.folder, mmap_mode, verify, store.trusted)
    options = _options(store, chunks=chunks, columns=columns)
    values = []
    for i, item in enumerate(store.items):
        loader = PartLoader(store.folder, store.snapshot, i, reading)
        values.append(module_of(item.kind).load(item, partial(store.meta, i), loader, **options))
    return fill(store.structure(), values)


def _options(store: Store, *, chunks: Any, columns: Any) -> dict[str, Any]:
    """Return the arguments that are for one kind of collection, once they are known to fit the folder."""
    options = {}
    for name, value, kind in (("chunks", chunks, "array"), ("columns", columns, "frame")):
        if value is not None:
            if store.kind != kind:
                article = "an" if kind == "array" else "a"
                raise ValueError(f"{name}= is for {article} {kind}, this folder holds: {store.kind}")
            options[name] = value
    return options
