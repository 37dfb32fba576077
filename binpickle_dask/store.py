"""Opening a folder of snapshots without dask: what it holds, its parts one by one, and whether they are whole.

Rule: opening reads two JSON files and unpickles nothing. Only `load`, `part`, `divisions`, `meta` and `structure`
unpickle, as `binpickle.load` does, and so can run code that the folder names. With a key, every file but the pointer is
checked before it is used.
"""

from __future__ import annotations

import operator
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Iterable, Sequence

from .folder.folder import Folder
from .folder.layout import META
from .folder.manifest import Item, Manifest
from .folder.sealing import KeySource, PathLike, Sealing, seal_path
from .folder.vacuum import ABANDONED_AFTER, vacuum
from .parts.chunks import assemble
from .parts.file import PartFile, Reading, part_error
from .parts.loader import load_part
from .parts.verify import Progress, find_errors
from .structure import OWN_CLASSES, Slot, fill

if TYPE_CHECKING:
    from binpickle.types import Trusted

    from .parts.file import AutoMmapMode

__all__ = ["Store", "StoreInfo", "open_bpk"]


@dataclass(frozen=True)
class StoreInfo:
    """What was saved.

    Attributes:
        path: path of the folder.
        snapshot: name of the snapshot; `from_bpk(path, snapshot=...)` reads it while it exists.
        kind: `"array"`, `"frame"`, `"bag"`, `"delayed"`, `"other"`, or `"structure"` for several collections.
        nparts: number of parts.
        nbytes: size of the parts' files in bytes.
        ncomputed: number of parts that were computed; with `resume=True` the other parts existed.
    """

    path: str
    snapshot: str
    kind: str
    nparts: int
    nbytes: int
    ncomputed: int


def open_bpk(
    path: PathLike,
    *,
    snapshot: str | None = None,
    key: KeySource = None,
    context: bytes = b"",
    trusted: Trusted | None = None,
) -> Store:
    """Open a folder that `to_bpk` or `checkpoint` wrote.

    Args:
        path: path of the folder.
        snapshot: name of the snapshot; by default the current one, which was committed last.
        key: refuse files that are not sealed with the bytes of a key file. Give the path of the key file; or a list of
            paths, of which any key is accepted; or an importable function that returns what `binpickle.load` takes as
            `key`.
        context: the context that the seals must have been made for.
        trusted: as in `binpickle.load`, for everything that the store unpickles.

    Raises:
        TypeError: the key is neither a path nor a function that can be imported; `trusted` is not a collection.
        AuthenticationError: a key is given, and the seal of the manifest is missing or wrong.
        FileNotFoundError: the folder does not exist.
        NotCommittedError: no save into the folder has ended.
        SnapshotGoneError: the folder does not hold the snapshot, or no longer does.
        FormatError: the manifest is malformed.
        OSError: from the operating system, with the host.
    """
    folder = Folder.of(path, key, context)
    manifest = folder.read_manifest(folder.current() if snapshot is None else snapshot)
    return Store(folder, manifest, _with_ours(trusted))


