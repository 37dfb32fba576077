"""Where things lie in a folder of snapshots, and how its small JSON files come to be.

Rule: a file appears whole under its name or not at all. Manifests, run files and parts never change once they are
there; the pointer alone is ever replaced. Names read from files are checked before they are joined to a path. What is
sealed is checked before it is parsed: see `sealing`.
"""

from __future__ import annotations

import errno
import json
import os
import re
import socket
import uuid
from functools import lru_cache
from typing import Any, Callable, Optional

from binpickle.errors import FormatError, NotCommittedError, NotSharedError, SnapshotGoneError

__all__ = [
    "HOST",
    "META",
    "NO_HARD_LINKS",
    "RUN_FILE",
    "SNAPSHOTS",
    "about",
    "check_name",
    "check_shared",
    "json_bytes",
    "manifest_path",
    "naming_host",
    "new_name",
    "parse_json",
    "put_file",
    "read_manifest_file",
    "read_pointer",
    "read_run",
    "run_names",
    "snapshot_names",
    "switch_pointer",
    "sync_folder",
]

POINTER = "_bpk.json"
SNAPSHOTS = "_snapshots"
RUN_FILE = "RUN.json"
META = "meta.bpk"
FORMAT = "binpickle_dask"
VERSION = 1
HOST = socket.gethostname()

# Told the path and the bytes of a file before they are parsed; what it raises refuses them.
Check = Optional[Callable[[str, bytes], None]]

# What `os.link` fails with where a file system has no hard links.
NO_HARD_LINKS = {errno.EPERM, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP}
# A letter or digit first, so that neither hidden files, nor `..`, nor our own `_` files can be named.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,120}")


def check_name(name: Any) -> str:
    """Return the name of a run, snapshot or part if it is one.

    Raises:
        FormatError: it could lead elsewhere, or is no name at all.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name) or ".." in name:
        raise FormatError(f"{name!r} is not the name of a run, a snapshot or a part")
    return name


def new_name() -> str:
    """Return a name that no other saver chooses."""
    return uuid.uuid4().hex[:20]


def manifest_path(root: str, snapshot: str) -> str:
    """Return the path of a snapshot's manifest."""
    return os.path.join(root, SNAPSHOTS, check_name(snapshot) + ".json")


