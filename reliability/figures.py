"""The record of all runs, one line of JSON each, and the page that adds them up.

Rule: every figure on the page comes from a recorded run.
"""

from __future__ import annotations

import datetime
import json
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Iterable

__all__ = ["FIGURES", "MUTANTS", "PAGE", "TESTS", "record", "write_between", "write_page"]

FIGURES = Path(__file__).with_name("figures.jsonl")
PAGE = Path(__file__).parents[1] / "docs" / "reliability.md"
_LIBRARIES = ("numpy", "numcodecs", "msgpack", "atheris")

TESTS = {
    "fuzz container": "whole files, changed, with lengths and checksums made to fit again; opened, listed, verified, "
    "read buffer by buffer, inspected, repacked, mapped, loaded with `trusted=()`",
    "fuzz stream": "pickle streams, changed opcode by opcode; loaded by the strict machine and scanned by its twin",
    "guided container": "the same, led by which lines of BinPickle run (atheris)",
    "guided stream": "the same, led by which lines of BinPickle run (atheris)",
    "hostile": "small files of streams by grammar that ask for much time or memory; loaded with `trusted=()` and under "
    "curated sets, inspected, and what they give is used, in a forked child",
    "codec frames": "frames of one codec that lie, with a page behind them that must not be read and bytes behind the "
    "output that must not change, in a forked child",
    "kill -9": "four writers of one path, killed at random moments; the file is read after each kill",
    "replace": "reads of one path, copied and mapped, while others replace it",
    "power cut": "an ext4 file system shut down at random moments of a dump (`FS_IOC_SHUTDOWN`), then mounted again",
}
"""The tests by their name in the record, with a description of their inputs."""

MUTANTS = "mutants"
"""The name of runs that change the code, in the record."""


def record(test: str, tried: int, failures: int, seconds: float, **more: Any) -> dict[str, Any]:
    """Append a run to the record, and return the line.

    Args:
        test: a name in `TESTS`.
        tried: how many inputs, kills, reads or cuts the run had.
        failures: how many of them did not end as promised.
        seconds: how long the run took.
        more: further facts about the run.
    """
    line = {
        "test": test,
        "tried": tried,
        "failures": failures,
        "seconds": round(seconds, 1),
        **more,
        "date": datetime.datetime.now(datetime.timezone.utc).date().isoformat(),
        "machine": f"{platform.system()} {platform.release()}, {platform.machine()}, {os.cpu_count()} CPUs",
        "python": platform.python_version(),
        "libraries": {name: found for name in _LIBRARIES for found in [_version(name)] if found},
    }
    with FIGURES.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line, sort_keys=True) + "\n")
    return line


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def write_page(page: Path = PAGE) -> None:
    """Write the sums of all recorded runs into the page."""
    lines = [json.loads(line) for line in FIGURES.read_text(encoding="utf-8").splitlines()]
    write_between(page, "measured", _table([line for line in lines if line["test"] != MUTANTS]))
    write_between(page, "mutants", _noticed([line for line in lines if line["test"] == MUTANTS]))


def write_between(page: Path, name: str, text: str) -> None:
    """Replace the text of a page between the two comments that bear a name."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    before, _, rest = page.read_text(encoding="utf-8").partition(begin)
    after = rest.partition(end)[2]
    page.write_text(f"{before}{begin}\n\n{text.strip()}\n\n{end}{after}", encoding="utf-8")


def _table(lines: list[dict[str, Any]]) -> str:
    rows = ["| test | inputs | tried | failed |", "|---|---|---:|---:|"]
    for test, inputs in TESTS.items():
        found = [line for line in lines if line["test"] == test]
        if found:
            tried, failures = (sum(line[name] for line in found) for name in ("tried", "failures"))
            rows.append(f"| {test} | {inputs} | {tried:,} | {failures:,} |")
    dates = sorted({line["date"] for line in lines})
    where = _join(line["machine"] for line in lines)
    pythons = _join(line["python"] for line in lines)
    libraries = _join(f"{name} {found}" for line in lines for name, found in line["libraries"].items())
    said = f"Measured from {dates[0]} to {dates[-1]} on {where}; Python {pythons}; {libraries}."
    return "\n".join([*rows, "", said])


def _noticed(lines: list[dict[str, Any]]) -> str:
    """Return the table of the newest run of each area, since tests that are added later make older ones untrue."""
    rows = ["| code | changes | noticed | seed | date |", "|---|---:|---:|---:|---|"]
    for area, line in sorted({line["area"]: line for line in lines}.items()):
        share = 1 - line["failures"] / max(1, line["tried"])
        rows.append(f"| {area} | {line['tried']:,} | {share:.0%} | {line['seed']} | {line['date']} |")
    return "\n".join(rows)


def _join(words: Iterable[str]) -> str:
    return ", ".join(sorted(set(words)))