class Store:
    """One snapshot of a folder. See `open_bpk`.

    Attributes:
        folder: the folder, and where to get the keys that its files are sealed with.
        manifest: the description of the snapshot in the folder.
        trusted: as in `binpickle.load`.
    """

    def __init__(self, folder: Folder, manifest: Manifest, trusted: Trusted | None = None):
        self.folder = folder
        self.manifest = manifest
        self.trusted = trusted
        self._loaded: dict[str, Any] = {}

    def __repr__(self) -> str:
        return f"<Store {self.path!r}: {self.kind}, {self.nparts} parts, {self.nbytes} bytes, snapshot {self.snapshot}>"

    @property
    def path(self) -> str:
        """Absolute path of the folder."""
        return self.folder.root

    @property
    def sealing(self) -> Sealing:
        """Where to get the folder's keys; falsy if the folder was opened without a key."""
        return self.folder.sealing

    @property
    def kind(self) -> str:
        """`"array"`, `"frame"`, `"bag"`, `"delayed"`, `"other"`, or `"structure"` for several collections."""
        return self.manifest.kind

    @property
    def snapshot(self) -> str:
        """Name of this snapshot."""
        return self.manifest.snapshot

    @property
    def snapshots(self) -> list[str]:
        """Names of all snapshots that the folder holds, oldest first."""
        return self.folder.snapshots()

    @property
    def items(self) -> tuple[Item, ...]:
        """The collections of the snapshot."""
        return self.manifest.items

    @property
    def nparts(self) -> int:
        """Number of parts."""
        return sum(item.nparts for item in self.items)

    @property
    def nbytes(self) -> int:
        """Size of the parts' files in bytes."""
        return sum(sum(item.nbytes) for item in self.items)

    @property
    def shape(self) -> tuple[int, ...] | None:
        """Shape of an array; `None` for other kinds."""
        shape = self._fact("shape")
        return None if shape is None else tuple(shape)

    @property
    def dtype(self) -> str | None:
        """The dtype of an array or Series as text; `None` for other kinds."""
        dtype: str | None = self._fact("dtype")
        return dtype

    @property
    def chunks(self) -> tuple[tuple[int, ...], ...] | None:
        """Sizes of an array's chunks along each dimension; `None` for other kinds."""
        chunks = self._fact("chunks")
        return None if chunks is None else tuple(map(tuple, chunks))

    @property
    def columns(self) -> list[str] | None:
        """The names of a frame's columns as text; `None` for other kinds."""
        columns = self._fact("columns")
        return None if columns is None else list(columns)

    @property
    def divisions(self) -> tuple[Any, ...] | None:
        """The divisions of a frame; `None` for other kinds. Unpickles."""
        return self.meta(0).get("divisions") if self.kind == "frame" else None

    @property
    def sealed(self) -> bool:
        """Whether the manifest has a seal. The seal was checked only if the folder was opened with a key."""
        return os.path.lexists(seal_path(self.folder.manifest_path(self.snapshot)))

    def part(self, index: int | Sequence[int], *, item: int = 0, mmap_mode: AutoMmapMode = "auto") -> Any:
        """Return one part.

        Args:
            index: block index, or number of the part; negative numbers count from the end.
            item: number of the collection, if there are several.
            mmap_mode: as in `from_bpk`.

        Raises:
            IndexError: there is no such part.
            PartError: the part is missing, changed or damaged.
            AuthenticationError: a key is given, and the seal is missing or wrong.
            UntrustedError: the part uses something that is not trusted.
            SnapshotGoneError: the snapshot was removed.
            OSError: from the operating system, with the host.
        """
        of = self.items[item]
        indices = tuple(index) if isinstance(index, Iterable) else of.index(_number(index, of.nparts))
        return load_part(self.folder, self.manifest, item, indices, self._reading(mmap_mode, None))

    def load(self, *, mmap_mode: AutoMmapMode = "auto", verify: bool | None = None) -> Any:
        """Return the whole in memory, as computing the collection would. A collection of one part is mapped.

        Args:
            mmap_mode: as in `from_bpk`.
            verify: as in `binpickle.load`.

        Raises:
            TypeError: only dask can join the parts.
            Exception: the errors of `part`.
        """
        reading = self._reading(mmap_mode, verify)
        values = [self._load_item(i, reading) for i in range(len(self.items))]
        return fill(self.structure(), values)

    def meta(self, item: int = 0) -> dict[str, Any]:
        """Return the properties of a collection that JSON cannot express, such as a frame's divisions. Unpickles.

        Raises:
            PartError: the file that holds them is missing or damaged.
            AuthenticationError: a key is given, and the seal is missing or wrong.
            UntrustedError: the file uses something that is not trusted.
        """
        found: dict[str, Any] = self._meta["items"][item]
        return found

    def structure(self) -> Any:
        """Return the structure with a `Slot` in the place of each item. Unpickles, unless it is one collection."""
        return self._meta["structure"] if self.manifest.structured else Slot(0)

    def verify(self, *, decode: bool = False, progress: Progress | None = None) -> list[str]:
        """Compare all stored bytes with their checksums, and with a key check all seals; return messages of damage.

        Unpickles nothing.

        Args:
            decode: decode all data, too; see `BinPickleFile.find_errors`.
            progress: called with the bytes of the parts done and in total.

        Raises:
            OSError: a key cannot be read.
        """
        return find_errors(self.folder, self.manifest, decode, progress)

    def vacuum(self, *, abandoned_after: float = ABANDONED_AFTER) -> int:
        """Remove all snapshots but the current one, and runs that were given up; return how many bytes that freed.

        Programs that read a removed snapshot keep the parts that they have mapped (not on NFS), and get
        `SnapshotGoneError` for the others.

        Args:
            abandoned_after: a run that was not committed counts as given up if nothing was written into it for so many
                seconds.

        Raises:
            OSError: from the operating system, with the host.
        """
        return vacuum(self.folder, abandoned_after)

    def _reading(self, mmap_mode: AutoMmapMode, verify: bool | None) -> Reading:
        return Reading.of(self.folder, mmap_mode, verify, self.trusted)

    def _load_item(self, item: int, reading: Reading) -> Any:
        of = self.items[item]
        indices = map(of.index, range(of.nparts))
        return assemble(of, [load_part(self.folder, self.manifest, item, i, reading) for i in indices])

    def _fact(self, name: str) -> Any:
        return None if self.manifest.structured else self.items[0].facts.get(name)

    @property
    def _meta(self) -> dict[str, Any]:
        if not self._loaded:
            file = PartFile(self.folder, self.manifest.run, META)
            try:
                self._loaded = file.load(Reading(mmap_mode=None, trusted=self.trusted))
            except FileNotFoundError as error:
                raise part_error("the file is missing", file.path) from error
        return self._loaded


def _number(i: Any, count: int) -> int:
    """Return the number of a part, counted from the beginning."""
    try:
        return range(count)[operator.index(i)]
    except IndexError:
        raise IndexError(f"no part {i}: there are {count}") from None


def _with_ours(trusted: Trusted | None) -> Trusted | None:
    """Return the names that the caller trusts, and those of the classes that every structure is made of."""
    if trusted is None:
        return None
    if isinstance(trusted, (str, bytes)) or not isinstance(trusted, Iterable):
        raise TypeError(f"trusted must be a collection of classes or 'module:qualname' strings, not {trusted!r:.80}")
    return frozenset(trusted) | OWN_CLASSES
