"""The rows for dask, which need a cluster or its collections: `python -m benchmarks.dask_rows`.

Rule: all ways of one row run in turn, a few rounds each, with a hot cache. The result is the ratio of the medians. Rows
on a cluster count bytes on the loopback, to which other programs on the machine may add.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import pickle
import platform
import random
import statistics
import tempfile
import time
from functools import partial
from typing import Any, Callable, Iterator, NamedTuple

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
from distributed import Client, KilledWorker, LocalCluster, wait
from pyarrow import feather

import binpickle_dask as bpd

from .dask_ways import WAYS, recomputed

__all__ = ["Row", "main"]

COLUMNS = 12_500


class Row(NamedTuple):
    """One comparison.

    Attributes:
        name: of the row.
        unit: of the numbers.
        ours: the median of ours.
        peers: the median of each peer by its name.
        target: in words.
        reached: whether it was, `None` where there is none.
    """

    name: str
    unit: str
    ours: float
    peers: dict[str, float]
    target: str
    reached: bool | None


def in_turn(ways: dict[str, Callable[[int], Any]], rounds: int) -> dict[str, float]:
    """Time all ways in turn; return the median seconds of each, without the first round.

    Each round has an order of its own: the garbage and the cold caches of one way must not always meet the same
    other way.
    """
    taken: dict[str, list[float]] = {name: [] for name in ways}
    shuffled = random.Random(0)
    for n in range(rounds + 1):
        for name in shuffled.sample(list(ways), len(ways)):
            begun = time.perf_counter()
            ways[name](n)
            taken[name].append(time.perf_counter() - begun)
    return {name: statistics.median(seconds[1:]) for name, seconds in taken.items()}


def compare(name: str, found: dict[str, float], **factors: float) -> Row:
    """Make a row of seconds, of which the first is ours, with the ratio to reach for each peer."""
    ours, *peers = found
    reached = all(found[ours] <= factor * found[peer] for peer, factor in factors.items())
    target = ", ".join(f"<= {factor:g} x {peer}" for peer, factor in factors.items())
    return Row(name, "s", found[ours], {peer: found[peer] for peer in peers}, target, reached if factors else None)


def array_rows(folder: str, megabytes: int, rounds: int) -> Iterator[Row]:
    """Saving and reading an array, next to `to_npy_stack` and zarr."""
    rows = megabytes * 1_000_000 // (8 * COLUMNS) // 16 * 16
    values = np.random.default_rng(0).integers(0, 1000, (rows, COLUMNS)).astype(float)
    array = da.from_array(values, chunks=(rows // 16, COLUMNS))
    path = partial(os.path.join, folder)
    ways = {
        "ours": lambda n: bpd.to_bpk(array, path(f"bpk{n}")),
        "npy_stack": lambda n: da.to_npy_stack(path(f"npy{n}"), array),
        "zarr_raw": lambda n: da.to_zarr(array, path(f"raw{n}"), compressors=None),
    }
    yield compare("array: save raw", in_turn(ways, rounds), npy_stack=1.25, zarr_raw=0.5)
    packed = {
        "ours": lambda n: bpd.to_bpk(array, path(f"auto{n}"), codecs="auto"),
        "zarr": lambda n: da.to_zarr(array, path(f"zarr{n}")),
    }
    yield compare("array: save compressed", in_turn(packed, rounds), zarr=1.0)
    sizes = {name: size_of(path(f"{name}0")) / 1e6 for name in ("auto", "zarr")}
    ours, theirs = sizes.values()
    yield Row("array: bytes compressed", "MB", ours, {"zarr": theirs}, "<= zarr", ours <= theirs)
    openers = {"ours": lambda: bpd.from_bpk(path("bpk0")), "npy_stack": lambda: da.from_npy_stack(path("npy0"))}
    openers["zarr"] = lambda: da.from_zarr(path("zarr0"))
    for what, use in (("sum", lambda x: x.sum()), ("one row", lambda x: x[7]), ("window", lambda x: x[5:105, 5:105])):
        reading = {name: partial(_read, opener, use) for name, opener in openers.items()}
        yield compare(f"array: open, {what}", in_turn(reading, rounds), npy_stack=1.1, zarr=0.6)


def frame_rows(folder: str, megabytes: int, rounds: int) -> Iterator[Row]:
    """Saving and reading a frame, next to Parquet and to files of Arrow's IPC format, which can be mapped too."""
    n = megabytes * 1_000_000 // 80
    random = np.random.default_rng(0)
    frame = dd.from_pandas(pd.DataFrame({f"c{i}": random.random(n) for i in range(10)}), npartitions=16)
    path = partial(os.path.join, folder)
    ways = {
        "ours": lambda n: bpd.to_bpk(frame, path(f"frame{n}")),
        "parquet": lambda n: frame.to_parquet(path(f"parquet{n}")),
        "arrow_ipc": lambda n: to_arrow(frame, path(f"arrow{n}")),
    }
    yield compare("frame: save", in_turn(ways, rounds))
    openers = {"ours": lambda: bpd.from_bpk(path("frame0")), "parquet": lambda: dd.read_parquet(path("parquet0"))}
    openers["arrow_ipc"] = lambda: from_arrow(path("arrow0"))
    reading = {name: partial(_read, opener, lambda f: f[["c1", "c7"]].sum()) for name, opener in openers.items()}
    yield compare("frame: two columns of ten", in_turn(reading, rounds))
    reading = {name: partial(_read, opener, lambda f: f.sum()) for name, opener in openers.items()}
    yield compare("frame: full scan", in_turn(reading, rounds), arrow_ipc=1.0)


