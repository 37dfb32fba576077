"""The command line of the long runs: `python -m reliability fuzz`, `crash`, `page`.

Rule: each run is recorded, with its failures; the exit code is 1 if there were failures.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import sys
import time
import warnings
from functools import partial
from typing import Iterable

from .children import in_child
from .figures import MUTANTS, record, write_page
from .frames import SPECS, try_frames
from .fuzz import CORPUS, Report, fuzz
from .guided import guided, is_there
from .kills import kill_writers, race_readers
from .measured import measure
from .mutants import AREAS, change_code
from .powercut import cut_power, is_possible
from .targets import TARGETS, Broken

__all__ = ["main"]

# Two finds are of one kind if their tracebacks, without numbers, have the same beginning and the same end.
_KIND_BEGINS, _KIND_ENDS = 600, 80
_LARGEST_KEPT = 32 << 10
_FUZZED = [*sorted(TARGETS), "hostile"]


def main() -> int:
    """Run the command that the command line names, and return its exit code."""
    options = vars(_parser().parse_args())
    warnings.simplefilter("ignore")  # changed files hold many numbers that NumPy warns about
    command = options.pop("command")
    return int(command(**options) or 0)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m reliability", description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(required=True)
    fuzzing = commands.add_parser(
        "fuzz", help="change files and streams, or make them, and read them in every safe way"
    )
    fuzzing.set_defaults(command=run_fuzz)
    fuzzing.add_argument("targets", nargs="*", default=_FUZZED, metavar="TARGET", help=", ".join(_FUZZED))
    fuzzing.add_argument("--seconds", type=float, default=600.0, help="how long to fuzz each target")
    fuzzing.add_argument("--inputs", type=int, default=1 << 60, help="how many inputs each target gets at most")
    fuzzing.add_argument("--seed", type=int, default=int(time.time()))
    mutants = commands.add_parser("mutants", help="change the code, and say which changes no test notices")
    mutants.set_defaults(command=run_mutants)
    mutants.add_argument("areas", nargs="*", default=sorted(AREAS), metavar="AREA", help=", ".join(AREAS))
    mutants.add_argument("--seconds", type=float, default=600.0, help="how long to change the code of each area")
    mutants.add_argument("--changes", type=int, default=1 << 60, help="how many changes to make in each area at most")
    mutants.add_argument("--seed", type=int, default=int(time.time()))
    crashing = commands.add_parser("crash", help="kill writers, and read files that others replace")
    crashing.set_defaults(command=run_crash)
    crashing.add_argument("--kills", type=int, default=10_000)
    crashing.add_argument("--seconds", type=float, default=60.0, help="how long to read a file that others replace")
    crashing.add_argument("--seed", type=int, default=int(time.time()))
    frames = commands.add_parser("frames", help="decode changed frames next to memory that must not be touched")
    frames.set_defaults(command=run_frames)
    frames.add_argument("--inputs", type=int, default=100_000, help="how many frames of each codec to decode")
    frames.add_argument("--seed", type=int, default=int(time.time()))
    cuts = commands.add_parser("powercut", help="cut the power of a file system, as root")
    cuts.set_defaults(command=run_powercut)
    cuts.add_argument("--cuts", type=int, default=200)
    cuts.add_argument("--seed", type=int, default=int(time.time()))
    page = commands.add_parser("page", help="write the sums of all recorded runs into docs/reliability.md")
    page.set_defaults(command=write_page)
    scanners = commands.add_parser(
        "scanners", help="compare scanners with inspect, and write the table into docs/security.md"
    )
    scanners.set_defaults(command=run_scanners)
    seeds = commands.add_parser("seeds", help="write the corpus again, and keep inputs that it no longer makes")
    seeds.set_defaults(command=run_seeds)
    return parser


def run_fuzz(targets: list[str], seconds: float, inputs: int, seed: int) -> int:
    """Fuzz targets, keep the inputs that broke something, and record the run."""
    failures = 0
    for target in targets:
        if target == "hostile":
            failures += run_hostile(seconds, inputs, seed)
            continue
        report = fuzz(target, seed, inputs, seconds)
        failures += len(report.finds)
        _keep(target, _of_each_kind(report))
        line = record(
            f"fuzz {target}", report.inputs, len(report.finds), report.seconds, seed=seed, outcomes=report.outcomes
        )
        print(line, flush=True)
        if is_there():
            failures += _run_guided(target, int(seconds), seed)
    return 1 if failures else 0


def run_hostile(seconds: float, inputs: int, seed: int) -> int:
    """Load hostile files, keep small ones that broke a promise, record the run, and return how many did."""
    run = measure(seed, inputs, seconds)
    folder = CORPUS / "finds" / "hostile"
    for find in run.finds:
        print(f"input {find.number} of seed {seed}, shrunk {find.shrink} times: {find.why}", file=sys.stderr)
        print(f"    made of: {', '.join(find.kinds)}", file=sys.stderr, flush=True)
        if len(find.file) <= _LARGEST_KEPT:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{hashlib.sha256(find.file).hexdigest()[:12]}.bpk").write_bytes(find.file)
    print(record("hostile", run.inputs, len(run.finds), run.seconds, seed=seed, outcomes=run.outcomes), flush=True)
    return len(run.finds)


def run_mutants(areas: list[str], seconds: float, changes: int, seed: int) -> int:
    """Change the code of each area at random, and record what share of the changes the tests notice."""
    for area in areas:
        run = change_code(area, seed, changes, seconds)
        print(f"{area}: of {run.tried} changes, no test noticed {len(run.unnoticed)}")
        print(record(MUTANTS, run.tried, len(run.unnoticed), run.seconds, area=area, seed=seed), flush=True)
    return 0


def _run_guided(target: str, seconds: int, seed: int) -> int:
    """Fuzz with atheris, keep the inputs that broke something, record the run, and return how many broke something."""
    run = guided(target, seconds, seed)
    _keep(target, run.crashes)
    if run.crashes:
        print(run.said, file=sys.stderr, flush=True)
    line = record(f"guided {target}", run.inputs, len(run.crashes), seconds, seed=seed, kept=run.kept)
    print(line, flush=True)
    return len(run.crashes)


def run_crash(kills: int, seconds: float, seed: int) -> int:
    """Kill writers, let readers read a file that others replace, and record both runs."""
    killed = kill_writers(kills, seed)
    print(record("kill -9", killed.kills, killed.unreadable, killed.seconds, amid=killed.amid, seed=seed), flush=True)
    raced = race_readers(seconds)
    print(record("replace", raced.reads, raced.failures, raced.seconds, versions=raced.versions), flush=True)
    return 1 if killed.unreadable or raced.failures else 0


def run_frames(inputs: int, seed: int) -> int:
    """Decode changed frames of every codec, and record the runs."""
    failures = 0
    for codec_id in SPECS:
        start, failed, decoded = time.monotonic(), 0, 0
        try:
            decoded = in_child(partial(try_frames, codec_id, seed, range(inputs)))
        except Broken as error:
            failed = 1
            print(f"{codec_id}, seed {seed}: {error}", file=sys.stderr, flush=True)
        seconds = time.monotonic() - start
        print(record("codec frames", inputs, failed, seconds, codec=codec_id, decoded=decoded, seed=seed), flush=True)
        failures += failed
    return 1 if failures else 0


def run_powercut(cuts: int, seed: int) -> int:
    """Cut the power, and record the run."""
    if not is_possible():
        print("power cuts need root, and a system with loop devices", file=sys.stderr)
        return 2
    found = cut_power(cuts, seed)
    print(record("power cut", found.cuts, found.torn, found.seconds, replaced=found.replaced, seed=seed), flush=True)
    return 1 if found.torn else 0


def run_scanners() -> None:
    """Compare scanners with `inspect`, and write the table into the security page."""
    from .scanners import write_comparison

    write_comparison()


def run_seeds() -> None:
    """Write the corpus of inputs that fuzzing begins with."""
    from .seeds import write_seeds

    write_seeds()


def _of_each_kind(report: Report) -> list[bytes]:
    """Print all finds, and return one input of each kind."""
    for find in report.finds:
        print(f"input {find.number} of seed {report.seed}: {find.why}", file=sys.stderr, flush=True)
    kinds = {re.sub("[0-9]+", "", find.why[:_KIND_BEGINS] + find.why[-_KIND_ENDS:]): find for find in report.finds}
    return [find.data for find in kinds.values()]


def _keep(target: str, inputs: Iterable[bytes]) -> None:
    """Save inputs that broke something, so that every test run tries them from now on."""
    folder = CORPUS / "finds" / target
    for data in inputs:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / hashlib.sha256(data).hexdigest()[:12]).write_bytes(data)


if __name__ == "__main__":
    sys.exit(main())
