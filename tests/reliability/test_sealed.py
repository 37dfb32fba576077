"""A sealed file is refused if anything in it was changed."""

from __future__ import annotations

import io
from typing import Any, Callable, Iterator

import numpy as np
import pytest

import binpickle
from binpickle import BinPickleError, BinPickleFile

KEY = bytes(range(32))
NBYTES = 4096


@pytest.fixture(scope="module")
def sealed() -> bytes:
    """A sealed file of about 4 KiB: a stream, raw and encoded chunks, metadata."""
    noise = np.random.default_rng(0).integers(0, 1 << 62, 340)
    obj: dict[str, Any] = {"noise": noise[:300], "again": noise[300:].astype("f4"), "zeros": np.zeros(500)}
    data = binpickle.dumps(obj, key=KEY, metadata={"name": "value"}, codecs=[_zeros])
    assert NBYTES * 0.8 < len(data) < NBYTES * 1.2
    return data


def _zeros(buffer: memoryview) -> str | None:
    return "zlib" if buffer.nbytes == 4000 else None


def accepts(data: bytes) -> bool:
    """Return whether a file opens and has no errors."""
    try:
        with BinPickleFile(io.BytesIO(data), key=KEY) as opened:
            return not opened.find_errors(threads=1)
    except BinPickleError:
        return False


def test_as_it_was(sealed: bytes) -> None:
    """The unchanged file is accepted."""
    assert accepts(sealed)


def test_every_bit(sealed: bytes, size: Callable[[int], int]) -> None:
    """A file with any one bit changed is refused."""
    bits = np.unpackbits(np.frombuffer(sealed, np.uint8))
    step = -(-len(bits) // size(len(bits)))
    for bit in range(0, len(bits), step):
        bits[bit] ^= 1
        assert not accepts(np.packbits(bits).tobytes()), bit
        bits[bit] ^= 1


def test_every_length(sealed: bytes) -> None:
    """A file that is cut off anywhere is refused, and so is a file with bytes added at its end or its beginning."""
    for length in range(len(sealed)):
        assert not accepts(sealed[:length]), length
    for more in (b"\0", sealed[-1:], sealed[-96:], sealed, bytes(4096)):
        assert not accepts(sealed + more)
        assert not accepts(more + sealed)


def test_moved_parts(sealed: bytes) -> None:
    """A file is refused if two pieces have changed places, or if a piece is missing."""
    for first, second in _pieces(len(sealed)):
        one, other = sealed[first], sealed[second]
        moved = sealed[: first.start] + other + sealed[first.stop : second.start] + one + sealed[second.stop :]
        assert not accepts(moved)
        assert not accepts(sealed[: first.start] + sealed[first.stop :])


def _pieces(length: int) -> Iterator[tuple[slice, slice]]:
    """Yield pairs of pieces of the same length, near and far from each other; the bytes of a pair differ."""
    for size in (8, 32, 64, 400):
        for start in range(16, length - 2 * size - 200, 173):
            for far in (start + size, (start + length // 2) % (length - size)):
                if far >= start + size:
                    yield slice(start, start + size), slice(far, far + size)


def test_loads_refuse_too(sealed: bytes) -> None:
    """`loads` and `inspect` refuse changed files as well, mapped or not."""
    for bit in range(0, 8 * len(sealed), 1009):
        data = bytearray(sealed)
        data[bit // 8] ^= 1 << bit % 8
        for copy in (True, False):
            with pytest.raises(BinPickleError):
                binpickle.loads(bytes(data), key=KEY, copy=copy, trusted=())
