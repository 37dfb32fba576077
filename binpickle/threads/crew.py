"""Chunk jobs on several threads: a bounded window of them, results in order, on the owner's thread.

Strategy: the owner (the thread that dumps or loads) submits jobs and takes part in the work. Helpers come when there
are jobs and leave when there are none, so that no helper ever waits for anything; the owner waits only for a job that
a helper is running at that moment. When a helper may come is the one thing in which sync and async differ.
"""

from __future__ import annotations

import threading
from collections import deque
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, Callable, Generic, Iterator, TypeVar

__all__ = ["Cancelled", "Crew", "Job", "Pipeline", "exhaust"]

T = TypeVar("T")


class Cancelled(BaseException):
    """Raised in the owner's thread after `Crew.cancel`; not an `Exception`, so that no `__reduce__` swallows it."""


class Job(Generic[T]):
    """A function to be called once, and what came of it.

    Args:
        function: what to call.
        off_main: must not run in the main thread (Blosc: it would start its own threads there).
        light: costs less than handing it to another thread does; the owner does it when its turn comes.
    """

    __slots__ = ("_error", "_function", "_result", "done", "light", "off_main")

    def __init__(self, function: Callable[[], T], off_main: bool = False, light: bool = False):
        self._function: Callable[[], T] | None = function
        self._result: T | None = None
        self._error: BaseException | None = None
        self.off_main = off_main
        self.light = light and not off_main
        self.done = False

    def run(self) -> None:
        """Call the function, and keep its result or error."""
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
    """An owner and up to `threads - 1` helpers.

    Subclasses decide when a helper that was invited comes (`admit`), or does not (`turn_away`), and whether it goes on.

    Args:
        threads: that may work at the same time, the owner included.
    """

    def __init__(self, threads: int):
        self.threads = threads
        # A lock and a queue of C, not a Condition: Ctrl-C amid the Python code of that would leave it locked for ever.
        self._lock = threading.Lock()
        self._wake: SimpleQueue[None] = SimpleQueue()
        self._owner_waits = False
        self._waiting: deque[Job[Any]] = deque()
        self._helpers: list[threading.Thread] = []
        self._coming = 0  # invited or at work
        self._refused: RuntimeError | None = None  # why no thread could be started: the owner does what it can alone
        self._cancelled = False
        self._closed = False

    def __enter__(self) -> Crew:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def invite(self) -> None:
        """Called in the owner's thread when there is work for one more helper."""
        self.admit()

    def may_stay(self) -> bool:
        """Called in a helper's thread after each job."""
        return True

    def leaving(self) -> None:
        """Called in a helper's thread at its end."""

    def admit(self) -> bool:
        """Start a helper; from any thread. Return whether there is one, and still something to do for it."""
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
        """Start no helper, although one was invited; from any thread."""
        with self._lock:
            self._coming -= 1

    def submit(self, job: Job[Any]) -> None:
        """Let a helper do the job, if one comes before the owner asks for it."""
        with self._lock:
            self._waiting.append(job)
            other = _needs_other_thread(job)
            # One job that waits is the owner's own; a helper for it would only make a small file slower.
            invite = (other or len(self._waiting) > 1) and self._coming < max(self.threads - 1, other)
            invite = invite and self._refused is None
            self._coming += invite
        if invite:
            self.invite()

    def finish(self, job: Job[T]) -> T:
        """Return the result of a submitted job; meanwhile do it, or others, in this thread."""
        while not job.done:
            self.check()
            other = self._next_for_owner(job)
            if other is not None:
                other.run()
        return job.take()

    def check(self) -> None:
        """Raise `Cancelled` once the crew has been cancelled."""
        if self._cancelled:
            raise Cancelled

    def cancel(self) -> None:
        """Make the owner stop at the next chunk; from any thread."""
        self._cancelled = True

    def close(self) -> None:
        """Drop the jobs that nobody began, and wait until no helper runs any more."""
        with self._lock:
            self._closed = True
            self._waiting.clear()
        for helper in self._helpers:
            with suppress(RuntimeError):  # Ctrl-C while it was started: it will find nothing to do
                helper.join()

    def _next_for_owner(self, wanted: Job[Any]) -> Job[Any] | None:
        """Return a job that the owner may run now, or `None` after waiting for a change or inviting a helper."""
        with self._lock:
            if wanted.done:
                return None
            for job in self._waiting:
                if not _needs_other_thread(job):
                    self._waiting.remove(job)
                    return job
            self._owner_waits = waits = self._coming > 0 or not self._waiting
            if not waits and self._refused is not None:
                raise self._refused
            self._coming += not waits  # the helper that was to do it had found nothing and was leaving
        if waits:
            self._wake.get()
        else:
            self.invite()
        return None

    def _tell_owner(self) -> None:
        """Wake the owner, if it waits; called with the lock."""
        if self._owner_waits:
            self._owner_waits = False
            self._wake.put(None)

    def _help(self) -> None:
        """Do jobs until there are none: what a helper runs."""
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
            return self._waiting.popleft() if self._waiting and not self._cancelled else None


def _needs_other_thread(job: Job[Any]) -> bool:
    return job.off_main and threading.current_thread() is threading.main_thread()


class Pipeline(Generic[T]):
    """Jobs in, results out in the same order, a bounded number of them between.

    Args:
        crew: who works.
        consume: takes each result, in the owner's thread.
    """

    def __init__(self, crew: Crew, consume: Callable[[T], Any]):
        self._crew = crew
        self._consume = consume
        self._jobs: deque[Job[T]] = deque()
        # One job in each thread's hands, one ready for each to take; finished ones count, too: they hold memory.
        self._window = 2 * crew.threads if crew.threads > 1 else 0

    def push(self, job: Job[T]) -> None:
        """Add a job; consume earlier results while the window is full."""
        self._crew.check()
        if not job.light:
            self._crew.submit(job)
        self._jobs.append(job)
        while self._jobs and (len(self._jobs) > self._window or self._jobs[0].done or self._jobs[0].light):
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
