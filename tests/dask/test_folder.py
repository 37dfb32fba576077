"""The folder: which files it holds when, who can read it meanwhile, and which errors a damaged folder raises."""

from __future__ import annotations

import errno
import json
import os
import re
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, Callable

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest

import binpickle
import binpickle_dask as bpd
from binpickle import errors

pytestmark = pytest.mark.usefixtures("synchronous")

ARRAY = da.arange(10, chunks=4) + 0


def failing(block: Any, block_id: Any = None) -> Any:
    """Fail on the last block."""
    if block_id == (2,):
        raise ArithmeticError("the last block")
    return block


def files(path: Path) -> list[str]:
    """Return the names of all files in a folder, with `run` for the names of runs."""
    names = sorted(str(file.relative_to(path)) for file in path.rglob("*") if file.is_file())
    return ["/".join(["run" if len(part) == 20 else part for part in name.split("/")]) for name in names]


def parts(path: Path) -> list[Path]:
    """Return the part files in order."""
    return sorted(path.rglob("c.*.bpk"))


def test_layout(tmp_path: Path) -> None:
    """A folder holds a pointer, a manifest, and a run with its run file, `meta.bpk` and the parts."""
    info = bpd.to_bpk(ARRAY, tmp_path)
    run = ["run/RUN.json", "run/c.0.bpk", "run/c.1.bpk", "run/c.2.bpk", "run/meta.bpk"]
    assert sorted(files(tmp_path)) == sorted(["_bpk.json", f"_snapshots/{info.snapshot}.json", *run])
    assert binpickle.load(parts(tmp_path)[1]).tolist() == [4, 5, 6, 7]


def test_store(tmp_path: Path) -> None:
    """A store describes the folder without unpickling, and returns its parts."""
    info = bpd.to_bpk(da.ones((4, 6), chunks=(3, 4)), tmp_path)
    store = bpd.open_bpk(tmp_path)
    assert (store.kind, store.shape, store.dtype) == ("array", (4, 6), "float64")
    assert store.chunks == ((3, 1), (4, 2))
    assert (store.snapshot, store.snapshots) == (info.snapshot, [info.snapshot])
    assert (
        (store.nparts, store.nbytes)
        == (info.nparts, info.nbytes)
        == (4, sum(p.stat().st_size for p in parts(tmp_path)))
    )
    assert store.part((1, 1)).shape == store.part(3).shape == (1, 2)
    assert store.load().shape == (4, 6)
    with pytest.raises(IndexError):
        store.part((2, 0))


