"""Everything else that users of dask do: it must neither spoil results nor hang."""

from __future__ import annotations

import json
import mmap
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, Iterator

import dask
import dask.array as da
import dask.bag as db
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from dask_internals import find_place, map_file
from distributed import Client, LocalCluster

import binpickle_dask as bpd
from binpickle import errors

ARRAY = da.arange(8, chunks=2) + 0


@pytest.fixture
def client() -> Iterator[Client]:
    """Return a client of one worker with one thread, in this process."""
    options = {"n_workers": 1, "threads_per_worker": 1, "processes": False, "dashboard_address": ":0"}
    with LocalCluster(**options) as cluster, Client(cluster) as client:
        yield client


def pointed(path: Path, snapshot: str) -> None:
    """Make a snapshot the current one, as a save does at its end."""
    pointer = json.loads((path / "_bpk.json").read_text())
    (path / "_bpk.json").write_text(json.dumps({**pointer, "snapshot": snapshot}))


def test_persisted(client: Client, tmp_path: Path) -> None:
    """Persisted collections and futures, which the cluster holds already, are saved without computing them."""
    frame = dd.from_pandas(pd.DataFrame({"a": range(6)}), npartitions=2)
    held = {
        "array": ARRAY.persist(),
        "frame": frame.persist(),
        "bag": db.from_sequence(range(6), npartitions=2).persist(),
        "delayed": dask.delayed(sum)([1, 2]).persist(),
    }
    for name, collection in held.items():
        bpd.to_bpk(collection, tmp_path / name)
        saved, expected = dask.compute(bpd.from_bpk(tmp_path / name), collection)
        assert np.array_equal(saved, expected), (name, saved, expected)
    more, same = bpd.checkpoint(ARRAY + 1, held["array"], path=tmp_path / "both")
    assert (more - same).compute().tolist() == [1] * 8


def test_inside_a_task(client: Client, tmp_path: Path) -> None:
    """A task may save and load, even on the only thread of the only worker."""
    assert client.submit(bpd.to_bpk, ARRAY, tmp_path, pure=False).result(timeout=30).nparts == 4


def test_computed_twice(tmp_path: Path, synchronous: None) -> None:
    """A save that dask runs twice makes one snapshot, and does not supersede a later one."""
    save = bpd.to_bpk(ARRAY, tmp_path, compute=False)
    first = save.compute()
    assert save.compute() == first
    assert bpd.open_bpk(tmp_path).snapshots == [first.snapshot]
    second = bpd.to_bpk(ARRAY + 1, tmp_path, overwrite=True)
    save.compute()
    assert bpd.open_bpk(tmp_path).snapshot == second.snapshot


def test_commit_interrupted(tmp_path: Path, synchronous: None) -> None:
    """A save that ended before it switched the pointer switches it when it runs again."""
    old = bpd.to_bpk(ARRAY, tmp_path)
    save = bpd.to_bpk(ARRAY + 1, tmp_path, compute=False, overwrite=True)
    new = save.compute()
    pointed(tmp_path, old.snapshot)
    save.compute()
    assert bpd.open_bpk(tmp_path).snapshot == new.snapshot


def test_vacuum_beside_a_saver(tmp_path: Path, synchronous: None) -> None:
    """A snapshot newer than the current one may be about to replace it, and stays until it was given up."""
    old = bpd.to_bpk(ARRAY, tmp_path)
    new = bpd.to_bpk(ARRAY + 1, tmp_path, overwrite=True)
    pointed(tmp_path, old.snapshot)
    store = bpd.open_bpk(tmp_path)
    store.vacuum()
    assert bpd.from_bpk(tmp_path, snapshot=new.snapshot).sum().compute() == 36
    store.vacuum(abandoned_after=0)
    assert store.snapshots == [old.snapshot]
    assert bpd.from_bpk(tmp_path).sum().compute() == 28


