"""Growth: time and memory over three orders of magnitude of bytes and of buffers, drawn and without targets."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..cases import KIB, Case, Contender, Scale
from ..contenders import PICKLE, ours
from ..objects import many_walks, walk

__all__ = ["cases"]


def cases(scale: Scale) -> list[Case]:
    """Declare a case for each size and each count."""
    smallest = scale.pick(1024, 256) * KIB
    rounds = scale.pick(7, 3)
    sizes = [smallest * 4**power for power in range(6)]
    counts = [100, 400, 1600, 6400, 25_600, 102_400]
    points = [("bytes", walk, size) for size in sizes] + [("buffers", many_walks, count) for count in counts]
    return [case(kind, make, size, rounds) for kind, make, size in points]


def case(kind: str, make: Any, size: int, rounds: int) -> Case:
    """Declare one point of a curve."""
    mapped: Contender = replace(ours("map", mappable=True, mmap_mode="r"), steps=("load",))
    return Case(
        row="growth",
        name=f"{kind} {size}",
        make=make,
        size=size,
        contenders=(PICKLE, ours("raw", codecs=[]), ours("auto"), mapped),
        rounds=rounds,
    )
