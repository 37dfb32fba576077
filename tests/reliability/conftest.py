"""The long runs of `reliability`, at sizes for every change; a tenth of that outside of CI."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Callable

import pytest

# After what is installed: only `reliability` is to be found here.
sys.path.append(str(Path(__file__).parents[2]))

if not hasattr(os, "fork"):
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture(scope="session")
def size() -> Callable[[int], int]:
    """How much of the full size is run here."""
    return lambda full: full if os.environ.get("CI") else -(-full // 10)
