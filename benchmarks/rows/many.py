"""Rows 6 and 7: very many small arrays, against pickle protocol 5 to a file."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

import binpickle

from ..cases import Case, Contender, Scale, amount, ratio
from ..contenders import PICKLE, ours
from ..objects import many_8k, many_random, many_walks

__all__ = ["cases"]

ONE_ARRAY = "auto, as one array"


def _dump_joined(arrays: Any, path: str) -> None:
    binpickle.dump(np.concatenate(arrays), path)


def _load_split(path: str) -> Any:
    joined = binpickle.load(path)
    return np.split(joined, joined.size // 100)


JOINED = Contender(ONE_ARRAY, dump=_dump_joined, load=_load_split, steps=())


def cases(scale: Scale) -> list[Case]:
    """Declare the cases of rows 6 and 7."""
    rounds = scale.pick(21, 5)
    return [hundreds("that compress", many_walks, rounds), hundreds("that do not", many_random, rounds), pages(rounds)]


def hundreds(kind: str, make: Any, rounds: int) -> Case:
    """Declare row 6 for one kind of data."""
    count = 25_000
    return Case(
        row="6",
        name=f"{count} arrays of 100 float64 {kind}",
        make=make,
        size=count,
        contenders=(
            PICKLE,
            ours("raw", codecs=[]),
            ours("auto"),
            replace(ours("mappable", mappable=True), steps=()),
            JOINED,
        ),
        rounds=rounds,
        targets=(
            ratio("dump", "raw", PICKLE.name, 1.0),
            ratio("load", "raw", PICKLE.name, 0.7),
            ratio("dump", "auto", PICKLE.name, 1.3),
            ratio("load", "auto", PICKLE.name, 1.3),
            amount("size", "mappable", 1.15 * count * 800),
            ratio("size", "auto", ONE_ARRAY, 1.06),
        ),
    )


def pages(rounds: int) -> Case:
    """Declare row 7."""
    return Case(
        row="7",
        name="20000 arrays of 8 KiB",
        make=many_8k,
        size=20_000,
        contenders=(PICKLE, ours("raw", codecs=[]), ours("map", mappable=True, mmap_mode="r")),
        rounds=rounds,
        targets=(
            ratio("dump", "raw", PICKLE.name, 0.9),
            ratio("load", "raw", PICKLE.name, 0.7),
            ratio("load", "map", PICKLE.name, 0.25),
        ),
    )
