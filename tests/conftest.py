"""What holds for every test: it leaks no file descriptor and no thread, and Hypothesis repeats itself in CI."""

from __future__ import annotations

import gc
import os
import signal
import threading
import time
from typing import Callable, Iterator

import hypothesis
import pytest

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # as in a job that a script put into the background
    signal.signal(signal.SIGINT, signal.default_int_handler)

OPEN_FILES = "/proc/self/fd"
# Trio keeps an idle worker thread for ten seconds, for the next who needs one, whatever was run in it.
KEPT_BY_TRIO = "Trio thread"

hypothesis.settings.register_profile("dev", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "dev")


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """The event loops that every test marked `anyio` runs on."""
    return request.param


@pytest.fixture(autouse=True)
def no_leaked_threads() -> Iterator[None]:
    """Fail a test after which a thread runs that it started."""
    before = _threads()
    yield
    leaked = _left(_threads, before)
    assert not leaked, f"threads still running: {leaked}"


@pytest.fixture(autouse=True)
def no_leaked_descriptors() -> Iterator[None]:
    """Fail a test after which a file is open that it opened. Seen on Linux only."""
    before = _descriptors()
    yield
    leaked = _left(_descriptors, before)
    assert not leaked, f"descriptors still open: {leaked}"


def _threads() -> set[object]:
    return {thread for thread in threading.enumerate() if not thread.name.startswith(KEPT_BY_TRIO)}


def _descriptors() -> set[object]:
    found = set()
    for descriptor in os.listdir(OPEN_FILES) if os.path.isdir(OPEN_FILES) else ():
        try:
            found.add((descriptor, os.readlink(f"{OPEN_FILES}/{descriptor}")))
        except FileNotFoundError:  # the one that listed the folder
            continue
    return found


def _left(look: Callable[[], set[object]], before: set[object], seconds: float = 2.0) -> set[object]:
    """What was not there before, once cycles are collected and what is just ending had time to end."""
    end = time.monotonic() + seconds
    left = look() - before
    while left and time.monotonic() < end:
        gc.collect()
        time.sleep(0.01)
        left = look() - before
    return left
