"""Fuzzing led by coverage: atheris (libFuzzer) with our own changes, where it is installed.

Rule: one process a run (`instrumented`), since libFuzzer ends the one that it runs in; what it counts stands on its
standard error.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from .fuzz import CORPUS

__all__ = ["Guided", "guided", "is_there"]

_LONGEST = 16 << 10


class Guided(NamedTuple):
    """What a run came to: inputs that were run, files that were found to reach new lines, and those that broke."""

    inputs: int
    kept: int
    crashes: list[bytes]
    said: str


def is_there() -> bool:
    """Whether atheris is installed."""
    return find_spec("atheris") is not None


def guided(target: str, seconds: int, seed: int, grown: Path | None = None) -> Guided:
    """Run a target under atheris for some time.

    Args:
        target: a name in `TARGETS`.
        seconds: for how long.
        seed: of the run; not zero, which libFuzzer takes for the time of day.
        grown: folder for inputs that reach new lines; by default one that is removed.
    """
    with tempfile.TemporaryDirectory() as folder:
        found, crashes = grown or Path(folder, "found"), Path(folder, "crashes")
        found.mkdir(exist_ok=True, parents=True)
        crashes.mkdir()
        options = [f"-max_total_time={seconds}", f"-seed={seed}", "-timeout=20", "-rss_limit_mb=4096"]
        options += ["-print_final_stats=1", f"-artifact_prefix={crashes}/", f"-max_len={_LONGEST}"]
        command = [sys.executable, "-m", "reliability.instrumented", target, *options, str(found), str(CORPUS / target)]
        done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
        inputs = re.search(r"stat::number_of_executed_units: *(\d+)", done.stderr)
        broken = [path.read_bytes() for path in sorted(crashes.iterdir())]
        return Guided(int(inputs[1]) if inputs else 0, len(list(found.iterdir())), broken, done.stderr)
