"""Each system call of writing, failed with each error by which a file system refuses: which outcome is right."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import stat
from pathlib import Path
from typing import Any, Callable, NamedTuple

import pytest
from common import choose_temporary, leftovers
from internals import REFUSALS, linux_module, open_sink

pytestmark = pytest.mark.skipif(not hasattr(os, "O_TMPFILE"), reason="the calls are those of Linux")

CODES = ["EPERM", "EACCES", "EINVAL", "ENOTSUP", "ENOSYS", "EXDEV", "EBUSY", "EROFS"]
ALL = frozenset(CODES)
UNKNOWN = frozenset(["EINVAL", "ENOTSUP", "ENOSYS"])
REFUSED = UNKNOWN | {"EPERM", "EACCES"}
NONE: frozenset[str] = frozenset()

ATTRIBUTE = "user.origin"
# The owner, user 1500 and the mask have the permissions 6, the group and others have 4.
DEFAULT_ACL = bytes.fromhex(
    "02000000 01000600ffffffff 02000600dc050000 04000400ffffffff 10000600ffffffff 20000400ffffffff"
)


class Call(NamedTuple):
    """A system call of writing, and a way to write that makes it.

    Attributes:
        passed: the errors that mean that the call is refused, and without which the dump goes on.
        function: name of the function of `os`, `fcntl` or the C library that makes the call.
        when: whether a call with some first argument, and the others, is meant; by default each.
        old: whether a file is replaced.
        durable: see `dump`.
        exclusive: see `dump`.
        named: whether the temporary file has a name from the start.
        without: other functions that the file system refuses.
        late: whether the new file is in place before the call.
    """

    passed: frozenset[str]
    function: str
    when: Callable[..., bool] = lambda *_: True
    old: bool = True
    durable: bool | None = None
    exclusive: bool = False
    named: bool = False
    without: tuple[str, ...] = ()
    late: bool = False


def is_folder(fd: int, *_: Any) -> bool:
    return stat.S_ISDIR(os.fstat(fd).st_mode)


def opens_folder(name: str, flags: int, *_: Any) -> bool:
    return bool(flags & os.O_DIRECTORY) and name != "."


def unnamed(_: str, flags: int, *__: Any) -> bool:
    return flags & os.O_TMPFILE == os.O_TMPFILE


def makes(ending: str) -> Callable[..., bool]:
    return lambda name, flags, *_: bool(flags & os.O_CREAT) and str(name).endswith(ending)


CALLS = {
    # Needed: any error ends the dump, and the old file stays.
    "open of a folder, durable": Call(NONE, "open", opens_folder, durable=True),
    "open a temporary file with a name": Call(NONE, "open", makes(".bpk-tmp"), named=True),
    "open the new file by its name": Call(NONE, "open", lambda _, flags, *__: bool(flags & os.O_NOFOLLOW)),
    "write": Call(NONE, "write"),
    "writev": Call(NONE, "writev"),
    "ftruncate": Call(NONE, "ftruncate"),
    "close": Call(NONE, "close", lambda fd: stat.S_ISREG(os.fstat(fd).st_mode), named=True),
    "replace": Call(NONE, "replace"),
    "O_EXCL": Call(NONE, "open", makes("a"), old=False, exclusive=True, without=("link", "renameat2")),
    # Best effort: an error that means a refusal is passed over, any other ends the dump.
    "open of a folder": Call(frozenset(["EPERM", "EACCES"]), "open", opens_folder),
    "O_TMPFILE": Call(ALL, "open", unnamed),
    "fallocate": Call(ALL, "fallocate"),
    "statx": Call(ALL, "statx"),
    "fsync of a file": Call(UNKNOWN, "fsync"),
    "fsync of a file, durable": Call(NONE, "fsync", durable=True),
    "fsync of a folder": Call(REFUSED, "fsync", is_folder, durable=True, late=True),
    "flock": Call(ALL, "flock", named=True),
    "listxattr": Call(REFUSED, "listxattr"),
    "getxattr": Call(REFUSED, "getxattr"),
    "setxattr": Call(REFUSED, "setxattr"),
    "removexattr": Call(REFUSED, "removexattr"),
    "fchown": Call(REFUSED, "fchown"),
    "fchmod": Call(REFUSED, "fchmod"),
    "link, unnamed and new": Call(REFUSED | {"EXDEV"}, "link", old=False),
    "link, unnamed and replaced": Call(REFUSED | {"EXDEV"}, "link"),
    "link, exclusive": Call(REFUSED | {"EXDEV"}, "link", old=False, exclusive=True, named=True),
    "link, exclusive and unnamed": Call(REFUSED | {"EXDEV"}, "link", old=False, exclusive=True),
    "renameat2": Call(UNKNOWN | {"EPERM"}, "renameat2", old=False, exclusive=True, without=("link",)),
}


class Failing:
    """Makes a function fail; counts its calls."""

    def __init__(self, patch: pytest.MonkeyPatch, name: str, code: int, when: Callable[..., bool]):
        self.calls = 0
        self._code, self._when = code, when
        module: Any = fcntl if name == "flock" else os
        if hasattr(module, name):
            patch.setattr(module, name, self._stand_in(getattr(module, name)))
        else:
            real = linux_module.c_function
            patch.setattr(linux_module, "c_function", lambda *args: self._fail_in_c if args[0] == name else real(*args))

    def _stand_in(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **more: Any) -> Any:
            if not self._when(*args):
                return real(*args, **more)
            self.calls += 1
            if real is CLOSE:
                real(*args)
            raise OSError(self._code, os.strerror(self._code))

        return call

    def _fail_in_c(self, *_: Any) -> int:
        self.calls += 1
        ctypes.set_errno(self._code)
        return -1


CLOSE = os.close


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("name", CALLS)
def test_outcome(name: str, code: str, tmp_path: Path) -> None:
    """A call that is refused is done without; a call that fails ends the dump, and the error names the path."""
    call, number, path = CALLS[name], getattr(errno, code), tmp_path / "a"
    write(tmp_path / "first")
    (tmp_path / "first").unlink()
    if call.old:
        make_old(path)
    error: Any = None
    with pytest.MonkeyPatch.context() as patch:
        choose_temporary(patch, call.named)
        for refused in call.without:
            Failing(patch, refused, errno.EINVAL, lambda *_: True)
        failing = Failing(patch, call.function, number, call.when)
        try:
            write(path, call.durable, call.exclusive)
        except OSError as caught:
            error = caught
    if not failing.calls:
        pytest.skip("this file system does without the call, or the user may not need it")
    assert leftovers(tmp_path) == []
    if code in call.passed:
        assert error is None
    else:
        assert (error.errno, error.filename) == (number, str(path))
    if code in call.passed or call.late:
        assert path.read_bytes() == b"new file"
    else:
        assert path.read_bytes() == b"old" if call.old else not path.exists()


def make_old(path: Path) -> None:
    """Make a file that has all that a file can have: an owner, attributes, and none of the folder's access list."""
    path.write_bytes(b"old")
    if os.geteuid() == 0:
        os.chown(path, 1500, 2000)
    try:
        os.setxattr(path, ATTRIBUTE, b"here")
        os.setxattr(path.parent, "system.posix_acl_default", DEFAULT_ACL)
    except OSError:  # then the tests of attributes are skipped
        pass


