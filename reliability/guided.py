"""Fuzzing led by coverage: atheris (libFuzzer) with our own changes, where it is installed.

Rule: each run has its own process (`instrumented`), because libFuzzer ends the process that it runs in. The counts are
read from its standard error.
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
    """The result of a run.

    Attributes:
        inputs: how many inputs were run.
        kept: how many inputs reached new lines.
        crashes: the inputs that broke a promise.
        said: the standard error of the run.
    """

    inputs: int
    kept: int
    crashes: list[bytes]
    said: str


def is_there() -> bool:
    """Return whether atheris is installed."""
    return find_spec("atheris") is not None


def guided(target: str, seconds: int, seed: int, grown: Path | None = None) -> Guided:
    """Run a target under atheris for some time.

    Args:
        target: a name in `TARGETS`.
        seconds: how long to run.
        seed: the seed of the run; not zero, which libFuzzer replaces with the time of day.
        grown: the folder for inputs that reach new lines; by default a temporary one.
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
