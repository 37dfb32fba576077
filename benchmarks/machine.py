"""Names the machine and the versions that a set of results was measured with.

Rule: a fact that cannot be found is called unknown, and never guessed.
"""

from __future__ import annotations

import os
import platform
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import binpickle

__all__ = ["describe", "versions"]

PACKAGES = (
    "numpy",
    "numcodecs",
    "anyio",
    "trio",
    "joblib",
    "lz4",
    "blosc2",
    "pandas",
    "scikit-learn",
    "torch",
    "safetensors",
    "zarr",
)


def describe(folder: Path) -> dict[str, str]:
    """Describe the processor, memory, kernel and the file system below `folder`."""
    return {
        "processor": _first(Path("/proc/cpuinfo"), "model name"),
        "cores": f"{len(os.sched_getaffinity(0))} of {os.cpu_count()}",
        "memory": _gibibytes(_first(Path("/proc/meminfo"), "MemTotal")),
        "kernel": f"{platform.system()} {platform.release()}",
        "file system": _file_system(folder.resolve()),
        "load average at the start": " ".join(f"{load:.2f}" for load in os.getloadavg()),
        "date": time.strftime("%Y-%m-%d"),
    }


def versions() -> dict[str, str]:
    """Return the versions of Python and of all packages that take part."""
    return {
        "Python": platform.python_version(),
        "binpickle": binpickle.__version__,
        **{name: _version(name) for name in PACKAGES},
    }


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _first(path: Path, field: str) -> str:
    """Find `field : value` in a file under /proc."""
    for line in path.read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == field:
            return value.strip()
    return "unknown"


def _gibibytes(text: str) -> str:
    number = text.split()[0]
    return f"{int(number) / 2**20:.1f} GiB" if number.isdigit() else text


def _file_system(folder: Path) -> str:
    """Find the type of the innermost mount that holds `folder`."""
    mounts = [line.split()[1:3] for line in Path("/proc/mounts").read_text().splitlines()]
    holding = [(len(place), kind) for place, kind in mounts if Path(place) in (folder, *folder.parents)]
    return max(holding)[1] if holding else "unknown"
