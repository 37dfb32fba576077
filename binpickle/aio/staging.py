"""`astage`: `stage` for event loops.

Rule: worker threads pickle and copy, under tokens of the limiter, as they do for `adump`.
"""

from __future__ import annotations

from typing import Any

from anyio import CapacityLimiter

from ..types import PicklerClass
from ..writing.staged import Staged, stage_steps
from .crew import AsyncCrew
from .hops import run
from .streams import Stream

__all__ = ["astage"]


async def astage(
    obj: Any,
    *,
    limiter: CapacityLimiter | None = None,
    mappable: bool | None = None,
    pickler: PicklerClass | None = None,
    into: Staged | None = None,
) -> Staged:
    """Pickle an object and copy its arrays without blocking the event loop, so that it may change while it is written.

    Threads: worker threads pickle and copy. Pickling holds the GIL, as always. The object must not change until
    `astage` returns.

    Cancellation: takes effect within a few milliseconds, or at the end of pickling. When `astage` has returned or
    raised, no thread works for it any more. `Staged.restage` says what `into` then holds.

    Args:
        obj: see `stage`.
        limiter: see `adump`.
        mappable: see `stage`.
        pickler: see `stage`.
        into: what `astage` or `stage` returned before: it is restaged, in the same memory, and returned.

    Raises:
        ValueError: a dump of `into` has not ended, or other arguments are given with it: it keeps those that it has.
        Exception: see `stage`.
    """
    if into is None:
        into = Staged(mappable, pickler)
    elif not isinstance(into, Staged):
        raise TypeError(f"into must be a Staged object, not {type(into).__name__}")
    elif not (mappable is None and pickler is None):
        raise ValueError("into keeps the mappable and pickler that it was staged with: leave them out")
    crew = AsyncCrew(limiter)
    await run(stage_steps(into, obj, crew), crew, Stream())
    return into