def to_arrow(frame: Any, folder: str) -> None:
    """Write each partition as a file that can be mapped."""
    os.makedirs(folder)
    write = dask.delayed(partial(feather.write_feather, compression="uncompressed"))
    dask.compute(*(write(part, os.path.join(folder, f"{i:05d}.arrow")) for i, part in enumerate(frame.to_delayed())))


def from_arrow(folder: str) -> Any:
    """Return the frame of a folder of such files, mapped."""
    paths = sorted(os.path.join(folder, name) for name in os.listdir(folder))
    return dd.from_map(partial(feather.read_feather, memory_map=True), paths)


def graph_rows(folder: str) -> Iterator[Row]:
    """Opening ten thousand parts."""
    array = da.zeros((1000, 1000), chunks=(10, 10))
    path = os.path.join(folder, "many")
    with dask.config.set(scheduler="synchronous"):
        bpd.to_bpk(array, path)
        bpd.to_bpk(array[:10], os.path.join(folder, "few"))
    opened = statistics.median(_in_process(_opening, folder) for _ in range(5))
    yield Row("10,000 parts: open", "ms", opened * 1000, {}, "<= 5 ms", opened <= 0.005)
    size = len(pickle.dumps(bpd.from_bpk(path)))
    yield Row("10,000 parts: pickled graph", "B", size, {}, "<= 5000", size <= 5000)


