"""Fuzzing without a compiler: inputs from a corpus, changed at random, in forked children.

Rule: input `n` of a run depends only on the run's seed and `n`, so that an input can be made again from its number.
"""

from __future__ import annotations

import faulthandler
import json
import mmap
import os
import random
import signal
import struct
import time
import traceback
from collections import Counter
from pathlib import Path
from typing import Any, Callable, NamedTuple, Sequence

from .mutation import mutate_container, mutate_stream
from .targets import TARGETS, Broken

__all__ = ["CORPUS", "MUTATORS", "Find", "Report", "fuzz", "input_number", "read_corpus"]

CORPUS = Path(__file__).parents[1] / "tests" / "corpus"
MUTATORS: dict[str, Callable[..., bytes]] = {"container": mutate_container, "stream": mutate_stream}
_COUNT = struct.Struct("<Q")
_HANG = 20  # seconds of processor time, because other processes may use the machine
# A new child replaces one that has run this many inputs, so that leftovers of inputs in memory do not add up.
_A_CHILD = 20_000


class Find(NamedTuple):
    """An input that broke a promise."""

    number: int
    why: str
    data: bytes


class Report(NamedTuple):
    """The result of a run."""

    target: str
    seed: int
    inputs: int
    seconds: float
    outcomes: dict[str, int]
    finds: list[Find]


def read_corpus(target: str) -> list[bytes]:
    """Return the kept inputs of a target, including those that once broke a promise."""
    paths = sorted((CORPUS / target).iterdir()) + sorted((CORPUS / "finds" / target).glob("*"))
    return [path.read_bytes() for path in paths]


def input_number(target: str, seed: int, number: int, seeds: Sequence[bytes]) -> bytes:
    """Return input `number` of a run: first the inputs of the corpus, then changed ones."""
    if number < len(seeds):
        return seeds[number]
    dice = random.Random(f"{seed}/{number}")
    data = dice.choice(seeds)
    for _ in range(dice.choice([1, 1, 1, 2])):
        data = MUTATORS[target](data, dice.choice(seeds), dice)
    return data


def fuzz(target: str, seed: int, inputs: int, seconds: float, seeds: Sequence[bytes] | None = None) -> Report:
    """Run a target on inputs until their number or the time is reached.

    Args:
        target: a name in `TARGETS`.
        seed: the seed of the run.
        inputs: how many inputs to run at most.
        seconds: how long to run at most.
        seeds: the inputs to change; by default the corpus.
    """
    seeds = read_corpus(target) if seeds is None else seeds
    start = time.monotonic()
    outcomes: Counter[str] = Counter()
    finds: list[Find] = []
    done = 0
    while done < inputs and time.monotonic() < start + seconds:
        stop = min(inputs, done + _A_CHILD)
        reached, counted, why = _run_child(target, seed, range(done, stop), seeds, start + seconds)
        outcomes.update(counted)
        done = reached
        if why:
            finds.append(Find(done, why, input_number(target, seed, done, seeds)))
            done += 1
    return Report(target, seed, done, time.monotonic() - start, dict(outcomes), finds)


def _run_child(
    target: str, seed: int, numbers: range, seeds: Sequence[bytes], end: float
) -> tuple[int, dict[str, int], str]:
    """Run inputs in a child; return the next number, how the inputs ended, and the find, or `None` without one."""
    shared = mmap.mmap(-1, _COUNT.size)
    reading, writing = os.pipe()
    pid = os.fork()
    if not pid:
        os.close(reading)
        _child(target, seed, numbers, seeds, end, shared, writing)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        said = json.loads(pipe.read() or b"{}")
    status = os.waitpid(pid, 0)[1]
    reached = _COUNT.unpack(shared[:])[0]
    if os.WIFSIGNALED(status):
        return reached, {}, f"signal {signal.Signals(os.WTERMSIG(status)).name}"
    return reached, said.get("outcomes", {}), said.get("why", f"status {status}" if status else "")


def _child(
    target: str, seed: int, numbers: range, seeds: Sequence[bytes], end: float, shared: mmap.mmap, writing: int
) -> None:
    """Run inputs, write how they ended to the parent, and exit."""
    said: dict[str, Any] = {"why": ""}
    outcomes: Counter[str] = Counter()
    faulthandler.disable()  # a signal is a result here, so its traceback is noise
    signal.signal(signal.SIGPROF, _hang)
    number = numbers.start
    try:
        for number in numbers:
            if time.monotonic() > end:
                break
            shared[:] = _COUNT.pack(number)
            signal.setitimer(signal.ITIMER_PROF, _HANG)
            outcomes[TARGETS[target](input_number(target, seed, number, seeds))] += 1
        else:
            number = numbers.stop
    except BaseException:  # every other exception is a find
        said["why"] = traceback.format_exc(limit=-4)
    finally:
        shared[:] = _COUNT.pack(number)
        os.write(writing, json.dumps({**said, "outcomes": outcomes}).encode()[: 60 << 10])
        os._exit(0)


def _hang(*_: Any) -> None:
    raise Broken(f"it takes longer than {_HANG} seconds")
