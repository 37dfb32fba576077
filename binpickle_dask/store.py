"""Opening a folder of snapshots without dask: what is in it, its parts one by one, whether they are whole.

Rule: opening reads two JSON files and unpickles nothing. Only `load`, `part`, `divisions` and `meta` unpickle, as
`binpickle.load` does, and so can run code that the folder names. With a key, all that is read is checked before.
"""

from __future__ import annotations

import operator
import os
from dataclasses import dataclass
from typing import Any, Callable, Iterable, Sequence

import binpickle
from binpickle.errors import AuthenticationError, FormatError, IntegrityError, PartError

from .folder.manifest import Item, Manifest, read_manifest
from .folder.paths import META, manifest_path, read_pointer, snapshot_names
from .folder.sealing import UNSEALED, Sealing, seal_path
from .folder.vacuum import ABANDONED_AFTER, vacuum
from .parts.chunks import assemble
from .parts.loader import Reading, load_part
from .parts.verify import find_errors
from .structure import OWN_CLASSES, Slot, fill

__all__ = ["Store", "StoreInfo", "open_bpk"]

Progress = Callable[[int, int], Any]


@dataclass(frozen=True)
class StoreInfo:
    """What was saved.

    Attributes:
        path: of the folder.
        snapshot: its name in the folder; `from_bpk(path, snapshot=...)` reads it while it exists.
        kind: `"array"`, `"frame"`, `"bag"`, `"delayed"`, `"other"` or `"structure"`.
        nparts: number of parts.
        nbytes: their size.
        ncomputed: how many of the parts were computed; with `resume=True` the others were there.
    """

    path: str
    snapshot: str
    kind: str
    nparts: int
    nbytes: int
    ncomputed: int


def open_bpk(
    path: Any,
    *,
    snapshot: str | None = None,
    key: Any = None,
    context: bytes = b"",
    trusted: Iterable[Any] | None = None,
) -> Store:
    """Open a folder that `to_bpk` or `checkpoint` wrote.

    Args:
        path: the folder.
        snapshot: its name; by default the one that was committed last.
        key: refuse what is not sealed by the bytes of a key file: its path, or a list of paths (any of them will do),
            or an importable function that gives what `binpickle.load` takes as `key`.
        context: what the seals must have been made for.
        trusted: as in `binpickle.load`, for whatever the store unpickles.

    Raises:
        TypeError: the key is neither a path nor a function that can be imported; `trusted` is no collection.
        AuthenticationError: a key is given, and the seal of the manifest is missing or wrong.
        FileNotFoundError: there is no such folder.
        NotCommittedError: no save into it has ended.
        SnapshotGoneError: the folder does not hold this snapshot, or no longer does.
        FormatError: its manifest is malformed.
        OSError: from the operating system, with the host.
    """
    root = os.path.abspath(os.fsdecode(path))
    sealing = Sealing.of(key, context)
    manifest = read_manifest(root, read_pointer(root) if snapshot is None else snapshot, sealing)
    return Store(root, manifest, sealing, _with_ours(trusted))


