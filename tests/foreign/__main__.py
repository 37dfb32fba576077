"""`python -m foreign [LIBRARY ...]`: the pickle tests of each library, with pickle and with BinPickle, compared.

Rule: each run is a process of its own. The exit code is 1 if a test passes with pickle alone and has no row in
`accepted.py`, or if a row there is stale.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any

from .accepted import ACCEPTED
from .compare import Comparison, compare
from .selection import LIBRARIES, folder_of

WAYS = ("pickle", "binpickle")
TITLES = ["library", "version", "run", "pickled", "pickle", "BinPickle", "accepted", "dumps", "loads", "to pickle"]
_SECONDS = 3600  # for the tests of one library; the longest take some minutes
_OPTIONS = ["-p", "foreign.plugin", "-p", "no:cacheprovider", "-p", "no:warnings", "--continue-on-collection-errors"]
_OPTIONS += ["-q", "--tb=short", "--timeout=300"]
_WITHOUT_NETWORK = {"AWS_EC2_METADATA_DISABLED": "true"}  # else tests of pyarrow wait for a machine that is not there


def main(libraries: list[str]) -> int:
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(os.cpu_count()) as pool:
        runs = [(name, [pool.submit(run, name, way, Path(folder)) for way in WAYS]) for name in libraries]
        found = []
        for name, both in runs:
            found.append(compare(name, version(name), *(each.result() for each in both), ACCEPTED))
            print(f"{name}: {found[-1].run:,} tests ran twice", flush=True)
    show(found)
    return 1 if any(each.worse or each.stale for each in found) else 0


def run(library: str, way: str, folder: Path) -> dict[str, dict[str, Any]]:
    """Run the tests of a library in a process, and return the outcome of each.

    Args:
        library: the name of the library.
        way: what answers the calls of pickle, one of `WAYS`.
        folder: a folder for the files that the tests leave.
    """
    here = folder / f"{library}-{way}"
    here.mkdir()
    settings, outcomes = here / "pytest.ini", here / "outcomes.json"
    settings.write_text("[pytest]\n")  # else pytest looks for settings in the folders above
    tests = folder_of(library)
    where = ["-c", str(settings), f"--basetemp={here / 'tmp'}", f"--rootdir={tests.parent}", str(tests)]
    path = os.pathsep.join([str(Path(__file__).parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])])
    ours = {"PYTHONPATH": path, "FOREIGN_WITH": way, "FOREIGN_OUTCOMES": str(outcomes)}
    command = [sys.executable, "-m", "pytest", *_OPTIONS, *where]
    with open(here / "log", "wb") as log:
        env = {**os.environ, **_WITHOUT_NETWORK, **ours}
        code = subprocess.run(command, cwd=here, env=env, stdout=log, stderr=log, timeout=_SECONDS).returncode
    if code not in (0, 1) or not outcomes.exists():
        end = (here / "log").read_text(encoding="utf-8", errors="replace")[-4000:]
        raise RuntimeError(f"pytest ended with {code} for {library} with {way}:\n{end}")
    found: dict[str, dict[str, Any]] = json.loads(outcomes.read_text(encoding="utf-8"))
    return found


def show(found: list[Comparison]) -> None:
    """Print the table, then what is wrong."""
    rows = [TITLES, *(each.row for each in found)]
    widths = [max(map(len, column)) for column in zip(*rows)]
    for row in rows:
        print("  ".join(text.ljust(width) for text, width in zip(row, widths)).rstrip())
    for each in found:
        for test, report in each.worse.items():
            print(f"\n{test} passes with pickle alone:\n{report}")
        for row in each.stale:
            print(f"\naccepted.py: no test differs any more that begins with {row.test}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or list(LIBRARIES)))
