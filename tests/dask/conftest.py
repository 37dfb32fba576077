"""Fixtures for the tests of `binpickle_dask`, which are skipped where dask is not installed."""

from __future__ import annotations

import importlib.util
from typing import Any, Iterator

import pytest

# Do not look for `dask` itself: Python would find this folder, which has the same name.
HAVE_DASK = all(importlib.util.find_spec(name) is not None for name in ("distributed", "pandas"))
collect_ignore_glob = [] if HAVE_DASK else ["test_*.py"]


def pytest_itemcollected(item: pytest.Item) -> None:
    """Run all tests of a file in one worker of pytest-xdist, since they share a cluster."""
    if item.config.pluginmanager.hasplugin("xdist"):
        item.add_marker(pytest.mark.xdist_group(item.nodeid.partition("::")[0]))


@pytest.fixture(autouse=True)
def no_leaked_threads() -> None:
    """Allow threads that stay: this replaces the fixture for all tests, because dask keeps its pools of threads."""


@pytest.fixture
def synchronous() -> Iterator[None]:
    """Compute in the thread of the test, which is quick and leaves nothing open."""
    import dask

    with dask.config.set(scheduler="synchronous"):
        yield


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Start two workers, each a process with one thread, for all tests of a module; its scheduler opens files here."""
    from distributed import LocalCluster

    with LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0") as cluster:
        yield cluster


@pytest.fixture
def client(cluster: Any) -> Iterator[Any]:
    """Connect a client to the two workers."""
    from distributed import Client

    with Client(cluster) as client:
        client.wait_for_workers(2)
        yield client
