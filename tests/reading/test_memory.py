"""The memory into which the chunks of an open file are read."""

from __future__ import annotations

import mmap
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from common import assert_same, each
from hypothesis import given
from hypothesis import strategies as st
from internals import SHARE_BELOW, SLAB_BYTES, Memory, allocate

import binpickle
from binpickle import LimitError

CODECS = {"raw": [], "auto": "auto", "encoded": ["zlib"]}


@pytest.mark.parametrize("nbytes", [1, 63, 4096, (4 << 20) - 1, 4 << 20, (4 << 20) + 1])
def test_fresh_memory(nbytes: int) -> None:
    """Fresh memory has the asked length and can be written; it begins at a cache line, or if large at a huge page."""
    memory = allocate(nbytes)
    assert memory.shape == (nbytes,)
    assert memory.dtype == np.uint8
    assert memory.flags.writeable
    assert memory.__array_interface__["data"][0] % (64 if nbytes < 4 << 20 else 2 << 20) == 0


# Python 3.7 keeps a freed MemoryError for reuse, NumPy's subclass too: later tests would get that for a MemoryError.
@pytest.mark.skipif(sys.version_info < (3, 8), reason="Python 3.7 reuses NumPy's MemoryError for other errors")
@pytest.mark.parametrize("nbytes", [1 << 62, (1 << 63) - 1, 1 << 64])
def test_no_memory(nbytes: int) -> None:
    """A file that needs more memory than there is raises `LimitError`, not an error of NumPy."""
    with pytest.raises(LimitError, match=f"^{nbytes} bytes of memory are needed, more than there are$") as caught:
        allocate(nbytes)
    assert caught.value.limit == "decoded_bytes"


@each(CODECS, "codecs")
def test_kept_array(codecs: Any) -> None:
    """A small array that is kept keeps at most 256 KiB of the arrays beside it, however it is stored."""
    sizes = [*range(1000, 100_000, 500), SLAB_BYTES - 16, SLAB_BYTES, SLAB_BYTES + 8, 8, 0, SHARE_BELOW - 8]
    arrays = [np.arange(size // 8) for size in sizes * 2]
    for got in binpickle.loads(binpickle.dumps(arrays, codecs=codecs)):
        assert _kept(got) <= max(got.nbytes, SLAB_BYTES) + 128  # each begins at a cache line


@each(CODECS, "codecs")
@given(sizes=st.lists(st.one_of(st.integers(0, 1 << 10), st.integers(0, 3 * SLAB_BYTES)), max_size=40))
def test_shared_chunks(codecs: Any, sizes: list[int]) -> None:
    """Arrays of any lengths, views among them, come back from the chunks that they share, in memory of their own."""
    arrays = [np.arange(n // 4, dtype=np.int32) for n in sizes]
    arrays += [array[1:] for array in arrays[::3]]
    got = binpickle.loads(binpickle.dumps(arrays, codecs=codecs))
    assert_same(got, arrays)
    for n, array in enumerate(got):
        array[:] = n
    assert all((array == n).all() for n, array in enumerate(got))


def _kept(array: np.ndarray) -> int:
    """Return the length of the memory that an array keeps alive."""
    owner: Any = array
    while isinstance(owner.base, np.ndarray):
        owner = owner.base
    return np.asarray(owner if owner.base is None else owner.base).nbytes


def test_parts() -> None:
    """The parts of memory hold what the whole held, and live without it and each other."""
    cuts = [0, 16, 4096, 5000, 70_000, 70_010, 200_000, 300_001]
    memory = Memory(cuts)
    memory.whole[:] = np.arange(cuts[-1]) % 251
    parts = dict(enumerate(memory.parts()))
    del memory
    for dropped in (0, 4, 1, 6, 3):
        del parts[dropped]
        for i, part in parts.items():
            assert (part == np.arange(cuts[i], cuts[i + 1]) % 251).all()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux gives pages back one by one")
def test_pages_given_back() -> None:
    """What no array refers to any more is given back to the system, page by page."""
    memory = Memory([*range(0, 64 << 20, 256 << 10), 64 << 20])
    memory.whole[:] = 1
    kept = memory.parts()[::16]
    before = _resident()
    del memory
    assert before - _resident() > 40 << 20
    assert all((part == 1).all() for part in kept)


@each({"Linux": "linux", "others": "darwin"}, "platform")
def test_platforms(platform: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts are the same on systems where pages cannot be given back one by one."""
    monkeypatch.setattr(sys, "platform", platform)
    memory = Memory([0, 100, 300_000])
    memory.whole[:] = 7
    assert [len(part) for part in memory.parts()] == [100, 299_900]
    assert all((part == 7).all() for part in memory.parts())


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * mmap.PAGESIZE
