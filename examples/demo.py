"""Shows what BinPickle is for, in under a minute: `python examples/demo.py`, or `python3 -m nox -s demo`.

joblib and BinPickle store a table of features and two fitted models, compressed and for mapping. Then four processes
load each of the files at once. The demo measures every number that it shows, on this machine.
"""

from __future__ import annotations

import multiprocessing
import os
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any, Callable, NamedTuple

import joblib
import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures
from threadpoolctl import threadpool_limits

import binpickle

PROCESSES = 4
SMAPS = Path("/proc/self/smaps_rollup")


class Way(NamedTuple):
    """One way of keeping the object in a file, and the best way of loading that file into several processes."""

    name: str
    dump: Callable[[Any, str], Any]
    load: Callable[[str], Any]
    share: Callable[[str], Any]


WAYS = [
    Way("joblib, compress=3", partial(joblib.dump, compress=3), joblib.load, joblib.load),
    Way("BinPickle, compressed", binpickle.dump, binpickle.load, binpickle.load),
    Way("joblib, raw", joblib.dump, joblib.load, partial(joblib.load, mmap_mode="r")),
    Way(
        "BinPickle, mappable",
        partial(binpickle.dump, mappable=True),
        binpickle.load,
        partial(binpickle.load, mmap_mode="r"),
    ),
]


def build() -> dict[str, Any]:
    """Return two fitted models and the features of 8,985 images, made from the digits of scikit-learn."""
    images, digits = load_digits(return_X_y=True)
    moves = [(0, 0), (1, 0), (-1, 0), (0, 1), (0, -1)]
    moved = np.concatenate([np.roll(images.reshape(-1, 8, 8), move, axis=(1, 2)) for move in moves]).reshape(-1, 64)
    digits = np.tile(digits, len(moves))
    products = PolynomialFeatures(2, interaction_only=True, include_bias=False).fit_transform(moved.astype("f4"))
    seen = pd.date_range("2026-01-01", periods=len(digits), freq="min", name="seen")
    return {
        "features": pd.DataFrame(products, index=seen).add_prefix("product "),
        "neighbours": make_pipeline(PCA(48), KNeighborsClassifier()).fit(moved, digits),
        "forest": RandomForestClassifier(50, max_depth=10, random_state=0).fit(moved, digits),
        "questions": moved[::20],
    }


def answers(loaded: dict[str, Any]) -> list[np.ndarray]:
    """Return the predictions of the models, and a sum that reads every value of the table."""
    models = [loaded["neighbours"], loaded["forest"]]
    return [model.predict(loaded["questions"]) for model in models] + [loaded["features"].to_numpy().sum()]


def seconds(work: Callable[[], Any]) -> float:
    """Return the time of the faster of two runs."""
    times = []
    for _ in range(2):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def memory() -> int:
    """Return the bytes of this process, in which a shared page counts in part (proportional set size, PSS)."""
    lines = SMAPS.read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith("Pss:"))


def serve(load: Callable[[str], Any], path: str, together: Any, results: Any) -> None:
    """Load, answer and measure in one of the processes, while all others do the same."""
    together.wait()
    before = memory()
    together.wait()
    loaded = load(path)
    with threadpool_limits(1):  # four times as many threads as cores would wait for each other
        answers(loaded)
    together.wait()
    results.put(memory() - before)
    together.wait()


def shared_memory(way: Way, path: str) -> float | None:
    """Return by how many bytes four processes grow when each loads the file; `None` if the system does not tell."""
    if not SMAPS.exists():
        return None
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([Path(__file__).stem])
    together, results = context.Barrier(PROCESSES), context.SimpleQueue()
    servers = [context.Process(target=serve, args=(way.share, path, together, results)) for _ in range(PROCESSES)]
    for server in servers:
        server.start()
    total = sum(results.get() for _ in servers)
    for server in servers:
        server.join()
    return total


def measure(way: Way, obj: dict[str, Any], path: str) -> tuple[float, float, float, float | None]:
    """Return size, times to dump and load, and memory of four processes; check that the loaded objects are the same."""
    dump = seconds(lambda: way.dump(obj, path))
    load = seconds(lambda: way.load(path))
    wanted = answers(obj)
    for loaded in [way.load(path), way.share(path)]:
        if not all(np.array_equal(got, want) for got, want in zip(answers(loaded), wanted)):
            raise SystemExit(f"{way.name}: the loaded models answer differently")
    return os.path.getsize(path), dump, load, shared_memory(way, path)


def megabytes(count: float | None) -> str:
    return "n/a" if count is None else f"{count / 1e6:,.0f} MB"


def main() -> None:
    console = Console()
    say = partial(console.print, highlight=False, soft_wrap=True)
    say("1. Fit nearest neighbours and a forest to scikit-learn's digits; make a table of features.")
    obj = build()
    say(f"   The table alone takes {megabytes(obj['features'].to_numpy().nbytes)} of memory.")
    say("2. Store and load it all in four ways (the faster of two runs); compare all predictions.")
    say(f"3. Load each file in {PROCESSES} processes at once, mapped if it can be; add up their memory (PSS).")
    table = Table("", "file", "dump", "load", f"{PROCESSES} processes")
    for column in table.columns[1:]:
        column.justify = "right"
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for way in WAYS:
            size, dump, load, total = measure(way, obj, os.path.join(folder, "file"))
            table.add_row(way.name, megabytes(size), f"{dump:.2f} s", f"{load:.2f} s", megabytes(total))
            found.append((size, dump, load))
    console.print(table)
    say("   All predictions were the same. scikit-learn copies trees out of a mapping; everything else is shared.")
    size, dump, load = (ours / theirs for ours, theirs in zip(found[1], found[0]))
    say(f"Compressed, BinPickle took {dump:.2f} x joblib's time to dump, {load:.2f} x to load, {size:.2f} x its bytes.")
    say(f"Its mappable file served {PROCESSES} processes with {megabytes(total)} in total.")


if __name__ == "__main__":
    main()
