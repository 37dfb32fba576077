"""The command line: `python -m benchmarks` runs rows, `table` and `plot` show results again.

Rule: the table goes to stdout, progress to stderr; rows that fall short are a result, not an error.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from . import report
from .cases import ROWS, Scale, cases_of
from .machine import describe
from .runner import run_case

__all__ = ["main"]

# Many minutes, and 5 GiB objects: at full scale, or when asked for.
HEAVY = {"13", "growth"}


def main() -> None:
    """Run what the command line asks for."""
    options = _parser().parse_args()
    # So that a run that is told to end takes its files along, which may be many GiB.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("told to end"))
    options.command(options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.splitlines()[0])
    parser.set_defaults(command=run, full=False)
    parser.add_argument("--rows", type=_rows, help=f"comma-separated, of: {', '.join(ROWS)}")
    scale = parser.add_mutually_exclusive_group()
    scale.add_argument("--quick", dest="full", action="store_false", help="smaller sizes, few repeats (the default)")
    scale.add_argument("--full", action="store_true", help="the sizes of the claims, many repeats, all rows")
    parser.add_argument("--rounds", type=int, default=1000, help="at most so many repeats of each measurement")
    parser.add_argument("--json", type=Path, help="write every measurement to this file")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()), help="where files are written")
    commands = parser.add_subparsers(title="showing results again")
    for command in (table, plot):
        sub = commands.add_parser(command.__name__, help=(command.__doc__ or "").strip())
        sub.set_defaults(command=command)
        sub.add_argument("results", type=Path, help="what --json wrote")
        sub.add_argument("--into", type=Path, default=Path("docs", "_static"), help="folder of the drawings")
    return parser


def _rows(text: str) -> list[str]:
    rows = text.split(",")
    unknown = [row for row in rows if row not in ROWS]
    if unknown:
        raise argparse.ArgumentTypeError(f"no such row: {', '.join(unknown)}")
    return rows


def run(options: argparse.Namespace) -> None:
    """Run rows and print their table."""
    scale = Scale(options.full)
    rows = options.rows or [row for row in ROWS if options.full or row not in HEAVY]
    machine, start = describe(options.folder), time.monotonic()

    def tell(text: str) -> None:
        sys.stderr.write(f"{time.monotonic() - start:6.0f} s  {text}\n")

    for row in rows:
        if not cases_of(row, scale):
            tell(f"row {row} is left out: what it needs is not installed")
    measured = []
    for case in (case for row in rows for case in cases_of(row, scale)):
        case = replace(case, rounds=min(case.rounds, options.rounds))
        measured.append(run_case(case, scale, options.folder, tell))
        # After each case, so that an interrupted run keeps what it has.
        if options.json:
            report.write(report.as_json(measured, scale, machine), options.json)
    sys.stdout.write(report.table(report.as_json(measured, scale, machine)))


def table(options: argparse.Namespace) -> None:
    """Print the table of earlier results."""
    sys.stdout.write(report.table(json.loads(options.results.read_text())))


def plot(options: argparse.Namespace) -> None:
    """Draw earlier results as SVG files."""
    from .plots import draw

    draw(json.loads(options.results.read_text()), options.into)


if __name__ == "__main__":
    main()
