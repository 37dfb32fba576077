"""The command line of the long runs: `python -m reliability fuzz`, `crash`, `page`.

Rule: each run is written down, its failures too; the exit code is 1 if there were any.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import sys
import time
import warnings

from .figures import record, write_page
from .fuzz import CORPUS, Report, fuzz
from .kills import kill_writers, race_readers
from .targets import TARGETS

__all__ = ["main"]

# Finds are of one kind if the beginning and the end of their traceback are the same, numbers left out.
_KIND_BEGINS, _KIND_ENDS = 600, 80


def main() -> int:
    """Run what the command line asks for."""
    options = vars(_parser().parse_args())
    warnings.simplefilter("ignore")  # of numbers that make no sense there are many
    command = options.pop("command")
    return int(command(**options) or 0)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m reliability", description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(required=True)
    fuzzing = commands.add_parser("fuzz", help="change files and streams, and look at them in every safe way")
    fuzzing.set_defaults(command=run_fuzz)
    fuzzing.add_argument("targets", nargs="*", default=sorted(TARGETS), metavar="TARGET", help=", ".join(TARGETS))
    fuzzing.add_argument("--seconds", type=float, default=600.0, help="for each target")
    fuzzing.add_argument("--inputs", type=int, default=1 << 60, help="at most, for each target")
    fuzzing.add_argument("--seed", type=int, default=int(time.time()))
    crashing = commands.add_parser("crash", help="kill writers, and read what others replace")
    crashing.set_defaults(command=run_crash)
    crashing.add_argument("--kills", type=int, default=10_000)
    crashing.add_argument("--seconds", type=float, default=60.0, help="of readers against replacers")
    crashing.add_argument("--seed", type=int, default=int(time.time()))
    page = commands.add_parser("page", help="add up what was measured in docs/reliability.md")
    page.set_defaults(command=write_page)
    seeds = commands.add_parser("seeds", help="write the corpus anew; what it was stays")
    seeds.set_defaults(command=run_seeds)
    return parser


def run_fuzz(targets: list[str], seconds: float, inputs: int, seed: int) -> int:
    """Fuzz targets, keep what broke something, and write down what came of it."""
    failures = 0
    for target in targets:
        report = fuzz(target, seed, inputs, seconds)
        failures += len(report.finds)
        _keep(report)
        line = record(
            f"fuzz {target}", report.inputs, len(report.finds), report.seconds, seed=seed, outcomes=report.outcomes
        )
        print(line, flush=True)
    return 1 if failures else 0


def run_crash(kills: int, seconds: float, seed: int) -> int:
    """Kill writers, let readers meet those who replace their file, and write down what came of it."""
    killed = kill_writers(kills, seed)
    print(record("kill -9", killed.kills, killed.unreadable, killed.seconds, amid=killed.amid, seed=seed), flush=True)
    raced = race_readers(seconds)
    print(record("replace", raced.reads, raced.failures, raced.seconds, versions=raced.versions), flush=True)
    return 1 if killed.unreadable or raced.failures else 0


def run_seeds() -> None:
    """Write the inputs that fuzzing begins with."""
    from .seeds import write_seeds

    write_seeds()


def _keep(report: Report) -> None:
    """Keep one input of each kind of find."""
    folder = CORPUS / "finds" / report.target
    kinds = {re.sub("[0-9]+", "", find.why[:_KIND_BEGINS] + find.why[-_KIND_ENDS:]): find for find in report.finds}
    for find in kinds.values():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / hashlib.sha256(find.data).hexdigest()[:12]).write_bytes(find.data)
        print(f"input {find.number} of seed {report.seed}: {find.why}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
