"""The folder that a file is written into: an open folder, and the calls on the names in it.

Rule: the folder is found once. All later calls go by its descriptor, so that neither a change of the working directory,
nor a renamed folder, nor a path near the longest that the system takes gets between the steps of a dump. Where the
system has no such calls, as on Windows, they go by paths.
"""

from __future__ import annotations

import os
from itertools import islice
from typing import Any

from .linux import attributes, rename_to_new
from .systemcalls import advise, attempt, is_refusal

__all__ = ["Folder"]

_BY_DESCRIPTOR = os.open in os.supports_dir_fd
_BY_PROC = os.path.isdir("/proc/self/fd")
_FLAGS = getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_CLOEXEC", 0)
_NEW = os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


class Folder:
    """An open folder.

    Args:
        path: path of the folder; empty for the working directory.
        within: a relative path begins at this folder.
        durable: whether `sync` will be called.

    Attributes:
        path: path of the folder as text, from the working directory on.

    Raises:
        OSError: the folder cannot be opened; with `durable`, also if it cannot be read.
    """

    def __init__(self, path: str, within: Folder | None = None, durable: bool = False):
        self.path: str = path if within is None else os.path.join(within.path, path)
        self._fd: int | None = None
        self._status: os.stat_result | None = None
        if not _BY_DESCRIPTOR:
            return
        flags = _FLAGS | (os.O_RDONLY if durable else getattr(os, "O_PATH", os.O_RDONLY))
        try:
            if within is None or within._fd is None:
                self._fd = os.open(self.path or os.curdir, flags)
            else:
                self._fd = os.open(path or os.curdir, flags, dir_fd=within._fd)
        except OSError as error:
            if not is_refusal("open of a folder", error):
                raise
            if durable:  # only a folder that can be read can be synced
                raise advise(error, "durable=True needs the permission to read the folder") from None

    @property
    def own_status(self) -> os.stat_result:
        """The status that the folder had when this was first asked."""
        if self._status is None:
            self._status = os.stat(self.path or os.curdir if self._fd is None else self._fd)
        return self._status

    def status(self, name: str) -> os.stat_result | None:
        """Return the status of a file; `None` if it does not exist. Follows no link."""
        try:
            return os.stat(self._name(name), follow_symlinks=False, **self._at("dir_fd"))
        except FileNotFoundError:
            return None

    def attributes(self, name: str) -> int:
        """Return the attributes of a file (`linux.attributes`); none where the system does not tell."""
        found: list[int] = []
        if self._fd is not None:
            fd = self._fd
            attempt("statx", lambda: found.append(attributes(fd, name)))
        return found[0] if found else 0

    @property
    def longest_name(self) -> int:
        """How many bytes a name in the folder may have, or characters: file systems differ in what they count."""
        try:
            return os.pathconf(self.path or os.curdir if self._fd is None else self._fd, "PC_NAME_MAX")
        except (AttributeError, OSError, ValueError):
            return 255

    def names(self, most: int) -> list[str]:
        """Return the names in the folder, in no order; at most so many."""
        with os.scandir(self.path_of(os.curdir)) as entries:
            return [entry.name for entry in islice(entries, most)]

    def readlink(self, name: str) -> str:
        """Return what a symbolic link points to."""
        return os.readlink(self._name(name), **self._at("dir_fd"))

    def path_of(self, name: str) -> str:
        """Return a path of a file, for calls that take no descriptor of a folder."""
        if self._fd is not None and _BY_PROC:
            return f"/proc/self/fd/{self._fd}/{name}"
        return os.path.join(self.path, name)

    @property
    def takes_files(self) -> bool:
        """Whether the system says that this process may make files in the folder; `False` if it does not tell."""
        if self._fd is None or os.access not in os.supports_effective_ids:
            return False
        return os.access(os.curdir, os.W_OK | os.X_OK, dir_fd=self._fd, effective_ids=True)

    def make(self, name: str, mode: int) -> int:
        """Make a new file, and return its descriptor for writing."""
        return os.open(self._name(name), os.O_WRONLY | _NEW, mode, **self._at("dir_fd"))

    def make_unnamed(self, mode: int) -> int:
        """Make a new file without a name, and return its descriptor for writing and reading.

        Raises:
            OSError: among others EISDIR, where the system has no such files.
        """
        flags = os.O_RDWR | os.O_TMPFILE | getattr(os, "O_CLOEXEC", 0)
        return os.open(os.curdir, flags, mode, **self._at("dir_fd"))

    def reopen(self, name: str) -> int:
        """Open a regular file, and return its descriptor."""
        return os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, **self._at("dir_fd"))

    @property
    def takes_unnamed(self) -> bool:
        """Whether this system may have files without a name, which get one later."""
        return self._fd is not None and _BY_PROC and hasattr(os, "O_TMPFILE")

    def name_unnamed(self, fd: int, name: str) -> None:
        """Give a name to a file without one. Raises `FileExistsError` if the name exists."""
        os.link(f"/proc/self/fd/{fd}", name, dst_dir_fd=self._fd, follow_symlinks=True)

    def link(self, old: str, new: str) -> None:
        """Give a file a second name. Raises `FileExistsError` if the name exists."""
        os.link(self._name(old), self._name(new), **self._at("src_dir_fd", "dst_dir_fd"))

    def rename_to_new(self, old: str, new: str) -> bool:
        """Rename a file to a name that must be free; return whether the system did.

        Raises:
            FileExistsError: the name exists.
        """
        fd = self._fd
        return fd is not None and attempt("renameat2", rename_to_new, fd, old, new)

    def replace(self, old: str, new: str) -> None:
        """Rename a file to a name, whose file it replaces if there is one."""
        os.replace(self._name(old), self._name(new), **self._at("src_dir_fd", "dst_dir_fd"))

    def unlink(self, name: str) -> None:
        """Remove a name."""
        os.unlink(self._name(name), **self._at("dir_fd"))

    def sync(self) -> None:
        """Write the names in the folder to the disk, if the folder was opened for that and the file system does it."""
        if self._fd is not None:
            attempt("fsync of a folder", os.fsync, self._fd)

    def close(self) -> None:
        """Close the folder; closing twice is fine."""
        fd, self._fd = self._fd, None
        if fd is not None:
            os.close(fd)

    def _name(self, name: str) -> str:
        return os.path.join(self.path, name) if self._fd is None else name

    def _at(self, *arguments: str) -> dict[str, Any]:
        return {} if self._fd is None else dict.fromkeys(arguments, self._fd)
