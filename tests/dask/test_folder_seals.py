"""Sealed folders: which files are refused, which are not, and that no key travels."""

from __future__ import annotations

import functools
import operator
import pickle
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Callable

import cloudpickle
import dask
import dask.array as da
import dask.bag as db
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from dask_internals import Folder, PartLoader, PartWriter, Reading, Storage, find_place

import binpickle_dask as bpd
from binpickle import errors

KEY = bytes(range(100, 132))
OTHER = bytes(range(200, 240))
CONTEXT = b"experiment 7"
ARRAY = da.arange(10, chunks=4) + 0


@pytest.fixture(autouse=True)
def no_leaked_descriptors() -> None:
    """Allow descriptors that stay open (replaces the common fixture): clients open and close theirs at any time."""


@pytest.fixture
def key(tmp_path: Path) -> Path:
    """Return a key file that has another key file beside it."""
    (tmp_path / "other").write_bytes(OTHER)
    (tmp_path / "key").write_bytes(KEY)
    return tmp_path / "key"


@pytest.fixture
def folder(tmp_path: Path, key: Path, synchronous: None) -> Path:
    """Return a sealed folder with an array in three parts."""
    bpd.to_bpk(ARRAY, tmp_path / "out", key=key, context=CONTEXT)
    return tmp_path / "out"


class Keyring:
    """Functions that can be imported, and a method that cannot."""

    @staticmethod
    def both() -> list[bytes]:
        return [OTHER, KEY]

    def bound(self) -> bytes:
        return KEY


def one_key() -> bytes:
    return KEY


def no_key() -> None:
    return None


def total(folder: Path, **options: Any) -> int:
    """Load a sealed folder again, and return the sum of the array."""
    context = {"context": CONTEXT} if "key" in options else {}
    return int(bpd.from_bpk(folder, **{**context, **options}).sum().compute())


def put(path: Path, data: bytes) -> None:
    """Replace a file with a new file: mappings of the old file stay."""
    path.unlink()
    path.write_bytes(data)


def only(folder: Path, pattern: str) -> Path:
    """Return the only file with this name."""
    (found,) = folder.rglob(pattern)
    return found


@pytest.mark.usefixtures("synchronous")
@pytest.mark.parametrize("codecs", [None, "auto"])
def test_kinds(codecs: Any, key: Path, tmp_path: Path) -> None:
    """All kinds of collections are sealed and come back, also in structures."""
    frame = dd.from_pandas(pd.DataFrame({"a": range(6), "t": "text"}), npartitions=2)
    bag = db.from_sequence(range(6), npartitions=2).map(operator.neg)
    given = ({"array": ARRAY, "frame": frame}, bag, dask.delayed(max)(1, 2))
    back = bpd.checkpoint(*given, path=tmp_path / "out", codecs=codecs, key=key, context=CONTEXT)
    again = bpd.from_bpk(tmp_path / "out", key=[key], context=CONTEXT)
    for found in (back, again):
        assert found[0]["array"].sum().compute() == 45
        assert found[0]["frame"].compute().equals(frame.compute())
        assert (found[1].sum().compute(), found[2].compute()) == (-15, 2)
    assert bpd.open_bpk(tmp_path / "out", key=key, context=CONTEXT).load()[2] == 2


