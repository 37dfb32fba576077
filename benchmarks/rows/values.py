"""Row 20: long `bytes`, `bytearray` and `str` within an object, which stay in the pickle stream, against pickle."""

from __future__ import annotations

from typing import Any

from ..cases import Case, Scale, difference, ratio
from ..contenders import PICKLE, ours
from ..objects import long_array, long_bytes, long_text

__all__ = ["cases"]

MB = 10**6


def cases(scale: Scale) -> list[Case]:
    """Declare a case of row 20 for each type."""
    size = scale.pick(100, 50) * MB
    makers = {"bytes of noise": long_bytes, "bytearray of noise": long_array, "str of sentences": long_text}
    return [case(f"{size // MB} MB of {name}", make, size, scale.pick(15, 5)) for name, make in makers.items()]


def case(name: str, make: Any, size: int, rounds: int) -> Case:
    """Declare one case of row 20."""
    return Case(
        row="20",
        name=name,
        make=make,
        size=size,
        contenders=(PICKLE, ours("raw", codecs=[]), ours("auto")),
        targets=(
            ratio("dump", "raw", PICKLE.name),
            ratio("load", "raw", PICKLE.name, 1.05),
            difference("load memory", "raw", PICKLE.name, 16 * MB),
            ratio("dump", "auto", PICKLE.name),
            ratio("load", "auto", PICKLE.name),
        ),
        rounds=rounds,
    )
