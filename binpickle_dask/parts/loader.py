"""Loading one part of a snapshot, on the worker that needs it.

Rule: a part is compared with the manifest before it is used. Each file is mapped once in each process.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import Any, Sequence, Union

from binpickle.errors import FormatError, SnapshotGoneError

from ..folder.folder import Folder, cached_manifest
from ..folder.manifest import Manifest
from .file import PartFile, Reading, part_error
from .mappings import map_file

__all__ = ["PartLoader", "load_part"]

Index = Union[int, Sequence[int]]


@dataclass(frozen=True)
class PartLoader:
    """Loads parts of one item of a snapshot. A task of the graph, small whatever the number of parts.

    Attributes:
        folder: the folder that holds the snapshot.
        snapshot: name of the snapshot.
        item: number of the item.
        reading: how to read the parts.
    """

    folder: Folder
    snapshot: str
    item: int
    reading: Reading = Reading()

    @property
    def manifest(self) -> Manifest:
        """The manifest of the snapshot."""
        return cached_manifest(self.folder, self.snapshot)

    def __call__(self, index: Index) -> Any:
        """Return a part, by its number in one dimension or its block index. Raises as `load_part` does."""
        block = (index,) if isinstance(index, int) else index
        return load_part(self.folder, self.manifest, self.item, block, self.reading)

    def __dask_tokenize__(self) -> tuple[Any, ...]:
        """Return the values that name the keys of the graph.

        The snapshot is one of them, since the path alone may lead to other content later. The sealing and `trusted`
        are, too, so that a part that was loaded unchecked is never taken for one that was checked.
        """
        reading, sealing = self.reading, self.folder.sealing
        seals = (sealing.files, sealing.function, sealing.context)
        trusted = None if reading.trusted is None else sorted(map(str, reading.trusted))
        place = (self.folder.root, self.snapshot, self.item)
        return ("binpickle_dask", *place, reading.mmap_mode, reading.verify, seals, trusted)


def load_part(folder: Folder, manifest: Manifest, item: int, index: Sequence[int], reading: Reading) -> Any:
    """Load one part of a snapshot.

    Args:
        folder: the folder that holds the snapshot.
        manifest: the manifest of the snapshot.
        item: number of the item.
        index: block index of the part.
        reading: how to read the part.

    Raises:
        IndexError: there is no such part.
        PartError: the part is missing, changed or damaged.
        AuthenticationError: a key is given, and the seal is missing or wrong.
        UntrustedError: the part uses something that is not trusted.
        SnapshotGoneError: the whole snapshot was removed.
        NotSharedError: this machine does not see the folder.
        OSError: from the operating system, with the host.
    """
    of = manifest.items[item]
    position = of.position(index)
    file = PartFile(folder, manifest.run, of.part_name(index))
    if reading.mmap_mode == "c" and manifest.codecs is not None:
        reading = replace(reading, mmap_mode=None)  # decoding gives writable memory, which is all that "c" promises
    try:
        mapping = map_file(file.path) if reading.mmap_mode == "r" else None
        file.check(of, position, None if mapping is None else len(mapping))
        return file.load(reading, mapping)
    except FileNotFoundError:
        raise _missing(folder, manifest, file.path) from None


def _missing(folder: Folder, manifest: Manifest, path: str) -> Exception:
    """Return the error for a part that does not exist: its snapshot may be gone, too."""
    if not os.path.lexists(folder.manifest_path(manifest.snapshot)):
        cached_manifest.cache_clear()
        try:
            cached_manifest(folder, manifest.snapshot)
        except (SnapshotGoneError, OSError, FormatError) as error:
            return error
    return part_error("the part is missing", path)
