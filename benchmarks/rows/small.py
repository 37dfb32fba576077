"""Rows 15 to 17: many small files, each written over an old one and read once, against pickle and `os.replace`.

Rule: one call of a contender writes or reads all files of a case, because a single call takes microseconds. `dump one`
and `load one` are the mean times of one file. What a load returns is dropped before the next load, so each load does
the whole work.
"""

from __future__ import annotations

import os
import pickle
import time
from functools import partial
from typing import Any, Callable, NamedTuple

import binpickle

from ..cases import Case, Contender, Measured, Scale, Target, amount, ratio
from ..objects import dicts, forests, megabytes, ramps, scattered, shapes
from .models import same_forest

__all__ = ["cases"]

Dump = Callable[[Any, str], Any]
Load = Callable[[str], Any]

ONE = ("dump one", "load one")
PICKLE = "pickle and os.replace"
IN_MEMORY = "pickle.dumps / loads"


def cases(scale: Scale) -> list[Case]:
    """Declare the cases of rows 15, 16 and 17, on the disk and in a file system in memory."""
    files, few, rounds = scale.pick(1000, 300), scale.pick(60, 20), scale.pick(11, 3)
    found = []
    for in_memory in (False, True):
        raw, auto = (3.5, None) if in_memory else (1.5, 2.0)
        each = partial(case, in_memory=in_memory, rounds=rounds)
        found += [
            each("15", "8 kB array", ramps, files, Claims(raw, auto, 1.5, 5.0)),
            each("15", "8 kB array, each of another shape", shapes, files, Claims(raw, auto, 3.0, None)),
            each("15", "plain dict", dicts, files, Claims(raw, auto, 1.5, 2.0)),
            each("16", "1 MB of noise", megabytes, few, Claims(1.2, 1.3, 1.5, 1.5)),
            each("16", "100 arrays of 10 kB of noise", scattered, few, Claims(1.2, 1.3, 1.5, 1.5)),
            each("17", "forest of 7 MB", forests, 10, Claims(1.1, None, 1.0, None), check=same_forests, cached=True),
        ]
    return found + [bytes_case("8 kB array", ramps, files, rounds), bytes_case("plain dict", dicts, files, rounds)]


class Claims(NamedTuple):
    """What a case claims against pickle: ratios; `None` is only shown."""

    raw_dump: float | None
    auto_dump: float | None
    raw_load: float | None
    auto_load: float | None

    def targets(self) -> tuple[Target, ...]:
        """Return them as targets."""
        ways = {"raw": (self.raw_dump, self.raw_load), "auto": (self.auto_dump, self.auto_load)}
        return tuple(
            ratio(metric, way, PICKLE, limit) for way, limits in ways.items() for metric, limit in zip(ONE, limits)
        )


def case(
    row: str, name: str, make: Any, count: int, claims: Claims, in_memory: bool, rounds: int, **options: Any
) -> Case:
    """Declare one case: `count` files, each in the place of an old one."""
    return Case(
        row=row,
        name=f"{name}, {count} files{', tmpfs' if in_memory else ''}",
        make=make,
        size=count,
        contenders=(
            files(PICKLE, pickle_replacing, pickle_load),
            files("raw", partial(binpickle.dump, codecs=[], durable=False), binpickle.load),
            files("auto", partial(binpickle.dump, durable=False), binpickle.load),
        ),
        targets=claims.targets(),
        rounds=rounds,
        in_memory=in_memory,
        **options,
    )


def bytes_case(name: str, make: Any, count: int, rounds: int) -> Case:
    """Declare one case of `dumps` and `loads`, without any file."""
    return Case(
        row="15",
        name=f"{name}, dumps and loads {count} times",
        make=make,
        size=count,
        contenders=(
            values(IN_MEMORY, partial(pickle.dumps, protocol=5), pickle.loads),
            values("raw", partial(binpickle.dumps, codecs=[]), binpickle.loads),
            values("auto", binpickle.dumps, binpickle.loads),
        ),
        targets=(
            *(amount(metric, way, limit) for way, limit in (("raw", 60e-6), ("auto", 150e-6)) for metric in ONE),
            *(ratio(metric, way, IN_MEMORY) for way in ("raw", "auto") for metric in ONE),
        ),
        rounds=rounds,
    )


def files(name: str, dump: Dump, load: Load) -> Contender:
    """Make a contender that writes each object to a file of its own, and reads each file."""
    return Contender(name, partial(dump_twice, dump), partial(load_each, load))


def dump_twice(dump: Dump, objects: list[Any], folder: str) -> Measured:
    """Write all objects to a new folder, and write them again, which is timed."""
    os.mkdir(folder)
    paths = [f"{folder}/{number}" for number in range(len(objects))]
    for obj, path in zip(objects, paths):
        dump(obj, path)
    start = time.perf_counter()
    for obj, path in zip(objects, paths):
        dump(obj, path)
    return Measured(metrics={"dump one": (time.perf_counter() - start) / len(objects)})


def load_each(load: Load, folder: str) -> Measured:
    """Load all files of a folder, which is timed, and again to return the objects."""
    paths = [f"{folder}/{number}" for number in range(len(os.listdir(folder)))]
    start = time.perf_counter()
    for path in paths:
        load(path)
    seconds = (time.perf_counter() - start) / len(paths)
    return Measured([load(path) for path in paths], {"load one": seconds})


def values(name: str, dumps: Callable[[Any], bytes], loads: Callable[[bytes], Any]) -> Contender:
    """Make a contender that turns each object to bytes and back; the bytes lie in one file between the steps."""
    return Contender(name, partial(dumps_each, dumps), partial(loads_each, loads))


def dumps_each(dumps: Callable[[Any], bytes], objects: list[Any], path: str) -> Measured:
    """Turn all objects to bytes, which is timed."""
    start = time.perf_counter()
    made = [dumps(obj) for obj in objects]
    seconds = (time.perf_counter() - start) / len(objects)
    with open(path, "wb") as file:
        pickle.dump(made, file)
    return Measured(metrics={"dump one": seconds})


def loads_each(loads: Callable[[bytes], Any], path: str) -> Measured:
    """Turn bytes to objects again, which is timed."""
    with open(path, "rb") as file:
        made = pickle.load(file)
    start = time.perf_counter()
    for data in made:
        loads(data)
    seconds = (time.perf_counter() - start) / len(made)
    return Measured([loads(data) for data in made], {"load one": seconds})


def pickle_replacing(obj: Any, path: str) -> None:
    """Write a temporary file that takes the place of the old one, as everybody should."""
    temporary = f"{path}.tmp"
    with open(temporary, "wb") as file:
        pickle.dump(obj, file, protocol=5)
    os.replace(temporary, path)


def pickle_load(path: str) -> Any:
    """Load with pickle."""
    with open(path, "rb") as file:
        return pickle.load(file)


def same_forests(build: Callable[[], Any], loaded: list[Any]) -> bool:
    """Return whether each loaded forest predicts what the original does."""
    return all(same_forest(lambda model=model: model, other) for model, other in zip(build(), loaded))
