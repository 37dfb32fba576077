"""Long runs that try to break BinPickle: `python -m reliability`, or `nox -s fuzz` and `nox -s crash`.

Rule: inputs are opened, inspected, verified and loaded with `trusted=()`, never with plain pickle, which would run
whatever code a changed stream happens to name. For every change `tests/reliability` runs the same functions, shortened.
"""

import sys
from pathlib import Path

__all__ = ["TESTS"]

TESTS = Path(__file__).parents[1] / "tests"
"""The tests, whose assembler and collections of objects the long runs use."""

sys.path.append(str(TESTS))
