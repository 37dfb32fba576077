"""Staged objects: pickled and copied, so that the object may change while it is written.

Strategy: `stage` runs the pickler and keeps its stream and copies of its buffers. A dump of the `Staged` object then
plays these back instead of running a pickler. A mappable file has another stream if the object has small arrays; the
pickler then runs twice, and both streams refer to the same copies.

A staged object is always one of:
    empty: it holds nothing, and refuses to be dumped;
    filling: one call of `stage`, `astage` or `restage` works on it; other such calls and dumps are refused;
    full: dumps read it, any number at the same time. While a dump reads it, no call may fill it anew.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from functools import wraps
from types import TracebackType
from typing import Any, Awaitable, Callable, Generator, Iterator, TypeVar

import numpy as np

from ..codecs.buffers import aligned_memory
from ..pickling.pickler import check_pickler
from ..pickling.protocol import pickle
from ..threads.cpus import check_threads
from ..threads.crew import Crew, Job, Pipeline, exhaust
from ..types import PicklerClass
from .copying import Copies
from .playback import Recording, Run

__all__ = ["Staged", "held", "holding", "stage", "stage_steps"]

F = TypeVar("F", bound=Callable[..., Awaitable[Any]])
_NO_MEMORY = np.empty(0, np.uint8)


class Staged:
    """An object as it was when `stage` took it, in memory of its own; `dump`, `dumps` and `adump` write it.

    Any number of dumps may write it at the same time, in any threads. It cannot be pickled or copied, and is no part of
    another object. As a context manager, it is closed at the end.
    """

    def __init__(self, mappable: bool | None, pickler: PicklerClass | None):
        if not (mappable is None or isinstance(mappable, (bool, np.bool_))):
            raise TypeError(f"mappable must be True, False or None, not {mappable!r:.80}")
        self._kinds = (True, False) if mappable is None else (bool(mappable),)
        self._pickler: Any = pickle.Pickler if pickler is None else pickler
        check_pickler(self._pickler)
        self._memory = _NO_MEMORY
        self._recording: Recording | None = None
        self._why_empty = "nothing was staged"
        self._lock = threading.Lock()  # held while the next two are compared and changed
        self._readers: set[object] = set()
        self._filler: object = None

    def restage(self, obj: Any, *, threads: int | None = None) -> None:
        """Take an object as it is now, in place of what is staged.

        The same memory is used again. Only if it is too small, it is freed, and larger memory is taken.

        If the object cannot be pickled, what was staged stays. If the copying is interrupted or there is too little
        memory, nothing is staged: dumps raise `ValueError` until `restage` succeeds.

        Args:
            obj: see `stage`.
            threads: see `stage`.

        Raises:
            ValueError: a dump of what is staged has not ended.
            Exception: see `stage`.
        """
        crew = Crew(check_threads(threads))
        exhaust(stage_steps(self, obj, crew, even_shares=True))

    def close(self) -> None:
        """Free the memory, at once or when the dumps that use it have ended. Closing twice is fine.

        Raises:
            ValueError: another thread calls `restage`.
        """
        with self._lock:
            if self._filler is not None:
                raise ValueError("a restage of this Staged object has not ended: close it afterwards")
            self._recording, self._memory, self._why_empty = None, _NO_MEMORY, "it was closed"

    @property
    def nbytes(self) -> int:
        """How many bytes are staged: those of the pickle stream and of the buffers."""
        recording = self._recording
        return 0 if recording is None else recording.nbytes

    def __enter__(self) -> Staged:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        recording = self._recording
        if recording is None:
            return f"<binpickle.Staged: empty, {self._why_empty}>"
        return f"<binpickle.Staged: {recording.buffers} buffers, {recording.nbytes:,} bytes>"

    def __reduce_ex__(self, _: Any) -> Any:
        raise TypeError("a Staged object cannot be pickled or copied: give dump the Staged object alone")


def stage(
    obj: Any, *, mappable: bool | None = None, pickler: PicklerClass | None = None, threads: int | None = None
) -> Staged:
    """Pickle an object and copy its arrays, so that it may change while it is written.

    `dump(staged, file)`, `dumps(staged)` and `adump(staged, file)` then write byte for byte the file of the object as
    it is now, with any options. Staging takes about as long as copying the arrays, and as much memory as they have.
    `Staged.restage` uses the same memory for the next state of the object.

    Args:
        obj: see `dump`. Do not change it until this function returns.
        mappable: say whether the files will be mappable, if you know and the object holds very many small objects. By
            default an object with arrays under 512 bytes is pickled twice, since only mappable files map these.
        pickler: see `dump`, which then needs no `pickler` for the staged object.
        threads: how many threads copy at the same time; by default as many as there are usable CPUs.

    Raises:
        TypeError: an argument is of the wrong type.
        ValueError: `load` could not load what the pickler writes.
        MemoryError: there is too little memory for the copies.
        Exception: from the classes of the object when they are pickled.
    """
    staged = Staged(mappable, pickler)
    staged.restage(obj, threads=threads)
    return staged


def stage_steps(staged: Staged, obj: Any, crew: Crew, even_shares: bool = False) -> Generator[None, None, None]:
    """Fill a staged object, for `restage` and `astage`.

    Yields when pickling has ended, and after each piece that is copied. Each step may run in another thread.

    Args:
        staged: the staged object.
        obj: the object to stage.
        crew: copies; it is closed at the end.
        even_shares: whether each thread copies its share at once, which is fastest; else a cancellation is soon heard.
    """
    with _filling(staged), crew:
        runs = _run(staged, obj, crew)
        yield
        copies = Copies()
        distinct = list(dict.fromkeys(runs.values()))
        for run in distinct:
            copies.add(run.found)
        staged._recording, staged._why_empty = None, "the last restage did not end"
        memory = _room(staged, copies.nbytes)
        pipeline: Pipeline[object] = Pipeline(crew, lambda _: None)
        for job in copies.jobs(memory, crew.threads if even_shares else None):
            pipeline.push(Job(job))
            yield
        yield from pipeline.drain()
        for run, found in zip(distinct, copies.described(memory)):
            run.found = found
        staged._recording = Recording(runs, staged._pickler)


def _run(staged: Staged, obj: Any, crew: Crew) -> dict[bool, Run]:
    """Run the pickler once, or twice if a mappable file has another stream; return the runs by `mappable`."""
    runs: dict[bool, Run] = {}
    for mappable in staged._kinds:
        runs[mappable] = run = Run(obj, staged._pickler, mappable, crew.check)
        if mappable and not run.has_small_buffers:
            runs[False] = run
            break
    return runs


def _room(staged: Staged, nbytes: int) -> np.ndarray:
    """Return memory for copies: what the staged object has, if it is enough."""
    if staged._memory.nbytes < nbytes:
        staged._memory = _NO_MEMORY  # freed first: memory for both may be more than there is
        staged._memory = aligned_memory(nbytes)
    return staged._memory


@contextmanager
def _filling(staged: Staged) -> Iterator[None]:
    """Keep others from reading and filling a staged object."""
    filler = object()
    try:
        with staged._lock:
            if staged._readers:
                raise ValueError("a dump of this Staged object has not ended: wait for it, or stage into another one")
            if staged._filler is not None:
                raise ValueError("another restage of this Staged object has not ended")
            staged._filler = filler
        yield
    finally:
        if staged._filler is filler:
            staged._filler = None


@contextmanager
def held(staged: Staged) -> Iterator[Recording]:
    """Keep a staged object from being filled anew; give what it holds, even if it is closed meanwhile.

    Raises:
        ValueError: it is empty, or being filled.
    """
    reader = object()
    try:
        with staged._lock:
            recording = staged._recording
            if staged._filler is not None:
                raise ValueError("a restage of this Staged object has not ended: wait for it before a dump")
            if recording is None:
                raise ValueError(f"this Staged object is empty, {staged._why_empty}: restage an object before a dump")
            staged._readers.add(reader)
        yield recording
    finally:
        staged._readers.discard(reader)


def holding(function: F) -> F:
    """Let an async function that writes `obj` hold a staged object from its beginning on, while it waits for a thread.

    Else the staged object could be filled anew before it is written.
    """

    @wraps(function)
    async def call(*args: Any, **options: Any) -> Any:
        obj = args[0] if args else options.get("obj")
        if not isinstance(obj, Staged):
            return await function(*args, **options)
        with held(obj) as recording:
            if args:
                return await function(recording, *args[1:], **options)
            return await function(**{**options, "obj": recording})

    return call  # type: ignore[return-value]