class naming_host:  # used as a function is; a class, since every part that is mapped goes through it
    """Make errors of the operating system say on which machine they arose: it may be a worker's."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, _: Any, error: BaseException | None, __: Any) -> None:
        if isinstance(error, OSError) and error.errno is not None and "on host" not in str(error.strerror):
            raise OSError(error.errno, f"{error.strerror}, on host {HOST}", error.filename) from error


def json_bytes(data: dict[str, Any]) -> bytes:
    """Return the bytes of a JSON file of ours."""
    return json.dumps({"format": FORMAT, "version": VERSION, **data}, allow_nan=False).encode("utf-8")


def parse_json(raw: bytes) -> dict[str, Any]:
    """Return what the bytes of a JSON file of ours say.

    Raises:
        FormatError: it is not one, or not what this release reads.
    """
    try:
        data = json.loads(raw.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise FormatError(f"not JSON: {error}") from None
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise FormatError(f"not a file of {FORMAT}")
    if data.get("version") != VERSION:
        raise FormatError(f"is of version {data.get('version')!r}, this release reads {VERSION}")
    return data


def put_file(path: str, raw: bytes, *, replace: bool = False, durable: bool = False) -> None:
    """Write a small file.

    Args:
        path: of the file.
        raw: its bytes.
        replace: whether a file may be there already.
        durable: sync file and folder to the disk.

    Raises:
        FileExistsError: a file is there, and `replace` is not given.
        OSError: from the operating system, with the host.
    """
    folder, name = os.path.split(path)
    temporary = os.path.join(folder, f".{name}.{uuid.uuid4().hex[:8]}.bpk-tmp")
    with naming_host():
        try:
            with open(temporary, "xb") as file:
                file.write(raw)
                file.flush()
                if durable:
                    os.fsync(file.fileno())
            _publish(temporary, path, replace)
        finally:
            if os.path.lexists(temporary):
                os.unlink(temporary)
        if durable:
            sync_folder(folder)


def read_pointer(root: str) -> str:
    """Return the name of the current snapshot.

    Raises:
        FileNotFoundError: there is no such folder.
        NotCommittedError: no save into the folder has ended.
        FormatError: the pointer is not what this release reads.
        OSError: from the operating system, with the host.
    """
    path = os.path.join(root, POINTER)
    try:
        return check_name(_read_json(path).get("snapshot"))
    except FileNotFoundError:
        with naming_host():
            os.stat(root)
        message = f"no snapshot: nothing was saved here, or no save has ended (host {HOST})"
        raise about(NotCommittedError(message, root, HOST), root) from None


def switch_pointer(root: str, snapshot: str, durable: bool) -> None:
    """Make a snapshot the current one, at once for all who open the folder."""
    raw = json_bytes({"snapshot": check_name(snapshot)})
    put_file(os.path.join(root, POINTER), raw, replace=True, durable=durable)


def read_manifest_file(root: str, snapshot: str, check: Check = None) -> bytes:
    """Return the bytes of the manifest of a snapshot.

    Args:
        root: the folder.
        snapshot: in it.
        check: of its seal.

    Raises:
        SnapshotGoneError: the folder does not hold it, or no longer does.
        NotSharedError: this machine does not see the folder.
        OSError: from the operating system, with the host.
    """
    path = manifest_path(root, snapshot)
    try:
        return _read(path, check)
    except FileNotFoundError:
        if os.path.lexists(path):  # it is a key that is not there
            raise
        if not os.path.lexists(os.path.join(root, SNAPSHOTS)):
            raise _not_shared(root) from None
        message = f"snapshot {snapshot} is not there (host {HOST}): it was removed by vacuum(); open the folder again"
        raise about(SnapshotGoneError(message, root, HOST), root) from None


def snapshot_names(root: str) -> list[str]:
    """Return the names of the snapshots in a folder, oldest first."""
    folder = os.path.join(root, SNAPSHOTS)
    try:
        entries = [entry for entry in os.scandir(folder) if not entry.name.startswith(".")]
    except FileNotFoundError:
        return []
    entries.sort(key=lambda entry: (entry.stat().st_mtime_ns, entry.name))
    return [entry.name[: -len(".json")] for entry in entries if entry.name.endswith(".json")]


def read_run(root: str, run: str, check: Check = None) -> dict[str, Any] | None:
    """Return what the file of a run says, or `None` where there is no such run.

    Args:
        root: the folder.
        run: in it.
        check: of the seal.
    """
    try:
        return _read_json(os.path.join(root, check_name(run), RUN_FILE), check)
    except (FileNotFoundError, NotADirectoryError, FormatError):
        return None


def run_names(root: str) -> list[str]:
    """Return the names of the runs in a folder."""
    try:
        names = os.listdir(root)
    except FileNotFoundError:
        return []
    return sorted(name for name in names if _NAME.fullmatch(name) and read_run(root, name) is not None)


@lru_cache(maxsize=256)
def check_shared(root: str, run: str) -> None:
    """Make sure that this machine sees the folder of a run; asked once in each process.

    Raises:
        NotSharedError: it does not, or another run lies there.
    """
    found = read_run(root, run)
    if found is None or found.get("run") != run:
        raise _not_shared(os.path.join(root, run))


def sync_folder(folder: str) -> None:
    """Sync the names in a folder to the disk."""
    if os.name == "nt":  # folders cannot be opened there
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _publish(temporary: str, path: str, replace: bool) -> None:
    if replace:
        os.replace(temporary, path)
        return
    try:
        os.link(temporary, path)
    except OSError as error:
        if error.errno not in NO_HARD_LINKS or os.path.lexists(path):
            raise
        os.rename(temporary, path)  # names are made to be unique: nobody else takes this one meanwhile


def _read_json(path: str, check: Check = None) -> dict[str, Any]:
    raw = _read(path, check)
    try:
        return parse_json(raw)
    except FormatError as error:
        raise about(error, path) from None


def _read(path: str, check: Check) -> bytes:
    with naming_host(), open(path, "rb") as file:
        raw = file.read()
    if check is not None:
        check(path, raw)
    return raw


def _not_shared(path: str) -> Any:
    message = f"host {HOST} does not see this folder: save where the client and all workers see the same files"
    return about(NotSharedError(message, path, HOST), path)


def about(error: Any, path: str) -> Any:
    """Return an error that names the file it is about."""
    error.file = path
    return error
