"""Saving and loading on workers that are processes of their own."""

from __future__ import annotations

import operator
import os
import signal
import time
from pathlib import Path
from typing import Any, Iterator

import dask
import dask.array as da
import dask.bag as db
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from dask_internals import Folder, PartLoader, PartWriter
from distributed import Client, LocalCluster

import binpickle_dask as bpd
from binpickle import errors


@pytest.fixture(autouse=True)
def no_leaked_descriptors() -> None:
    """Allow descriptors that stay open (replaces the common fixture): clients open and close theirs at any time."""


@pytest.fixture
def workers() -> Iterator[Any]:
    """Return a client of three workers that the test may kill."""
    with LocalCluster(n_workers=3, threads_per_worker=1, dashboard_address=":0") as cluster, Client(cluster) as client:
        client.wait_for_workers(3)
        yield client


def logged(block: Any, block_id: Any = None, log: str = "") -> Any:
    """Wait a while, leave a file as a trace, and pass a block on."""
    time.sleep(0.05)
    Path(log, f"{block_id[0]}-{time.time_ns()}").touch()
    return block + 1


def sent(dask_worker: Any) -> int:
    """Return how many bytes of results a worker has sent."""
    return int(dask_worker.transfer_outgoing_bytes_total)


def test_nothing_travels(client: Any, tmp_path: Path) -> None:
    """Chunks are written where they are computed. Workers send records only, whatever the size of the chunks."""
    before = sum(client.run(sent).values())
    info = bpd.to_bpk(da.random.default_rng(0).random((16, 100_000), chunks=(1, 100_000)), tmp_path)
    assert info.nbytes > 12_000_000
    assert sum(client.run(sent).values()) - before < 100_000


def test_kinds(client: Any, tmp_path: Path) -> None:
    """Workers save arrays, frames, bags and single values together, and load them."""
    array = da.arange(10, chunks=4)
    frame = dd.from_pandas(pd.DataFrame({"a": range(10)}), npartitions=3)
    bag = db.from_sequence(range(10), npartitions=3).map(operator.neg)
    back = bpd.checkpoint(array, frame, bag, dask.delayed(operator.add)(1, 2), array.sum(), path=tmp_path)
    assert back[0].sum().compute() == back[1].a.sum().compute() == -back[2].sum().compute() == 45
    assert back[3].compute() == 3
    assert back[4].compute() == 45


def test_compute_later(client: Any, tmp_path: Path) -> None:
    """The last task of a Delayed save commits, on a worker."""
    later = bpd.to_bpk(da.arange(10, chunks=4), tmp_path, compute=False)
    assert client.compute(later).result().nparts == 3
    assert bpd.from_bpk(tmp_path).sum().compute() == 45


def test_failure(client: Any, tmp_path: Path) -> None:
    """The error of a task is raised, and nothing is committed; arguments for the scheduler reach it."""
    array = (
        da.arange(4, chunks=1)
        .map_blocks(operator.truediv, 0, dtype=float, meta=np.empty(0))
        .map_blocks(fail, dtype=float)
    )
    with pytest.raises(ArithmeticError):
        bpd.to_bpk(array, tmp_path / "a")
    with pytest.raises(errors.NotCommittedError):
        bpd.open_bpk(tmp_path / "a")
    once = da.arange(4, chunks=1).map_blocks(fail_once, str(tmp_path / "once"), dtype=int, meta=np.empty(0, int))
    assert bpd.to_bpk(once, tmp_path / "b", compute_kwargs={"retries": 2}).nparts == 4


def fail(block: Any) -> Any:
    """Fail, but not on the empty block that dask tries beforehand."""
    if block.size:
        raise ArithmeticError
    return block


def fail_once(block: Any, path: str) -> Any:
    """Fail the first time."""
    try:
        Path(path).touch(exist_ok=False)
    except FileExistsError:
        return block
    raise ArithmeticError


def test_not_shared(client: Any, tmp_path: Path) -> None:
    """A worker that does not see the folder raises an error with its host and the path, and makes no folder."""
    absent = str(tmp_path / "absent")
    for task in (
        client.submit(PartWriter(Folder(absent), "run", "array"), "c.0.bpk", 1),
        client.submit(PartLoader(Folder(absent), "snapshot", 0), 0),
    ):
        with pytest.raises(errors.NotSharedError, match=r"host .* does not see") as caught:
            task.result()
        assert absent in str(caught.value.path)
    assert not os.path.exists(absent)


def test_missing_part(client: Any, tmp_path: Path) -> None:
    """A worker that needs a missing part names the part."""
    bpd.to_bpk(da.arange(10, chunks=4), tmp_path)
    next(tmp_path.rglob("c.1.bpk")).unlink()
    with pytest.raises(errors.PartError, match="missing") as caught:
        bpd.from_bpk(tmp_path).sum().compute()
    assert caught.value.host


def test_vacuumed(client: Any, tmp_path: Path) -> None:
    """A worker that loads from a removed snapshot says that the snapshot is gone."""
    bpd.to_bpk(da.arange(10, chunks=4), tmp_path)
    old = bpd.from_bpk(tmp_path)
    bpd.to_bpk(da.arange(10, chunks=5), tmp_path, overwrite=True)
    bpd.open_bpk(tmp_path).vacuum()
    with pytest.raises(errors.SnapshotGoneError):
        old.sum().compute()


def test_killed_worker(workers: Any, tmp_path: Path) -> None:
    """A killed worker costs no finished part: at most its tasks in progress are repeated."""
    log = tmp_path / "log"
    log.mkdir()
    killed = []

    def kill(done: int, total: int) -> None:
        if done >= 15 and not killed:
            killed.append(next(iter(workers.run(os.getpid).values())))
            assert not (tmp_path / "out" / "_bpk.json").exists()
            os.kill(killed[0], signal.SIGKILL)

    array = da.ones((30, 10_000), chunks=(1, 10_000)).map_blocks(
        logged, log=str(log), dtype=float, meta=np.empty((0, 0))
    )
    assert bpd.to_bpk(array, tmp_path / "out", progress=kill).nparts == 30
    assert killed
    assert 30 <= len(list(log.iterdir())) <= 31
    assert bpd.open_bpk(tmp_path / "out").verify() == []
    assert bpd.from_bpk(tmp_path / "out").sum().compute() == 600_000


def test_checkpoint_outlives_workers(tmp_path: Path) -> None:
    """A checkpoint is not computed again after workers and scheduler have ended."""
    log = tmp_path / "log"
    log.mkdir()
    array = da.ones((6, 10), chunks=(1, 10)).map_blocks(logged, log=str(log), dtype=float, meta=np.empty((0, 0)))
    with LocalCluster(n_workers=1, processes=False, dashboard_address=":0") as cluster, Client(cluster):
        (saved,) = bpd.checkpoint(array, path=tmp_path / "out")
    with dask.config.set(scheduler="synchronous"):
        assert saved.sum().compute() == bpd.from_bpk(tmp_path / "out")[0].sum().compute() == 120
    assert len(list(log.iterdir())) == 6


def test_in_process(tmp_path: Path) -> None:
    """Workers that are threads of this process save and load, too."""
    with LocalCluster(n_workers=2, processes=False, dashboard_address=":0") as cluster, Client(cluster) as client:
        bpd.enable(client)
        bpd.to_bpk(da.arange(10, chunks=4), tmp_path)
        assert bpd.from_bpk(tmp_path).sum().compute() == 45
        bpd.disable(client)