def cluster_rows(folder: str) -> Iterator[Row]:
    """The bytes on the network, and the tasks that a memory limit allows, with and without `enable`."""
    path = os.path.join(folder, "wire")
    bpd.to_bpk(da.random.default_rng(0).random((12, 1_000_000), chunks=(2, 1_000_000)), path)
    found: dict[str, dict[str, float]] = {"ours": on_wire(path, True), "plain": on_wire(path, False)}
    limits = {"one chunk to another worker": 0.002, "x @ x.T": 0.01 * 96, "retire a worker": 0.01 * 96}
    for what, limit in limits.items():
        ours = found["ours"][what]
        yield Row(f"cluster: {what}", "MB", ours, {"plain": found["plain"][what]}, f"<= {limit:g} MB", ours <= limit)
    big = os.path.join(folder, "big")
    bpd.to_bpk(da.arange(800_000_000 // 8, chunks=-1), big)
    finished = {name: float(survives(big, enabled)) for name, enabled in (("ours", True), ("plain", False))}
    ours = finished.pop("ours")
    yield Row("cluster: map twice the limit", "finishes", ours, finished, "finishes", ours == 1)
    again = {name: float(recomputed(WAYS[name], make(folder, name), 48, 30)) for name in ("to_bpk", "to_zarr")}
    ours = again.pop("to_bpk")
    yield Row("cluster: recomputed after kill -9 at 30 of 48", "chunks", ours, again, "0", ours == 0)


def on_wire(path: str, enabled: bool) -> dict[str, float]:
    """Return the megabytes on the loopback of some work on two workers."""
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster, Client(cluster) as client:
        if enabled:
            bpd.enable(client)
        first, second = client.scheduler_info()["workers"]
        parts = client.map(bpd.open_bpk(path).part, range(6), workers=[first])
        wait(parts)

        def use(part: Any) -> Any:
            return client.submit(np.max, part, workers=[second], pure=False).result()

        # A task takes its messages whether a chunk moves or not; that workers tell they live only adds to the bytes.
        moving, task = (min(loopback(partial(use, given)) for given in each) for each in (parts, range(6)))
        held = bpd.from_bpk(path).persist()
        wait(held)
        return {
            "one chunk to another worker": moving - task,
            "x @ x.T": loopback(lambda: (held @ held.T).compute()),
            "retire a worker": loopback(lambda: client.retire_workers([first])),
        }


def survives(path: str, enabled: bool) -> bool:
    """Return whether a task ends that maps twice the memory limit of its worker."""
    options: dict[str, Any] = {"memory_limit": "400MB", "scheduler_kwargs": {"allowed_failures": 0}}
    with LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=":0", **options) as cluster, Client(
        cluster
    ) as client:
        if enabled:
            bpd.enable(client)
        try:
            client.submit(_touch, path).result()
        except KilledWorker:
            return False
        return True


def loopback(work: Callable[[], Any]) -> float:
    """Return the megabytes that the loopback received while something was done."""
    before = _received()
    work()
    return (_received() - before) / 1e6


def make(folder: str, name: str) -> str:
    """Make a folder in another."""
    path = os.path.join(folder, name)
    os.mkdir(path)
    return path


def size_of(folder: str) -> int:
    """Return the bytes of all files in a folder."""
    return sum(os.path.getsize(os.path.join(at, name)) for at, _, names in os.walk(folder) for name in names)


def _read(opener: Callable[[], Any], use: Callable[[Any], Any], _: int) -> Any:
    return use(opener()).compute()


def _in_process(function: Callable[[str], float], folder: str) -> float:
    """Call a function in a process of its own, in which nothing was opened before."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(function, (folder,))


def _opening(folder: str) -> float:
    """Time opening ten thousand parts, after opening some others."""
    bpd.from_bpk(os.path.join(folder, "few"))
    begun = time.perf_counter()
    bpd.from_bpk(os.path.join(folder, "many"))
    return time.perf_counter() - begun


def _touch(path: str) -> int:
    part = bpd.open_bpk(path).part(0)
    total = int(part.max())
    time.sleep(1)
    return total + int(part.min())


def _received() -> int:
    with open("/proc/net/dev", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.strip().startswith("lo:"))


def _text(row: Row) -> str:
    peers = ", ".join(f"{name} {value:.4g}" for name, value in row.peers.items())
    verdict = {True: "reached", False: "MISSED", None: ""}[row.reached]
    return f"| {row.name} | {row.ours:.4g} {row.unit} | {peers} | {row.target} | {verdict} |"


def main() -> None:
    """Run the rows, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.dask_rows", description=__doc__.splitlines()[0])
    parser.add_argument("--mb", type=int, default=96, help="size of array and frame")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--no-cluster", action="store_true", help="leave out the rows that start workers")
    parser.add_argument("--json", help="write the rows to this file")
    options = parser.parse_args()
    rows = []
    print(f"dask {dask.__version__}, Python {platform.python_version()}, {os.cpu_count()} CPUs, {options.mb} MB\n")
    print("| row | ours | peers | target | |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        groups = [array_rows(folder, options.mb, options.rounds), frame_rows(folder, options.mb, options.rounds)]
        groups += [graph_rows(folder), *([] if options.no_cluster else [cluster_rows(folder)])]
        for group in groups:
            for row in group:
                rows.append(row)
                print(_text(row), flush=True)
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump([row._asdict() for row in rows], file, indent=1)


if __name__ == "__main__":
    main()
