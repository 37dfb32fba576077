"""Changes the code at random, one change at a time, and says which changes no test notices.

Rule: change `n` of a seed is always the same for the same code. Each change is made in a copy of the tree, and the
tests that mirror the changed module run there; a test that fails, or does not end, has noticed.

A tool of our own, of some 200 lines: mutmut and cosmic-ray, which are well kept, run one command of tests for all
modules, want to see every change, and keep a database of a project. Here a sample in a given time counts, another
folder of tests for each module, and no state but a seed.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Iterator, NamedTuple, Sequence

from .code_changes import Change, changed, changes_of

__all__ = ["AREAS", "Area", "Mutants", "change_code", "sample"]

ROOT = Path(__file__).parents[1]
_COPIED = ("binpickle", "binpickle_dask", "tests", "reliability", "tools", "docs", "pyproject.toml", "README.md")
_NOT_COPIED = shutil.ignore_patterns("__pycache__", "_build", ".*", "figures.jsonl")
_SAID = "said.txt"
_SLOWEST = 600  # seconds for the tests of an area


class Area(NamedTuple):
    """A part of the code, and the tests that mirror it.

    Attributes:
        code: patterns of modules of the package.
        tests: patterns of tests, the quickest first.
    """

    code: tuple[str, ...]
    tests: tuple[str, ...]


_MACHINE = ("attacks", "budget", "noticed", "uses", "trust_machine", "guards_*", "restricted")
AREAS = {
    "machine": Area(("trust/*.py", "trust/rules/*.py"), tuple(f"tests/trust/test_{name}.py" for name in _MACHINE)),
    "guards": Area(
        ("trust/guards/**/*.py", "trust/sets/*.py"), ("tests/trust/test_guards_*.py", "tests/trust/test_[ut]*s.py")
    ),
    "format": Area(("format/*.py",), ("tests/format", "tests/test_mutations.py", "tests/reading")),
    "seals": Area(
        ("keys.py",), ("tests/test_seal.py", "tests/reliability/test_sealed.py", "tests/cli/test_cli_keys.py")
    ),
    "files": Area(("files/*.py",), ("tests/files", "tests/writing", "tests/reading", "tests/aio/test_aio_faults.py")),
}
"""What is changed, by name."""


class Mutants(NamedTuple):
    """The result of a run.

    Attributes:
        area: a name in `AREAS`.
        tried: how many changes were made.
        unnoticed: those that no test noticed.
        seconds: how long it took.
    """

    area: str
    tried: int
    unnoticed: list[Change]
    seconds: float


def sample(area: str, seed: int, root: Path = ROOT) -> Iterator[Change]:
    """Yield all changes of an area, in a random order."""
    found = [change for path in _modules(area, root) for change in changes_of(path, root)]
    random.Random(f"{area}/{seed}").shuffle(found)
    yield from found


def change_code(area: str, seed: int, changes: int, seconds: float) -> Mutants:
    """Make changes, one at a time, until their number or the time is reached.

    Args:
        area: a name in `AREAS`.
        seed: the seed of the run.
        changes: how many changes to make at most.
        seconds: how long to run at most; the last change may take longer.

    Raises:
        RuntimeError: the tests fail without a change.
    """
    with tempfile.TemporaryDirectory(prefix="binpickle-changed-") as folder:
        copy = Path(folder)
        _copy_tree(copy)
        tests = [str(path) for name in AREAS[area].tests for path in sorted(copy.glob(name))]
        begun = time.monotonic()
        if not _passes(copy, tests, _SLOWEST):
            said = (copy / _SAID).read_text(encoding="utf-8", errors="replace")
            raise RuntimeError(f"the tests of {area} fail without any change: {said[-2000:]}")
        limit = 30 + 3 * (time.monotonic() - begun)
        start, tried, unnoticed = time.monotonic(), 0, []
        for change in sample(area, seed, copy):
            if tried >= changes or time.monotonic() > start + seconds:
                break
            tried += 1
            if _unnoticed(change, copy, tests, limit):
                unnoticed.append(change)
                print(f"no test notices: {change}", flush=True)
        return Mutants(area, tried, unnoticed, time.monotonic() - start)


def _modules(area: str, root: Path) -> list[Path]:
    return [path for name in AREAS[area].code for path in sorted((root / "binpickle").glob(name))]


def _copy_tree(folder: Path) -> None:
    for name in _COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=_NOT_COPIED)
        elif source.exists():
            shutil.copy(source, folder / name)


def _unnoticed(change: Change, copy: Path, tests: Sequence[str], limit: float) -> bool:
    path = copy / change.path
    before = path.read_text(encoding="utf-8")
    path.write_text(changed(before, change), encoding="utf-8")
    try:
        return _passes(copy, tests, limit)
    finally:
        path.write_text(before, encoding="utf-8")


def _passes(copy: Path, tests: Sequence[str], limit: float) -> bool:
    """Run tests in the copy until one fails, and return whether none did."""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(copy), str(copy / "tests")]), "BINPICKLE_BRIEF": "1"}
    env["PYTHONDONTWRITEBYTECODE"] = "1"  # the time stamps of two changes within a second are the same
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests]
    with (copy / _SAID).open("wb") as said, subprocess.Popen(
        command, cwd=copy, env=env, stdout=said, stderr=subprocess.STDOUT, start_new_session=True
    ) as process:
        try:
            return process.wait(limit) == 0
        except subprocess.TimeoutExpired:
            return False
        finally:
            if process.poll() is None:
                os.killpg(process.pid, 9)  # with what the tests have started
