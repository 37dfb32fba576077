"""Worker threads for asyncio, which a process does not wait for at its end.

anyio's own threads end only with the task that the event loop was run for. A loop that is stopped instead leaves that
task open, and Python would wait for the threads for ever. Ours are daemons. `ending` lets the calls end that they have
in hand when the process ends.

Rule: a thread waits for its next call for a second, and then ends.
"""

from __future__ import annotations

import os
import sys
import threading
from collections import deque
from contextlib import ExitStack, suppress
from contextvars import Context
from queue import Empty, SimpleQueue
from typing import Any, Callable, Tuple

from anyio import CancelScope

from .loops import context_for

__all__ = ["start_in_worker"]

# What asyncio has no public name for: where `anyio.from_thread` finds the event loop of a thread. An object that calls
# the loop from `__reduce__` needs it; nothing of ours does.
try:
    from anyio._core import _eventloop
except ImportError:  # a later anyio may keep it elsewhere
    _eventloop = None  # type: ignore[assignment]

_IDLE_SECONDS = 1.0
# A new thread begins with an empty context, as it always did before Python 3.14.
_EMPTY_CONTEXT: Callable[[], dict[str, Any]] = (lambda: {"context": Context()}) if sys.version_info >= (3, 14) else dict

_Work = Tuple[Context, Callable[[], Callable[[], object]], Any, CancelScope]


def start_in_worker(function: Callable[[], Callable[[], object]], loop: Any, scope: CancelScope) -> None:
    """Call a function in a worker thread, in a copy of this context; on the event loop.

    Args:
        function: the function. What it returns is called when the thread may be given the next call.
        loop: the event loop, for `anyio.from_thread` in the thread.
        scope: the cancel scope of the tasks that `anyio.from_thread` starts.

    Raises:
        RuntimeError: no more threads can be started.
    """
    context = context_for(None)
    try:
        worker = _idle.pop()
    except IndexError:
        worker = _Worker()
        worker.start()
    worker.work.put((context, function, loop, scope))


class _Worker(threading.Thread):
    """One thread, which makes one call after another."""

    def __init__(self) -> None:
        super().__init__(name="binpickle-worker", daemon=True, **_EMPTY_CONTEXT())
        self.work: SimpleQueue[_Work] = SimpleQueue()

    def run(self) -> None:
        while True:
            work = self.next_work()
            if work is None:
                return
            context, function, loop, scope = work
            with ExitStack() as stack:
                with suppress(Exception):  # if anyio keeps this elsewhere, the call must go on all the same
                    _claim(stack, loop, scope)
                at_end = context.run(function)
            del work, context, function, loop, scope, stack  # an idle thread keeps nothing of its last call
            _idle.append(self)  # first, or the next call would start another thread
            at_end()
            del at_end

    def next_work(self) -> _Work | None:
        """Wait for the next call; return `None` if none comes for a while."""
        try:
            return self.work.get(timeout=_IDLE_SECONDS)
        except Empty:
            pass
        try:
            _idle.remove(self)
        except ValueError:  # a call is on its way
            return self.work.get()
        return None


_idle: deque[_Worker] = deque()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_idle.clear)  # no thread but one lives on in the child


def _claim(stack: ExitStack, loop: Any, scope: CancelScope) -> None:
    """Make `anyio.from_thread` reach an event loop from this thread, until the stack is left."""
    anyio_threads: Any = _eventloop
    get_backend = getattr(anyio_threads, "get_async_backend", None)  # of anyio 4
    claim = anyio_threads.claim_worker_thread
    stack.callback(vars(anyio_threads.threadlocals).clear)  # what is here belongs to this thread alone
    stack.enter_context(claim("asyncio") if get_backend is None else claim(get_backend("asyncio"), loop))
    anyio_threads.threadlocals.loop = loop  # for anyio 3
    anyio_threads.threadlocals.current_cancel_scope = scope  # for anyio 4