@pytest.mark.parametrize("name", ["_bpk.json", "*.json", "*.seal", "RUN.json", "RUN.seal", "c.1.bpk"])
def test_one_byte(name: str, folder: Path, key: Path) -> None:
    """Any change of a file is refused by `verify`, and when it is loaded; a run file is read only to resume."""
    paths = [path for path in folder.rglob(name) if name[0] != "*" or path.parent.name == "_snapshots"]
    assert len(paths) == 1
    data = paths[0].read_bytes()
    for at in {*range(0, len(data), 5), len(data) - 1}:
        put(paths[0], data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        if name.startswith("RUN"):
            assert len(bpd.open_bpk(folder, key=key, context=CONTEXT).verify()) == 1
        else:
            with pytest.raises(errors.BinPickleError):
                total(folder, key=key)
    put(paths[0], data)
    assert total(folder, key=key) == 45


@pytest.mark.parametrize(
    ("name", "error"),
    [("_bpk.json", "NotCommitted"), ("s/*.json", "SnapshotGone"), ("s/*.seal", "Authentication"), ("c.1.bpk", "Part")],
)
def test_missing(name: str, error: str, folder: Path, key: Path) -> None:
    """A folder that lacks one of its files is refused."""
    only(folder / ("_snapshots" if name[0] == "s" else ""), name.split("/")[-1]).unlink()
    with pytest.raises(getattr(errors, error + "Error")):
        total(folder, key=key)


def between_parts(folder: Path, old: Path) -> None:
    put(only(folder, "c.1.bpk"), only(folder, "c.0.bpk").read_bytes())


def older_part(folder: Path, old: Path) -> None:
    put(only(folder, "c.1.bpk"), only(old, "c.1.bpk").read_bytes())


def older_run(folder: Path, old: Path) -> None:
    for path in only(old, "RUN.json").parent.iterdir():
        put(only(folder, "RUN.json").parent / path.name, path.read_bytes())


def older_manifest(folder: Path, old: Path) -> None:
    for path in (old / "_snapshots").iterdir():
        put(only(folder / "_snapshots", "*" + path.suffix), path.read_bytes())


@pytest.mark.parametrize("swap", [between_parts, older_part, older_run, older_manifest])
@pytest.mark.parametrize("mmap_mode", ["auto", "r"])
def test_swapped(swap: Callable[[Path, Path], None], mmap_mode: Any, folder: Path, key: Path, tmp_path: Path) -> None:
    """Authentic files cannot replace each other, neither in one run nor between two runs of the same array."""
    bpd.to_bpk(ARRAY, tmp_path / "old", key=key, context=CONTEXT)
    swap(folder, tmp_path / "old")
    with pytest.raises((errors.AuthenticationError, errors.PartError)):
        total(folder, key=key, mmap_mode=mmap_mode)


def test_meta(key: Path, tmp_path: Path, synchronous: None) -> None:
    """`meta.bpk`, which describes a collection beside the manifest, is sealed, too."""
    frame = dd.from_pandas(pd.DataFrame({"a": range(10)}), npartitions=2)
    for name in ("old", "new"):
        bpd.to_bpk(frame, tmp_path / name, key=key)
    meta, other = (only(tmp_path / name, "meta.bpk") for name in ("new", "old"))
    data = meta.read_bytes()
    changed = [data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :] for at in range(0, len(data), 50)]
    for wrong in (*changed, other.read_bytes()):
        put(meta, wrong)
        with pytest.raises(errors.BinPickleError):
            bpd.from_bpk(tmp_path / "new", key=key)
        assert len(bpd.open_bpk(tmp_path / "new", key=key).verify()) == 1


