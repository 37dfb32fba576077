"""Writing one part, on the worker that computed it.

Rule: a part gets its name when it is complete, and only if the name is free. So the first of several writers wins, and
a mapped file never changes. A task that runs again finds its part, and computes nothing.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Callable, Iterable, Sequence

import cloudpickle

import binpickle
from binpickle.errors import PartError

from ..folder.folder import Folder, create
from ..folder.hosts import HOST
from ..folder.manifest import PartRecord
from .chunks import describe, realize
from .file import PartFile, Reading

if TYPE_CHECKING:
    from binpickle.types import CodecsLike

__all__ = ["Deferred", "PartWriter", "Storage", "write_new"]


@dataclass(frozen=True)
class Deferred:
    """The computation of a chunk that was not done yet.

    Attributes:
        node: returns the chunk; is called with the values of its inputs by key.
        keys: keys of the inputs.
    """

    node: Callable[[dict[Any, Any]], Any]
    keys: tuple[Any, ...]

    def __call__(self, values: Iterable[Any]) -> Any:
        """Compute the chunk from the values of its inputs, in the order of `keys`."""
        return self.node(dict(zip(self.keys, values)))


@dataclass(frozen=True)
class Storage:
    """How parts are stored. Travels in dask graphs.

    Attributes:
        codecs: as in `binpickle.dump`; `None` stores parts raw, so that they can be mapped.
        digests: as in `binpickle.dump`.
        durable: as in `binpickle.dump`.
    """

    codecs: CodecsLike = None
    digests: bool = False
    durable: bool | None = None


@dataclass(frozen=True)
class PartWriter:
    """Writes parts of one item. A task of the graph.

    Attributes:
        folder: the folder that will hold the snapshot.
        run: name of the run that the parts go into.
        kind: kind of the item.
        storage: how the parts are stored.
    """

    folder: Folder
    run: str
    kind: str
    storage: Storage = Storage()

    def __call__(self, name: str, chunk: Any, values: Sequence[Any] = ()) -> PartRecord:
        """Write one part, and return its record.

        Args:
            name: name of the file.
            chunk: the chunk to write, or a `Deferred` that computes it.
            values: inputs of the computation.

        Raises:
            NotSharedError: this worker does not see the folder.
            AuthenticationError: the part exists, and its seal is missing or wrong.
            OSError: from the operating system, with the host.
        """
        self.folder.check_shared(self.run)
        if isinstance(chunk, Deferred):
            # The part exists if the task runs again, because the worker that held its result died.
            if os.path.exists(self.folder.path(self.run, name)):
                return self.record(name)
            chunk = chunk(values)
        chunk = realize(self.kind, chunk)
        file = self._file(name)
        codecs = self.storage.codecs
        # One thread: the scheduler already runs as many tasks as there are cores.
        is_new = write_new(
            file, chunk, mappable=codecs is None, codecs=[] if codecs is None else codecs,
            digests=self.storage.digests, durable=self.storage.durable, threads=1,
        )  # fmt: skip
        return self._record(file, chunk) if is_new else self.record(name)

    def record(self, name: str) -> PartRecord:
        """Return the record of a part that exists."""
        return self._record(self._file(name), self.load(name))

    def load(self, name: str) -> Any:
        """Load a part that exists, for tasks that need the chunk."""
        return self._file(name).load(Reading.of(self.folder))

    def check(self, name: str) -> PartRecord | None:
        """Return the record of a part if it exists and is whole. Remove the part if it is damaged."""
        file = self._file(name)
        file.remove_if_damaged()
        try:
            return self.record(name)
        except FileNotFoundError:
            return None
        except PartError:  # all checksums are right, but the object does not load
            os.unlink(file.path)
            return None

    def _file(self, name: str) -> PartFile:
        return PartFile(self.folder, self.run, name)

    def _record(self, file: PartFile, chunk: Any) -> PartRecord:
        digest = file.digest() if self.storage.digests else None
        facts = describe(self.kind, chunk)
        return PartRecord(os.path.basename(file.path), os.stat(file.path).st_size, digest, HOST, facts)


def write_new(file: PartFile, obj: Any, **options: Any) -> bool:
    """Write an object under a name that must be free; return `False` if the file exists, which stays as it is.

    Args:
        file: the file to write.
        obj: the object.
        **options: of `binpickle.dump`.

    Raises:
        OSError: from the operating system, with the host.
    """
    try:
        create(partial(binpickle.dump, obj, file.path, pickler=cloudpickle.Pickler, **options, **file.sealed))
    except FileExistsError:
        return False
    return True
