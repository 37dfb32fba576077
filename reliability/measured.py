"""Loads hostile files in children, and measures the time and memory that each takes.

Rule: a file of at most 1 MB is loaded or refused in 2 seconds of processor time, and in 256 MiB above what its index
says that it decodes to. What takes more is a find, as are a signal and any error but a `BinPickleError`. A find is
tried again alone, and then made as small as it stays a find.
"""

from __future__ import annotations

import ctypes
import faulthandler
import gc
import io
import json
import os
import resource
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from pathlib import Path
from typing import Any, Callable, Iterator, NamedTuple

import binpickle
from binpickle import BinPickleError, UntrustedError, trust

from .handling import handle
from .hostile import hostile_file

__all__ = ["MEMORY", "SECONDS", "WAYS", "Costly", "Measured", "measure", "smallest", "try_file"]

SECONDS = 2.0
MEMORY = 256 << 20
# A file that says that it decodes to more may take the time that this takes.
_MAY_TAKE_LONG = 256 << 20
# What `_tick` takes on the machine of the figures when nothing else runs there: 1.65 ms on Python 3.11, 2.45 on 3.13.
_TICK = 0.002
_HANG = 10  # seconds of processor time of one step, and for each so many bytes that the file decodes to, one more
_BYTES_A_SECOND = 128 << 20
_STUCK = 300  # seconds by the clock, of which other processes may have most
_ROOM = 1 << 30  # above what is allowed: who takes more meets a MemoryError
_GROWN = 96 << 20  # a child that has grown by so much is replaced, since what it keeps hides what it takes


class Costly(NamedTuple):
    """A file that broke a promise.

    Attributes:
        number: which stream of the seed.
        why: what it did.
        kinds: what the stream is made of.
        shrink: how often the numbers in it could be halved.
        file: the file.
    """

    number: int
    why: str
    kinds: tuple[str, ...]
    shrink: int
    file: bytes


class Measured(NamedTuple):
    """The result of a run."""

    seed: int
    inputs: int
    seconds: float
    outcomes: dict[str, int]
    finds: list[Costly]


def _load(file: bytes) -> Any:
    return binpickle.load(io.BytesIO(file), trusted=(), threads=1)


def _load_curated(file: bytes) -> Any:
    return binpickle.load(io.BytesIO(file), trusted=_curated(), threads=1)


def _inspect(file: bytes) -> Any:
    found = binpickle.inspect(io.BytesIO(file))
    return found.untrusted(), found.untrusted(_curated())


def _curated() -> frozenset[str]:
    return trust.sklearn() | trust.pandas()


WAYS: dict[str, Callable[[bytes], Any]] = {"load": _load, "load curated": _load_curated, "inspect": _inspect}
"""The ways to read a file, by name."""


def measure(seed: int, inputs: int, seconds: float, first: int = 0, shrunk: bool = True) -> Measured:
    """Run hostile files until their number or the time is reached.

    Args:
        seed: the seed of the run.
        inputs: how many files to run at most.
        seconds: how long to run at most.
        first: the number of the first stream.
        shrunk: make each find as small as it stays a find.
    """
    _warm()
    start = time.monotonic()
    outcomes: Counter[str] = Counter()
    finds: list[Costly] = []
    number, stop = first, first + inputs
    while number < stop and time.monotonic() < start + seconds:
        said = _in_child(seed, range(number, stop), start + seconds)
        outcomes.update(said["outcomes"])
        number = said["next"]
        if said["why"]:
            finds += _confirmed(seed, said["at"], said["why"], shrunk)
    return Measured(seed, number - first, time.monotonic() - start, dict(outcomes), finds)


def _confirmed(seed: int, number: int, why: str, shrunk: bool) -> list[Costly]:
    """Return the find, if the stream is one when it is tried alone; time and memory may be those of another."""
    again = _again(seed, number)
    if not again and (" is slow" in why or " is large" in why):
        return []
    found = again or f"only after other files: {why}"
    return [smallest(seed, number, found) if shrunk else _find(seed, number, found, 0)]


