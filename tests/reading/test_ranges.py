"""Ranges of bytes: which pages they cover when they are joined, and how they are cut into windows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from internals import PAGE, ranges

import binpickle
from binpickle import BinPickleFile

PAIRS = st.lists(st.tuples(st.integers(0, 20 * PAGE), st.integers(0, 5 * PAGE)), max_size=8)


def as_ranges(pairs: list[tuple[int, int]]) -> ranges.Ranges:
    starts, lengths = np.array(pairs, np.int64).reshape(-1, 2).T
    return starts, starts + lengths


def pages(found: ranges.Ranges) -> list[int]:
    return [page for start, stop in zip(*found) for page in range(start // PAGE, -(-stop // PAGE))]


@given(PAIRS)
def test_joined(pairs: list[tuple[int, int]]) -> None:
    """Joined ranges are ascending, hold every byte of the ranges, and have each of their pages once and no other."""
    given_ranges = as_ranges(pairs)
    got = ranges.joined(*given_ranges)
    real = [(start, stop) for start, stop in zip(*given_ranges) if stop > start]
    want = sorted({page for start, stop in real for page in range(start // PAGE, -(-stop // PAGE))})
    assert pages(got) == want
    assert all(any(a <= start and stop <= b for a, b in zip(*got)) for start, stop in real)
    assert ranges.ranges_nbytes(got) == sum(stop - start for start, stop in zip(*got))


@given(PAIRS, st.integers(1, 3 * PAGE))
def test_windows(pairs: list[tuple[int, int]], nbytes: int) -> None:
    """Windows are the ranges in order, cut at multiples of the length of a window and nowhere else."""
    whole = ranges.joined(*as_ranges(pairs))
    got = list(ranges.windows(whole, nbytes))
    assert all(start < stop and start // nbytes == (stop - 1) // nbytes for start, stop in got)
    merged: list[list[int]] = []
    for start, stop in got:
        if merged and merged[-1][1] == start and start % nbytes == 0:
            merged[-1][1] = stop
        else:
            merged.append([start, stop])
    assert [tuple(pair) for pair in merged] == [(int(start), int(stop)) for start, stop in zip(*whole)]


def test_buffers(tmp_path: Path) -> None:
    """The ranges of buffers are where they are stored; of encoded ones that is whole chunks, and views have no more."""
    base = np.random.default_rng(0).random(100_000)
    obj = {"base": base, "view": base[100:200], "zeros": np.zeros(200_000), "last": base + 1}
    binpickle.dump(obj, tmp_path / "a.bpk")
    with BinPickleFile(tmp_path / "a.bpk") as opened:
        nbytes, total = opened.warm([0])
        assert base.nbytes <= nbytes == total <= base.nbytes + 2 * PAGE
        assert opened.warm([0, 1])[1] == total
        assert opened.warm([1])[1] == 800
        assert 0 < opened.warm([2])[1] < 20_000
        assert opened.warm([3])[1] == 800_000
        assert opened.warm([])[1] == 0
        assert opened.warm()[1] == opened.nbytes
        assert opened.warm(range(4))[1] <= opened.nbytes
    binpickle.dump([np.empty((0, 3)), base], tmp_path / "b.bpk", mappable=True)
    with BinPickleFile(tmp_path / "b.bpk", mmap_mode="r") as opened:
        assert opened.warm([0]) == (0, 0)
