"""Who may use a file that is replaced: its owner, group, mode and access control list, and the user's attributes.

Rule: the new file is open to its owner alone until `keep` widens it, at the very end. Nobody may use the new file who
could not use the old one: the bits that set the user or group id are dropped, and where the system does not let the
group or the list be kept, the permissions that hang on it are dropped, too. `security.*` and `trusted.*` attributes
belong to the system, and are not kept.
"""

from __future__ import annotations

import os
import stat
import struct
from typing import NamedTuple

from .folder import Folder
from .systemcalls import attempt

__all__ = ["PRIVATE", "Status", "keep", "read_status", "status_of"]

PRIVATE = 0o600
"""The mode of a temporary file that will replace another file."""

_PERMISSIONS = 0o777
_ACL = "system.posix_acl_access"
_NFS_ACL = "system.nfs4_acl"
_ACLS = (_ACL, _NFS_ACL)
_USER = "user."
# A change of the mode, the owner, a list or an attribute changes the last of these, if not another.
_SAME = ("st_dev", "st_ino", "st_mode", "st_uid", "st_gid", "st_ctime_ns")
# An access control list in an attribute: a version, and entries of a tag, permissions and an id.
_ACL_HEADER, _ACL_ENTRY = struct.Struct("<I"), struct.Struct("<HHI")
_OWNING_GROUP = 0x04


class Status(NamedTuple):
    """What is kept of a file that is replaced.

    Attributes:
        found: what `os.stat` says of it.
        mode: its permissions, as far as they can be kept.
        acl: its access control list of POSIX, or `None`.
        nfs_acl: its access control list of NFS 4, which says all that the mode says, or `None`.
        attributes: the attributes of the user by name.
    """

    found: os.stat_result
    mode: int
    acl: bytes | None = None
    nfs_acl: bytes | None = None
    attributes: tuple[tuple[str, bytes], ...] = ()


def read_status(folder: Folder, name: str, before: Status | None = None) -> Status | None:
    """Return the status of a regular file; `None` if there is none of this name.

    Args:
        folder: where the file is.
        name: its name.
        before: the status that it had, whose lists and attributes are not read again if nothing was changed since.
    """
    found = folder.status(name)
    if found is None or not stat.S_ISREG(found.st_mode):
        return None
    if before is not None and all(getattr(found, part) == getattr(before.found, part) for part in _SAME):
        return before
    return status_of(folder, name, found)


def status_of(folder: Folder, name: str, found: os.stat_result) -> Status:
    """Return the status of a regular file of which `os.stat` is known."""
    mode, path, attributes = found.st_mode & _PERMISSIONS, folder.path_of(name), {}
    for attribute in _names_of_attributes(path):
        if not attempt("getxattr", lambda key=attribute: attributes.update({key: os.getxattr(path, key)})):
            mode &= stat.S_IRWXU if attribute in _ACLS else mode
    acl, nfs_acl = (attributes.pop(name, None) for name in _ACLS)
    return Status(found, mode, acl, nfs_acl, tuple(attributes.items()))


def keep(fd: int, old: Status) -> None:
    """Give a file of mode `PRIVATE` the status of the file that it will replace, as far as the system allows.

    Raises:
        OSError: a step failed.
    """
    for name, value in old.attributes:
        attempt("setxattr", os.setxattr, fd, name, value)
    mode, acl = old.mode, old.acl
    has_group = _keep_owner(fd, old)  # before the mode: else another group could read the file
    if old.nfs_acl is not None:
        if has_group and attempt("setxattr", os.setxattr, fd, _NFS_ACL, old.nfs_acl):
            return
        mode &= stat.S_IRWXU
    if not has_group:
        mode, acl = (mode & ~stat.S_IRWXG, None) if acl is None else (mode, _without_group(acl))
    if not _set_acl(fd, acl):
        mode &= stat.S_IRWXU
    if hasattr(os, "fchmod"):
        attempt("fchmod", os.fchmod, fd, mode)


def _keep_owner(fd: int, old: Status) -> bool:
    """Give a file its owner and its group; return whether it has the group then."""
    if not hasattr(os, "fchown"):
        return True
    new, uid, gid = os.fstat(fd), old.found.st_uid, old.found.st_gid
    if (new.st_uid, new.st_gid) == (uid, gid) or attempt("fchown", os.fchown, fd, uid, gid):
        return True
    return new.st_gid == gid or attempt("fchown", os.fchown, fd, -1, gid)


def _set_acl(fd: int, acl: bytes | None) -> bool:
    """Give a file an access control list, or none; return whether it has that then."""
    if not hasattr(os, "setxattr"):
        return True
    if acl is not None:
        return attempt("setxattr", os.setxattr, fd, _ACL, acl)
    if attempt("getxattr", os.getxattr, fd, _ACL):  # the folder has a list for new files
        return attempt("removexattr", os.removexattr, fd, _ACL)
    return True


def _without_group(acl: bytes) -> bytes:
    """Return an access control list without the permissions of the group that owns the file."""
    entries = _ACL_ENTRY.iter_unpack(acl[_ACL_HEADER.size :])
    packed = [_ACL_ENTRY.pack(tag, 0 if tag == _OWNING_GROUP else bits, owner) for tag, bits, owner in entries]
    return acl[: _ACL_HEADER.size] + b"".join(packed)


def _names_of_attributes(path: str) -> list[str]:
    """Return which of the attributes that are kept a file has."""
    names: list[str] = []
    if hasattr(os, "listxattr"):
        attempt("getxattr", lambda: names.extend(os.listxattr(path)))
    return [name for name in names if name in _ACLS or name.startswith(_USER)]
