"""The summary of a file agrees with its buffers one by one."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest

import binpickle
from binpickle import BinPickleFile

BASE = np.arange(40_000, dtype="f8")
NOISE = np.random.default_rng(0).integers(0, 1 << 62, 150_000)
OBJECTS = {
    "nothing": None,
    "one": NOISE,
    "small": [np.arange(200 + n, dtype="i4") for n in range(40)],
    "mixed": [NOISE, BASE, np.zeros(3000, "f4"), bytearray(5000), np.zeros((0, 3))],
    "views": [BASE, BASE[5_000:9_000], BASE[:], NOISE],
    "kinds": [np.zeros(500, [("a", "i4"), ("b", "f8")]), np.zeros(500, "M8[s]"), np.zeros((20, 30), order="F")],
}


def open_dumped(obj: Any, **arguments: Any) -> BinPickleFile:
    return BinPickleFile(io.BytesIO(binpickle.dumps(obj, **arguments)))


@pytest.fixture(params=sorted(OBJECTS))
def obj(request: pytest.FixtureRequest) -> Any:
    """Objects whose files differ in kind."""
    return OBJECTS[request.param]


@pytest.mark.parametrize(
    "arguments", [{}, {"mappable": True}, {"codecs": []}, {"codecs": ["shuffle", "zstd"]}], ids=str
)
def test_sums(obj: Any, arguments: dict[str, Any]) -> None:
    """The parts of a file add up to its size, however they are grouped."""
    with open_dumped(obj, **arguments) as opened:
        summary, buffers = opened.summary, list(opened.buffers)
        assert summary.size == len(binpickle.dumps(obj, **arguments))
        assert summary.stream.nbytes == len(opened.stream())
        assert summary.buffers.count == len(buffers)
        assert summary.buffers.nbytes == sum(buffer.nbytes for buffer in buffers)
        assert summary.nbytes == summary.stream.nbytes + summary.buffers.nbytes
        assert summary.stream.stored_nbytes + summary.buffers.stored_nbytes + summary.overhead == summary.size
        assert 0 < summary.overhead < summary.size
        for totals in (summary.by_codecs, summary.by_dtype):
            assert sum(total.count for total in totals.values()) == len(buffers)
            assert sum(total.nbytes for total in totals.values()) == summary.buffers.nbytes
            stored = [total.stored_nbytes for total in totals.values()]
            assert stored == sorted(stored, reverse=True)
            assert abs(sum(stored) - summary.buffers.stored_nbytes) <= len(totals)  # each is rounded


@pytest.mark.parametrize("name", ["one", "small", "mixed", "kinds"])
def test_each_buffer(name: str) -> None:
    """If no buffer lies within another, each buffer counts its own stored bytes."""
    with open_dumped(OBJECTS[name]) as opened:
        assert opened.summary.stored.tolist() == [buffer.stored_nbytes for buffer in opened.buffers]
        dtypes = {None if buffer.dtype is None else str(buffer.dtype) for buffer in opened.buffers}
        assert set(opened.summary.by_dtype) == dtypes


def test_views() -> None:
    """A buffer within another buffer counts 0 stored bytes."""
    with open_dumped(OBJECTS["views"], codecs=[]) as opened:
        summary = opened.summary
        assert sorted(summary.stored.tolist()) == [0, 0, BASE.nbytes, NOISE.nbytes]
        assert summary.buffers.stored_nbytes == BASE.nbytes + NOISE.nbytes
        assert summary.buffers.nbytes == 2 * BASE.nbytes + NOISE.nbytes + 4_000 * 8


def test_largest() -> None:
    """The largest buffers come first, equal ones in their order, and at most as many as asked for."""
    with open_dumped([np.zeros(n, "u1") for n in (2000, 5000, 1000, 5000)], codecs=[]) as opened:
        assert opened.summary.largest(10) == [1, 3, 0, 2]
        assert opened.summary.largest(1) == [1]
        assert opened.summary.largest(0) == []


@pytest.mark.parametrize(("digests", "checksum"), [(False, "xxh3-128"), (True, "sha256")])
def test_checksum(digests: bool, checksum: str) -> None:
    """A file's checksums are named; a closed file still knows its sizes."""
    with open_dumped(BASE, digests=digests) as opened:
        pass
    assert opened.summary.checksum == checksum
    assert opened.summary.version == 3
    assert opened.summary.name is None
