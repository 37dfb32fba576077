"""Row 4: a dict of mixed compressible arrays with `codecs="auto"`, against joblib and Blosc2."""

from __future__ import annotations

from ..cases import MIB, Case, Scale, ratio
from ..contenders import blosc2_frames, ours, through_joblib
from ..objects import mixed

__all__ = ["cases"]

JOBLIB, BLOSC2 = "joblib compress=3", "Blosc2 zstd 3"


def cases(scale: Scale) -> list[Case]:
    """Declare the case of row 4."""
    size = scale.pick(256, 128) * MIB
    return [
        Case(
            row="4",
            name=f"{size // MIB} MiB of mixed arrays",
            make=mixed,
            size=size,
            contenders=(
                ours("auto"),
                blosc2_frames(BLOSC2, clevel=3),
                through_joblib(JOBLIB, compress=3, rounds=scale.pick(5, 2)),
            ),
            rounds=scale.pick(15, 5),
            targets=(
                ratio("size", "auto", JOBLIB, 1.0),
                ratio("size", "auto", BLOSC2, 1.0),
                ratio("dump", "auto", JOBLIB, 1 / 8),
                ratio("dump", "auto", BLOSC2, 0.5),
                ratio("load", "auto", JOBLIB, 1 / 6),
                ratio("load", "auto", BLOSC2, 1.05),
            ),
        )
    ]
