"""Chunk jobs on several threads, their results in order on the owner's thread.

Goals: no thread idles while there is a job; at most a window of chunks is in memory; no thread outlives the call; a
thread that holds a limiter's token never waits for another token (async).

The owner is the thread that dumps or loads. It submits jobs, asks for their results in order, and runs jobs itself
while it would otherwise wait. Helpers are threads that run jobs and do nothing else.

A job is, in this order:
    waiting: in `Crew._waiting`, for the owner or a helper, whoever comes first;
    running: taken out of `_waiting`, in the hands of one thread;
    done: its result or error is kept until `take` hands it out, once.
A job that is `light` skips `_waiting`: the owner runs it when its turn comes.

A helper is, in this order:
    invited: counted in `_coming`; `invite` asked for a thread. Only here do sync and async differ: a sync crew starts
        the thread at once (`admit`), an async crew once the limiter has an idle token, or never (`turn_away`);
    working: it runs jobs while `_waiting` has some and `may_stay` allows it;
    gone: no longer counted in `_coming`. A helper never waits for a job, so it leaves as soon as there is none.

An owner that takes part needs `threads - 1` helpers. One that must not run the jobs itself (`off_main`) only waits and
consumes, and then has `threads` helpers: while all of them work, it runs no other job either.

The owner waits in two cases: the job it wants is running in a helper and it can run no job itself; or as many helpers
work as there may be threads. Each helper that ends a job, or leaves, then wakes it (`_tell_owner`). All of this state
is read and written under `_lock`.
"""

from __future__ import annotations

import threading
from collections import deque
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, Callable, Generic, Iterator, TypeVar

__all__ = ["Cancelled", "Crew", "Job", "Pipeline", "exhaust"]

T = TypeVar("T")

# What a helper must have to do while the owner does something else, as `Job.cost`: starting its thread takes as long as
# encoding some 16 KiB with zstd.
_WORTH_HELPER = 24 << 10


class Cancelled(BaseException):
    """Raised in the owner's thread after `Crew.cancel`; not an `Exception`, so that no `__reduce__` swallows it."""


class Job(Generic[T]):
    """A function to be called once, and its result or error.

    Args:
        function: the function; the job lets go of it, and of the memory it refers to, once it was called.
        off_main: whether the function must not run in the main thread, where Blosc would start threads of its own.
        light: whether the function costs less than handing it to another thread. The owner then runs it.
        cost: about how many bytes zstd encodes in the same time; by default enough for a helper.

    Attributes:
        done: whether the function was called.
    """

    __slots__ = ("_error", "_function", "_result", "cost", "done", "light", "off_main")

    def __init__(
        self, function: Callable[[], T], off_main: bool = False, light: bool = False, cost: int = _WORTH_HELPER
    ):
        self._function: Callable[[], T] | None = function
        self._result: T | None = None
        self._error: BaseException | None = None
        self.off_main = off_main
        self.cost = cost
        self.light = light and not off_main
        self.done = False

    def run(self) -> None:
        """Call the function, and keep its result or error. Runs in the owner's thread or in a helper's."""
        try:
            self._result = self._function()  # type: ignore[misc]
        except BaseException as error:
            self._error = error
        self._function = None  # frees the memory it refers to
        self.done = True

    def take(self) -> T:
        """Return the result, or raise the error, once."""
        error, self._error = self._error, None
        if error is not None:
            try:
                raise error
            finally:
                error = None  # else the traceback keeps this frame, and the frame the error
        result, self._result = self._result, None
        return result  # type: ignore[return-value]


