"""Writing one part, on the worker that made it.

Rule: a part is put in place complete and only if its name is free, so that the first of several writers wins and what
is mapped never changes. A task that runs again finds its part there, and computes nothing.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, Callable, Iterable, Sequence

import cloudpickle

import binpickle
from binpickle.errors import PartError

from ..folder.manifest import PartRecord
from ..folder.paths import HOST, NO_HARD_LINKS, check_shared, naming_host
from ..folder.sealing import UNSEALED, Sealing
from .chunks import describe, realize
from .loader import Reading, digest_of, load_file, remove_damaged

__all__ = ["Deferred", "PartWriter"]


@dataclass(frozen=True)
class Deferred:
    """The computation of a chunk, not yet done.

    Attributes:
        node: gives the chunk when it is called with the values of its inputs by key.
        keys: of the inputs.
    """

    node: Callable[[dict[Any, Any]], Any]
    keys: tuple[Any, ...]

    def __call__(self, values: Iterable[Any]) -> Any:
        return self.node(dict(zip(self.keys, values)))


@dataclass(frozen=True)
class PartWriter:
    """Writes parts of one item; a task of the graph.

    Attributes:
        root: the folder.
        run: where in it the parts go.
        kind: of the item.
        codecs: as in `binpickle.dump`; `None` stores raw and mappable.
        digests: as in `binpickle.dump`.
        durable: as in `binpickle.dump`.
        sealing: what parts are sealed with.
    """

    root: str
    run: str
    kind: str
    codecs: Any = None
    digests: bool = False
    durable: bool | None = None
    sealing: Sealing = UNSEALED

    def __call__(self, name: str, chunk: Any, values: Sequence[Any] = ()) -> PartRecord:
        """Write one part, and return what is to be known of it.

        Args:
            name: of the file.
            chunk: what to write, or the computation of it.
            values: inputs of the computation.

        Raises:
            NotSharedError: this worker does not see the folder.
            AuthenticationError: the part is there, and its seal is missing or wrong.
            OSError: from the operating system, with the host.
        """
        check_shared(self.root, self.run)
        if isinstance(chunk, Deferred):
            if os.path.exists(self._path(name)):  # a task that runs again, since a worker died after it had ended
                return self.record(name)
            chunk = chunk(values)
        chunk = realize(self.kind, chunk)
        if not self._put(name, chunk):
            return self.record(name)
        return self._record(name, describe(self.kind, chunk))

    def record(self, name: str) -> PartRecord:
        """Return what is to be known of a part that is there."""
        return self._record(name, describe(self.kind, self.load(name)))

    def load(self, name: str) -> Any:
        """Return a chunk that is there, for others that need it."""
        path = self._path(name)
        return load_file(path, Reading.of(sealing=self.sealing), self.sealing.arguments(path))

    def check(self, name: str) -> PartRecord | None:
        """Return the record of a part if it is there, whole and undamaged; remove it if it is damaged."""
        path = self._path(name)
        remove_damaged(path, self.sealing.arguments(path))
        try:
            return self.record(name)
        except FileNotFoundError:
            return None
        except PartError:  # its bytes are those that were written, but they do not load
            os.unlink(path)
            return None

    def _put(self, name: str, chunk: Any) -> bool:
        """Write a part; return whether it is ours, not one that was there before."""
        try:
            with naming_host():
                self._dump(chunk, self._path(name), exclusive=True)
        except FileExistsError:
            return False
        except OSError as error:
            if error.errno not in NO_HARD_LINKS:
                raise
            with naming_host():
                self._dump(chunk, self._path(name), exclusive=False)
        return True

    def _dump(self, chunk: Any, path: str, exclusive: bool) -> None:
        mappable = self.codecs is None
        codecs = [] if mappable else self.codecs
        # One thread: the scheduler already runs as many tasks as there are cores.
        binpickle.dump(
            chunk, path, mappable=mappable, codecs=codecs, threads=1, digests=self.digests,
            durable=self.durable, exclusive=exclusive, pickler=cloudpickle.Pickler, **self.sealing.arguments(path),
        )  # fmt: skip

    def _record(self, name: str, facts: dict[str, Any]) -> PartRecord:
        path = self._path(name)
        digest = digest_of(path, self.sealing.arguments(path)) if self.digests else None
        return PartRecord(name, os.stat(path).st_size, digest, HOST, facts)

    def _path(self, name: str) -> str:
        return os.path.join(self.root, self.run, name)
