"""Row 14: the import statement alone, timed inside fresh interpreters."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import partial
from typing import Any

from ..cases import Case, Contender, Measured, Scale, amount, ratio

__all__ = ["cases"]

CODE = """
import json, sys, time
start = time.perf_counter()
import {modules}
seconds = time.perf_counter() - start
print(json.dumps({{"import": seconds, "anyio imported": float("anyio" in sys.modules)}}))
"""

PEER = "numpy, numcodecs"


def cases(scale: Scale) -> list[Case]:
    """Declare the case of row 14."""
    return [
        Case(
            row="14",
            name="import",
            make=_nothing,
            size=1,
            contenders=tuple(
                Contender(modules, partial(importing, modules), _nothing) for modules in ("binpickle", PEER)
            ),
            steps=("dump",),
            rounds=scale.pick(31, 9),
            targets=(ratio("import", "binpickle", PEER, 1.5), amount("anyio imported", "binpickle", 0.0)),
        )
    ]


def _nothing(_: Any) -> None:
    return None


def importing(modules: str, obj: Any, path: str) -> Measured:
    """Import modules in a fresh interpreter; give how long that took and whether anyio came along."""
    command = [sys.executable, "-c", CODE.format(modules=modules)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return Measured(metrics=json.loads(done.stdout))
