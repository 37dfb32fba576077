"""How much of the time the threads of a call work, and how much they wait: a count that needs no spare cores.

Rule: a thread is busy while it runs a chunk job, and the owner also while it does anything but wait in `Crew.finish`.
A thread that the system has taken its processor from is busy, too: so sixteen threads can be judged on two cores. What
it does not show is that threads may slow each other down, for the memory's bandwidth or the interpreter's lock.
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

    def share(self, threads: int) -> float:
        """Return the share of the time in which `threads` threads were busy, the owner included, up to 1."""
        owner = threading.get_ident()
        helping = sum(seconds for thread, seconds in self.jobs.items() if thread != owner)
        return (self.seconds - self.waited + helping) / (threads * self.seconds)


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
