"""The process that measures one call: `python -m benchmarks.worker`, a job as JSON on stdin, metrics as JSON on stdout.

Rule: the object is in memory and everything imported before the clock starts; the target does not exist yet, the source
lies in the page cache; exactly one call is timed. The worker removes its files afterwards.
"""

from __future__ import annotations

import json
import os
import pickle
import shutil
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any, Callable, NamedTuple

import numpy as np

from .cases import Case, Contender, Measured, Scale, find_case
from .memory import HighWater, touch

__all__ = ["main", "same"]


def main() -> None:
    """Do the job described on stdin."""
    asked = json.load(sys.stdin)
    case = find_case(asked["case"], Scale(asked["full"]))
    builder = Builder(case, Path(asked["folder"]))
    job = Job(case, case.contender(asked["contender"]), builder, asked["path"], asked["touch"])
    sys.stdout.write("\n" + json.dumps(STEPS[asked["step"]](job)))


class Builder:
    """Returns the object of a case: makes the object, or reads it from a file if making it takes long."""

    def __init__(self, case: Case, folder: Path) -> None:
        self.case = case
        self.file = folder / "object.pickle"

    def __call__(self) -> Any:
        if not self.case.cached:
            return self.case.make(self.case.size)
        if not self.file.exists():
            self.file.write_bytes(pickle.dumps(self.case.make(self.case.size), protocol=4))
        return pickle.loads(self.file.read_bytes())


class Job(NamedTuple):
    """What one worker does, at which path, after writing to `touch` bytes of memory."""

    case: Case
    contender: Contender
    build: Builder
    path: str
    touch: int


def prepare(job: Job) -> dict[str, float]:
    """Write the file that later loads read, take its size, and prove that the object comes back equal."""
    job.contender.dump(job.build(), job.path)
    size = _stored(job.path)
    loaded = job.contender.load(job.path)
    if not (job.case.check or _equal)(job.build, loaded.value if isinstance(loaded, Measured) else loaded):
        raise ValueError(f"{job.contender.name} did not give the object back")
    return {"size": size}


def dump(job: Job) -> dict[str, float]:
    """Time one dump to a fresh target."""
    obj = job.build()
    _warm_up(job)
    try:
        return _timed("dump", partial(job.contender.dump, obj, job.path))
    finally:
        _remove(job.path)


def load(job: Job) -> dict[str, float]:
    """Time one load of the prepared file."""
    _warm_up(job)
    return _timed("load", partial(job.contender.load, job.path))


STEPS = {"prepare": prepare, "dump": dump, "load": load}


def _timed(step: str, call: Callable[[], Any]) -> dict[str, float]:
    water = HighWater()
    before = _clocks()
    result = call()
    seconds, worked, waited, stolen = (after - start for start, after in zip(before, _clocks()))
    metrics = {step: seconds, f"{step} memory": float(water.rise())}
    metrics.update({f"{step} processor time": worked, f"{step} waited": waited, f"{step} stolen": stolen})
    if isinstance(result, Measured):
        metrics.update(result.metrics)
    return metrics


def _clocks() -> tuple[float, float, float, float]:
    """Return the seconds on the clock, on processors, and those that this thread was ready but had no processor.

    The last are those for which a hypervisor took processors from the whole machine.
    """
    waited = int(Path("/proc/self/schedstat").read_text().split()[1]) / 1e9
    stolen = int(Path("/proc/stat").read_text().split()[8]) / os.sysconf("SC_CLK_TCK")
    return time.perf_counter(), time.process_time(), waited, stolen


def _warm_up(job: Job) -> None:
    """Run both ways once on a small object of the same kind, so that imports and first-call costs are paid."""
    path = f"{job.path}.{os.getpid()}.warm"
    job.contender.dump(job.case.make(max(1, job.case.size // 512)), path)
    job.contender.load(path)
    _remove(path)
    touch(job.touch)


def _stored(path: str) -> float:
    """Return the bytes of a file, or of all files in a folder and below it."""
    place = Path(path)
    files = place.rglob("*") if place.is_dir() else [place]
    return float(sum(file.stat().st_size for file in files if file.is_file()))


def _remove(path: str) -> None:
    if os.path.isdir(path):
        shutil.rmtree(path)
    elif os.path.exists(path):
        os.unlink(path)


def _equal(build: Callable[[], Any], loaded: Any) -> bool:
    return same(build(), loaded)


def same(one: Any, other: Any) -> bool:
    """Return whether two objects made of arrays, lists, dicts and plain values are equal, in types too."""
    if type(one) is not type(other):
        return False
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and np.array_equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one.equals(other) if hasattr(one, "equals") else one == other)


if __name__ == "__main__":
    main()
