"""The long runs of `reliability`, shortened for every change.

Rule: CI runs them at the sizes that the tests give. Everyone else runs a tenth of that, and so does CI on further
Pythons, where `noxfile.py` sets `BINPICKLE_BRIEF`.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Callable

import pytest

# At the end of the path, so that Python imports the installed packages and finds only `reliability` here.
sys.path.append(str(Path(__file__).parents[2]))

if not hasattr(os, "fork"):
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture(scope="session")
def size() -> Callable[[int], int]:
    """Return a function from the full size of a run to the size to run here."""
    is_full = os.environ.get("CI") and not os.environ.get("BINPICKLE_BRIEF")
    return lambda full: full if is_full else -(-full // 10)
