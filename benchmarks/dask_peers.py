"""Compares what `binpickle_dask` and dask's own formats do with results: `python -m benchmarks.dask_peers` prints the
table of `docs/dask.md`.

Rule: a cell shows the outcome of a small experiment, or says why no experiment is possible. The last two rows say what
the formats are made for.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any, Callable

import dask
import dask.array as da
import dask.bag as db
import numpy as np
from distributed import Client, LocalCluster

import binpickle_dask as bpd

from .dask_ways import PARTS, WAYS, Way, frame_of, made, recomputed, sample

__all__ = ["main"]


def collections(way: Way, folder: str) -> str:
    """Say which collections come back."""
    kinds = {"arrays": da.arange(4, chunks=2), "frames": frame_of([1, 2]), "bags": db.from_sequence([1, 2])}
    kinds["Delayed"] = dask.delayed(abs)(-3)
    kept = [kind for kind, collection in kinds.items() if works(partial(kept_as, way, collection, f"{folder}/{kind}"))]
    return "all" if len(kept) == len(kinds) else ", ".join(kept)


def chunks(way: Way, folder: str) -> str:
    """Say whether chunks of irregular sizes come back as they are, and those of unknown sizes at all."""
    if way.frames:
        lengths = kept_as(way, frame_of([1, 5, 2]), f"{folder}/frame").map_partitions(len).compute().tolist()
        return "yes / yes" if lengths == [1, 5, 2] else "no / no"
    one, both = (da.ones((6, 6), chunks=sizes) for sizes in (((1, 5), 6), ((1, 5), (4, 2))))
    kept = [kept_as(way, array, f"{folder}/{i}").chunks == array.chunks for i, array in enumerate((one, both))]
    irregular = "yes" if all(kept) else "one axis" if kept[0] else "rechunked"
    unknown = da.arange(6, chunks=2)
    return f"{irregular} / {yes(works(lambda: kept_as(way, unknown[unknown > 1], f'{folder}/unknown')))}"


def kept_as(way: Way, collection: Any, path: str) -> Any:
    """Save and load a collection; raise an error unless its values came back."""
    way.save(collection, path)
    loaded = way.load(path)
    np.testing.assert_array_equal(loaded.compute(), collection.compute())
    return loaded


def mapped(way: Way, folder: str) -> str:
    """Say whether chunks lie in the file when they are loaded."""
    way.save(sample(way, folder), f"{folder}/a")
    (first,) = dask.compute(np.ravel(np.array(way.load(f"{folder}/a").to_delayed(), object))[0])
    address = np.asarray(first["n"] if way.frames else first).__array_interface__["data"][0]
    for line in Path("/proc/self/maps").read_text(encoding="utf-8").splitlines():
        begin, end = (int(at, 16) for at in line.split()[0].split("-"))
        if begin <= address < end:
            return yes(folder in line)
    return "no"


def half_written(way: Way, folder: str) -> str:
    """Say whether any part of a save that failed can be loaded."""
    Path(folder, "fail").touch()
    assert not works(lambda: way.save(sample(way, folder), f"{folder}/a"))
    return yes(any(works(partial(load_part, way, f"{folder}/a", i)) for i in range(PARTS)))


def load_part(way: Way, path: str, i: int) -> Any:
    """Compute one part of the saved collection."""
    return way.load(path).partitions[i].compute()


def failed_overwrite(way: Way, folder: str) -> str:
    """Say whether the earlier result is left after a save over it has failed."""
    first, second = Path(folder, "first"), Path(folder, "second")
    for log in (first, second):
        log.mkdir()
    way.save(sample(way, str(first)), f"{folder}/a")
    (second / "fail").touch()
    assert not works(lambda: way.save(sample(way, str(second)) * 2, f"{folder}/a"))
    return yes(works(lambda: expect(way, f"{folder}/a", 1)))


def overwrite_read(way: Way, folder: str) -> str:
    """Say what happens if a result is saved over its own input, last part first."""
    way.save(sample(way, folder), f"{folder}/a")
    saved = works(lambda: way.save(way.load(f"{folder}/a").partitions[::-1] * 10, f"{folder}/a"))
    if saved and works(lambda: expect(way, f"{folder}/a", 10)):
        return "safe"
    return "refused" if not saved and works(lambda: expect(way, f"{folder}/a", 1)) else "destroys data"


def resumes(way: Way, folder: str) -> str:
    """Say whether a save that failed can continue where it stopped."""
    save = partial(bpd.to_bpk, resume=True) if way is WAYS["to_bpk"] else way.save
    fail = Path(folder, "fail")
    fail.touch()
    assert not works(lambda: save(sample(way, folder), f"{folder}/a"))
    fail.unlink()
    before = made(folder)
    save(sample(way, folder), f"{folder}/a")
    return yes(made(folder) - before < PARTS)


def survives(way: Way, folder: str) -> str:
    """Say whether the result is there when the cluster is gone."""
    with LocalCluster(n_workers=1, processes=False, dashboard_address=":0") as cluster, Client(cluster):
        way.save(sample(way, folder), f"{folder}/a")
    return yes(works(lambda: expect(way, f"{folder}/a", 1)))


def after_kill(way: Way, folder: str) -> str:
    """Say how many chunks are made again when a worker dies."""
    return str(recomputed(way, folder, parts=48, kill_after=30))


def expressions(way: Way, folder: str) -> str:
    """Say whether saving works in the mode in which arrays are expressions."""
    name = next(name for name, other in WAYS.items() if other is way)
    child = [sys.executable, "-m", "benchmarks.dask_peers", "--expressions", name, f"{folder}/a"]
    environment = {**os.environ, "DASK_ARRAY__QUERY_PLANNING": "True"}
    return yes(subprocess.run(child, capture_output=True, env=environment, check=False).returncode == 0)


EXPERIMENTS: dict[str, Callable[[Way, str], str]] = {
    "collections": collections,
    "chunks: irregular / unknown sizes": chunks,
    "chunks are mapped when loaded": mapped,
    "half-written result can be seen": half_written,
    "failed overwrite leaves what was there": failed_overwrite,
    "overwriting what is read": overwrite_read,
    "resumes after a failure": resumes,
    "survives the cluster": survives,
    "finished chunks recomputed after `kill -9` of 1 of 3 workers, at 30 of 48": after_kill,
    "`array.query-planning: True`": expressions,
}
NOT_MADE = {
    ("to_parquet", expressions): "frames only",
    **{("persist", experiment): "-" for experiment in (half_written, failed_overwrite, overwrite_read)},
    **{("store", experiment): "by target" for experiment in (chunks, mapped, overwrite_read)},
}
SAID = ["| read by other languages | no | yes | yes | yes | no | by target |"]
SAID += ["| remote storage | no | yes | no | yes | no | by target |"]


def expect(way: Way, path: str, factor: float) -> None:
    """Raise an error unless a result holds the whole sample times a factor, with its parts in any order."""
    found = np.sort(np.asarray(way.load(path).compute()).ravel())
    np.testing.assert_array_equal(found, np.repeat(np.arange(1.0, PARTS + 1), 4) * factor)


def works(call: Callable[[], Any]) -> bool:
    """Return whether a call raises nothing."""
    try:
        call()
    except Exception:
        return False
    return True


def yes(found: bool) -> str:
    """Return a truth value as a word."""
    return "yes" if found else "no"


def cell(name: str, experiment: Callable[[Way, str], str]) -> str:
    """Make one experiment in a folder of its own."""
    if (name, experiment) in NOT_MADE:
        return NOT_MADE[name, experiment]
    with tempfile.TemporaryDirectory() as folder:
        return experiment(WAYS[name], folder)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.dask_peers", description=__doc__.splitlines()[0])
    parser.add_argument("--expressions", nargs=2, metavar=("WAY", "PATH"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    dask.config.set(scheduler="synchronous")
    if options.expressions:
        name, path = options.expressions
        kept_as(WAYS[name], da.ones((4, 4), chunks=2) + 1, path)
        return
    print("| | " + " | ".join(f"`{name}`" for name in WAYS) + " |\n|" + "---|" * (len(WAYS) + 1))
    for words, experiment in EXPERIMENTS.items():
        print(f"| {words} | " + " | ".join(cell(name, experiment) for name in WAYS) + " |", flush=True)
    print(*SAID, sep="\n")


if __name__ == "__main__":
    main()
