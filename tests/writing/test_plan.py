"""The cut into chunks: every buffer has its place, aligned as promised, and only sizes and types decide where."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from common import small_chunks
from hypothesis import given, settings
from hypothesis import strategies as st
from internals import (
    ALIGN_FROM,
    ALIGNMENT,
    AUTO,
    CHUNK_BYTES,
    LARGE,
    PAGE,
    RAW,
    SHARE_BELOW,
    Kind,
    OutOfBand,
    Pickling,
    Plan,
    chain_from_specs,
    plan_buffers,
    plan_module,
)

CHAINS = [
    RAW,
    AUTO,
    chain_from_specs([{"id": "zstd", "level": 1}]),
    chain_from_specs([{"id": "shuffle", "elementsize": 8}]),
]
SMALL = 512  # bytes of a chunk in the tests of many
# What else is scaled down with it: large pages would leave nothing of small chunks.
SCALED = {"ALIGN_FROM": 64, "ALIGNMENT": 16, "LARGE": 128, "PAGE": 32}

DTYPES = st.sampled_from(["u1", "<i2", ">f4", "<f8", "<c16", "M8[s]", "S3", "V7", "i4,f8"])
# Arrays of an element type and length, each whole or some views of it.
ARRAYS = st.lists(
    st.tuples(DTYPES, st.integers(0, 300), st.lists(st.tuples(st.integers(0, 99), st.integers(0, 99)), max_size=3)),
    max_size=12,
)


def out_of_band(arrays: list[np.ndarray]) -> OutOfBand:
    pickling = Pickling(lambda piece: None, in_band_below=0)
    pickling.dump(arrays)
    return pickling.out_of_band()


def fill(seed: int, dtype: str, length: int) -> np.ndarray:
    """Make an array of its own memory, in which no byte is zero."""
    data = np.random.RandomState(seed).randint(1, 255, np.dtype(dtype).itemsize * length, np.uint8)
    return data.view(dtype)


def make(rows: list[tuple[str, int, list[tuple[int, int]]]]) -> list[np.ndarray]:
    arrays = []
    for seed, (dtype, length, views) in enumerate(rows):
        array = fill(seed, dtype, length)
        arrays += [array, *(array[a : a + n] for a, n in views)]
    return arrays


def data_of(plan: Plan) -> np.ndarray:
    """Return the logical bytes of all chunks."""
    return np.concatenate([np.zeros(0, np.uint8), *(chunk.gather().view(np.uint8) for chunk in plan.chunks)])


def places(plan: Plan) -> dict[int, int]:
    """Return the position of each chunk in a file that stores all chunks raw behind a stream, by logical position."""
    position, logical, found = 16 + 77, 0, {}
    for chunk in plan.chunks:
        position += -position % chunk.alignment
        found[logical] = position
        position, logical = position + chunk.nbytes, logical + chunk.nbytes
    return found


def check(found: OutOfBand, chain_ids: Any, mappable: bool) -> Plan:
    """Fail unless the plan for some buffers is sound."""
    plan = plan_buffers(found, CHAINS, chain_ids, mappable)
    data, edges = data_of(plan), list(itertools.accumulate([0, *(chunk.nbytes for chunk in plan.chunks)]))
    held, in_file = np.zeros(len(data), bool), places(plan)
    assert all(0 < chunk.nbytes <= plan_module.CHUNK_BYTES for chunk in plan.chunks)
    for i, (start, nbytes) in enumerate(zip(plan.starts, found.nbytes)):
        stop = start + nbytes
        assert bytes(data[start:stop]) == bytes(found.buffers[i].raw())
        if i in found.within or not nbytes:
            continue
        assert not held[start:stop].any(), "buffers overlap"
        held[start:stop] = True
        first = max(edge for edge in edges if edge <= start)
        assert {start, stop} <= set(edges) or stop <= first + plan_module.CHUNK_BYTES
        chunks = [chunk for edge, chunk in zip(edges, plan.chunks) if start - chunk.nbytes < edge < stop]
        assert {id(chunk.chain) for chunk in chunks} == {id(CHAINS[chain_ids[i]])}
        if not chunks[0].chain:
            place = in_file[first] + start - first
            assert place % promised(found.kinds[found.kind_ids[i]], mappable) == 0
    assert not data[~held].any(), "what no buffer holds is not zero"
    return plan


def promised(kind: Kind, mappable: bool) -> int:
    module: Any = plan_module
    if mappable and kind.nbytes >= module.LARGE:
        return int(module.PAGE)
    if mappable or kind.nbytes >= module.ALIGN_FROM:
        return int(module.ALIGNMENT)
    return 1 if kind.dtype is None else kind.dtype.alignment


@given(ARRAYS, st.integers(0, len(CHAINS) ** 6), st.booleans())
@settings(max_examples=150)
def test_sound(rows: list, choice: int, mappable: bool) -> None:
    """All bytes of any buffers are in the chunks once, aligned as promised, with zeros between them."""
    with small_chunks(SMALL), pytest.MonkeyPatch.context() as patch:
        for name, value in SCALED.items():
            patch.setattr(plan_module, name, value)
        found = out_of_band(make(rows))
        ids = [choice // len(CHAINS) ** (i % 6) % len(CHAINS) for i in range(len(found.buffers))]
        plan = check(found, ids, mappable)
        again = plan_buffers(found, CHAINS, ids, mappable)
        assert again.starts == plan.starts
        assert [chunk.nbytes for chunk in again.chunks] == [chunk.nbytes for chunk in plan.chunks]


@pytest.mark.parametrize("chain_id", range(len(CHAINS)))
@pytest.mark.parametrize("mappable", [False, True])
@pytest.mark.parametrize("around", [512, ALIGN_FROM, SHARE_BELOW, LARGE, CHUNK_BYTES, 2 * CHUNK_BYTES])
def test_sizes(around: int, mappable: bool, chain_id: int) -> None:
    """The plan is sound at the sizes at which the cut changes."""
    found = out_of_band([np.full(around + more, 7, np.uint8) for more in (-1, 0, 1)])
    check(found, [chain_id] * 3, mappable)


def sizes(arrays: list[np.ndarray], chain_id: int = 0, mappable: bool = False) -> list[int]:
    """Return the lengths of the chunks for some arrays."""
    found = out_of_band(arrays)
    return [chunk.nbytes for chunk in check(found, [chain_id] * len(found.buffers), mappable).chunks]


def test_large_buffer() -> None:
    """A large buffer has chunks of its own, cut at whole elements."""
    assert sizes([np.ones(CHUNK_BYTES + 5, np.uint8)]) == [CHUNK_BYTES, 5]
    assert sizes([np.ones(SHARE_BELOW, np.uint8), np.ones(1000, np.uint8)]) == [1000, SHARE_BELOW]
    cut = sizes([np.zeros(CHUNK_BYTES // 12, np.clongdouble)])
    assert all(nbytes % np.dtype(np.clongdouble).itemsize == 0 for nbytes in cut)


def test_small_buffers_share() -> None:
    """Small buffers of one dtype share chunks; these chunks follow the order of their first buffers."""
    mixed = [np.ones(100), np.ones(100, np.int32), np.ones(100), np.ones(50, np.int32)]
    assert sizes(mixed) == [1600, 600]
    assert sizes([np.ones(12_000) for _ in range(50)], 1) == [43 * 96_000, 7 * 96_000]


def test_codecs_that_need_elements_do_not_share() -> None:
    """Each buffer has chunks of its own if a codec does not take arbitrary bytes."""
    assert sizes([np.ones(100), np.ones(100)], 3) == [800, 800]


def test_views_are_stored_once() -> None:
    """A buffer within the memory of another buffer, or of equal memory, takes no room."""
    array = np.arange(1000.0)
    assert sizes([array, array[:900], array[5:9], array.view("u8")]) == [8000]
    assert sizes([array[:600], array[400:]]) == [4800 + 4800]
    assert sizes([array[:9], array]) == [8000]


def test_empty() -> None:
    """Empty buffers need no chunks, and neither do no buffers."""
    assert sizes([]) == []
    assert sizes([np.ones((0, 3)), np.ones(0, "S5")]) == []


def test_element_types() -> None:
    """Codecs see numbers as they are, dates as integers, and everything else as bytes."""
    arrays = [np.ones(1, t) for t in (">f4", "<c8", "?")] + [np.ones(1, "i8").view(t) for t in ("<M8[s]", "S8", "V8")]
    found = out_of_band(arrays)
    seen = [chunk.gather().dtype for chunk in plan_buffers(found, CHAINS, [0] * 6, False).chunks]
    assert seen == [np.dtype(t) for t in (">f4", "<c8", "?", "<i8", "u1", "u1")]


def test_nothing_is_copied() -> None:
    """A chunk of one buffer is a view of its memory."""
    array = np.ones(CHUNK_BYTES // 4)
    found = out_of_band([array])
    for chunk in plan_buffers(found, CHAINS, [0], False).chunks:
        assert np.shares_memory(chunk.gather(), array)


def test_constants() -> None:
    """The scaled-down sizes of these tests keep the order of the real sizes."""
    assert ALIGNMENT <= ALIGN_FROM <= SHARE_BELOW <= LARGE <= CHUNK_BYTES
    assert PAGE <= LARGE
