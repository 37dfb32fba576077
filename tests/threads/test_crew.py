"""Jobs on several threads: results in order, a bounded number of them in memory, nothing left running."""

from __future__ import annotations

import threading
import time
from typing import Any, Callable, Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from internals import Cancelled, Crew, Job, Pipeline, exhaust

THREADS = pytest.mark.parametrize("threads", [1, 2, 3, 4])
# In the order of `Job`'s arguments: off_main, light.
MODES = {"plain": (False, False), "off_main": (True, False), "light": (False, True), "off_main light": (True, True)}


def in_main() -> bool:
    return threading.current_thread() is threading.main_thread()


def fail(error: BaseException) -> None:
    raise error


def run(crew: Crew, jobs: Iterable[Job], consume: Callable[[Any], Any] = lambda result: None) -> None:
    """Do the jobs of a pipeline."""
    pipeline = Pipeline(crew, consume)
    for job in jobs:
        pipeline.push(job)
    exhaust(pipeline.drain())


class Late(Crew):
    """A crew whose helpers take long to leave."""

    def leaving(self) -> None:
        time.sleep(0.02)


class Short(Crew):
    """A crew whose helpers leave after each job."""

    def may_stay(self) -> bool:
        return False


class Deserted(Crew):
    """A crew to which no helper comes."""

    def invite(self) -> None:
        self.turn_away()


@THREADS
@pytest.mark.parametrize("crew_class", [Crew, Late, Short, Deserted])
@pytest.mark.parametrize("mode", ["plain", "light"])
def test_order(crew_class: Any, threads: int, mode: str) -> None:
    """Results come in the order of the jobs, in the owner's thread."""
    got: list[Any] = []
    with crew_class(threads) as crew:
        jobs = (Job(lambda i=i: (time.sleep(0.001 * (i % 3)), i)[1], *MODES[mode]) for i in range(40))
        run(crew, jobs, lambda i: got.append((i, in_main())))
    assert got == [(i, True) for i in range(40)]


@THREADS
@pytest.mark.parametrize("crew_class", [Crew, Late, Short])
@pytest.mark.parametrize("mode", ["off_main", "off_main light"])
def test_off_main(crew_class: Any, threads: int, mode: str) -> None:
    """A job that must not run in the main thread runs in a helper, even if one is just leaving when the job comes."""
    got: list[Any] = []
    with crew_class(threads) as crew:
        pipeline = Pipeline(crew, got.append)
        for i in range(12):
            pipeline.push(Job(lambda i=i: (i, in_main()), *MODES[mode]))
            time.sleep(0.01 * (i % 3))
        exhaust(pipeline.drain())
    assert got == [(i, False) for i in range(12)]


def test_off_main_in_helper() -> None:
    """An owner that is not the main thread runs such jobs itself."""
    threads: list[Any] = []

    def own() -> None:
        with Crew(1) as crew:
            job = Job(threading.current_thread, off_main=True)
            crew.submit(job)
            threads.append((crew.finish(job), threading.current_thread()))

    owner = threading.Thread(target=own)
    owner.start()
    owner.join()
    assert threads[0][0] is threads[0][1]


@given(
    st.lists(st.tuples(st.sampled_from(sorted(MODES)), st.booleans()), max_size=40),
    st.integers(1, 4),
)
@settings(max_examples=100)
def test_first_error(jobs: list, threads: int) -> None:
    """All results before the first failing job are consumed, then its error is raised, then nothing more happens."""
    got: list[int] = []
    first = next((i for i, (_, fails) in enumerate(jobs) if fails), None)
    error: Any = None
    with Crew(threads) as crew:
        pipeline = Pipeline(crew, got.append)
        try:
            for i, (mode, fails) in enumerate(jobs):
                pipeline.push(Job((lambda i=i: fail(KeyError(i))) if fails else (lambda i=i: i), *MODES[mode]))
            exhaust(pipeline.drain())
        except KeyError as raised:
            error = raised.args[0]
    assert error == first
    assert got == list(range(len(jobs) if first is None else first))


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3), MemoryError()])
def test_error_of_a_helper(error: BaseException) -> None:
    """Any error of a job in a helper is raised in the owner."""
    with Crew(1) as crew:
        job = Job(lambda: fail(error), off_main=True)
        crew.submit(job)
        with pytest.raises(type(error)):
            crew.finish(job)


@THREADS
def test_window(threads: int) -> None:
    """At most twice as many jobs as threads are between start and consumption."""
    lock, started, consumed, worst = threading.Lock(), [0], [0], [0]

    def start() -> None:
        with lock:
            started[0] += 1
            worst[0] = max(worst[0], started[0] - consumed[0])

    def consume(_: Any) -> None:
        with lock:
            consumed[0] += 1

    with Crew(threads) as crew:
        run(crew, (Job(start) for _ in range(200)), consume)
    assert consumed == [200]
    assert worst[0] <= 2 * threads + 1