def test_no_dask_needed(tmp_path: Path) -> None:
    """Opening, verifying and loading arrays imports no dask."""
    bpd.to_bpk(ARRAY, tmp_path)
    code = f"""
import sys
from binpickle_dask.store import open_bpk
store = open_bpk({str(tmp_path)!r})
assert store.part(1).sum() == 22 and store.verify() == []
assert not {{"dask", "distributed", "pandas", "cloudpickle"}} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_not_committed(tmp_path: Path) -> None:
    """A folder into which no save has ended is refused, and a missing folder is not found."""
    with pytest.raises(ArithmeticError):
        bpd.to_bpk(ARRAY.map_blocks(failing, dtype=int), tmp_path)
    for opening in (bpd.open_bpk, bpd.from_bpk):
        with pytest.raises(errors.NotCommittedError, match=r"no snapshot.*host"):
            opening(tmp_path)
        with pytest.raises(FileNotFoundError):
            opening(tmp_path / "absent")


def test_overwrite(tmp_path: Path) -> None:
    """A folder is written again only with `overwrite=True`; readers of the old snapshot go on until `vacuum`."""
    bpd.to_bpk(ARRAY, tmp_path)
    old = bpd.from_bpk(tmp_path)
    with pytest.raises(FileExistsError, match="overwrite=True"):
        bpd.to_bpk(ARRAY + 1, tmp_path)
    bpd.to_bpk(ARRAY + 1, tmp_path, overwrite=True)
    assert (old.sum().compute(), bpd.from_bpk(tmp_path).sum().compute()) == (45, 55)
    store = bpd.open_bpk(tmp_path)
    assert len(store.snapshots) == 2
    assert bpd.from_bpk(tmp_path, snapshot=store.snapshots[0]).sum().compute() == 45
    assert store.vacuum() > 0
    assert bpd.from_bpk(tmp_path).sum().compute() == 55
    with pytest.raises(errors.SnapshotGoneError, match="vacuum"):
        old.sum().compute()


def test_overwrite_what_is_read(tmp_path: Path) -> None:
    """A collection that is computed from a folder can be saved into it."""
    bpd.to_bpk(ARRAY, tmp_path)
    bpd.to_bpk(bpd.from_bpk(tmp_path) + 1, tmp_path, overwrite=True)
    assert bpd.from_bpk(tmp_path).sum().compute() == 55


def test_failed_overwrite(tmp_path: Path) -> None:
    """A save that fails leaves the old snapshot, and no incomplete file under the name of a part."""
    bpd.to_bpk(ARRAY, tmp_path)
    with pytest.raises(ArithmeticError):
        bpd.to_bpk(ARRAY.map_blocks(failing, dtype=int) + 1, tmp_path, overwrite=True)
    assert bpd.from_bpk(tmp_path).sum().compute() == 45
    assert bpd.open_bpk(tmp_path).verify() == []
    bpd.open_bpk(tmp_path).vacuum(abandoned_after=-1)
    assert len(parts(tmp_path)) == 3


def test_unfinished_kept(tmp_path: Path) -> None:
    """`vacuum` keeps a run that was written to a short while ago: a save may be in progress."""
    bpd.to_bpk(ARRAY, tmp_path)
    with pytest.raises(ArithmeticError):
        bpd.to_bpk(ARRAY.map_blocks(failing, dtype=int) + 1, tmp_path, overwrite=True)
    count = len(parts(tmp_path))
    assert bpd.open_bpk(tmp_path).vacuum() == 0
    assert len(parts(tmp_path)) == count


def test_two_savers(tmp_path: Path) -> None:
    """Two saves at once both succeed, each with a snapshot; the last to end becomes the current one."""
    barrier = threading.Barrier(2, timeout=60)
    infos: list[Any] = []

    def together(block: Any, block_id: Any = None) -> Any:
        if block_id == (0,):
            barrier.wait()
        return block

    def save(add: int) -> None:
        array = (ARRAY + add).map_blocks(together, dtype=int, meta=np.empty(0, int))
        infos.append(bpd.to_bpk(array, tmp_path, compute_kwargs={"scheduler": "synchronous"}))

    threads = [threading.Thread(target=save, args=[add]) for add in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {bpd.from_bpk(tmp_path, snapshot=info.snapshot).sum().compute() for info in infos} == {45, 55}
    assert set(bpd.open_bpk(tmp_path).snapshots) == {info.snapshot for info in infos}


def test_compute_later(tmp_path: Path) -> None:
    """`compute=False` returns a Delayed; nothing can be read before it is computed."""
    later = bpd.to_bpk(ARRAY, tmp_path, compute=False)
    with pytest.raises(errors.NotCommittedError):
        bpd.open_bpk(tmp_path)
    assert later.compute().nparts == 3
    assert bpd.from_bpk(tmp_path).sum().compute() == 45


def test_return_stored(tmp_path: Path) -> None:
    """`return_stored=True` returns the collection that loads what was saved."""
    assert bpd.to_bpk(ARRAY, tmp_path, return_stored=True).name == bpd.from_bpk(tmp_path).name


def truncate(path: Path) -> None:
    """Replace a part with a shorter file."""
    data = path.read_bytes()
    path.unlink()
    path.write_bytes(data[:-8])


def empty(path: Path) -> None:
    """Replace a part with an empty file."""
    path.unlink()
    path.touch()


def flip(path: Path) -> None:
    """Change one bit of the content of a part; its size stays."""
    data = bytearray(path.read_bytes())
    at = data.index(np.arange(4, 8).tobytes())
    data[at] ^= 1
    path.unlink()
    path.write_bytes(data)


DAMAGES: dict[str, tuple[Callable[[Path], None], str]] = {
    "missing": (os.unlink, "missing"),
    "truncated": (truncate, "changed"),
    "emptied": (empty, "changed"),
    "a bit": (flip, "damaged"),
}


@pytest.mark.parametrize("mmap_mode", [None, "r"])
@pytest.mark.parametrize("name", DAMAGES)
def test_damage(name: str, mmap_mode: str | None, tmp_path: Path) -> None:
    """A part that is missing, changed or damaged is named with the host when it is loaded or verified."""
    damage, words = DAMAGES[name]
    bpd.to_bpk(ARRAY, tmp_path)
    damage(parts(tmp_path)[1])
    with pytest.raises(errors.PartError, match=words) as caught:
        bpd.from_bpk(tmp_path, verify=True, mmap_mode=mmap_mode).sum().compute()
    assert str(caught.value.path).endswith("c.1.bpk")
    assert caught.value.host
    (error,) = bpd.open_bpk(tmp_path).verify()
    assert bpd.open_bpk(tmp_path).verify(decode=True) == [error]
    assert re.search(rf"c\.1\.bpk: .*{words}", error)
    assert "Errno" not in error


def test_digests(tmp_path: Path) -> None:
    """With digests a part that was replaced by another part of the same size is refused when it is mapped."""
    bpd.to_bpk(ARRAY, tmp_path, digests=True)
    first, second, _ = parts(tmp_path)
    second.unlink()
    second.write_bytes(first.read_bytes())
    with pytest.raises(errors.PartError, match="digest"):
        bpd.from_bpk(tmp_path).sum().compute()


@pytest.mark.parametrize(
    "change",
    [
        {"version": 99},
        {"format": "other"},
        {"run": "../elsewhere"},
        {"run": "/tmp"},
        {"items": 3},
        {"items": []},
        {"snapshot": "another"},
        {"codecs": 5},
    ],
    ids=str,
)
def test_bad_manifest(change: dict[str, Any], tmp_path: Path) -> None:
    """A manifest that is malformed, or names a path outside of the folder, is refused when it is opened."""
    info = bpd.to_bpk(ARRAY, tmp_path)
    manifest = tmp_path / "_snapshots" / f"{info.snapshot}.json"
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), **change}))
    with pytest.raises(errors.FormatError, match=info.snapshot):
        bpd.open_bpk(tmp_path)


@pytest.mark.parametrize("change", [{"kind": "x"}, {"prefix": "../"}, {"nbytes": [1]}, {"numblocks": [-1]}], ids=str)
def test_bad_item(change: dict[str, Any], tmp_path: Path) -> None:
    """A manifest with a malformed collection is refused when it is opened."""
    info = bpd.to_bpk(ARRAY, tmp_path)
    manifest = tmp_path / "_snapshots" / f"{info.snapshot}.json"
    data = json.loads(manifest.read_text())
    data["items"][0].update(change)
    manifest.write_text(json.dumps(data))
    with pytest.raises(errors.FormatError):
        bpd.open_bpk(tmp_path)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"codecs": ["none of these"]}, ValueError),
        ({"compute": False, "return_stored": True}, ValueError),
        ({"compute": False, "resume": True}, ValueError),
    ],
    ids=str,
)
def test_refused(options: dict[str, Any], error: type[Exception], tmp_path: Path) -> None:
    """Wrong arguments are refused before anything is written."""
    with pytest.raises(error):
        bpd.to_bpk(ARRAY, tmp_path / "new", **options)
    assert not (tmp_path / "new").exists()


def test_no_collection(tmp_path: Path) -> None:
    """Only collections are saved, and only into folders of a file system."""
    with pytest.raises(TypeError, match="checkpoint"):
        bpd.to_bpk([ARRAY], tmp_path)
    with pytest.raises(ValueError, match="folder"):
        bpd.to_bpk(ARRAY, "s3://bucket/key")


@pytest.mark.skipif(os.name == "nt", reason="by the permissions of POSIX")
def test_file_in_the_way(tmp_path: Path) -> None:
    """Errors of the operating system are raised unchanged, with the host."""
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="host") as caught:
        bpd.to_bpk(ARRAY, tmp_path / "file")
    assert isinstance(caught.value, (FileExistsError, NotADirectoryError))


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs resource limits")
def test_disk_full(tmp_path: Path) -> None:
    """Writing a part to a full disk fails with path and host, and leaves no file."""
    code = f"""
