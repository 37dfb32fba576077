"""Loading one part, on the worker that needs it.

Rule: what a part turns out not to be is said with its path and the host. Files are mapped once in each process.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import Any, Iterable, Mapping, Sequence, Union

import binpickle
from binpickle.errors import (
    AuthenticationError,
    FormatError,
    IntegrityError,
    LimitError,
    PartError,
    SnapshotGoneError,
    UnknownCodecError,
)

from ..folder.manifest import Item, Manifest, cached_manifest
from ..folder.paths import HOST, about, manifest_path, naming_host
from ..folder.sealing import UNSEALED, Sealing
from .mappings import map_file

__all__ = ["PartLoader", "Reading", "check_part", "digest_of", "load_file", "load_part", "remove_damaged"]

Index = Union[int, Sequence[int]]


@dataclass(frozen=True)
class Reading:
    """How parts are read.

    Attributes:
        mmap_mode: as in `binpickle.load`.
        verify: as in `binpickle.load`.
        sealing: what they must be sealed with.
        trusted: as in `binpickle.load`.
    """

    mmap_mode: str | None = "r"
    verify: bool | None = None
    sealing: Sealing = UNSEALED
    trusted: Iterable[Any] | None = None

    @classmethod
    def of(
        cls,
        mmap_mode: str | None = "auto",
        verify: bool | None = None,
        sealing: Sealing = UNSEALED,
        trusted: Iterable[Any] | None = None,
    ) -> Reading:
        """Return what a caller asked for; `"auto"` maps, but not where what is mapped could change after the check.

        Raises:
            ValueError: there is no such `mmap_mode`.
        """
        if mmap_mode not in (None, "r", "c", "auto"):
            raise ValueError(f"mmap_mode must be None, 'r', 'c' or 'auto', not {mmap_mode!r}")
        automatic = None if sealing else "r"
        return cls(automatic if mmap_mode == "auto" else mmap_mode, verify, sealing, trusted)


@dataclass(frozen=True)
class PartLoader:
    """Loads parts of one item of a snapshot; a task of the graph, small whatever the number of parts.

    Attributes:
        root: the folder.
        snapshot: in it.
        item: number of the item.
        reading: how parts are read.
    """

    root: str
    snapshot: str
    item: int
    reading: Reading = Reading()

    @property
    def manifest(self) -> Manifest:
        """What the folder says of the snapshot."""
        return cached_manifest(self.root, self.snapshot, self.reading.sealing)

    def __call__(self, index: Index) -> Any:
        """Return a part, by its number or block index. Raises what `load_part` does."""
        indices = (index,) if isinstance(index, int) else index
        return load_part(self.root, self.manifest, self.item, indices, self.reading)

    def __dask_tokenize__(self) -> tuple[Any, ...]:
        """Return what names the keys: the path alone would not do, whose content may change.

        What was loaded without a seal must not be taken for what was checked: that is in the name, too.
        """
        reading = self.reading
        sealing = reading.sealing
        seals = (sealing.files, sealing.function, sealing.context)
        trusted = None if reading.trusted is None else sorted(map(str, reading.trusted))
        return "binpickle_dask", self.root, self.snapshot, self.item, reading.mmap_mode, reading.verify, seals, trusted


def load_part(root: str, manifest: Manifest, item: int, index: Sequence[int], reading: Reading) -> Any:
    """Load one part of a snapshot.

    Args:
        root: the folder.
        manifest: of the snapshot.
        item: number of the item.
        index: of the block.
        reading: how.

    Raises:
        PartError: it is missing, changed or damaged.
        AuthenticationError: a key is given, and its seal is missing or wrong.
        UntrustedError: it uses what is not trusted.
        SnapshotGoneError: the whole snapshot was removed.
        NotSharedError: this machine does not see the folder.
        OSError: from the operating system, with the host.
    """
    of = manifest.items[item]
    position = of.position(index)
    path = os.path.join(root, manifest.run, of.part_name(index))
    sealed = reading.sealing.arguments(path)
    try:
        mapping = map_file(path) if reading.mmap_mode == "r" else None
        check_part(path, of, position, sealed, None if mapping is None else len(mapping))
        return load_file(path, _possible(reading, manifest), sealed, mapping)
    except FileNotFoundError:
        raise _missing(root, manifest, path, reading.sealing) from None


def check_part(path: str, item: Item, position: int, sealed: Mapping[str, Any], size: int | None = None) -> None:
    """Make sure that a part is what the manifest says, as far as its size and its root digest tell.

    Args:
        path: of the part.
        item: that it is of.
        position: in the columns of the item.
        sealed: see `Sealing.arguments`.
        size: of the file, if it is known.

    Raises:
        PartError: it is not.
        AuthenticationError: a key is given, and its seal is missing or wrong.
        OSError: from the operating system, with the host.
    """
    if size is None:
        with naming_host():
            size = os.stat(path).st_size
    if size != item.nbytes[position]:
        raise _part_error(f"the part has {size} bytes, {item.nbytes[position]} were saved: it was changed", path)
    if item.digests and digest_of(path, sealed) != item.digests[position]:
        raise _part_error("the part is not the one that was saved: its root digest differs", path)


def load_file(path: str, reading: Reading, sealed: Mapping[str, Any], mapping: Any = None) -> Any:
    """Load the object of a part, whatever snapshot it may be of.

    Args:
        path: of the part.
        reading: how.
        sealed: see `Sealing.arguments`.
        mapping: its bytes, if it is to be mapped and they are at hand.

    Raises:
        PartError: it is damaged.
        AuthenticationError: a key is given, and its seal is missing or wrong.
        UntrustedError: it uses what is not trusted.
        OSError: from the operating system, with the host.
    """
    options: dict[str, Any] = {"verify": reading.verify, "trusted": reading.trusted, "threads": 1, **sealed}
    try:
        if reading.mmap_mode == "r":
            return binpickle.loads(map_file(path) if mapping is None else mapping, copy=False, **options)
        with naming_host():
            return binpickle.load(path, mmap_mode=reading.mmap_mode, **options)
    except (AuthenticationError, UnknownCodecError, LimitError) as error:
        about(error, path)
        raise
    except (FormatError, IntegrityError) as error:
        raise _part_error(f"the part is damaged: {error}", path) from error


def _possible(reading: Reading, manifest: Manifest) -> Reading:
    """Compressed parts are read into writable memory anyhow, which is all that `"c"` promises."""
    return replace(reading, mmap_mode=None) if reading.mmap_mode == "c" and manifest.codecs is not None else reading


def _missing(root: str, manifest: Manifest, path: str, sealing: Sealing) -> Exception:
    if not os.path.lexists(manifest_path(root, manifest.snapshot)):
        cached_manifest.cache_clear()
        try:
            cached_manifest(root, manifest.snapshot, sealing)
        except (SnapshotGoneError, OSError, FormatError) as error:
            return error
    return _part_error("the part is missing", path)


def digest_of(path: str, sealed: Mapping[str, Any]) -> str | None:
    """Return the root digest of a part in hexadecimal, if it has one.

    Args:
        path: of the part.
        sealed: see `Sealing.arguments`.

    Raises:
        PartError: it is damaged.
        AuthenticationError: a key is given, and its seal is missing or wrong.
        OSError: from the operating system, with the host.
    """
    try:
        with naming_host(), binpickle.BinPickleFile(path, **sealed) as file:
            return file.root_digest.hex() if file.root_digest else None
    except AuthenticationError:
        raise
    except (FormatError, IntegrityError) as error:
        raise _part_error(f"the part is damaged: {error}", path) from error


def remove_damaged(path: str, sealed: Mapping[str, Any]) -> None:
    """Remove a file if it is there and damaged: that frees the name, and who has the file mapped keeps it.

    Args:
        path: of the file.
        sealed: see `Sealing.arguments`.

    Raises:
        AuthenticationError: a key is given, and its seal is missing or wrong.
        OSError: from the operating system, with the host.
    """
    with naming_host():
        try:
            with binpickle.BinPickleFile(path, **sealed) as file:
                damaged = bool(file.find_errors(threads=1))
        except FileNotFoundError:
            return
        except (FormatError, IntegrityError):
            damaged = True
        if damaged:
            os.unlink(path)


def _part_error(message: str, path: str) -> PartError:
    error: PartError = about(PartError(f"{message} (host {HOST})", path, HOST), path)
    return error