@THREADS
@pytest.mark.parametrize("modes", [["plain"], ["off_main"], ["off_main", "plain"], ["plain", "plain", "off_main"]])
def test_never_more_threads(threads: int, modes: list[str]) -> None:
    """As many threads work at a time as were asked for, and no more, whether the owner can take part or not."""
    lock, working, worst = threading.Lock(), [0], [0]

    def work() -> None:
        with lock:
            working[0] += 1
            worst[0] = max(worst[0], working[0])
        time.sleep(0.002)
        with lock:
            working[0] -= 1

    with Crew(threads) as crew:
        run(crew, (Job(work, *MODES[modes[i % len(modes)]]) for i in range(30)))
    assert worst == [threads]


@THREADS
def test_idle_owner_is_replaced(threads: int) -> None:
    """If the owner must not run the jobs, as many helpers work at a time as there may be threads."""
    together = threading.Barrier(threads)
    with Crew(threads) as crew:
        run(crew, (Job(lambda: together.wait(60), off_main=True) for _ in range(threads)))
    assert not together.broken


def test_one_job_needs_no_helper() -> None:
    """A single job starts no thread."""
    with Crew(4) as crew:
        job = Job(threading.current_thread)
        crew.submit(job)
        assert crew.finish(job) is threading.current_thread()


def test_one_job_for_later() -> None:
    """A single job of which the owner needs the result later is run by a helper."""
    ran: list[Any] = []
    with Crew(2) as crew:
        ended = threading.Event()
        crew.submit(Job(lambda: (ran.append(in_main()), ended.set())), later=True)
        assert ended.wait(60)
    assert ran == [False]


@THREADS
def test_one_result_at_a_time(threads: int) -> None:
    """For each new job at most one result is consumed, so that helpers are given work between two results."""
    got: list[int] = []
    with Crew(threads) as crew:
        pipeline = Pipeline(crew, got.append)
        for i in range(20):
            before = len(got)
            pipeline.push(Job(lambda i=i: i))
            assert len(got) <= before + 1
            time.sleep(0.001 * (i % 4 == 3))
        exhaust(pipeline.drain())
    assert got == list(range(20))


def test_long_job_ends() -> None:
    """A job that asks whether to go on ends when the crew is closed or cancelled, and at once in the owner's thread."""
    for leave in (Crew.close, Crew.cancel):
        crew, begun = Crew(2), threading.Event()

        def work(crew: Crew = crew, begun: threading.Event = begun) -> None:
            while crew.goes_on():
                begun.set()

        crew.submit(Job(work), later=True)
        assert begun.wait(60)
        leave(crew)
        crew.close()
    with Deserted(2) as crew:
        job = Job(crew.goes_on)
        crew.submit(job, later=True)
        assert crew.finish(job) is False


def test_cancel() -> None:
    """After `cancel`, from any thread, the owner stops at the next job."""
    with Crew(2) as crew:
        pipeline = Pipeline(crew, lambda _: None)
        pipeline.push(Job(lambda: None))
        canceller = threading.Thread(target=crew.cancel)
        canceller.start()
        canceller.join()
        with pytest.raises(Cancelled):
            pipeline.push(Job(lambda: None))
        with pytest.raises(Cancelled):
            exhaust(pipeline.drain())


def test_cancelled_while_waiting() -> None:
    """An owner that waits for a helper's job stops when that job is done."""
    with Crew(2) as crew:
        jobs = [Job(crew.cancel, off_main=True), *(Job(lambda: None, off_main=True) for _ in range(9))]
        with pytest.raises(Cancelled):
            run(crew, jobs)
    assert not jobs[-1].done


def test_cancelled_is_no_exception() -> None:
    """`except Exception` in an object's `__reduce__` does not swallow a cancellation."""
    assert not issubclass(Cancelled, Exception)


@THREADS
def test_close(threads: int) -> None:
    """Closing waits for the jobs that are running, and drops the jobs that nobody has begun."""
    running, ended = threading.Event(), []

    def slow() -> None:
        running.set()
        time.sleep(0.05)
        ended.append(1)

    with Crew(threads) as crew:
        jobs = [Job(slow, off_main=True) for _ in range(51)]
        crew.submit(jobs[0])
        running.wait(5)
        for job in jobs[1:]:
            crew.submit(job)
    seen = len(ended)
    assert jobs[0].done
    assert sum(job.done for job in jobs) == seen
    assert seen < len(jobs)  # all of them would take 0.8 seconds at least
    time.sleep(0.06)
    assert len(ended) == seen


@THREADS
def test_no_threads_to_be_had(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """If no thread can be started, the owner runs all jobs, and a job that must not run in its thread is an error."""
    monkeypatch.setattr(threading.Thread, "start", lambda self: fail(RuntimeError("can't start new thread")))
    got: list[int] = []
    with Crew(threads) as crew:
        run(crew, (Job(lambda i=i: i) for i in range(20)), got.append)
        with pytest.raises(RuntimeError, match="start new thread"):
            run(crew, [Job(lambda: None, off_main=True)])
    assert got == list(range(20))


def test_results_are_let_go() -> None:
    """A job whose result was taken keeps neither the result nor the function."""
    job = Job(lambda: [1])
    with Crew(1) as crew:
        crew.submit(job)
        assert crew.finish(job) == [1]
        assert crew.finish(job) is None


def test_exhaust() -> None:
    """`exhaust` returns the value that the generator returns."""

    def steps() -> Any:
        yield
        yield
        return 7

    assert exhaust(steps()) == 7
