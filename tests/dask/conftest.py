"""What the tests of `binpickle_dask` share; they are skipped where dask is not installed."""

from __future__ import annotations

import importlib.util
from typing import Any, Iterator

import pytest

# `dask` itself does not tell: this folder would be taken for it.
HAVE_DASK = all(importlib.util.find_spec(name) is not None for name in ("distributed", "pandas"))
collect_ignore_glob = [] if HAVE_DASK else ["test_*.py"]


@pytest.fixture(autouse=True)
def no_leaked_threads() -> None:
    """Nothing: dask keeps its pools of threads."""


@pytest.fixture
def synchronous() -> Iterator[None]:
    """Compute in this thread, which is quick and leaves nothing open."""
    import dask

    with dask.config.set(scheduler="synchronous"):
        yield


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Two workers, each a process with one thread; gone with the module, since its scheduler opens files here."""
    from distributed import LocalCluster

    with LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0") as cluster:
        yield cluster


@pytest.fixture
def client(cluster: Any) -> Iterator[Any]:
    """A client of the two workers."""
    from distributed import Client

    with Client(cluster) as client:
        client.wait_for_workers(2)
        yield client
