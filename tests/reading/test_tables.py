"""The tables of files that are opened more than once."""

from __future__ import annotations

import numpy as np
import pytest

import binpickle
from binpickle import BinPickleError, LimitError, Limits

ARRAYS = [np.arange(1000), np.arange(2000)]


def test_damage_after_opening() -> None:
    """A file that was opened before is still checked from its first byte to its last, mapped data excepted."""
    good = binpickle.dumps(ARRAYS, mappable=True)
    (first, second) = (binpickle.loads(good, copy=False)[i] for i in range(2))
    mapped = {offset for array in (first, second) for offset in places(good, array)}
    for at in range(0, len(good), 3):
        if at not in mapped:
            damaged = good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :]
            with pytest.raises(BinPickleError):
                binpickle.loads(damaged, copy=False)
    assert np.array_equal(binpickle.loads(good)[1], ARRAYS[1])


def places(data: bytes, array: np.ndarray) -> range:
    """Return the positions in a file of the bytes of an array over the memory of the file."""
    offset = array.__array_interface__["data"][0] - np.frombuffer(data, np.uint8).__array_interface__["data"][0]
    return range(offset, offset + array.nbytes)


def test_limits_after_opening() -> None:
    """Limits hold for a file that was opened with other limits before."""
    data = binpickle.dumps(ARRAYS, codecs=None)
    assert len(binpickle.loads(data)) == 2
    for limits in (Limits(buffers=1), Limits(decoded_bytes=100), Limits(index_bytes=10)):
        with pytest.raises(LimitError):
            binpickle.loads(data, limits=limits)


def test_many_files() -> None:
    """Each of thousands of files loads its own object, in any order."""
    files = [binpickle.dumps(np.full(100, n), codecs=None) for n in range(1500)]
    for order in (range(1500), reversed(range(1500))):
        assert all(int(binpickle.loads(files[n])[-1]) == n for n in order)