def test_rollback(folder: Path, key: Path) -> None:
    """The pointer is not sealed: it can be set to an older snapshot, but a caller that names the snapshot notices."""
    pointer = (folder / "_bpk.json").read_bytes()
    new = bpd.to_bpk(ARRAY + 1, folder, overwrite=True, key=key, context=CONTEXT).snapshot
    (folder / "_bpk.json").write_bytes(pointer)
    assert total(folder, key=key) == 45
    assert total(folder, key=key, snapshot=new) == 55


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"key": "other"}, "not by this key"),
        ({"key": "key", "context": b"experiment 8"}, "in this context"),
        ({"key": "key", "context": b""}, "in this context"),
        ({"key": ["other", "other"]}, "not by this key"),
    ],
)
def test_wrong_key(
    options: dict[str, Any], words: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other keys and other contexts are refused, before the manifest is parsed."""
    monkeypatch.chdir(tmp_path)
    manifest = only(folder / "_snapshots", "*.json")
    with pytest.raises(errors.AuthenticationError, match=words) as caught:
        total(folder, **options)
    put(manifest, b"no JSON")
    with pytest.raises(errors.AuthenticationError, match=words):
        total(folder, **options)
    assert str(caught.value).startswith(str(manifest))


def test_rotation(folder: Path, key: Path) -> None:
    """The first of several keys seals, and any key is accepted; a key file is read anew each time."""
    other = key.with_name("other")
    assert total(folder, key=[other, key]) == 45
    lazy = bpd.from_bpk(folder, key=[other, key], context=CONTEXT)
    bpd.to_bpk(lazy + 1, folder, overwrite=True, key=[other, key], context=CONTEXT)
    assert total(folder, key=other) == 55
    with pytest.raises(errors.AuthenticationError):
        total(folder, key=key)
    key.write_bytes(OTHER)
    assert total(folder, key=key) == 55


def test_functions(folder: Path) -> None:
    """A function that can be imported may return the keys."""
    assert total(folder, key=one_key) == total(folder, key=Keyring.both) == 45
    with pytest.raises(TypeError, match="no_key gives no key"):
        total(folder, key=no_key)


def test_function_gives_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If a function returns no key on some worker, this worker neither loads nor saves without a seal."""
    loaded = bpd.from_bpk(folder, key=one_key, context=CONTEXT)
    writer = PartWriter(Folder.of(folder, one_key), only(folder, "RUN.json").parent.name, "array")
    monkeypatch.setitem(globals(), "one_key", no_key)
    for call in (loaded.compute, lambda: writer("c.9.bpk", 1)):
        with pytest.raises(TypeError, match="one_key gives no key"):
            call()
    assert not list(folder.rglob("c.9.bpk"))


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        (KEY, TypeError),
        (bytearray(KEY), TypeError),
        ([KEY, OTHER], TypeError),
        ([], TypeError),
        (5, TypeError),
        (lambda: KEY, TypeError),
        (functools.partial(bytes, KEY), TypeError),
        (Keyring().bound, TypeError),
        (Keyring(), TypeError),
        ("short", ValueError),
        ("nowhere", FileNotFoundError),
    ],
    ids=lambda value: type(value).__name__,
)
def test_refused(wrong: Any, error: type[Exception], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong key, or one that would travel by value, is refused before anything is made, and not shown."""
    monkeypatch.chdir(tmp_path)
    Path("short").write_bytes(KEY[:31])
    for call in (
        lambda: bpd.to_bpk(ARRAY, "out", key=wrong),
        lambda: bpd.checkpoint(ARRAY, path="out", key=wrong),
        lambda: bpd.from_bpk("out", key=wrong),
        lambda: bpd.open_bpk("out", key=wrong),
    ):
        with pytest.raises(error) as caught:
            call()
        assert not shows_key(str(caught.value).encode())
    assert not Path("out").exists()
    Path("key").write_bytes(KEY)
    with pytest.raises(TypeError, match="context must be bytes"):
        bpd.from_bpk("out", key="key", context="text")


def shows_key(data: bytes) -> bool:
    """Return whether bytes contain the key in any of the usual notations."""
    return any(form in data for form in (KEY, KEY.hex().encode(), repr(KEY)[2:-1].encode(), str(list(KEY)).encode()))


def test_not_sealed(folder: Path, key: Path, tmp_path: Path) -> None:
    """With a key, a folder without seals is refused; without a key, a sealed folder is read like any other."""
    bpd.to_bpk(ARRAY, tmp_path / "plain")
    with pytest.raises(errors.AuthenticationError, match="not sealed"):
        total(tmp_path / "plain", key=key)
    assert total(folder) == 45
    stores = [bpd.open_bpk(tmp_path / "plain"), bpd.open_bpk(folder), bpd.open_bpk(folder, key=key, context=CONTEXT)]
    assert [store.sealed for store in stores] == [False, True, True]
    assert [store.verify() for store in stores] == [[], [], []]


def test_loaded_names(folder: Path, key: Path) -> None:
    """A part that was loaded unchecked is never taken for a checked one: the tasks have different names."""
    names = {bpd.from_bpk(folder, **options).name for options in ({}, {"key": key, "context": CONTEXT})}
    names.add(bpd.from_bpk(folder, trusted=()).name)
    assert len(names) == 3
    assert bpd.from_bpk(folder, trusted={"a:b", "c:d"}).name == bpd.from_bpk(folder, trusted=["c:d", "a:b"]).name


def test_copied_unless_asked(folder: Path, key: Path) -> None:
    """With a key parts are copied and then checked; they are mapped only if the caller asks for it."""
    store = bpd.open_bpk(folder, key=key, context=CONTEXT)
    copied, mapped = store.part(0), store.part(0, mmap_mode="r")
    assert copied.flags.writeable
    assert find_place(copied.ctypes.data, copied.nbytes) is None
    assert find_place(mapped.ctypes.data, mapped.nbytes) is not None
    with pytest.raises(ValueError, match="mmap_mode"):
        store.part(0, mmap_mode="w")


def test_mapped_checked(folder: Path, key: Path) -> None:
    """A part is compared with its digests before it is mapped."""
    path = only(folder, "c.1.bpk")
    data = bytearray(path.read_bytes())
    data[data.index(np.arange(4, 8).tobytes())] ^= 1
    put(path, bytes(data))
    assert total(folder, mmap_mode="r") == 46
    with pytest.raises(errors.PartError, match="damaged"):
        total(folder, key=key, mmap_mode="r")


def test_resume(folder: Path, key: Path) -> None:
    """A sealed run is continued with its key; forged parts are computed again."""
    part = only(folder, "c.1.bpk")
    put(part, only(folder, "c.0.bpk").read_bytes())
    info = bpd.to_bpk(ARRAY, folder, resume=True, key=key, context=CONTEXT)
    assert info.ncomputed == 1
    assert total(folder, key=key) == 45


def test_resume_wrong_key(folder: Path, key: Path) -> None:
    """With another key, or a changed run file, a run is not continued, and nothing of it is removed."""
    with pytest.raises(errors.AuthenticationError):
        bpd.to_bpk(ARRAY, folder, resume=True, key=key.with_name("other"), context=CONTEXT)
    assert total(folder, key=key) == 45
    run = only(folder, "RUN.json")
    put(run, run.read_bytes().replace(b', "', b',  "'))
    with pytest.raises(errors.AuthenticationError):
        bpd.to_bpk(ARRAY, folder, resume=True, key=key, context=CONTEXT)


def test_resume_unsealed(folder: Path, key: Path, tmp_path: Path) -> None:
    """A run without seals is not continued with a key, and a sealed run is not continued without."""
    bpd.to_bpk(ARRAY, tmp_path / "plain", digests=True)
    sealed = bpd.to_bpk(ARRAY, tmp_path / "plain", resume=True, key=key, context=CONTEXT)
    assert sealed.ncomputed == 3
    assert bpd.to_bpk(ARRAY, folder, resume=True, digests=True).ncomputed == 3


def test_planted_part(folder: Path, key: Path) -> None:
    """A part that somebody else wrote under the name of a missing part is refused, not taken for a finished one."""
    run = only(folder, "RUN.json").parent
    shutil.copy(run / "c.1.bpk", run / "c.9.bpk")
    with pytest.raises(errors.AuthenticationError, match=r"c\.9\.bpk"):
        PartWriter(Folder.of(folder, key, CONTEXT), run.name, "array", Storage(digests=True))("c.9.bpk", 1)


def test_vacuum(folder: Path, key: Path) -> None:
    """Seals are removed with their files; a seal whose snapshot never came is removed when it is old."""
    (folder / "_snapshots" / "never.seal").write_bytes(bytes(32))
    bpd.to_bpk(ARRAY + 1, folder, overwrite=True, key=key, context=CONTEXT)
    store = bpd.open_bpk(folder, key=key, context=CONTEXT)
    store.vacuum()
    assert len(list(folder.rglob("*.seal"))) == 3
    store.vacuum(abandoned_after=-1)
    assert len(list(folder.rglob("*.seal"))) == 2
    assert total(folder, key=key) == 55


class Plain:
    """An element of a class that is not trusted."""


def test_trusted(tmp_path: Path, synchronous: None) -> None:
    """The strict machine loads parts and `meta.bpk`, and imports only names that are trusted."""
    bpd.to_bpk(ARRAY, tmp_path / "array")
    assert bpd.from_bpk(tmp_path / "array", trusted=()).sum().compute() == 45
    objects = da.from_array(np.array([Plain(), 2], object), chunks=1)
    bpd.to_bpk(objects, tmp_path / "objects")
    with pytest.raises(errors.UntrustedError, match="Plain"):
        bpd.from_bpk(tmp_path / "objects", trusted=()).compute()
    with pytest.raises(errors.UntrustedError, match="Plain"):
        bpd.open_bpk(tmp_path / "objects", trusted=[]).load()
    assert bpd.from_bpk(tmp_path / "objects", trusted=[Plain])[1].compute() == 2
    bpd.to_bpk(dd.from_pandas(pd.DataFrame({"a": range(4)}), npartitions=2), tmp_path / "frame")
    with pytest.raises(errors.UntrustedError, match="pandas"):
        bpd.from_bpk(tmp_path / "frame", trusted=())
    bpd.checkpoint({"a": ARRAY}, path=tmp_path / "structure")
    assert bpd.from_bpk(tmp_path / "structure", trusted=iter([]))[0]["a"].sum().compute() == 45
    with pytest.raises(TypeError, match="trusted"):
        bpd.from_bpk(tmp_path / "array", trusted="a:b")


def test_trust_of_the_environment(tmp_path: Path, synchronous: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where `BINPICKLE_TRUST` restricts the loads of a process, it restricts those of folders, and structures load."""
    bpd.to_bpk(da.from_array(np.array([Plain(), 2], object), chunks=1), tmp_path / "objects")
    bpd.checkpoint({"a": ARRAY}, path=tmp_path / "structure")
    monkeypatch.setenv("BINPICKLE_TRUST", "")
    with pytest.raises(errors.UntrustedError, match="Plain"):
        bpd.from_bpk(tmp_path / "objects").compute()
    with pytest.raises(errors.UntrustedError, match="Plain"):
        bpd.open_bpk(tmp_path / "objects").load()
    assert bpd.from_bpk(tmp_path / "structure")[0]["a"].sum().compute() == 45
    monkeypatch.setenv("BINPICKLE_TRUST", f"{Plain.__module__}:Plain")
    assert bpd.from_bpk(tmp_path / "objects")[1].compute() == 2


def test_no_key_shown(folder: Path, key: Path) -> None:
    """No representation and no pickle contains a key."""
    opened = Folder.of(folder, one_key, CONTEXT)
    store = bpd.open_bpk(folder, key=one_key, context=CONTEXT)
    loader = PartLoader(opened, store.snapshot, 0, Reading.of(opened))
    assert loader(1).sum() == 22
    for obj in (opened, store, loader, bpd.from_bpk(folder, key=one_key, context=CONTEXT)):
        assert not shows_key(repr(obj).encode() + pickle.dumps(obj) + cloudpickle.dumps(obj))


def test_no_key_in_graphs(client: Any, key: Path, tmp_path: Path) -> None:
    """On a cluster of processes keys reach the workers by file or function, and are in no graph and no scheduler."""
    seen: list[bytes] = []

    def watch(done: int, total: int) -> None:
        seen.append(client.run_on_scheduler(everything_known))

    for number, given in enumerate([key, one_key]):
        path = tmp_path / str(number)
        later = bpd.to_bpk(ARRAY, tmp_path / f"later {number}", key=given, context=CONTEXT, compute=False)
        assert client.compute(later).result().nparts == 3
        bpd.to_bpk(ARRAY, path, key=given, context=CONTEXT, progress=watch)
        loaded = bpd.from_bpk(path, key=given, context=CONTEXT)
        kept = loaded.persist()
        assert kept.sum().compute() == 45
        watch(0, 0)
        seen.append(cloudpickle.dumps([later.__dask_graph__(), loaded.__dask_graph__(), given]))
    assert all(
        any(name in graphs for graphs in seen) for name in (b"PartWriter", b"PartLoader", b"test_folder_seals:one_key")
    )
    assert not any(map(shows_key, seen))


def everything_known(dask_scheduler: Any) -> bytes:
    """Return all that a scheduler knows of its tasks."""
    known = [(task.key, task.run_spec) for task in dask_scheduler.tasks.values()]
    return pickle.dumps(known) + repr(known).encode()


def test_refused_on_workers(client: Any, key: Path, tmp_path: Path) -> None:
    """Workers refuse forged parts with the same errors, and name the key that they cannot read."""
    bpd.to_bpk(ARRAY, tmp_path / "out", key=key, context=CONTEXT)
    loaded = bpd.from_bpk(tmp_path / "out", key=key, context=CONTEXT)
    first = only(tmp_path, "c.0.bpk").read_bytes()
    put(only(tmp_path, "c.1.bpk"), first)
    with pytest.raises(errors.AuthenticationError, match=r"c\.1\.bpk"):
        loaded.sum().compute()
    key.unlink()
    with pytest.raises(FileNotFoundError, match="on host .*key"):
        loaded[:4].sum().compute()


def test_command_line(folder: Path, key: Path) -> None:
    """`binpickle verify` and `binpickle info` take the key of a folder."""
    for command, options, code, words in [
        ("verify", ["--key-file", str(key), "--context", CONTEXT.decode()], 0, "ok"),
        ("verify", ["--key-file", str(key)], 1, "not by this key in this context"),
        ("info", ["--key-file", str(key), "--context", CONTEXT.decode()], 0, "good"),
        ("info", [], 0, "which was not checked: no key was given"),
    ]:
        run = [sys.executable, "-m", "binpickle", command, str(folder), *options]
        result = subprocess.run(run, capture_output=True, text=True)
        assert (result.returncode, words in result.stdout) == (code, True)