def test_vacuum_of_damage(tmp_path: Path, synchronous: None) -> None:
    """An old manifest that is damaged does not prevent cleaning up; a damaged current manifest does."""
    old = bpd.to_bpk(ARRAY, tmp_path)
    new = bpd.to_bpk(ARRAY + 1, tmp_path, overwrite=True)
    store = bpd.open_bpk(tmp_path)
    damaged = tmp_path / "_snapshots" / f"{old.snapshot}.json"
    damaged.write_text("{")
    os.utime(damaged, (0, 0))
    store.vacuum()
    assert store.snapshots == [new.snapshot]
    (tmp_path / "_snapshots" / f"{new.snapshot}.json").write_text("{")
    with pytest.raises(errors.FormatError):
        store.vacuum(abandoned_after=0)
    assert list(tmp_path.rglob("c.3.bpk"))


@pytest.mark.parametrize("kind", ["array", "frame"])
def test_moved_and_copied(kind: str, tmp_path: Path, synchronous: None) -> None:
    """A folder that was moved or copied can be read at its new path."""
    collection = ARRAY if kind == "array" else dd.from_pandas(pd.DataFrame({"a": range(6)}), npartitions=2)
    bpd.to_bpk(collection, tmp_path / "old")
    opened = bpd.from_bpk(tmp_path / "old")
    shutil.copytree(tmp_path / "old", tmp_path / "copy")
    shutil.move(str(tmp_path / "old"), str(tmp_path / "new"))
    for name in ("copy", "new"):
        assert len(bpd.from_bpk(tmp_path / name).compute()) == len(collection)
    with pytest.raises(errors.NotSharedError):
        opened.compute()


def test_annotations(tmp_path: Path, synchronous: None) -> None:
    """A collection has the annotations in force when it is loaded, also if it was loaded before."""
    bpd.to_bpk(ARRAY, tmp_path)
    for priority in (None, 7, None):
        with dask.annotate(**({} if priority is None else {"priority": priority})):
            loaded = bpd.from_bpk(tmp_path)
        (layer,) = loaded.dask.layers.values()
        assert (layer.annotations or {}).get("priority") == priority


def test_stale_memory(tmp_path: Path, synchronous: None) -> None:
    """Memory at the former address of a mapped file is not taken for the file, which is mapped elsewhere now."""
    bpd.to_bpk(da.arange(100_000, chunks=-1), tmp_path)
    (part,) = tmp_path.rglob("c.0.bpk")

    def address_of(mapping: Any) -> int:
        return int(np.frombuffer(mapping, np.uint8).__array_interface__["data"][0])

    mapping = map_file(str(part))
    size, before = len(mapping), address_of(mapping)
    del mapping
    with mmap.mmap(-1, size):  # mostly gets the addresses that were freed
        mapping = map_file(str(part))
        assert find_place(address_of(mapping), size) is not None
        assert find_place(before, 1) is None or address_of(mapping) == before


def test_numbers_of_parts(tmp_path: Path, synchronous: None) -> None:
    """Parts are numbered like the items of a list."""
    bpd.to_bpk(ARRAY, tmp_path)
    store = bpd.open_bpk(os.fsencode(tmp_path))
    assert store.part(np.int64(1)).tolist() == [2, 3]
    assert store.part(-1).tolist() == store.part((3,)).tolist() == [6, 7]
    for index in (4, -5, (4,)):
        with pytest.raises(IndexError, match="no part"):
            store.part(index)


@pytest.mark.parametrize("names", [["a", "a"], [True, False], ["a", True]])
def test_names_that_do_not_choose(names: list[Any], tmp_path: Path, synchronous: None) -> None:
    """Columns with names that are booleans or not unique come back; they cannot be chosen."""
    frame = pd.DataFrame(np.arange(8).reshape(4, 2), columns=names)
    pieces = [dask.delayed(frame[:2]), dask.delayed(frame[2:])]
    bpd.to_bpk(dd.from_delayed(pieces, meta=frame[:0]), tmp_path)
    pd.testing.assert_frame_equal(bpd.from_bpk(tmp_path).compute(), frame)
    with pytest.raises(ValueError, match="cannot be chosen"):
        bpd.from_bpk(tmp_path, columns=names)


