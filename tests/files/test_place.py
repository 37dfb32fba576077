"""Where a path leads, and what is refused before anything is pickled."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Callable

import pytest
from common import INSTALLED, choose_temporary, each, leftovers
from internals import linux_module, open_sink

import binpickle
from binpickle.files import write_atomically

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs the paths, links and users of POSIX")
linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has this")
root = pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root can be other users, and mount")

ALICE, BOB = 1500, 1501


class Explosive:
    """An object that must not be pickled, because the path is refused first."""

    def __reduce__(self) -> Any:
        raise AssertionError("pickled")


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """A folder where every user may write."""
    folder = tmp_path / "shared"
    folder.mkdir()
    for parent in folder.parents:
        if parent.stat().st_uid == os.geteuid() and parent.stat().st_mode & 0o055 != 0o055:
            parent.chmod(parent.stat().st_mode | 0o055)
    folder.chmod(0o777)
    return folder


def refusal(path: str, user: int = ALICE) -> str:
    """Return the message with which another user's dump is refused; empty if the object was pickled."""
    receive, send = os.pipe()
    child = os.fork()
    if not child:
        os.setgroups([])
        os.setgid(user)
        os.setuid(user)
        try:
            binpickle.dump(Explosive(), path)
        except OSError as error:
            os.write(send, f"{type(error).__name__} {error}".encode())
        finally:
            os._exit(0)
    os.close(send)
    with open(receive, "rb") as message:
        text = message.read().decode()
    os.waitpid(child, 0)
    return text


# ---------------------------------------------------------------------------------------------- refused beforehand


@root
def test_folder_that_takes_no_file(shared: Path) -> None:
    """A file that may be written, in a folder that may not, is refused with what to do."""
    path = shared / "a"
    path.write_bytes(b"old")
    path.chmod(0o666)
    shared.chmod(0o755)
    said = refusal(str(path))
    assert said.startswith("PermissionError")
    assert "the folder" in said
    assert "pass the file object" in said
    assert str(path) in said


@root
@each({"a file of another user": (BOB, 0, False), "its own": (ALICE, 0, True), "its own folder": (BOB, ALICE, True)})
def test_sticky_folder(row: tuple[int, int, bool], shared: Path) -> None:
    """In a folder with the sticky bit, only the owner of the file or of the folder may replace a file."""
    owner, owner_of_folder, allowed = row
    path = shared / "a"
    path.write_bytes(b"old")
    os.chown(path, owner, owner)
    os.chown(shared, owner_of_folder, owner_of_folder)
    shared.chmod(0o1777)
    said = refusal(str(path))
    assert ("sticky" in said) != allowed
    assert path.read_bytes() == b"old"


@root
@each({"a link of another user": (BOB, False), "its own": (ALICE, True), "the folder's owner's": (0, True)})
def test_link_in_sticky_folder(row: tuple[int, bool], shared: Path) -> None:
    """In a folder with the sticky bit, a symbolic link of somebody else is not followed."""
    owner, allowed = row
    inner = shared / "inner"
    inner.mkdir()
    inner.chmod(0o777)
    link = shared / "link"
    link.symlink_to(inner / "a")
    os.chown(link, owner, owner, follow_symlinks=False)
    shared.chmod(0o1777)
    assert ("symbolic link" in refusal(str(link))) != allowed
    assert os.listdir(inner) == []


@linux
@root
def test_mounted_file(tmp_path: Path) -> None:
    """A file that is mounted by itself cannot be replaced: it is refused with what to do, and can be opened."""
    path, source = tmp_path / "a", tmp_path / "source"
    for each_path in (path, source):
        each_path.write_bytes(b"old")
    in_namespace(
        f"mount --bind {source} {path}",
        f"""if True:
        import binpickle, errno
        class Explosive:
            def __reduce__(self):
                raise AssertionError("pickled")
        try:
            binpickle.dump(Explosive(), {str(path)!r})
        except OSError as error:
            assert error.errno == errno.EBUSY and "mounted" in str(error) and "file object" in str(error), error
        else:
            raise AssertionError("not refused")
        with open({str(path)!r}, "wb") as file:
            binpickle.dump(1, file)
        assert binpickle.load({str(path)!r}) == 1
        """,
    )
    assert path.read_bytes() == b"old"
    assert leftovers(tmp_path) == []


