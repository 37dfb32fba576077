"""A regression over more data than the workers have memory for, killed in the middle and resumed.

    python examples/dask_resume.py            # 3 GB of data, two workers of 1 GB
    python examples/dask_resume.py --gb 0.5   # smaller

A program generates the data on a cluster of worker processes, and saves it as a checkpoint with a progress bar. When
40 % of the parts are written, it kills itself and its workers. When it runs again, it computes only the missing parts,
and then fits the regression on mapped chunks.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time

import dask.array as da
import numpy as np
from distributed import Client, LocalCluster

import binpickle_dask as bpd

FEATURES = 50
ROWS_A_CHUNK = 100_000
WORKER_MEMORY = "1GB"
KILL_AT = 0.4


def generated(gigabytes: float) -> tuple[da.Array, da.Array]:
    """Return features and targets. They are the same in every process, since the generator is seeded."""
    chunks = max(int(gigabytes * 1e9 / (8 * FEATURES * ROWS_A_CHUNK)), 4)
    random = da.random.default_rng(0)
    x = random.normal(size=(chunks * ROWS_A_CHUNK, FEATURES), chunks=(ROWS_A_CHUNK, FEATURES))
    noise = random.normal(scale=0.1, size=len(x), chunks=ROWS_A_CHUNK)
    return x, x @ np.arange(FEATURES) + noise


def bar(begun: float, stop_at: float):
    """Return a function that draws the progress, and kills this program and its workers at a fraction of the work."""

    def draw(done: int, total: int) -> None:
        filled = 40 * done // total
        line = f"\r  [{'#' * filled}{'.' * (40 - filled)}] {done} of {total} parts, {time.monotonic() - begun:.1f} s"
        print(line, end="", flush=True)
        if done >= stop_at * total:
            print("\n  kill -9", flush=True)
            os.killpg(0, signal.SIGKILL)

    return draw


def work(gigabytes: float, path: str, stop_at: float) -> None:
    """Save the data, or the parts of it that are missing; then fit."""
    x, y = generated(gigabytes)
    print(f"  {x.nbytes / 1e9:.1f} GB of features, two workers of {WORKER_MEMORY}")
    with LocalCluster(n_workers=2, threads_per_worker=1, memory_limit=WORKER_MEMORY) as cluster, Client(
        cluster
    ) as client:
        bpd.enable(client)
        begun = time.monotonic()
        x, y = bpd.checkpoint(x, y, path=path, resume=True, progress=bar(begun, stop_at))
        print(f"\n  on disk after {time.monotonic() - begun:.1f} s: {bpd.open_bpk(path)}")
        begun = time.monotonic()
        gram, moments = da.compute(x.T @ x, x.T @ y)
        weights = np.linalg.solve(gram, moments)
        print(f"  fitted in {time.monotonic() - begun:.1f} s, error {np.abs(weights - np.arange(FEATURES)).max():.1e}")


def main() -> None:
    """Run the work twice: until it is killed, and to the end."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gb", type=float, default=3.0, help="size of the data")
    parser.add_argument("--path", help="folder for the data; by default a temporary folder")
    parser.add_argument("--stop-at", type=float, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.stop_at is not None:
        work(arguments.gb, arguments.path, arguments.stop_at)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = arguments.path or os.path.join(folder, "regression")
        for title, stop_at in [("First run", KILL_AT), ("Second run", 2.0)]:
            print(title)
            command = [sys.executable, __file__, "--gb", str(arguments.gb), "--path", path, "--stop-at", str(stop_at)]
            subprocess.run(command, start_new_session=True, check=stop_at > 1)


if __name__ == "__main__":
    main()
