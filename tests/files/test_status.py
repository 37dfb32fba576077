"""Who may use a file after it was replaced: never anybody who could not use it before."""

from __future__ import annotations

import errno
import os
import stat
import struct
import sys
from pathlib import Path
from typing import Any, Callable

import pytest
from common import choose_temporary, each

from binpickle.files import write_atomically

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs the users and modes of POSIX")
root = pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root can be other users")
linux = pytest.mark.skipif(not hasattr(os, "setxattr"), reason="needs the attributes of Linux")

ACL, DEFAULT_ACL, NFS_ACL = "system.posix_acl_access", "system.posix_acl_default", "system.nfs4_acl"
ALICE, BOB, TEAM, OTHERS = 1500, 1501, 2000, 3000
NOBODY = 0xFFFFFFFF
TAGS = {"user": 0x01, "a user": 0x02, "group": 0x04, "a group": 0x08, "mask": 0x10, "other": 0x20}


@pytest.fixture(params=[True, False], ids=["unnamed", "named"], autouse=True)
def temporary(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test runs with temporary files that have no name, and with named ones."""
    choose_temporary(monkeypatch, not request.param)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A path in a folder where every user may write."""
    folder = tmp_path / "shared"
    folder.mkdir()
    for parent in folder.parents:
        if parent.stat().st_uid == os.geteuid() and parent.stat().st_mode & 0o055 != 0o055:
            parent.chmod(parent.stat().st_mode | 0o055)
    folder.chmod(0o777)
    return folder / "a"


def acl(**permissions: Any) -> bytes:
    """Return an access control list; the names of its entries are those of `TAGS`, with `_` for a space."""
    entries = []
    for name, given in permissions.items():
        bits, owner = given if isinstance(given, tuple) else (given, NOBODY)
        entries.append(struct.pack("<HHI", TAGS[name.replace("_", " ")], bits, owner))
    return struct.pack("<I", 2) + b"".join(entries)


def with_attribute(path: Path, name: str, value: bytes) -> None:
    """Set an attribute, or skip the test where the file system has none."""
    try:
        os.setxattr(path, name, value)
    except OSError as error:
        pytest.skip(f"no attribute {name}: {error}")


def as_user(user: int, group: int, groups: list[int], act: Callable[[], object]) -> bool:
    """Call a function in a child that is another user; return whether it raised nothing."""
    child = os.fork()
    if not child:
        status = 1
        try:
            os.setgroups(groups)
            os.setgid(group)
            os.setuid(user)
            act()
            status = 0
        finally:
            os._exit(status)
    return os.waitpid(child, 0)[1] == 0


def replace(path: Path) -> None:
    write_atomically(str(path), b"new")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@each({"user": 0o4755, "group": 0o2755, "both": 0o6711})
def test_set_id_bits(row: int, path: Path) -> None:
    """The bits that set the user or group id of a program are never carried over."""
    path.write_bytes(b"old")
    path.chmod(row)
    replace(path)
    assert mode(path) == row & 0o777


@root
def test_owner_and_group(path: Path) -> None:
    """root gives a file back to its owner and its group."""
    path.write_bytes(b"old")
    os.chown(path, ALICE, TEAM)
    path.chmod(0o640)
    replace(path)
    assert (path.stat().st_uid, path.stat().st_gid, mode(path)) == (ALICE, TEAM, 0o640)


@root
def test_group_of_a_member(path: Path) -> None:
    """A member of the file's group keeps the group, whatever group the member's new files get."""
    path.write_bytes(b"old")
    os.chown(path, ALICE, TEAM)
    path.chmod(0o640)
    assert as_user(ALICE, OTHERS, [TEAM], lambda: replace(path))
    assert (path.stat().st_uid, path.stat().st_gid, mode(path)) == (ALICE, TEAM, 0o640)


@root
def test_group_that_cannot_be_kept(path: Path) -> None:
    """Who is no member of the file's group drops its permissions: no other group gets them."""
    path.write_bytes(b"old")
    os.chown(path, ALICE, TEAM)
    path.chmod(0o664)
    assert as_user(BOB, OTHERS, [], lambda: replace(path))
    assert (path.stat().st_uid, path.stat().st_gid, mode(path)) == (BOB, OTHERS, 0o604)


@linux
def test_acl(path: Path) -> None:
    """A file keeps its access control list."""
    path.write_bytes(b"old")
    want = acl(user=6, a_user=(4, ALICE), group=0, mask=4, other=0)
    with_attribute(path, ACL, want)
    replace(path)
    assert os.getxattr(path, ACL) == want
    assert mode(path) == 0o640


@linux
@root
def test_acl_without_its_group(path: Path) -> None:
    """Where the group cannot be kept, its entry of the list is emptied; users and groups that the list names stay."""
    path.write_bytes(b"old")
    with_attribute(path, ACL, acl(user=6, a_user=(4, ALICE), group=4, mask=4, other=0))
    os.chown(path, ALICE, TEAM)
    assert as_user(BOB, OTHERS, [], lambda: replace(path))
    assert os.getxattr(path, ACL) == acl(user=6, a_user=(4, ALICE), group=0, mask=4, other=0)
    assert not as_user(78, OTHERS, [], lambda: path.read_bytes())
    assert as_user(ALICE, 77, [], lambda: path.read_bytes())


@linux
def test_default_acl(path: Path) -> None:
    """A new file gets the list of its folder; a replaced file without a list gets none."""
    path.write_bytes(b"old")
    path.chmod(0o660)
    with_attribute(path.parent, DEFAULT_ACL, acl(user=6, a_user=(6, ALICE), group=0, mask=6, other=0))
    replace(path)
    assert ACL not in os.listxattr(path)
    assert mode(path) == 0o660
    new, opened = path.parent / "new", path.parent / "opened"
    replace(new)
    opened.write_bytes(b"new")
    assert os.getxattr(new, ACL) == os.getxattr(opened, ACL)
    assert mode(new) == mode(opened)


@linux
def test_attributes_of_the_user(path: Path) -> None:
    """A file keeps the attributes that its users gave it, also one that is nearly empty."""
    path.write_bytes(b"old")
    with_attribute(path, "user.origin", b"here")
    with_attribute(path, "user.empty", b"")
    replace(path)
    kept = {name: os.getxattr(path, name) for name in os.listxattr(path) if name.startswith("user.")}
    assert kept == {"user.origin": b"here", "user.empty": b""}


class Nfs:
    """Stands in for the list that each file has on NFS 4, which no test can mount.

    Args:
        patch: where to put it.
        refuses: whether no list can be set.
    """

    def __init__(self, patch: pytest.MonkeyPatch, refuses: bool = False):
        self.given: list[bytes] = []
        self._refuses = refuses
        patch.setattr(os, "listxattr", lambda path: [NFS_ACL])
        patch.setattr(os, "getxattr", self._get)
        patch.setattr(os, "setxattr", self._set)

    def _get(self, path: Any, name: str) -> bytes:
        if name != NFS_ACL:
            raise OSError(errno.ENOTSUP, "of NFS 4 only")
        return b"a list"

    def _set(self, fd: int, name: str, value: bytes) -> None:
        if self._refuses:
            raise OSError(errno.EPERM, "not allowed")
        assert name == NFS_ACL
        self.given.append(value)


@linux
def test_acl_of_nfs(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of NFS 4 keeps its list, which sets its mode: a change of the mode would change the list."""
    path.write_bytes(b"old")
    path.chmod(0o664)
    server = Nfs(monkeypatch)
    replace(path)
    monkeypatch.undo()
    assert server.given == [b"a list"]
    assert mode(path) == 0o600  # as the server would not show it


@linux
def test_acl_of_nfs_that_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of NFS 4 whose list cannot be kept is open to its owner alone."""
    path.write_bytes(b"old")
    path.chmod(0o664)
    Nfs(monkeypatch, refuses=True)
    replace(path)
    monkeypatch.undo()
    assert mode(path) == 0o600


@linux
@root
def test_acl_of_nfs_without_its_group(path: Path) -> None:
    """A file of NFS 4 whose group cannot be kept is open to its owner alone: its list names the group by its place."""
    path.write_bytes(b"old")
    os.chown(path, ALICE, TEAM)
    path.chmod(0o664)
    with pytest.MonkeyPatch.context() as patch:
        server = Nfs(patch)
        assert as_user(BOB, OTHERS, [], lambda: replace(path))
    assert not server.given
    assert (path.stat().st_uid, mode(path)) == (BOB, 0o600)


@linux
@root
def test_attributes_of_the_system(path: Path) -> None:
    """Attributes that belong to the system are not carried over."""
    path.write_bytes(b"old")
    with_attribute(path, "trusted.mark", b"1")
    replace(path)
    assert "trusted.mark" not in os.listxattr(path)


def test_private_until_the_end(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The new file is open to its owner alone until all its bytes are written, and gets its owner before its mode."""
    calls: list[Any] = []

    def note(name: str) -> None:
        real = getattr(os, name)

        def call(fd: int, *args: Any, **more: Any) -> Any:
            found = os.fstat(fd)
            calls.append((name, stat.S_IMODE(found.st_mode), found.st_size))
            return real(fd, *args, **more)

        monkeypatch.setattr(os, name, call)

    path.write_bytes(b"old")
    path.chmod(0o664)
    if os.geteuid() == 0:
        os.chown(path, ALICE, TEAM)
    for name in ("write", "fchown", "fchmod"):
        note(name)
    replace(path)
    monkeypatch.undo()
    chown = [("fchown", 0o600, 3)] if os.geteuid() == 0 else []
    assert calls == [("write", 0o600, 0), *chown, ("fchmod", 0o600, 3)]
    assert mode(path) == 0o664


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has /dev/shm")
def test_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system in memory keeps the mode, too."""
    path = Path("/dev/shm") / f"binpickle-test-{os.getpid()}"
    try:
        path.write_bytes(b"old")
        path.chmod(0o640)
        replace(path)
        assert (path.read_bytes(), mode(path)) == (b"new", 0o640)
    finally:
        path.unlink()
