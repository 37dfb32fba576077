"""Saving on clusters that change: workers come and go, a scheduler ends, a worker has no right to write."""

from __future__ import annotations

import os
import time
from concurrent.futures import CancelledError
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest
from dask_internals import HOST
from distributed import Client, LocalCluster

import binpickle_dask as bpd
from binpickle import errors

CHUNKS = 40


@pytest.fixture(autouse=True)
def no_leaked_descriptors() -> None:
    """Allow descriptors that stay open (replaces the common fixture): clients open and close theirs at any time."""


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Return a folder in which each computation of a block leaves a file."""
    (tmp_path / "log").mkdir()
    return tmp_path / "log"


def logged(block: Any, block_id: Any = None, log: str = "") -> Any:
    """Wait a while, leave a file as a trace, and pass a block on. After a dozen blocks wait for a file named `go`."""
    time.sleep(0.05)
    deadline = time.monotonic() + 60
    while len(os.listdir(log)) >= 12 and not Path(log).with_name("go").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    Path(log, f"{block_id[0]}-{os.getpid()}-{time.time_ns()}").touch()
    return block + block_id[0]


def ready() -> bool:
    """Return whether this module is imported, which may take a new worker longer than all the blocks."""
    return True


def array(log: Path) -> Any:
    """Return an array whose blocks take a while, and the sum of its elements."""
    blocks = da.ones((CHUNKS, 1000), chunks=(1, 1000))
    return blocks.map_blocks(logged, log=str(log), dtype=float, meta=np.empty((0, 0)))


TOTAL = 1000.0 * sum(range(1, CHUNKS + 1))


def test_scaled(log: Path, tmp_path: Path) -> None:
    """Workers that join during a save take part in it, and workers that leave cost no finished part."""
    with LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=":0") as cluster, Client(cluster) as client:
        sizes, go = {4: 3, 25: 1}, tmp_path / "go"

        def scale(done: int, total: int) -> None:
            for at in [at for at in sizes if done >= at]:
                cluster.scale(sizes.pop(at))
            if done >= 4 and not go.exists():
                cluster.wait_for_workers(3)
                assert all(client.run(ready).values())
                go.touch()

        info = bpd.to_bpk(array(log), tmp_path / "out", progress=scale)
        assert (info.ncomputed, sizes) == (CHUNKS, {})
        assert bpd.open_bpk(tmp_path / "out").verify() == []
        assert bpd.from_bpk(tmp_path / "out").sum().compute() == TOTAL
    computed = list(log.iterdir())
    assert len({path.name.split("-")[1] for path in computed}) > 1
    assert CHUNKS <= len(computed) <= CHUNKS + 2


def test_scheduler_ended(log: Path, tmp_path: Path) -> None:
    """A save fails when its cluster ends; on another cluster it continues with the finished parts."""
    (tmp_path / "go").touch()
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster, Client(cluster) as client:

        def end(done: int, total: int) -> None:
            if done >= 10:
                client.shutdown()

        with pytest.raises(CancelledError):
            bpd.to_bpk(array(log), tmp_path / "out", resume=True, progress=end)
    with pytest.raises(errors.NotCommittedError):
        bpd.open_bpk(tmp_path / "out")
    before = len(list(log.iterdir()))
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster, Client(cluster):
        info = bpd.to_bpk(array(log), tmp_path / "out", resume=True)
        assert 10 <= CHUNKS - info.ncomputed <= before
        assert bpd.from_bpk(tmp_path / "out").sum().compute() == TOTAL
    assert len(list(log.iterdir())) == before + info.ncomputed


def forbid(block: Any, path: str) -> Any:
    """Give up the right to write to a folder. A process of root becomes another user, who may only read."""
    if os.geteuid() == 0:
        os.chmod(path, 0o755)
        os.seteuid(65534)
    else:
        for run in Path(path).glob("out/*"):
            run.chmod(0o555)
    return block


@pytest.mark.skipif(not hasattr(os, "seteuid"), reason="by the permissions of POSIX")
def test_may_not_write(tmp_path: Path) -> None:
    """The error of a worker that may not write is that of the operating system, with the worker and the path."""
    with LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=":0") as cluster, Client(cluster):
        forbidden = da.ones(4, chunks=4).map_blocks(forbid, str(tmp_path), dtype=float, meta=np.empty(0))
        with pytest.raises(PermissionError, match=f"on host {HOST}") as caught:
            bpd.to_bpk(forbidden, tmp_path / "out")
        assert str(caught.value.filename).startswith(str(tmp_path / "out"))
        assert str(caught.value.filename).endswith(".bpk")
    assert not list(tmp_path.rglob("*.bpk*"))
