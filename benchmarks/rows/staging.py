"""Row 27: how long `stage` keeps a program waiting, against memcpy, and how fast the program is while it writes.

Rule: memcpy is `numpy.copyto` in one thread, the first time into new memory, the second time into the same memory. The
steps are arithmetic on arrays that fit the cache, in one thread. Dumps beside them leave a core to them; the dump with
all threads shows what happens if one does not. Other programs take processors away, too: so the time of a step is also
shown less the time for which its thread waited for a processor.
"""

from __future__ import annotations

import threading
import time
from functools import partial
from pathlib import Path
from typing import Any, Callable

import anyio
import anyio.to_thread
import numpy as np

import binpickle

from ..cases import MIB, Case, Contender, Measured, Scale, amount, ratio
from ..memory import HighWater, touch
from ..objects import several, uniform

__all__ = ["cases"]

MEMCPY, STAGE, ALONE = "memcpy", "stage", "steps alone"
WRITING: dict[str, dict[str, Any]] = {
    "beside a raw dump": {"codecs": [], "threads": 1},
    "beside an auto dump": {"threads": 1},
    "beside an auto dump with all threads": {},
}
ASYNC = "beside an auto adump, limiter of 1"
STEPS_ALONE = 400


def cases(scale: Scale) -> list[Case]:
    """Declare the cases of row 27."""
    size = scale.pick(512, 256) * MIB
    return [
        waiting(f"stage {size // MIB} MiB in one array", one, size, scale.pick(11, 5)),
        waiting(f"stage {size // MIB} MiB in 100 arrays", hundred, size, scale.pick(11, 5)),
        stepping(size, scale.pick(11, 5)),
    ]


def one(size: int) -> list[np.ndarray]:
    """Make a list of one array of `size` bytes."""
    return [uniform(size)]


def hundred(size: int) -> list[np.ndarray]:
    """Make 100 arrays, `size` bytes in all."""
    return [uniform(max(8, size // 100)) for _ in range(100)]


def waiting(name: str, make: Callable[[int], Any], size: int, rounds: int) -> Case:
    """Declare the comparison of staging, and of staging again, with memcpy."""
    return Case(
        row="27",
        name=name,
        make=make,
        size=size,
        contenders=(Contender(MEMCPY, copy_twice, nothing), Contender(STAGE, stage_twice, nothing)),
        steps=("dump",),
        rounds=rounds,
        targets=(
            ratio("first", STAGE, MEMCPY, 1.2),
            ratio("second", STAGE, MEMCPY, 1.2),
            amount("first memory", STAGE, size + 4 * MIB),
            amount("second memory", STAGE, 4 * MIB),
        ),
        check=lambda build, loaded: True,
    )


def stepping(size: int, rounds: int) -> Case:
    """Declare the comparison of steps beside a dump with steps alone."""
    ways = tuple(Contender(name, partial(step_beside, options), nothing) for name, options in WRITING.items())
    return Case(
        row="27",
        name=f"steps while {size // MIB} MiB are written",
        make=several,
        size=size,
        contenders=(Contender(ALONE, step_alone, nothing), *ways, Contender(ASYNC, step_beside_adump, nothing)),
        steps=("dump",),
        rounds=rounds,
        targets=tuple(
            ratio(metric, way, ALONE, None if "all threads" in way else 1.1)
            for metric in ("step", "step, less waits")
            for way in (*WRITING, ASYNC)
        ),
        check=lambda build, loaded: True,
    )


def nothing(path: str) -> None:
    """Load nothing: the row times no loads."""


def copy_twice(arrays: list[np.ndarray], path: str) -> Measured:
    """Copy arrays into new memory, and once more into the same memory."""

    def again(copies: list[np.ndarray]) -> list[np.ndarray]:
        for copy, array in zip(copies, arrays):
            np.copyto(copy, array)
        return copies

    return twice(arrays, lambda: again([np.empty_like(array) for array in arrays]), again)


def stage_twice(arrays: list[np.ndarray], path: str) -> Measured:
    """Stage arrays, and stage them again."""
    return twice(arrays, lambda: binpickle.stage(arrays), lambda staged: staged.restage(arrays))


def twice(arrays: list[np.ndarray], first: Callable[[], Any], second: Callable[[Any], Any]) -> Measured:
    """Time and measure two calls, the second of which takes what the first one returned."""
    touch(sum(array.nbytes for array in arrays) + 64 * MIB)
    metrics: dict[str, float] = {}
    value = timed("first", first, metrics)
    timed("second", lambda: second(value), metrics)
    return Measured(None, metrics)


def timed(name: str, call: Callable[[], Any], metrics: dict[str, float]) -> Any:
    """Call a function; note its time and the rise of the memory."""
    water = HighWater()
    start = time.perf_counter()
    value = call()
    metrics[name] = time.perf_counter() - start
    metrics[f"{name} memory"] = float(water.rise())
    return value


class Training:
    """Steps of some milliseconds, in one thread, on arrays that fit the cache."""

    def __init__(self) -> None:
        self.weights, self.gradient = np.linspace(-1, 1, 50_000), np.linspace(0, 1e-3, 50_000)
        self.room = np.empty_like(self.weights)
        self._steps = 0
        self._seconds = self._waited = 0.0

    def step(self) -> None:
        """Do one step, and note its time, and for how long of it the thread was ready but had no processor."""
        start, waited = time.perf_counter(), _waited()
        for _ in range(5):
            np.tanh(self.weights, out=self.room)
            np.multiply(self.room, self.gradient, out=self.room)
            np.subtract(self.weights, self.room, out=self.weights)
        self._steps += 1
        self._seconds += time.perf_counter() - start
        self._waited += _waited() - waited

    def measured(self) -> Measured:
        """Return the mean time of a step, with and without waits for a processor."""
        rest = self._seconds - self._waited
        return Measured(None, {"step": self._seconds / self._steps, "step, less waits": rest / self._steps})


def _waited() -> float:
    return int(Path("/proc/thread-self/schedstat").read_text().split()[1]) / 1e9


def step_alone(obj: Any, path: str) -> Measured:
    """Time steps with nothing beside them."""
    staged, training = binpickle.stage(obj), Training()
    for _ in range(STEPS_ALONE):
        training.step()
    staged.close()
    return training.measured()


def step_beside(options: dict[str, Any], obj: Any, path: str) -> Measured:
    """Time steps while another thread writes."""
    staged, training = binpickle.stage(obj), Training()
    writer = threading.Thread(target=partial(binpickle.dump, staged, path, **options))
    writer.start()
    while writer.is_alive():
        training.step()
    writer.join()
    return training.measured()


def step_beside_adump(obj: Any, path: str) -> Measured:
    """Time steps of a thread while an event loop writes."""
    return anyio.run(_step_beside_adump, obj, path)


async def _step_beside_adump(obj: Any, path: str) -> Measured:
    staged, training = await binpickle.astage(obj), Training()
    writing = True

    def train() -> None:
        while writing:
            training.step()

    async with anyio.create_task_group() as group:
        group.start_soon(anyio.to_thread.run_sync, train)
        await binpickle.adump(staged, path, limiter=anyio.CapacityLimiter(1))
        writing = False
    return training.measured()