def test_mount_that_is_not_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system does not tell beforehand, the failing replacement says what to do."""

    def busy(*_: Any, **__: Any) -> None:
        raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))

    (tmp_path / "a").write_bytes(b"old")
    monkeypatch.setattr(linux_module, "c_function", lambda *_: None)
    monkeypatch.setattr(os, "replace", busy)
    with pytest.raises(OSError, match="pass the file object") as caught:
        write_atomically(str(tmp_path / "a"), b"new")
    assert caught.value.errno == errno.EBUSY
    assert os.listdir(tmp_path) == ["a"]


@each(
    {
        "nothing": ("", errno.ENOENT),
        "a folder": ("folder", errno.EISDIR),
        "a folder with a slash": ("folder/", errno.EISDIR),
        "this folder": (".", errno.EISDIR),
        "a file as a folder": ("file/", errno.ENOTDIR),
        "a file in a file": ("file/a", errno.ENOTDIR),
        "no folder": ("none/a", errno.ENOENT),
        "a loop": ("loop", errno.ELOOP),
        "a long name": ("n" * 256, errno.ENAMETOOLONG),
    }
)
def test_paths_that_are_refused(row: tuple[str, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path that cannot be written is refused before the object is pickled, and the error names it."""
    path, code = row
    monkeypatch.chdir(tmp_path)
    Path("folder").mkdir()
    Path("file").write_bytes(b"old")
    Path("loop").symlink_to("loop")
    with pytest.raises(OSError) as caught:  # noqa: PT011 - the code is compared
        binpickle.dump(Explosive(), path)
    assert (caught.value.errno, caught.value.filename) == (code, path)
    assert sorted(os.listdir(tmp_path)) == ["file", "folder", "loop"]


# ----------------------------------------------------------------------------------------------- long and moving paths


