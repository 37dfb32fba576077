"""Ways to keep the results of dask, and a computation that records which of its parts it made.

Rule: all ways are called alike, so that one experiment can be made with each of them. The computation leaves a file for
each part that it makes, in whichever process that is; with a file named `fail` beside them it stops halfway.
"""

from __future__ import annotations

import os
import signal
import threading
import time
import uuid
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Callable, NamedTuple

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
from distributed import Client, LocalCluster, get_client, wait

import binpickle_dask as bpd

__all__ = ["PARTS", "WAYS", "Way", "frame_of", "made", "recomputed", "sample"]

PARTS = 6
SECONDS = 0.05


class Way(NamedTuple):
    """One way to keep a result.

    Attributes:
        save: writes a collection to a path, over an earlier result.
        load: returns the collection.
        frames: whether the way is for frames.
    """

    save: Callable[[Any, str], Any]
    load: Callable[[str], Any]
    frames: bool = False


class _Target:
    """An array in a file that workers can write to, as `da.store` wants it."""

    def __init__(self, array: Any, path: str) -> None:
        self.path = path
        np.lib.format.open_memmap(path, "w+", array.dtype, array.shape)

    def __setitem__(self, index: Any, values: Any) -> None:
        np.load(self.path, mmap_mode="r+")[index] = values


def _store(array: Any, path: str) -> None:
    da.store(array, _Target(array, path), lock=False)


_persisted: dict[str, Any] = {}


def _persist(collection: Any, path: str) -> None:
    _persisted[path] = collection.persist()
    with suppress(ValueError):  # without a cluster nothing is left to wait for
        get_client()
        wait(_persisted[path])


WAYS = {
    "to_bpk": Way(partial(bpd.to_bpk, overwrite=True), bpd.from_bpk),
    "to_zarr": Way(partial(da.to_zarr, mode="w"), da.from_zarr),
    "to_npy_stack": Way(lambda array, path: da.to_npy_stack(path, array), da.from_npy_stack),
    "to_parquet": Way(lambda frame, path: frame.to_parquet(path, overwrite=True), dd.read_parquet, frames=True),
    "persist": Way(_persist, _persisted.__getitem__),
    "store": Way(_store, lambda path: da.from_array(np.load(path), chunks=1)),
}


def sample(way: Way, log: str, parts: int = PARTS) -> Any:
    """Return an array or frame: each part holds its own number, counted from 1, four times."""
    if way.frames:
        pieces = [dask.delayed(_frame, pure=True)(number + 1, log, parts) for number in range(parts)]
        return dd.from_delayed(pieces, meta=pd.DataFrame({"n": [0.0]}), verify_meta=False)
    numbers = da.from_array(np.arange(1, parts + 1), chunks=1)
    return numbers.map_blocks(_row, log, parts, dtype=float, new_axis=1, chunks=(numbers.chunks[0], (4,)))


def frame_of(lengths: list[int]) -> Any:
    """Return a frame with partitions of so many rows."""
    pieces = [dask.delayed(pd.DataFrame)({"n": np.arange(float(length))}) for length in lengths]
    return dd.from_delayed(pieces, meta=pd.DataFrame({"n": [0.0]}), verify_meta=False)


def made(log: str) -> int:
    """Count how often a part was made."""
    return sum(name != "fail" for name in os.listdir(log))


def recomputed(way: Way, folder: str, parts: int, kill_after: int) -> int:
    """Save on three workers, of which one is killed when so many parts were made; count those made more than once.

    The count leaves out the part that the killed worker had made but not finished writing.
    """
    log = os.path.join(folder, "log")
    os.mkdir(log)
    array = sample(way, log, parts)
    with LocalCluster(n_workers=3, threads_per_worker=1, dashboard_address=":0") as cluster, Client(cluster) as client:
        worker = next(iter(client.run(os.getpid).values()))

        def kill() -> None:
            while made(log) < kill_after:
                time.sleep(0.005)
            os.kill(worker, signal.SIGKILL)

        killer = threading.Thread(target=kill)
        killer.start()
        way.save(array, os.path.join(folder, "saved"))
        killer.join()
    return max(0, made(log) - parts - 1)


def _row(number: np.ndarray, log: str, parts: int) -> np.ndarray:
    if number.size:  # dask asks for an empty one, too
        _note(int(number[0]), log, parts)
    return np.repeat(number[:, None].astype(float), 4, axis=1)


def _frame(number: int, log: str, parts: int) -> pd.DataFrame:
    _note(number, log, parts)
    return pd.DataFrame({"n": np.full(4, float(number))})


def _note(number: int, log: str, parts: int) -> None:
    if os.path.exists(os.path.join(log, "fail")) and made(log) >= parts // 2:
        raise RuntimeError("half of the parts were made")
    time.sleep(SECONDS)
    Path(log, f"{number}-{uuid.uuid4()}").touch()