class Store:
    """One snapshot of a folder. See `open_bpk`.

    Attributes:
        path: of the folder.
        manifest: what the folder says of the snapshot.
        sealing: what all must be sealed with.
        trusted: as in `binpickle.load`.
    """

    def __init__(
        self,
        path: str,
        manifest: Manifest,
        sealing: Sealing = UNSEALED,
        trusted: Iterable[Any] | None = None,
    ):
        self.path = path
        self.manifest = manifest
        self.sealing = sealing
        self.trusted = trusted
        self._loaded: dict[str, Any] = {}

    def __repr__(self) -> str:
        return f"<Store {self.path!r}: {self.kind}, {self.nparts} parts, {self.nbytes} bytes, snapshot {self.snapshot}>"

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
        return snapshot_names(self.path)

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
        """Size of the parts' files."""
        return sum(sum(item.nbytes) for item in self.items)

    @property
    def shape(self) -> tuple[int, ...] | None:
        """Shape of an array; `None` for what has none."""
        shape = self._fact("shape")
        return None if shape is None else tuple(shape)

    @property
    def dtype(self) -> str | None:
        """The dtype of an array or Series, in words."""
        dtype: str | None = self._fact("dtype")
        return dtype

    @property
    def chunks(self) -> tuple[tuple[int, ...], ...] | None:
        """Sizes of an array's chunks along each dimension."""
        chunks = self._fact("chunks")
        return None if chunks is None else tuple(map(tuple, chunks))

    @property
    def columns(self) -> list[str] | None:
        """The columns of a frame, in words."""
        columns = self._fact("columns")
        return None if columns is None else list(columns)

    @property
    def divisions(self) -> tuple[Any, ...] | None:
        """The divisions of a frame. Unpickles."""
        return self.meta(0).get("divisions") if self.kind == "frame" else None

    @property
    def sealed(self) -> bool:
        """Whether there is a seal; only who opened the folder with a key knows that it is good."""
        return os.path.lexists(seal_path(manifest_path(self.path, self.snapshot)))

    def part(self, index: int | Sequence[int], *, item: int = 0, mmap_mode: str | None = "auto") -> Any:
        """Return one part.

        Args:
            index: block index, or number of the part; negative numbers count from the end.
            item: number of the collection, where there are several.
            mmap_mode: as in `from_bpk`.

        Raises:
            IndexError: there is no such part.
            PartError: it is missing, changed or damaged.
            AuthenticationError: a key is given, and its seal is missing or wrong.
            UntrustedError: it uses what is not trusted.
            SnapshotGoneError: the snapshot was removed.
            OSError: from the operating system, with the host.
        """
        of = self.items[item]
        indices = tuple(index) if isinstance(index, Iterable) else of.index(_number(index, of.nparts))
        return load_part(self.path, self.manifest, item, indices, self._reading(mmap_mode, None))

    def load(self, *, mmap_mode: str | None = "auto", verify: bool | None = None) -> Any:
        """Return all of it in memory, as computing the collection would; what is one part is mapped.

        Args:
            mmap_mode: as in `from_bpk`.
            verify: as in `binpickle.load`.

        Raises:
            TypeError: only dask can join the parts.
            Exception: as `part`.
        """
        reading = self._reading(mmap_mode, verify)
        values = [self._load_item(i, reading) for i in range(len(self.items))]
        return fill(self.structure(), values)

    def meta(self, item: int = 0) -> dict[str, Any]:
        """Return what is known of a collection that JSON cannot say. Unpickles.

        Raises:
            PartError: the file that holds it is missing or damaged.
            AuthenticationError: a key is given, and its seal is missing or wrong.
            UntrustedError: it uses what is not trusted.
        """
        found: dict[str, Any] = self._meta["items"][item]
        return found

    def structure(self) -> Any:
        """Return what holds the items: see `structure.pack`. Unpickles, if it is more than one collection."""
        return self._meta["structure"] if self.manifest.structured else Slot(0)

    def verify(self, *, progress: Progress | None = None) -> list[str]:
        """Compare all stored bytes with their checksums, unpickling nothing; return what is wrong, in words.

        With a key also all seals.

        Args:
            progress: called with the bytes of the parts done and in total.

        Raises:
            OSError: a key cannot be read.
        """
        return find_errors(self.path, self.manifest, self.sealing, progress)

    def vacuum(self, *, abandoned_after: float = ABANDONED_AFTER) -> int:
        """Remove all snapshots but the current one, and runs that were given up; return how many bytes that freed.

        Who reads a removed snapshot keeps what is mapped (not on NFS), and gets `SnapshotGoneError` for the rest.

        Args:
            abandoned_after: seconds after which a run that was not committed, and into which nothing was written since,
                is taken for given up.

        Raises:
            OSError: from the operating system, with the host.
        """
        return vacuum(self.path, abandoned_after)

    def _reading(self, mmap_mode: str | None, verify: bool | None) -> Reading:
        return Reading.of(mmap_mode, verify, self.sealing, self.trusted)

    def _load_item(self, item: int, reading: Reading) -> Any:
        of = self.items[item]
        indices = map(of.index, range(of.nparts))
        return assemble(of, [load_part(self.path, self.manifest, item, i, reading) for i in indices])

    def _fact(self, name: str) -> Any:
        return None if self.manifest.structured else self.items[0].facts.get(name)

    @property
    def _meta(self) -> dict[str, Any]:
        if not self._loaded:
            path = os.path.join(self.path, self.manifest.run, META)
            sealed = self.sealing.arguments(path)
            try:
                self._loaded = binpickle.load(path, trusted=self.trusted, threads=1, **sealed)
            except AuthenticationError:
                raise
            except (FormatError, IntegrityError, FileNotFoundError) as error:
                raise PartError(f"{META} is missing or damaged: {error}", path) from error
        return self._loaded


def _number(i: Any, count: int) -> int:
    try:
        return range(count)[operator.index(i)]
    except IndexError:
        raise IndexError(f"no part {i}: there are {count}") from None


def _with_ours(trusted: Any) -> Any:
    """Return what the caller trusts, and the classes that every structure is made of."""
    if trusted is None:
        return None
    if isinstance(trusted, (str, bytes)) or not isinstance(trusted, Iterable):
        raise TypeError(f"trusted must be a collection of classes or 'module:qualname' strings, not {trusted!r:.80}")
    return frozenset(trusted) | OWN_CLASSES