def test_order_of_categories(tmp_path: Path, synchronous: None) -> None:
    """An index whose categories have an order of their own gets no divisions, since dask ignores that order."""
    index = pd.CategoricalIndex(["b", "a", "c", "c"], categories=["b", "a", "c"])
    frame = pd.DataFrame({"n": range(4)}, index=index)
    pieces = [dask.delayed(frame[:2]), dask.delayed(frame[2:])]
    bpd.to_bpk(dd.from_delayed(pieces, meta=frame[:0]), tmp_path)
    assert not bpd.from_bpk(tmp_path).known_divisions


def test_numpy_counts(tmp_path: Path, synchronous: None) -> None:
    """Numbers of partitions may be integers of NumPy."""
    frame = dd.from_pandas(pd.DataFrame({"n": range(8)}), npartitions=4).repartition(npartitions=np.int64(2))
    assert bpd.to_bpk(frame, tmp_path).nparts == 2


def test_meta_is_mended(tmp_path: Path, synchronous: None) -> None:
    """A damaged `meta.bpk` is written again when a save is continued."""
    bag = db.from_sequence(range(6), npartitions=2)
    bpd.to_bpk(bag, tmp_path)
    (meta,) = tmp_path.rglob("meta.bpk")
    meta.write_bytes(meta.read_bytes()[:-1])
    with pytest.raises(errors.PartError):
        bpd.open_bpk(tmp_path).meta()
    bpd.to_bpk(bag, tmp_path, resume=True)
    assert bpd.open_bpk(tmp_path).meta() is not None
    assert bpd.from_bpk(tmp_path).compute() == list(range(6))


def test_length_of_delayed(tmp_path: Path, synchronous: None) -> None:
    """A Delayed that can be unpacked can be unpacked after it was loaded."""
    first, second = bpd.checkpoint(dask.delayed(divmod, nout=2)(7, 3), path=tmp_path)[0]
    assert dask.compute(first, second) == (2, 1)


def test_arguments_of_others(tmp_path: Path, synchronous: None) -> None:
    """Arguments for another kind of collection are refused, whatever the other arguments are."""
    bpd.to_bpk(ARRAY, tmp_path)
    with pytest.raises(ValueError, match="columns= is for"):
        bpd.from_bpk(tmp_path, chunks=4, columns=["a"])


def test_dimension_of_that_name(tmp_path: Path, synchronous: None) -> None:
    """A dimension of an xarray may be called `values`."""
    xarray = pytest.importorskip("xarray")
    array = xarray.DataArray(da.ones((4, 2), chunks=2), dims=("values", "other"), name="named")
    bpd.checkpoint(array, path=tmp_path)
    (back,) = bpd.from_bpk(tmp_path)
    xarray.testing.assert_identical(back.compute(), array.compute())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_fork(tmp_path: Path) -> None:
    """A process that was forked while threads load parts can load parts."""
    code = f"""
import os, signal, threading
import dask.array as da, binpickle_dask as bpd
bpd.to_bpk(da.arange(1000, chunks=100), {str(tmp_path)!r}, compute_kwargs={{"scheduler": "synchronous"}})
store, ended = bpd.open_bpk({str(tmp_path)!r}), threading.Event()
def load():
    while not ended.is_set():
        store.part(1)
for _ in range(3):
    threading.Thread(target=load, daemon=True).start()
for _ in range(150):
    child = os.fork()
    if not child:
        signal.alarm(20)
        os._exit(int(store.part(2)[0]) != 200)
    assert os.waitpid(child, 0)[1] == 0, "the child hangs"
ended.set()
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True, timeout=120)


def test_vacuum_and_savers_at_once(tmp_path: Path, synchronous: None) -> None:
    """`vacuum` beside a save removes nothing that the save has just written."""
    bpd.to_bpk(ARRAY, tmp_path)
    ended = threading.Event()
    failures: list[BaseException] = []

    def clean() -> None:
        while not ended.is_set():
            try:
                bpd.open_bpk(tmp_path).vacuum()
            except errors.SnapshotGoneError:  # opened just before it was superseded
                pass
            except BaseException as error:
                failures.append(error)

    cleaner = threading.Thread(target=clean)
    cleaner.start()
    for i in range(25):
        bpd.to_bpk(ARRAY + i, tmp_path, overwrite=True)
        assert bpd.from_bpk(tmp_path).sum().compute() == 28 + 8 * i
    ended.set()
    cleaner.join()
    assert not failures
