"""Opening a folder of snapshots without dask: what is in it, its parts one by one, whether they are whole.

Rule: opening reads two JSON files and unpickles nothing. Only `load`, `part`, `divisions` and `meta` unpickle, as
`binpickle.load` does, and so can run code that the folder names.
"""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import dataclass
from typing import Any, Callable, Iterator, Sequence

import binpickle
from binpickle.errors import BinPickleError, FormatError, IntegrityError, PartError

from .folder import META, manifest_path, naming_host, read_pointer, run_names, snapshot_names
from .kinds import assemble
from .manifest import Item, Manifest, read_manifest
from .parts import check_part, load_part
from .structure import fill

__all__ = ["Store", "StoreInfo", "open_bpk"]

# A run in which nothing was written for so long was given up, or belongs to a task that takes longer than any other.
_ABANDONED_AFTER = 24 * 3600.0

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


def open_bpk(path: Any, *, snapshot: str | None = None) -> Store:
    """Open a folder that `to_bpk` or `checkpoint` wrote.

    Args:
        path: the folder.
        snapshot: its name; by default the one that was committed last.

    Raises:
        FileNotFoundError: there is no such folder.
        NotCommittedError: no save into it has ended.
        SnapshotGoneError: the folder does not hold this snapshot, or no longer does.
        FormatError: its manifest is malformed.
        OSError: from the operating system, with the host.
    """
    root = os.path.abspath(os.fspath(path))
    return Store(root, read_manifest(root, read_pointer(root) if snapshot is None else snapshot))


class Store:
    """One snapshot of a folder. See `open_bpk`.

    Attributes:
        path: of the folder.
        manifest: what the folder says of the snapshot.
    """

    def __init__(self, path: str, manifest: Manifest):
        self.path = path
        self.manifest = manifest
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
        columns: list[str] | None = self._fact("columns")
        return columns

    @property
    def divisions(self) -> tuple[Any, ...] | None:
        """The divisions of a frame. Unpickles."""
        return self.meta(0).get("divisions") if self.kind == "frame" else None

    def part(self, index: int | Sequence[int], *, item: int = 0, mmap_mode: str | None = "r") -> Any:
        """Return one part.

        Args:
            index: block index, or number of the part.
            item: number of the collection, where there are several.
            mmap_mode: as in `binpickle.load`.

        Raises:
            IndexError: there is no such part.
            PartError: it is missing, changed or damaged.
            SnapshotGoneError: the snapshot was removed.
            OSError: from the operating system, with the host.
        """
        indices = self.items[item].index(index) if isinstance(index, int) else tuple(index)
        return load_part(self.path, self.manifest, item, indices, mmap_mode, None)

    def load(self, *, mmap_mode: str | None = "r", verify: bool | None = None) -> Any:
        """Return all of it in memory, as computing the collection would; what is one part is mapped.

        Args:
            mmap_mode: as in `binpickle.load`.
            verify: as in `binpickle.load`.

        Raises:
            TypeError: only dask can join the parts.
            Exception: as `part`.
        """
        values = [self._load_item(i, mmap_mode, verify) for i in range(len(self.items))]
        return fill(self._meta["structure"], values) if self.manifest.structured else values[0]

    def meta(self, item: int = 0) -> dict[str, Any]:
        """Return what is known of a collection that JSON can not say. Unpickles.

        Raises:
            PartError: the file that holds it is missing or damaged.
        """
        found: dict[str, Any] = self._meta["items"][item]
        return found

    def structure(self) -> Any:
        """Return what holds the items of a structure: see `structure.pack`. Unpickles."""
        return self._meta["structure"]

    def verify(self, *, progress: Progress | None = None) -> list[str]:
        """Compare all stored bytes with their checksums, unpickling nothing; return what is wrong, in words.

        Args:
            progress: called with the bytes of the parts done and in total.
        """
        errors: list[str] = []
        done = 0
        for item, position, path in self._paths():
            errors += _errors_of(path, item, position)
            done += item.nbytes[position]
            if progress is not None:
                progress(done, self.nbytes)
        return errors + _errors_of_meta(self._meta_path())

    def vacuum(self, *, abandoned_after: float = _ABANDONED_AFTER) -> int:
        """Remove all snapshots but the current one, and runs that were given up; return how many bytes that freed.

        Who reads a removed snapshot keeps what is mapped (not on NFS), and gets `SnapshotGoneError` for the rest.

        Args:
            abandoned_after: seconds after which a run that was not committed, and into which nothing was written since,
                is taken for given up.

        Raises:
            OSError: from the operating system, with the host.
        """
        with naming_host():
            known = snapshot_names(self.path)
            current = read_pointer(self.path)
            runs = {name: read_manifest(self.path, name).run for name in known}
            for name in known:
                if name != current:
                    os.unlink(manifest_path(self.path, name))
            old = {run for run in runs.values() if run != runs[current]}
            old |= {run for run in set(run_names(self.path)) - set(runs.values()) if self._age(run) > abandoned_after}
            return sum(_remove_tree(os.path.join(self.path, run)) for run in sorted(old))

    def _age(self, run: str) -> float:
        with os.scandir(os.path.join(self.path, run)) as entries:
            return time.time() - max(entry.stat().st_mtime for entry in entries)

    def _load_item(self, item: int, mmap_mode: str | None, verify: bool | None) -> Any:
        of = self.items[item]
        indices = map(of.index, range(of.nparts))
        return assemble(of, [load_part(self.path, self.manifest, item, i, mmap_mode, verify) for i in indices])

    def _fact(self, name: str) -> Any:
        return None if self.manifest.structured else self.items[0].facts.get(name)

    def _paths(self) -> Iterator[tuple[Item, int, str]]:
        for item in self.items:
            for position, name in enumerate(item.part_names()):
                yield item, position, os.path.join(self.path, self.manifest.run, name)

    def _meta_path(self) -> str:
        return os.path.join(self.path, self.manifest.run, META)

    @property
    def _meta(self) -> dict[str, Any]:
        if not self._loaded:
            path = self._meta_path()
            try:
                self._loaded = binpickle.load(path, threads=1)
            except (FormatError, IntegrityError, FileNotFoundError) as error:
                raise PartError(f"{META} is missing or damaged: {error}", path) from error
        return self._loaded


def _errors_of(path: str, item: Item, position: int) -> list[str]:
    try:
        check_part(path, item, position)
        with binpickle.BinPickleFile(path) as file:
            return [f"{path}: {error}" for error in file.find_errors()]
    except (BinPickleError, OSError) as error:
        return [str(error)]


def _errors_of_meta(path: str) -> list[str]:
    try:
        with binpickle.BinPickleFile(path) as file:
            return [f"{path}: {error}" for error in file.find_errors()]
    except (BinPickleError, OSError) as error:
        return [str(error)]


def _remove_tree(folder: str) -> int:
    freed = sum(entry.stat().st_size for entry in os.scandir(folder))
    shutil.rmtree(folder)
    return freed