class Crew:
    """An owner and its helpers. The module says how many there are, and which states jobs and helpers have.

    A subclass decides when an invited helper comes (`admit`) or does not (`turn_away`), and whether it stays.

    Args:
        threads: how many threads may run jobs at the same time, the owner included.
    """

    def __init__(self, threads: int):
        self.threads = threads
        # A lock and a queue written in C. Ctrl-C in the Python code of a Condition would leave it locked for ever.
        self._lock = threading.Lock()
        self._wake: SimpleQueue[None] = SimpleQueue()
        self._owner_waits = False
        self._waiting: deque[Job[Any]] = deque()
        self._backlog = 0  # cost of the waiting jobs
        self._helpers: list[threading.Thread] = []
        self._coming = 0  # helpers that are invited or working
        self._refused: RuntimeError | None = None  # why no thread could be started; the owner then works alone
        self._cancelled = False
        self._closed = False

    def __enter__(self) -> Crew:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def invite(self) -> None:
        """Ask for one more helper. Called in the owner's thread when there is work for it."""
        self.admit()

    def may_stay(self) -> bool:
        """Return whether a helper may run another job. Called in the helper's thread after each job."""
        return True

    def leaving(self) -> None:
        """Take note that a helper leaves. Called in the helper's thread at its end."""

    def admit(self) -> bool:
        """Start the helper that was invited; in any thread. Return whether it was started: there may be no job left."""
        with self._lock:
            if self._closed or not self._waiting:
                self._coming -= 1
                return False
            helper = threading.Thread(target=self._help, name="binpickle-helper")
            self._helpers = [each for each in self._helpers if each.is_alive()] + [helper]
            try:
                helper.start()
            except RuntimeError as error:  # too many threads, or the interpreter is about to end
                self._helpers.remove(helper)
                self._coming -= 1
                self._refused = error
                return False
        return True

    def turn_away(self) -> None:
        """Start no thread for the helper that was invited; in any thread."""
        with self._lock:
            self._coming -= 1

    def submit(self, job: Job[Any], later: bool = False) -> None:
        """Let a helper run the job, if one comes before the owner asks for the result. Called in the owner's thread.

        Args:
            job: the job.
            later: whether the owner has something else to do before it asks for the result.
        """
        with self._lock:
            self._waiting.append(job)
            self._backlog += job.cost
            other = _needs_other_thread(job)
            # An owner with nothing else to do runs one of the waiting jobs itself.
            own = 0 if later else max([waiting.cost for waiting in self._waiting])
            worth = other or self._backlog - own >= _WORTH_HELPER
            invite = worth and self._coming < self.threads - (not other) and self._refused is None
            self._coming += invite
        if invite:
            self.invite()

    def finish(self, job: Job[T]) -> T:
        """Return the result of a submitted job, or raise its error; meanwhile run this job, or others, in this thread.

        Raises:
            Cancelled: the crew was cancelled.
            RuntimeError: the job needs another thread, and none could be started.
        """
        while not job.done:
            self.check()
            other = self._next_for_owner(job)
            if other is not None:
                other.run()
        return job.take()

    def goes_on(self) -> bool:
        """Return whether a long job that only spares the owner work should go on; never if the owner runs it."""
        helps = threading.current_thread() in self._helpers
        return helps and not self._cancelled and not self._closed and self.may_stay()

    def check(self) -> None:
        """Raise `Cancelled` once the crew has been cancelled."""
        if self._cancelled:
            raise Cancelled

    def cancel(self) -> None:
        """Make the owner stop at the next chunk; in any thread."""
        self._cancelled = True

    def close(self) -> None:
        """Drop the jobs that are still waiting, and wait until no helper runs any more."""
        with self._lock:
            self._closed = True
            self._waiting.clear()
            self._backlog = 0
        for helper in self._helpers:
            with suppress(RuntimeError):  # Ctrl-C interrupted its start: it will find no job
                helper.join()

    def _next_for_owner(self, wanted: Job[Any]) -> Job[Any] | None:
        """Return a job that the owner may run now; or `None`, once the state has changed or a helper was invited."""
        with self._lock:
            if wanted.done:
                return None
            job = next((job for job in self._waiting if not _needs_other_thread(job)), None)
            if job is not None and self._coming < self.threads:
                self._waiting.remove(job)
                self._backlog -= job.cost
                return job
            self._owner_waits = waits = self._coming > 0 or not self._waiting
            if not waits and self._refused is not None:
                raise self._refused
            self._coming += not waits  # the helper that was to run it had found no job, and was leaving
        if waits:
            self._wake.get()
        else:
            self.invite()
        return None

    def _tell_owner(self) -> None:
        """Wake the owner if it waits. Called with the lock held."""
        if self._owner_waits:
            self._owner_waits = False
            self._wake.put(None)

    def _help(self) -> None:
        """Run jobs until there are none: the whole life of a helper."""
        try:
            job = self._next_for_helper()
            while job is not None:
                job.run()
                with self._lock:
                    self._tell_owner()
                job = self._next_for_helper() if self.may_stay() else None
        finally:
            self.leaving()
            with self._lock:
                self._coming -= 1
                self._tell_owner()

    def _next_for_helper(self) -> Job[Any] | None:
        with self._lock:
            if not self._waiting or self._cancelled:
                return None
            job = self._waiting.popleft()
            self._backlog -= job.cost
            return job


def _needs_other_thread(job: Job[Any]) -> bool:
    return job.off_main and threading.current_thread() is threading.main_thread()


class Pipeline(Generic[T]):
    """Takes jobs and hands out their results in the same order, with a bounded number of jobs in between.

    Args:
        crew: runs the jobs.
        consume: called with each result, in the owner's thread.
    """

    def __init__(self, crew: Crew, consume: Callable[[T], Any]):
        self._crew = crew
        self._consume = consume
        self._jobs: deque[Job[T]] = deque()
        # Each thread runs one job and has one ready to take. Finished jobs count, too: they hold memory.
        self._window = 2 * crew.threads if crew.threads > 1 else 0

    def push(self, job: Job[T]) -> None:
        """Add a job; consume earlier results while the window is full. Called in the owner's thread."""
        self._crew.check()
        if not job.light:
            self._crew.submit(job, later=sum([before.cost for before in self._jobs]) >= _WORTH_HELPER)
        self._jobs.append(job)
        # One result for one job: while the owner consumed a row of them, helpers would run out of jobs.
        if len(self._jobs) > self._window or self._jobs[0].done or self._jobs[0].light:
            self._retire()

    def drain(self) -> Iterator[None]:
        """Consume all results that are left; yields after each."""
        while self._jobs:
            self._retire()
            yield

    def _retire(self) -> None:
        self._crew.check()
        job = self._jobs.popleft()
        if job.light:
            job.run()
            self._consume(job.take())
        else:
            self._consume(self._crew.finish(job))


def exhaust(steps: Iterator[Any]) -> Any:
    """Run a generator to its end and return what it returns."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value
