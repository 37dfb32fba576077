"""Loading one part, on the worker that needs it.

Rule: what a part turns out not to be is said with its path and the host. Files are mapped once in each process.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, Sequence, Union

import binpickle
from binpickle.errors import FormatError, IntegrityError, LimitError, PartError, SnapshotGoneError, UnknownCodecError

from .folder import HOST, manifest_path, naming_host
from .manifest import Item, Manifest, cached_manifest
from .mappings import map_file

__all__ = ["PartLoader", "check_part", "digest_of", "load_file", "load_part"]

Index = Union[int, Sequence[int]]


@dataclass(frozen=True)
class PartLoader:
    """Loads parts of one item of a snapshot; a task of the graph, small whatever the number of parts.

    Attributes:
        root: the folder.
        snapshot: in it.
        item: number of the item.
        mmap_mode: as in `binpickle.load`.
        verify: as in `binpickle.load`.
    """

    root: str
    snapshot: str
    item: int
    mmap_mode: str | None = "r"
    verify: bool | None = None

    def __call__(self, index: Index) -> Any:
        """Return a part, by its number or block index. Raises what `load_part` does."""
        manifest = cached_manifest(self.root, self.snapshot)
        indices = (index,) if isinstance(index, int) else index
        return load_part(self.root, manifest, self.item, indices, self.mmap_mode, self.verify)

    def __dask_tokenize__(self) -> tuple[Any, ...]:
        """Return what names the keys: never the path, whose content may change."""
        return "binpickle_dask", self.snapshot, self.item, self.mmap_mode, self.verify


def load_part(
    root: str, manifest: Manifest, item: int, index: Sequence[int], mmap_mode: str | None, verify: bool | None
) -> Any:
    """Load one part of a snapshot.

    Args:
        root: the folder.
        manifest: of the snapshot.
        item: number of the item.
        index: of the block.
        mmap_mode: as in `binpickle.load`.
        verify: as in `binpickle.load`.

    Raises:
        PartError: it is missing, changed or damaged.
        SnapshotGoneError: the whole snapshot was removed.
        NotSharedError: this machine does not see the folder.
        OSError: from the operating system, with the host.
    """
    of = manifest.items[item]
    position = of.position(index)
    path = os.path.join(root, manifest.run, of.part_name(index))
    try:
        check_part(path, of, position)
        return load_file(path, _possible(mmap_mode, manifest), verify)
    except FileNotFoundError:
        raise _missing(root, manifest, path) from None


def check_part(path: str, item: Item, position: int) -> None:
    """Make sure that a part is what the manifest says, as far as its size and its root digest tell.

    Raises:
        PartError: it is not.
        OSError: from the operating system, with the host.
    """
    with naming_host():
        size = os.stat(path).st_size
    if size != item.nbytes[position]:
        raise _part_error(f"the part has {size} bytes, {item.nbytes[position]} were saved: it was changed", path)
    if item.digests and digest_of(path) != item.digests[position]:
        raise _part_error("the part is not the one that was saved: its root digest differs", path)


def load_file(path: str, mmap_mode: str | None = "r", verify: bool | None = None) -> Any:
    """Load the object of a part, whatever snapshot it may be of.

    Raises:
        PartError: it is damaged.
        OSError: from the operating system, with the host.
    """
    try:
        if mmap_mode == "r":
            return binpickle.loads(map_file(path), copy=False, verify=verify, threads=1)
        with naming_host():
            return binpickle.load(path, mmap_mode=mmap_mode, verify=verify, threads=1)
    except (UnknownCodecError, LimitError):
        raise
    except (FormatError, IntegrityError) as error:
        raise _part_error(f"the part is damaged: {error}", path) from error


def _possible(mmap_mode: str | None, manifest: Manifest) -> str | None:
    """Compressed parts are read into writable memory anyhow, which is all that `"c"` promises."""
    return None if mmap_mode == "c" and manifest.codecs is not None else mmap_mode


def _missing(root: str, manifest: Manifest, path: str) -> Exception:
    if not os.path.lexists(manifest_path(root, manifest.snapshot)):
        cached_manifest.cache_clear()
        try:
            cached_manifest(root, manifest.snapshot)
        except (SnapshotGoneError, OSError, FormatError) as error:
            return error
    return _part_error("the part is missing", path)


def digest_of(path: str) -> str | None:
    """Return the root digest of a part in hexadecimal, if it has one.

    Raises:
        PartError: it is damaged.
        OSError: from the operating system, with the host.
    """
    try:
        with naming_host(), binpickle.BinPickleFile(path) as file:
            return file.root_digest.hex() if file.root_digest else None
    except (FormatError, IntegrityError) as error:
        raise _part_error(f"the part is damaged: {error}", path) from error


def _part_error(message: str, path: str) -> PartError:
    error = PartError(f"{message} (host {HOST})", path, HOST)
    error.file = path
    return error