@pytest.mark.parametrize("named", [False, True])
@each({"ASCII": "n" * 255, "two bytes": "\u00e9" * 127, "four bytes": "\U0001f600" * 63})
def test_long_names(row: str, named: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name may be as long as the file system allows: the temporary name is no longer."""
    choose_temporary(monkeypatch, named)
    for value in (1, 2):
        binpickle.dump(value, tmp_path / row)
        assert binpickle.load(tmp_path / row) == value
    assert os.listdir(tmp_path) == [row]


def test_file_system_of_short_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that the file system takes is written, and one that it would refuse at the end is refused at once."""
    monkeypatch.setattr(os, "pathconf", lambda *_: 143)
    binpickle.dump(1, tmp_path / ("n" * 143))
    with pytest.raises(OSError, match="too long"):
        binpickle.dump(Explosive(), tmp_path / ("n" * 144))


@linux
@pytest.mark.parametrize("named", [False, True])
@pytest.mark.parametrize("old", [False, True])
def test_deep_paths(old: bool, named: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path of the greatest length is written, and a short path in a folder that is deeper still."""
    choose_temporary(monkeypatch, named)
    deep = str(tmp_path)
    while len(deep) + 201 < 4080:
        deep += "/" + "d" * 200
    os.makedirs(deep)
    path = deep + "/" + "a" * (4095 - len(deep) - 1)
    monkeypatch.chdir(deep)
    for _ in range(2):
        os.mkdir("e" * 200)
        os.chdir("e" * 200)
    for target in (path, "a"):
        if old:
            with open(target, "wb"):
                pass
        binpickle.dump([1], target, durable=True)
        with open(target, "rb") as file:
            assert binpickle.load(file) == [1]
    monkeypatch.undo()
    shutil.rmtree(tmp_path / ("d" * 200))


def test_moving_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that is renamed meanwhile, or another working directory, does not lose the file."""
    (tmp_path / "before").mkdir()
    monkeypatch.chdir(tmp_path)
    with open_sink("before/a") as sink:
        sink.write(b"new")
        os.rename("before", "after")
        os.chdir("/")
    assert (tmp_path / "after" / "a").read_bytes() == b"new"
    assert os.listdir(tmp_path / "after") == ["a"]


# ------------------------------------------------------------------------------------------------ paths of descriptors


def unlinked_file() -> Any:
    return tempfile.TemporaryFile()


def file_in_memory() -> Any:
    return open(os.memfd_create("test"), "w+b")


@linux
@each({"unlinked": unlinked_file, "in memory": file_in_memory}, "make")
@each({"/dev/fd": "/dev/fd", "/proc/self": "/proc/self/fd", "a process": f"/proc/{os.getpid()}/fd"}, "folder")
def test_descriptors(folder: str, make: Callable[[], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The path of a descriptor stands for its file, from its position on, although the file has no name."""
    if make is file_in_memory and not hasattr(os, "memfd_create"):
        pytest.skip("this Python has no files in memory")
    monkeypatch.chdir(tmp_path)
    with make() as file:
        file.write(b"before")
        file.flush()
        binpickle.dump([1, 2], f"{folder}/{file.fileno()}", durable=True)
        file.seek(0)
        assert file.read(6) == b"before"
        assert binpickle.loads(file.read()) == [1, 2]
    assert os.listdir(tmp_path) == []


@linux
def test_standard_output(tmp_path: Path) -> None:
    """`/dev/stdout` stands for the file that the shell opened, also through a link; the file is not replaced."""
    target, link = tmp_path / "out", tmp_path / "link"
    link.symlink_to("/dev/stdout")
    script = "import binpickle, sys; binpickle.dump([1], sys.argv[1]); binpickle.dump([2], sys.argv[2])"
    with open(target, "wb") as out:
        inode = os.fstat(out.fileno()).st_ino
        command = [sys.executable, "-c", script, "/dev/stdout", str(link)]
        subprocess.run(command, stdout=out, check=True, env={**os.environ, "PYTHONPATH": str(INSTALLED)})
    assert target.stat().st_ino == inode
    assert target.read_bytes() == binpickle.dumps([1]) + binpickle.dumps([2])
    assert link.is_symlink()


@linux
def test_exclusive_descriptor() -> None:
    """A descriptor exists, so an exclusive dump refuses it."""
    with tempfile.TemporaryFile() as file, pytest.raises(FileExistsError):
        binpickle.dump(Explosive(), f"/dev/fd/{file.fileno()}", exclusive=True)


# ------------------------------------------------------------------------------------------------------- file systems


FILE_SYSTEMS = {
    "tmpfs": "mount -t tmpfs none {mount}",
    "overlay": "mount -t tmpfs none {layers} && mkdir {layers}/lower {layers}/upper {layers}/work && "
    "echo old > {layers}/lower/old && mount -t overlay none {mount} "
    "-o lowerdir={layers}/lower,upperdir={layers}/upper,workdir={layers}/work",
    "ext4 on a loop device": "truncate -s 16M {layers}/image && mkfs.ext4 -q {layers}/image && "
    "mount -o loop {layers}/image {mount}",
}


@linux
@root
@each(FILE_SYSTEMS, "mount")
def test_file_systems(mount: str, tmp_path: Path) -> None:
    """On each file system a file is made, replaced and made exclusively, and keeps its owner, mode and attributes."""
    places = {"mount": tmp_path / "mount", "layers": tmp_path / "layers"}
    for folder in places.values():
        folder.mkdir()
    in_namespace(
        mount.format(**places),
        f"""if True:
        import os, stat, binpickle
        os.chdir({str(places["mount"])!r})
        binpickle.dump(1, "a", durable=True)
        os.chown("a", 1500, 2000)
        os.chmod("a", 0o4640)
        binpickle.dump(2, "a", durable=True)
        found = os.stat("a")
        assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (1500, 2000, 0o640)
        assert binpickle.load("a") == 2
        for number in range(2):
            try:
                binpickle.dump(number, "b", exclusive=True)
            except FileExistsError:
                assert number == 1
        assert binpickle.load("b") == 0
        binpickle.dump(3, "old")
        assert binpickle.load("old") == 3
        assert set(os.listdir(".")) - {{"lost+found"}} == {{"a", "b", "old"}}
        """,
    )


def in_namespace(mount: str, code: str) -> None:
    """Mount something that no other process sees, and run code there; skip the test where mounting is not allowed."""
    script = f'({mount}) >&2 || exit 77; exec "$0" -c "$1"'
    command = ["unshare", "--mount", "sh", "-c", script, sys.executable, code]
    if shutil.which("unshare") is None:
        pytest.skip("no program to mount with")
    env = {**os.environ, "PYTHONPATH": str(INSTALLED)}
    done = subprocess.run(command, env=env, capture_output=True, timeout=120)
    if done.returncode == 77 or b"unshare failed" in done.stderr:
        pytest.skip(f"mounting is not allowed: {done.stderr.decode()}")
    assert done.returncode == 0, done.stderr.decode()