def smallest(seed: int, number: int, why: str) -> Costly:
    """Return a find with its numbers of things halved as long as it is one."""
    last, shrink = why, 0
    for more in range(1, 24):
        found = _again(seed, number, more)
        if found.partition(":")[0] != why.partition(":")[0]:
            break
        last, shrink = found, more
    return _find(seed, number, last, shrink)


def try_file(file: bytes, decoded: int) -> str:
    """Read a file in every way in a child, and return what it broke, or an empty string."""
    said = _follow(lambda say: _try(file, decoded, say, Counter()))
    return str(said["why"])


def _find(seed: int, number: int, why: str, shrink: int) -> Costly:
    """Return a find with its file, which a child makes: fitting a model starts threads, which no fork survives."""
    with tempfile.NamedTemporaryFile() as file:

        def make(say: Callable[..., None]) -> None:
            made, data = hostile_file(seed, number, shrink)
            Path(file.name).write_bytes(data)
            say(kinds=made.kinds)

        said = _follow(make)
        return Costly(number, why, tuple(said.get("kinds", ())), shrink, Path(file.name).read_bytes())


def _again(seed: int, number: int, shrink: int = 0) -> str:
    """Return why a stream is a find, tried alone in a new child, or an empty string."""
    said = _follow(lambda say: _one(seed, number, shrink, say, Counter()))
    return str(said["why"])


def _in_child(seed: int, numbers: range, end: float) -> dict[str, Any]:
    """Run streams in one child until one is a find, or the child has grown."""
    return _follow(lambda say: _many(seed, numbers, end, say), numbers.start)


def _follow(run: Callable[[Callable[..., None]], None], first: int = 0) -> dict[str, Any]:
    """Run a function in a child, and return what it said last: where it was, what it did, and why that is wrong."""
    _warm()
    reading, writing = os.pipe()
    pid = os.fork()
    if not pid:
        os.close(reading)
        _child(run, writing)
    os.close(writing)
    said: dict[str, Any] = {"at": first, "next": first, "why": "", "doing": "", "outcomes": {}}
    with os.fdopen(reading, "rb") as pipe:
        for line in pipe:
            said.update(json.loads(line))
    status = os.waitpid(pid, 0)[1]
    if os.WIFSIGNALED(status):
        said["why"] = f"{_signal(os.WTERMSIG(status))}: {said['doing']}"
        said["next"] = said["at"] + 1
    elif status:
        said["why"] = f"exit status {status}: {said['doing']}"
        said["next"] = said["at"] + 1
    return said


def _signal(number: int) -> str:
    if number in (signal.SIGPROF, signal.SIGALRM):
        return "it hangs"
    return f"signal {signal.Signals(number).name}"


def _warm() -> None:
    """Import what the curated sets name, so that no file pays for that."""
    if "sklearn" in sys.modules and _warm_names:
        return
    _warm_names.update(_curated())
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    for name in sorted({name.partition(":")[0] for name in _warm_names} | {"sklearn"}):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                __import__(name)
        except Exception:  # the library is not installed, or its release has other modules
            continue


_warm_names: set[str] = set()


def _child(run: Callable[[Callable[..., None]], None], writing: int) -> None:
    """Run a function that tells the parent what it does, and exit."""
    status = 1
    say = lambda **said: os.write(writing, json.dumps(said).encode() + b"\n")  # noqa: E731
    try:
        faulthandler.disable()  # a signal is a result here, so its traceback is noise
        gc.freeze()  # collecting the parent's objects would copy their pages, and count as memory of the file
        warnings.simplefilter("ignore")
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        for alarm in (signal.SIGPROF, signal.SIGALRM):
            signal.signal(alarm, signal.SIG_DFL)  # ends the process, even within C code
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        run(say)
        status = 0
    except BaseException:  # a mistake of the test itself
        say(doing=traceback.format_exc(limit=-3))
    finally:
        os._exit(status)