def write(path: Path, durable: bool | None = None, exclusive: bool = False) -> None:
    with open_sink(str(path), durable, exclusive) as sink:
        sink.expect(1 << 20)
        sink.write(b"new")
        sink.write_all([b" ", b"file"])


def test_table_is_complete() -> None:
    """The table of refusals has a row for each call here that is not needed, and for no other."""
    optional = {name.partition(",")[0] for name, call in CALLS.items() if call.passed}
    optional -= {"listxattr"}  # shares the row of getxattr
    assert optional == set(REFUSALS)


@pytest.mark.parametrize("code", CODES)
def test_no_wider_without_attributes(code: str, tmp_path: Path) -> None:
    """Where the owner cannot be kept, or the list cannot be removed, the new file is never open to more users."""
    for function in ("fchown", "removexattr", "fchmod"):
        path = tmp_path / function / "a"
        path.parent.mkdir()
        make_old(path)
        path.chmod(0o664)
        with pytest.MonkeyPatch.context() as patch:
            failing = Failing(patch, function, getattr(errno, code), lambda *_: True)
            try:
                write(path)
            except OSError:
                assert code not in REFUSED
        found = path.stat()
        if failing.calls and code in REFUSED:
            assert found.st_mode & 0o070 == 0, function
            assert (found.st_mode & 0o007 == 0) == (function != "fchown")
