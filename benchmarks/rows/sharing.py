"""Row 10: four processes map one file and sum it. The row adds up their proportional set sizes.

Rule: all four live at once, and each counts its own share before and after, at the same moments.
"""

from __future__ import annotations

import multiprocessing
import pickle
from dataclasses import replace
from functools import partial
from typing import Any, Callable

from ..cases import MIB, Case, Measured, Scale, amount, ratio
from ..contenders import PICKLE, ours, through_joblib
from ..memory import proportional
from ..objects import uniform

__all__ = ["cases"]

PROCESSES = 4
PATIENCE = 120.0


def cases(scale: Scale) -> list[Case]:
    """Declare the case of row 10."""
    size = scale.pick(512, 256) * MIB
    mapped = replace(ours("map", mappable=True), load=partial(share, load=load_binpickle))
    joblib = replace(through_joblib("joblib mapped"), load=partial(share, load=load_joblib))
    copied = replace(PICKLE, load=partial(share, load=load_pickle))
    return [
        Case(
            row="10",
            name=f"4 processes sum {size // MIB} MiB",
            make=uniform,
            size=size,
            contenders=(mapped, joblib, copied),
            steps=("load",),
            rounds=scale.pick(5, 2),
            targets=(
                amount("proportional memory", "map", 1.05 * size),
                ratio("proportional memory", "map", joblib.name),
                ratio("proportional memory", "map", copied.name),
            ),
            check=lambda build, sums: sums == [float(build().sum())] * PROCESSES,
        )
    ]


def load_binpickle(path: str) -> Any:
    """Map a file with BinPickle."""
    import binpickle

    return binpickle.load(path, mmap_mode="r")


def load_joblib(path: str) -> Any:
    """Map a file with joblib."""
    import joblib

    return joblib.load(path, mmap_mode="r")


def load_pickle(path: str) -> Any:
    """Read a copy from a pickle."""
    with open(path, "rb") as file:
        return pickle.load(file)


def share(path: str, load: Callable[[str], Any]) -> Measured:
    """Load and sum one file in four processes at once; give the sums and the memory of all."""
    context = multiprocessing.get_context("spawn")
    together, answers = context.Barrier(PROCESSES), context.SimpleQueue()
    readers = [context.Process(target=_reader, args=(path, load, together, answers)) for _ in range(PROCESSES)]
    for reader in readers:
        reader.start()
    results = [answers.get() for _ in readers]
    for reader in readers:
        reader.join()
    return Measured([total for total, _ in results], {"proportional memory": float(sum(rise for _, rise in results))})


def _reader(path: str, load: Callable[[str], Any], together: Any, answers: Any) -> None:
    # The first load pays for imports; its memory is gone again before anything is counted.
    load(path)
    together.wait(PATIENCE)
    before = proportional()
    together.wait(PATIENCE)
    array = load(path)
    total = float(array.sum())
    together.wait(PATIENCE)
    after = proportional()
    together.wait(PATIENCE)
    answers.put((total, after - before))