def _many(seed: int, numbers: range, end: float, say: Callable[..., None]) -> None:
    outcomes: Counter[str] = Counter()
    begun = _status("VmRSS")
    for number in numbers:
        say(at=number, doing="making the file")
        why = _one(seed, number, 0, say, outcomes)
        say(next=number + 1, outcomes=outcomes)
        gc.collect()
        _trim()
        if why or time.monotonic() > end or _status("VmRSS") > begun + _GROWN:
            return


def _one(seed: int, number: int, shrink: int, say: Callable[..., None], outcomes: Counter[str]) -> str:
    signal.setitimer(signal.ITIMER_PROF, 20 * _HANG)
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    made, file = hostile_file(seed, number, shrink)
    decoded = len(made.stream) + made.listed * sum(map(len, made.buffers))
    del made
    return _try(file, decoded, say, outcomes)


def _try(file: bytes, decoded: int, say: Callable[..., None], outcomes: Counter[str]) -> str:
    """Read a file in every way, use what comes of it, and return what is wrong."""
    for way in WAYS:
        say(doing=way)
        gc.collect()
        _trim()
        why = _measured(way, file, decoded, say, outcomes)
        if why:
            say(why=why)
            return why
    return ""


def _measured(way: str, file: bytes, decoded: int, say: Callable[..., None], outcomes: Counter[str]) -> str:
    size = _status("VmSize") + MEMORY + decoded + _ROOM
    resource.setrlimit(resource.RLIMIT_AS, (size, resource.RLIM_INFINITY))
    Path("/proc/self/clear_refs").write_text("5")  # resets the peak
    before = _status("VmRSS")
    _alarm(_HANG + decoded / _BYTES_A_SECOND)
    start = time.process_time()
    loaded, outcome = None, "loaded"
    try:
        loaded = WAYS[way](file)
    except UntrustedError:
        outcome = "untrusted"
    except BinPickleError as error:
        outcome = type(error).__name__
        if "MemoryError" in str(error):
            outcome = "out of memory"
    except BaseException as error:
        return f"{way} raises {type(error).__name__}: {error!s:.300}"
    took = time.process_time() - start
    if took > SECONDS:
        took /= _slowness()
    peak = _status("VmHWM") - before
    outcomes[f"{way}: {outcome}"] += 1
    if took > SECONDS and decoded <= _MAY_TAKE_LONG:
        return f"{way} is slow: {took:.1f} s, {outcome}"
    if peak > MEMORY + decoded:
        return f"{way} is large: {peak >> 20} MiB above {decoded >> 20}, {outcome}"
    if loaded is not None and way != "inspect":
        _alarm()
        handle(loaded, lambda step: (_alarm(), say(doing=f"{way}, {step}")))
    _alarm()
    say(doing=f"{way}, freeing")
    del loaded
    gc.collect()
    return ""


def _slowness() -> float:
    """Return how many times slower than usual the processor is now, which others may use as well; at least 1."""
    times = sorted(_tick() for _ in range(15))
    return max(1.0, times[7] / _TICK)


def _tick() -> float:
    start, made = time.process_time(), []
    for n in range(20_000):
        made.append((n, {n: None}))
    return time.process_time() - start


def _alarm(seconds: float = _HANG) -> None:
    signal.setitimer(signal.ITIMER_PROF, seconds)
    signal.setitimer(signal.ITIMER_REAL, _STUCK)


def _status(name: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) << 10
    raise ValueError(name)


def _trim() -> None:
    """Give free memory back to the system."""
    for libc in _LIBC:
        libc.malloc_trim(0)


def _libc() -> Iterator[Any]:
    try:
        yield ctypes.CDLL("libc.so.6")
    except OSError:
        return


_LIBC = list(_libc())
