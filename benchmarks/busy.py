"""How much of the time the threads of a call work, and how much they wait: a count that needs no spare cores.

Rule: a thread is busy while it runs a chunk job, and the owner also while it does anything but wait in `Crew.finish`.
A thread from which the system took its processor is busy, too, so a few more threads than cores can be judged. With
many more, the count is too high: the owner, which writes, then has a processor as rarely as each helper. The count does
not show that threads slow each other down, by the bandwidth of the memory or the lock of the interpreter.
"""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import Any, Iterator

from binpickle.threads.crew import Crew, Job

__all__ = ["Busy", "watching"]


class Busy:
    """What was counted during one call.

    Attributes:
        jobs: the seconds that each thread spent in jobs, by the number of the thread.
        waited: the seconds that the owner waited.
        seconds: the seconds that the call took.
    """

    def __init__(self) -> None:
        self.jobs: dict[int, float] = {}
        self.waited = 0.0
        self.seconds = 0.0

    def waiting(self, threads: int) -> float:
        """Return the share of the time for which `threads` threads, the owner included, had nothing to do."""
        owner = threading.get_ident()
        helping = sum(seconds for thread, seconds in self.jobs.items() if thread != owner)
        return max(0.0, 1 - (self.seconds - self.waited + helping) / (threads * self.seconds))


@contextmanager
def watching() -> Iterator[Busy]:
    """Count what the threads of one call in this thread do."""
    busy, run, finish = Busy(), Job.run, Crew.finish

    def timed_run(job: Job[Any]) -> None:
        start = time.perf_counter()
        run(job)
        me = threading.get_ident()
        busy.jobs[me] = busy.jobs.get(me, 0.0) + time.perf_counter() - start

    def timed_finish(crew: Crew, job: Job[Any]) -> Any:
        me = threading.get_ident()
        start, before = time.perf_counter(), busy.jobs.get(me, 0.0)
        try:
            return finish(crew, job)
        finally:
            busy.waited += time.perf_counter() - start - (busy.jobs.get(me, 0.0) - before)

    Job.run, Crew.finish = timed_run, timed_finish  # type: ignore[assignment]
    start = time.perf_counter()
    try:
        yield busy
    finally:
        busy.seconds = time.perf_counter() - start
        Job.run, Crew.finish = run, finish  # type: ignore[method-assign]
