"""A fuzz of use: objects are dumped, their states are changed, loaded under a curated set, and used as people use them.

Rule: whatever a changed state does to an answer, no use ends the process, and none runs for ever in compiled code.
Each kind of object is a `Case`; `use_estimators` and `use_sparse` have those of scikit-learn and SciPy.

Uses run in forked children, many in each. A child notes the number of a use before it begins. When a signal ends the
child, or nothing moves for a while, the parent takes the number for a find, and a new child goes on behind it.
"""

from __future__ import annotations

import faulthandler
import io
import mmap
import os
import random
import resource
import signal
import time
import warnings
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Callable, Collection, NamedTuple, NoReturn, Sequence

from binpickle import BinPickleError, trust
from binpickle.limits import RESTRICTED_LIMITS

from .changed import changed_stream

__all__ = ["Case", "UseReport", "fuzz_use", "use_once"]

SECONDS = 2.0
"""How long one use may take before it is interrupted, as a user could interrupt it."""

_HANGS = 20.0  # seconds after which a use that the interpreter cannot interrupt counts as a hang
_ROOM = 8 << 30  # bytes of address space for one child
_BATCH = 400  # uses in one child
_OUTCOMES = ("refused", "used", "error", "slow")


class Case(NamedTuple):
    """One kind of object.

    Attributes:
        name: what to call it in reports.
        make: returns an object to dump. It is called once, in the parent.
        use: uses the loaded object as people use such objects. What it raises does not count.
        trusted: the names under which the object is loaded.
        forge: makes a stream itself, instead of changes to that of the object.
    """

    name: str
    make: Callable[[], Any]
    use: Callable[[Any], Any]
    trusted: Collection[str]
    forge: Callable[[random.Random], bytes] | None = None


@dataclass
class UseReport:
    """What a run found.

    Attributes:
        uses: how many changed states were loaded, or refused.
        outcomes: how many of them were `refused`, were `used` without an error, ended in an `error`, or were `slow` and
            could be interrupted.
        finds: name of the case, number, and what happened, for each that ended a child.
        seconds: how long the run took.
    """

    uses: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    finds: list[tuple[str, int, str]] = field(default_factory=list)
    seconds: float = 0.0


class _Slow(BaseException):
    """A use took long, and could be interrupted."""


class _Progress:
    """Numbers that a child writes and its parent reads."""

    def __init__(self) -> None:
        self._view = memoryview(mmap.mmap(-1, mmap.PAGESIZE)).cast("q")

    def begin(self, number: int) -> None:
        self._view[0] = number

    def count(self, outcome: str) -> None:
        self._view[1 + _OUTCOMES.index(outcome)] += 1

    @property
    def number(self) -> int:
        return self._view[0]

    def outcomes(self) -> dict[str, int]:
        return {name: self._view[1 + index] for index, name in enumerate(_OUTCOMES)}


def fuzz_use(cases: Sequence[Case], seed: int, inputs: int = 1 << 60, seconds: float = 600.0) -> UseReport:
    """Use objects with changed states, round and round through the cases.

    Args:
        cases: the kinds of objects.
        seed: the seed of all changes; case, seed and number determine a change.
        inputs: how many uses there are at most.
        seconds: how long the run takes at most.
    """
    start, report = time.monotonic(), UseReport()
    objects = [(case, case.make()) for case in cases]
    number = 0
    while number < inputs and time.monotonic() - start < seconds:
        progress = _Progress()
        progress.begin(number)
        last = min(number + _BATCH, inputs)
        died = _in_child(objects, seed, range(number, last), progress, start + seconds)
        report.outcomes.update(progress.outcomes())
        if died:
            report.finds.append((cases[progress.number % len(cases)].name, progress.number, died))
        done = progress.number + 1
        report.uses += done - number
        number = done
    report.seconds = time.monotonic() - start
    return report


def use_once(case: Case, made: Any, seed: int, number: int) -> str:
    """Change the state of an object, load it and use it, in this process.

    Returns:
        `refused`, `used`, `error` or `slow`.
    """
    dice = random.Random(f"{case.name}/{seed}/{number}")
    stream = changed_stream(made, dice) if case.forge is None else case.forge(dice)
    random.seed(dice.random())  # a use may ask a few of its questions only
    signal.signal(signal.SIGALRM, _interrupt)
    signal.setitimer(signal.ITIMER_REAL, SECONDS, 0.1)
    try:
        limits = RESTRICTED_LIMITS.of_file(len(stream), 0)
        loaded = trust.load(io.BytesIO(stream).read, (), 0, case.trusted, limits)
        case.use(loaded)
    except BinPickleError:
        return "refused"
    except _Slow:
        return "slow"
    except Exception:
        return "error"
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    return "used"


def _interrupt(*_: Any) -> NoReturn:
    raise _Slow


def _in_child(
    objects: Sequence[tuple[Case, Any]], seed: int, numbers: range, progress: _Progress, until: float
) -> str | None:
    """Use a batch in a forked child, and say how the child died, if it did."""
    pid = os.fork()
    if not pid:
        _run(objects, seed, numbers, progress, until)
    seen, moved = -1, time.monotonic()
    while True:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            break
        if progress.number != seen:
            seen, moved = progress.number, time.monotonic()
        elif time.monotonic() - moved > _HANGS:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            return "hangs"
        time.sleep(0.01)
    if os.WIFSIGNALED(status):
        return f"ended by {signal.Signals(os.WTERMSIG(status)).name}"
    code = os.WEXITSTATUS(status)
    return f"exit status {code}" if code else None


def _run(objects: Sequence[tuple[Case, Any]], seed: int, numbers: range, progress: _Progress, until: float) -> NoReturn:
    faulthandler.disable()  # a signal is a result here
    warnings.simplefilter("ignore")
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (_ROOM, _ROOM))
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    code = 3
    try:
        for number in numbers:
            if time.monotonic() > until:
                break
            progress.begin(number)
            case, made = objects[number % len(objects)]
            try:
                outcome = use_once(case, made, seed, number)
            except _Slow:  # the alarm came just before it was put off
                outcome = "slow"
            progress.count(outcome)
        code = 0
    finally:
        os._exit(code)
