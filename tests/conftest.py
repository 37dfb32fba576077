"""Rules for every test: it leaks no file descriptor and no thread, and in CI Hypothesis repeats itself.

`pyproject.toml` sets the time limit of a test, and pytest-timeout enforces it.
"""

from __future__ import annotations

import gc
import os
import signal
import threading
import time
from typing import Callable, Iterator

import hypothesis
import pytest

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # a shell sets this for a job in the background of a script
    signal.signal(signal.SIGINT, signal.default_int_handler)

OPEN_FILES = "/proc/self/fd"
# Trio keeps an idle worker thread for ten seconds, and BinPickle one for a second; the next caller uses it again.
KEPT = ("Trio thread", "binpickle-worker")

hypothesis.settings.register_profile("dev", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "dev")


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """The event loop that a test marked `anyio` runs on: the test runs once on each."""
    return request.param


@pytest.fixture(autouse=True)
def no_leaked_threads() -> Iterator[None]:
    """Fail a test that leaves a thread running."""
    before = _threads()
    yield
    leaked = _left(_threads, before)
    assert not leaked, f"threads still running: {leaked}"


@pytest.fixture(autouse=True)
def no_leaked_descriptors() -> Iterator[None]:
    """Fail a test that leaves a file open. Only Linux lists the open files, so other systems check nothing."""
    before = _descriptors()
    yield
    leaked = _left(_descriptors, before)
    assert not leaked, f"descriptors still open: {leaked}"


def _threads() -> set[object]:
    return {thread for thread in threading.enumerate() if not thread.name.startswith(KEPT)}


def _descriptors() -> set[object]:
    found = set()
    for descriptor in os.listdir(OPEN_FILES) if os.path.isdir(OPEN_FILES) else ():
        try:
            found.add((descriptor, os.readlink(f"{OPEN_FILES}/{descriptor}")))
        except FileNotFoundError:  # `listdir` had this descriptor open to list the folder
            continue
    return found


def _left(look: Callable[[], set[object]], before: set[object], seconds: float = 2.0) -> set[object]:
    """Return what `look` finds and `before` lacks, after cycles are collected and threads had `seconds` to end."""
    end = time.monotonic() + seconds
    left = look() - before
    while left and time.monotonic() < end:
        gc.collect()
        time.sleep(0.01)
        left = look() - before
    return left
