"""The running event loop: whether it is asyncio's or Trio's, how threads call it, and what contexts say of it."""

from __future__ import annotations

import sys
from contextlib import suppress
from contextvars import Context, copy_context
from typing import Any, Callable, Hashable

import anyio.lowlevel

__all__ = ["LoopCaller", "call_on_loop", "context_for", "current_loop", "is_asyncio", "loop_caller"]

LoopCaller = Callable[[Callable[[], object]], None]
"""Makes an event loop call a function soon, in any thread; once the loop is closed, never."""


def current_loop() -> Hashable:
    """Return what stands for the running event loop: that of asyncio itself, or the token of a run of Trio."""
    token: Any = anyio.lowlevel.current_token()
    return getattr(token, "native_token", token)  # type: ignore[no-any-return]  # anyio 4.11 wraps it


def is_asyncio(loop: Any) -> bool:
    """Return whether `current_loop` returned a loop of asyncio, or one that takes its place, such as that of uvloop."""
    return hasattr(loop, "call_soon_threadsafe")


def call_on_loop(loop: Any, function: Callable[[], object]) -> None:
    """Make the loop that `current_loop` returned call a function soon; in any thread, amid any code.

    Raises:
        RuntimeError: it is closed.
    """
    (loop.call_soon_threadsafe if is_asyncio(loop) else loop.run_sync_soon)(function)


def loop_caller(loop: Any) -> LoopCaller:
    """Return the caller of the loop that `current_loop` returned."""

    def caller(function: Callable[[], object]) -> None:
        with suppress(RuntimeError):  # it is closed
            call_on_loop(loop, function)

    return caller


def context_for(library: str | None) -> Context:
    """Return a copy of this context, for code that runs on `"asyncio"`, on `"trio"`, or in no loop (`None`)."""
    context = copy_context()
    sniffio: Any = sys.modules.get("sniffio")  # the newest anyio goes without it
    if sniffio is not None:
        context.run(sniffio.current_async_library_cvar.set, library)
    return context
