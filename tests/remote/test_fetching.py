"""Parts that are fetched ahead: how ranges become parts, and that no reader waits for ever."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from internals import Fetcher, Window, merge

MIB = 1 << 20
DATA = bytes(np.random.default_rng(0).integers(0, 256, 40 * MIB, np.uint8))

MERGED = [
    ([], []),
    ([(5, 5)], []),
    ([(0, 10), (10, 20)], [(0, 20, 20)]),
    ([(0, 10), (30, 40)], [(0, 40, 20)]),
    ([(0, 10), (100_000, 100_010)], [(0, 10, 10), (100_000, 100_010, 10)]),
    ([(10, 20), (0, 10)], [(10, 20, 10), (0, 10, 10)]),
    ([(0, MIB), (MIB, 2 * MIB)], [(0, MIB, MIB), (MIB, 2 * MIB, MIB)]),
    ([(0, 10 * MIB)], [(0, 10 * MIB, 10 * MIB)]),
    ([(0, 20 * MIB)], [(0, 8 * MIB, 8 * MIB), (8 * MIB, 16 * MIB, 8 * MIB), (16 * MIB, 20 * MIB, 4 * MIB)]),
]


@pytest.mark.parametrize(("ranges", "parts"), MERGED, ids=str)
def test_merge(ranges: list[tuple[int, int]], parts: list[tuple[int, int, int]]) -> None:
    """Neighbours share a part, ranges that are far from each other do not, and long ones are cut."""
    assert merge(ranges) == parts


@given(st.lists(st.tuples(st.integers(0, 39 * MIB), st.integers(0, MIB)), max_size=30), st.booleans())
def test_reads_give_the_bytes(places: list[tuple[int, int]], threaded: bool) -> None:
    """Planned reads and others give the bytes of the object, in any order and thread."""
    fetcher = Fetcher(lambda start, stop: DATA[start:stop], Window(3, 4 * MIB))
    ranges = [(start, start + nbytes) for start, nbytes in places]
    fetcher.plan(ranges[::2])
    try:
        with ThreadPoolExecutor(4) as pool:
            read = list((pool.map if threaded else map)(lambda span: bytes(fetcher.read(*span)), ranges))  # type: ignore[operator]
    finally:
        fetcher.close()
    assert read == [DATA[start:stop] for start, stop in ranges]


def test_window_bounds_what_is_held() -> None:
    """Parts that nobody reads fill the window, and no more; the reader of a later part does not wait for them."""
    fetched: list[int] = []
    window = Window(4, 3 * MIB)
    fetcher = Fetcher(lambda start, stop: fetched.append(start) or DATA[start:stop], window)
    fetcher.plan([(i * 2 * MIB, i * 2 * MIB + MIB) for i in range(12)])
    while len(fetched) < 3:
        threading.Event().wait(0.001)
    other = Fetcher(lambda start, stop: DATA[start:stop], window)
    other.plan([(0, MIB), (2 * MIB, 3 * MIB)])
    assert bytes(other.read(2 * MIB, 3 * MIB)) == DATA[2 * MIB : 3 * MIB]
    assert bytes(fetcher.read(22 * MIB, 23 * MIB)) == DATA[22 * MIB : 23 * MIB]
    assert sorted(fetched) == [0, 2 * MIB, 4 * MIB, 22 * MIB]
    for i in range(11):
        fetcher.read(i * 2 * MIB, i * 2 * MIB + MIB)
    assert len(fetched) == 12
    fetcher.close()
    other.close()


def test_close_while_fetching() -> None:
    """Closing drops the parts that wait, and later files use the window as before."""
    window = Window(2, 8 * MIB)
    begun, go_on = threading.Semaphore(0), threading.Event()

    def slowly(start: int, stop: int) -> bytes:
        begun.release()
        go_on.wait()
        return DATA[start:stop]

    fetcher = Fetcher(slowly, window)
    fetcher.plan([(i * 2 * MIB, i * 2 * MIB + MIB) for i in range(12)])
    for _ in range(2):
        begun.acquire()
    fetcher.close()
    go_on.set()
    other = Fetcher(lambda start, stop: DATA[start:stop], window)
    ranges = [(i * MIB, (i + 1) * MIB) for i in range(16)]
    other.plan(ranges)
    assert b"".join(bytes(other.read(*span)) for span in ranges) == DATA[: 16 * MIB]
    other.close()
    assert not begun.acquire(timeout=0)