import resource, signal
import dask.array as da, binpickle_dask as bpd
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    bpd.to_bpk(da.ones(100_000, chunks=50_000) + 1, {str(tmp_path)!r}, compute_kwargs={{"scheduler": "synchronous"}})
except OSError as error:
    assert "host" in str(error) and ".bpk" in str(error), error
else:
    raise SystemExit("no error")
"""
    subprocess.run([sys.executable, "-c", code], check=True)
    assert files(tmp_path) == ["run/RUN.json"]


def test_no_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a file system without hard links a folder is written by renaming, and nothing else is left in it."""

    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", refuse)
    bpd.to_bpk(ARRAY, tmp_path)
    bpd.to_bpk(ARRAY + 1, tmp_path, overwrite=True)
    assert bpd.from_bpk(tmp_path).sum().compute() == 55
    assert bpd.open_bpk(tmp_path).verify() == []
    assert not list(tmp_path.rglob("*.bpk-tmp"))


def test_frame_facts(tmp_path: Path) -> None:
    """The manifest of a frame names columns, rows and divisions, and callers cannot change what it says."""
    bpd.to_bpk(dd.from_pandas(pd.DataFrame({"a": range(6), "b": 0.5}), npartitions=2), tmp_path)
    store = bpd.open_bpk(tmp_path)
    store.columns.clear()  # a copy
    assert bpd.open_bpk(tmp_path).columns == ["a", "b"]
    assert store.items[0].facts["rows"] == [3, 3]
    assert store.divisions == (0, 3, 5)
    with dask.config.set(scheduler="synchronous"):
        assert len(store.load()) == 6
