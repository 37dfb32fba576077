"""Row 8: plain Python objects, which have no buffers at all, against pickle and joblib."""

from __future__ import annotations

from typing import Any

from ..cases import GIB, MIB, Case, Scale, difference, ratio
from ..contenders import PICKLE, ours, through_joblib
from ..objects import floats, text, vocabulary

__all__ = ["cases"]


def cases(scale: Scale) -> list[Case]:
    """Declare the cases of row 8."""
    stream = scale.pick(GIB, 64 * MIB)
    return [
        case("dict of 300000 str to int", vocabulary, 300_000, scale),
        case("list of 1000000 floats", floats, 1_000_000, scale),
        case(f"{stream // MIB} MiB of strings", text, stream, scale),
    ]


def case(name: str, make: Any, size: int, scale: Scale) -> Case:
    """Declare one case of row 8."""
    return Case(
        row="8",
        name=name,
        make=make,
        size=size,
        contenders=(PICKLE, ours("raw", codecs=[]), ours("auto"), through_joblib("joblib", rounds=scale.pick(3, 1))),
        rounds=scale.pick(15, 5),
        targets=tuple(
            target
            for step in ("dump", "load")
            for target in (
                ratio(step, "raw", PICKLE.name, 1.08),
                ratio(step, "auto", PICKLE.name, 1.25),
                difference(f"{step} memory", "raw", PICKLE.name, 16 * MIB),
                difference(f"{step} memory", "auto", PICKLE.name, 16 * MIB),
                ratio(step, "raw", "joblib"),
            )
        ),
    )
