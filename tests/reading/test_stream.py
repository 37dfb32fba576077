"""Long bytes and strings within the pickle stream: loaded as pickle loads them, and not held twice."""

from __future__ import annotations

import io
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from common import each, small_chunks
from hypothesis import given
from hypothesis import strategies as st

import binpickle

MIB = 1 << 20
NOISE = np.random.RandomState(0).bytes(9000)
CODECS: dict[str, Any] = {"auto": "auto", "raw": [], "zstd": ["zstd"], "blosc": ["blosc"]}
KINDS: dict[str, Any] = {"bytes": bytes, "bytearray": bytearray, "str": lambda data: data.decode("latin-1")}


@each(CODECS, "codecs")
@pytest.mark.parametrize("threads", [1, 3])
@given(st.lists(st.tuples(st.sampled_from(sorted(KINDS)), st.booleans(), st.integers(0, 9000)), max_size=6))
def test_long_and_short(codecs: Any, threads: int, pieces: list[tuple[str, bool, int]]) -> None:
    """Bytes, byte arrays and strings of any length load as they were, wherever chunks end, of files and of memory."""
    obj = [KINDS[kind](NOISE[:length] if noise else b"x" * length) for kind, noise, length in pieces]
    with small_chunks():
        data = binpickle.dumps(obj, codecs=codecs, threads=threads)
        for loaded in (binpickle.loads(data, threads=threads), binpickle.load(io.BytesIO(data), threads=threads)):
            assert loaded == obj
            assert list(map(type, loaded)) == list(map(type, obj))


@each(KINDS, "make")
def test_held_once(make: Any, tmp_path: Path) -> None:
    """A long value is read straight into its place: beside it and what pickle needs, a few chunks are in memory."""
    path, size = tmp_path / "a.bpk", 48 * MIB
    binpickle.dump([make(bytes(size))], path, codecs=[])
    tracemalloc.start()
    try:
        (value,) = binpickle.load(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(value) == size
    copies = 2 if isinstance(value, str) else 1  # pickle itself decodes a string from its bytes
    assert peak < copies * size + 20 * MIB


@each(CODECS, "codecs")
def test_progress(codecs: Any) -> None:
    """`progress` counts each byte of a long value once."""
    told: list[tuple[int, Any]] = []
    with small_chunks():
        data = binpickle.dumps([NOISE, bytearray(NOISE), NOISE.decode("latin-1")], codecs=codecs)
        binpickle.loads(data, progress=lambda done, total: told.append((done, total)))
    done, total = told[-1]
    assert done == total
    assert total >= 3 * len(NOISE)


@each(KINDS, "make")
def test_damage(make: Any) -> None:
    """A changed byte within a long value is found, in whichever chunk it is."""
    with small_chunks():
        data = binpickle.dumps([make(NOISE)], codecs=[])
        for place in range(100, 9000, 1000):
            changed = bytearray(data)
            changed[place] ^= 1
            with pytest.raises(binpickle.IntegrityError):
                binpickle.loads(changed)
