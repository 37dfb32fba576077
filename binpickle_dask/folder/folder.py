"""A folder of snapshots: its paths, and how its small files are read and written.

Rule: a file appears whole under its name or not at all. Manifests, run files and parts never change once they exist;
only the pointer is ever replaced. In a folder with keys, the seal of a file is checked before the file is parsed.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Any, Callable

from binpickle.errors import FormatError, NotCommittedError, NotSharedError, SnapshotGoneError
from binpickle.files import write_atomically

from .hosts import HOST, about, naming_host
from .layout import POINTER, RUN_FILE, SNAPSHOTS, check_name, is_name, json_bytes, parse_json
from .manifest import Manifest, parse_manifest
from .sealing import SEAL, UNSEALED, KeySource, PathLike, Sealing, seal_path

__all__ = ["Folder", "cached_manifest", "create"]


@dataclass(frozen=True)
class Folder:
    """A folder of snapshots, and where to get the keys that its files are sealed with.

    Travels in dask graphs: it is small, can be pickled, and holds no key. All methods raise errors of the operating
    system with the name of the host.

    Attributes:
        root: absolute path of the folder.
        sealing: where to get the keys; falsy if files are neither sealed nor checked.
    """

    root: str
    sealing: Sealing = UNSEALED

    @classmethod
    def of(cls, path: PathLike, key: KeySource = None, context: bytes = b"") -> Folder:
        """Return the folder for a caller's arguments. Raises the errors of `Sealing.of`."""
        return cls(os.path.abspath(os.fsdecode(path)), Sealing.of(key, context))

    @property
    def unchecked(self) -> Folder:
        """The same folder, whose files are read without checking their seals."""
        return replace(self, sealing=UNSEALED)

    def path(self, *names: str) -> str:
        """Return a path in the folder."""
        return os.path.join(self.root, *names)

    def manifest_path(self, snapshot: str) -> str:
        """Return the path of the manifest of a snapshot."""
        return self.path(SNAPSHOTS, check_name(snapshot) + ".json")

    def snapshots(self) -> list[str]:
        """Return the names of the snapshots in the folder, oldest first."""
        try:
            entries = [entry for entry in os.scandir(self.path(SNAPSHOTS)) if not entry.name.startswith(".")]
        except FileNotFoundError:
            return []
        entries.sort(key=lambda entry: (entry.stat().st_mtime_ns, entry.name))
        return [entry.name[: -len(".json")] for entry in entries if entry.name.endswith(".json")]

    def runs(self) -> list[str]:
        """Return the names of the runs in the folder."""
        try:
            names = os.listdir(self.root)
        except FileNotFoundError:
            return []
        return sorted(name for name in names if is_name(name) and self.unchecked.read_run(name) is not None)

    def lonely_seals(self) -> list[str]:
        """Return the paths of seals whose manifests do not exist, either not yet or never."""
        seals = [self.path(SNAPSHOTS, name) for name in os.listdir(self.path(SNAPSHOTS)) if name.endswith(SEAL)]
        return [path for path in seals if not os.path.lexists(path[: -len(SEAL)] + ".json")]

    def current(self) -> str:
        """Return the name of the current snapshot. The pointer is never sealed.

        Raises:
            FileNotFoundError: the folder does not exist.
            NotCommittedError: no save into the folder has ended.
            FormatError: the pointer is malformed.
        """
        try:
            return check_name(_read_json(self.path(POINTER)).get("snapshot"))
        except FileNotFoundError:
            with naming_host():
                os.stat(self.root)
            message = f"no snapshot: nothing was saved here, or no save has ended (host {HOST})"
            raise about(NotCommittedError(message, self.root, HOST), self.root) from None

    def switch(self, snapshot: str, *, durable: bool) -> None:
        """Make a snapshot the current one, at once for all who open the folder."""
        with naming_host():
            write_atomically(self.path(POINTER), json_bytes({"snapshot": check_name(snapshot)}), durable=durable)

    def read_manifest(self, snapshot: str) -> Manifest:
        """Read the manifest of a snapshot, and check its seal.

        Raises:
            AuthenticationError: a key is given, and the seal is missing or wrong.
            SnapshotGoneError: the folder does not hold the snapshot, or no longer does.
            NotSharedError: this machine does not see the folder.
            FormatError: the manifest is malformed.
        """
        path = self.manifest_path(snapshot)
        try:
            raw = _read(path, self.sealing)
        except FileNotFoundError:
            if os.path.lexists(path):  # then the key file is missing
                raise
            if not os.path.lexists(self.path(SNAPSHOTS)):
                raise _not_shared(self.root) from None
            message = f"snapshot {snapshot} was removed by vacuum() (host {HOST}): open the folder again"
            raise about(SnapshotGoneError(message, self.root, HOST), self.root) from None
        try:
            manifest = parse_manifest(raw)
            if manifest.snapshot != snapshot:
                raise FormatError(f"this is the manifest of another snapshot: {manifest.snapshot}")
        except FormatError as error:
            raise about(error, path) from None
        return manifest

    def read_run(self, run: str) -> dict[str, Any] | None:
        """Read the run file of a run, and check its seal; return `None` if there is no such run.

        Raises:
            AuthenticationError: a key is given, and the seal is missing or wrong.
        """
        try:
            return _read_json(self.path(check_name(run), RUN_FILE), self.sealing)
        except (FileNotFoundError, NotADirectoryError, FormatError):
            return None

    def write_json(self, path: str, data: dict[str, Any], *, durable: bool) -> None:
        """Write a new JSON file. Its seal is written first, so that nobody sees the file without its seal.

        Raises:
            FileExistsError: the file exists.
        """
        raw = json_bytes(data)
        if self.sealing:
            with naming_host():  # replaces a seal that a save left behind when it was killed before it wrote the file
                write_atomically(seal_path(path), self.sealing.tag(path, raw), durable=durable)
        create(partial(write_atomically, path, raw, durable=durable))

    def check_shared(self, run: str) -> None:
        """Make sure that this machine sees the folder of a run. The answer is kept for the life of the process.

        Raises:
            NotSharedError: this machine does not see the folder, or sees another one under the same path.
        """
        _check_shared(self.unchecked, run)


@lru_cache(maxsize=64)
def cached_manifest(folder: Folder, snapshot: str) -> Manifest:
    """Return a manifest, read once in each process since it never changes. Raises as `Folder.read_manifest` does."""
    return folder.read_manifest(snapshot)


def create(write: Callable[..., object]) -> None:
    """Write a file under a name that must be free: call `write(exclusive=True)`.

    Raises:
        FileExistsError: the file exists.
        OSError: from the operating system, with the host.
    """
    with naming_host():
        write(exclusive=True)


@lru_cache(maxsize=256)
def _check_shared(folder: Folder, run: str) -> None:
    found = folder.read_run(run)
    if found is None or found.get("run") != run:
        raise _not_shared(folder.path(run))


def _read(path: str, sealing: Sealing = UNSEALED) -> bytes:
    with naming_host(), open(path, "rb") as file:
        raw = file.read()
    sealing.check(path, raw)
    return raw


def _read_json(path: str, sealing: Sealing = UNSEALED) -> dict[str, Any]:
    raw = _read(path, sealing)
    try:
        return parse_json(raw)
    except FormatError as error:
        raise about(error, path) from None


def _not_shared(path: str) -> NotSharedError:
    message = f"host {HOST} does not see this folder: save where the client and all workers see the same files"
    return about(NotSharedError(message, path, HOST), path)
