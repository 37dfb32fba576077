"""The temporary file that becomes the target: how it is made, and how it gets the target's name.

Rule: a temporary file has no name while it is written, so that nothing is left of a writer that is killed, and it gets
its name in one step. Where the file system has no such files, it has a name of its own from the start,
`.NAME.XXXXXXXX.bpk-tmp`, and a writer that is killed leaves it behind, until `leftovers` sweeps the folder. No name of
either kind is longer than about a hundred bytes, which every file system takes.
"""

from __future__ import annotations

import errno
import os
from contextlib import suppress

from .folder import Folder
from .leftovers import hold, sweep, temporary_name
from .place import OPEN_IT, Place
from .status import PRIVATE, Status, keep, read_status
from .systemcalls import advise, attempt, is_refusal

__all__ = ["NAMEABLE", "Temporary"]

_NEW_MODE = 0o666
_COPIED_AT_ONCE = 1 << 20

NAMEABLE: dict[int, bool] = {}
"""Whether files without a name may get one, by the number of the device: found out once by each process."""


class Temporary:
    """A temporary file for a place.

    Args:
        place: where the file goes.
        named: give it a name from the start, which is quicker for a file that will replace another at once.

    Attributes:
        fd: the descriptor to write to; -1 once the file is in place or discarded.

    Raises:
        OSError: no file can be made there.
    """

    def __init__(self, place: Place, named: bool = False):
        self.fd = -1
        self._folder, self._target, self._old = place.folder, place.name, place.old
        self._mode = _NEW_MODE if place.old is None else PRIVATE
        self._name = ""
        self._owner = os.getpid()
        try:
            if not named:
                self.fd = _make_unnamed(self._folder, self._target, self._mode)
            if self.fd < 0:
                self._make_named()
                if not named:  # else it is in place in a moment
                    hold(self.fd)
                sweep(self._folder, self.fd)
        except BaseException:
            self.discard()
            raise

    def old(self) -> Status | None:
        """Return the status of the file that is replaced, as it is now; `None` if there is none."""
        self._old = read_status(self._folder, self._target, self._old) or self._old
        return self._old

    def appear(self) -> bool:
        """Give a file without a name the target's name if that is free; return whether the file has it then."""
        with suppress(FileExistsError):
            return self._link_to_target()
        return False

    def replace(self) -> None:
        """Give the file the target's name, whether that exists or not, and the status of an old file."""
        if not self._name:
            self._give_name()
            self._reopen()
        if self._old is not None:
            keep(self.fd, self._old)
        self._close()
        try:
            self._folder.replace(self._name, self._target)
        except OSError as error:
            if error.errno in (errno.EBUSY, errno.EPERM, errno.EACCES):
                advise(error, f"the folder does not let this file be replaced: write to another name, or {OPEN_IT}")
            raise
        self._name = ""

    def create(self) -> None:
        """Give the file the target's name if that is free.

        Where the file system has neither hard links nor a rename that spares a file, an empty file takes the name
        first, and is replaced at once: until then a reader may see it.

        Raises:
            FileExistsError: the name exists.
        """
        if self._link_to_target():
            return
        if not self._name:
            self._give_name()
        self._close()
        if attempt("link", self._folder.link, self._name, self._target):
            return  # `discard` removes the temporary name
        if not self._folder.rename_to_new(self._name, self._target):
            self._replace_reserved()
        self._name = ""

    def discard(self) -> None:
        """Close the file, and remove its temporary name if it has one."""
        name, self._name = self._name, ""
        try:
            with suppress(OSError):  # the error that led here says more
                self._close()
        finally:
            if name and os.getpid() == self._owner:  # after a fork the file belongs to the parent
                with suppress(FileNotFoundError):  # an interrupt came just after the rename
                    self._folder.unlink(name)

    def _close(self) -> None:
        fd, self.fd = self.fd, -1
        if fd >= 0:
            os.close(fd)

    def _make_named(self) -> None:
        self._name = temporary_name(self._target)
        try:
            self.fd = self._folder.make(self._name, self._mode)
        except OSError as error:
            self._name = ""
            if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
                advise(error, f"writing needs to make a file in the folder: use another folder, or {OPEN_IT}")
            raise

    def _link_to_target(self) -> bool:
        """Give a file without a name the target's name; return whether the file system did.

        Raises:
            FileExistsError: the name exists.
        """
        linked = not self._name and self._link(self._target)
        if linked:
            self._close()
        return linked

    def _link(self, name: str) -> bool:
        """Give the unnamed file a name, which must be free; return whether the file system did."""
        return attempt("link", self._folder.name_unnamed, self.fd, name)

    def _give_name(self) -> None:
        """Give the file, which has no name, a temporary one."""
        self._name = temporary_name(self._target)  # first, so that an interrupt does not leave it behind
        if not self._link(self._name):
            self._copy()

    def _reopen(self) -> None:
        """Open the file by its name: policies that go by paths judge a descriptor by the path it was opened with."""
        fd, self.fd = self.fd, self._folder.reopen(self._name)
        try:
            if not os.path.sameopenfile(fd, self.fd):
                raise OSError(errno.ESTALE, "another program put its own file in the place of the temporary file")
        finally:
            os.close(fd)

    def _replace_reserved(self) -> None:
        """Reserve the target's name by an empty file, and replace that; on failure remove it."""
        os.close(self._folder.make(self._target, PRIVATE))
        try:
            self._folder.replace(self._name, self._target)
        except BaseException:
            self._folder.unlink(self._target)
            raise

    def _copy(self) -> None:
        """Copy the file to one with a name: the system has named others like it, but refused this one."""
        unnamed, self.fd = self.fd, -1
        try:
            self._make_named()
            os.lseek(unnamed, 0, os.SEEK_SET)
            for piece in iter(lambda: os.read(unnamed, _COPIED_AT_ONCE), b""):
                view = memoryview(piece)
                while view:
                    view = view[os.write(self.fd, view) :]
            os.fsync(self.fd)
        finally:
            os.close(unnamed)


def _make_unnamed(folder: Folder, target: str, mode: int) -> int:
    """Return the descriptor of a new file without a name; -1 if the file system has none, or could never name it."""
    if not folder.takes_unnamed or not _may_name(folder, target):
        return -1
    try:
        return folder.make_unnamed(mode)
    except OSError as error:
        if not is_refusal("O_TMPFILE", error):
            raise
        return -1


def _may_name(folder: Folder, target: str) -> bool:
    """Return whether a file without a name may get one: the file system, a container or a policy may refuse it."""
    device = folder.own_status.st_dev
    if device not in NAMEABLE:
        known = _try_to_name(folder, target)
        if known is None:
            return False
        NAMEABLE[device] = known
    return NAMEABLE[device]


def _try_to_name(folder: Folder, target: str) -> bool | None:
    """Name an empty file, and remove it; return whether that was possible, or `None` if no file could be made."""
    try:
        fd = folder.make_unnamed(PRIVATE)
    except OSError as error:
        if not is_refusal("O_TMPFILE", error):
            raise
        return None
    name = temporary_name(target)
    try:
        return attempt("link", folder.name_unnamed, fd, name)
    finally:
        os.close(fd)
        with suppress(OSError):  # it was not made
            folder.unlink(name)
