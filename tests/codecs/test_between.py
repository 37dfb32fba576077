"""What lies between the codecs of a chain, in files of unknown origin."""

from __future__ import annotations

import bz2
import lzma
from typing import Any

import numpy as np
import pytest
from internals import chain_from_specs, decode, encode, shuffle, unshuffle
from numcodecs import Zstd

from binpickle import CodecError

WIDER = {"id": "astype", "encode_dtype": "<c16", "decode_dtype": "|u1"}
DELTA = {"id": "delta", "dtype": "|u1", "astype": "<i8"}
SHUFFLE = {"id": "shuffle", "elementsize": 2}
ZSTD, BZ2, LZMA = {"id": "zstd"}, {"id": "bz2"}, {"id": "lzma"}
NOISE = np.random.RandomState(0).bytes(30_000)


def zstd(data: bytes) -> bytes:
    return bytes(Zstd(9).encode(data))


# Specs, stored bytes, decoded length, and what the error says.
REFUSED: dict[str, tuple[list[Any], bytes, int, str]] = {
    "each filter makes 16 times as much": (
        [WIDER, WIDER, ZSTD],
        zstd(bytes(1 << 14)),
        64,
        "makes 16384 bytes of a chunk",
    ),
    "filters together": (
        [DELTA, {"id": "shuffle"}, {"id": "shuffle"}, ZSTD],
        zstd(bytes(8000)),
        1000,
        "makes 8000 bytes",
    ),
    "more than an encoded chunk may have": ([WIDER, ZSTD], zstd(bytes(80 << 20)), 5 << 20, "makes 83886080 bytes"),
    "five filters": ([SHUFFLE] * 5 + [ZSTD], zstd(bytes(64)), 64, "more than 4 filters in a chain"),
    "a fast codec feeds a slow one": ([BZ2, ZSTD], zstd(bz2.compress(NOISE) * 20), 600_000, "at most"),
    "and filters do": ([LZMA, SHUFFLE, ZSTD], zstd(lzma.compress(NOISE) * 20), 600_000, "at most"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    """A chain that makes far more than the chunk on the way is refused before it does."""
    specs, stored, nbytes, message = REFUSED[name]
    with pytest.raises(CodecError, match=message):
        decode(chain_from_specs(specs), stored, nbytes, hostile=True)


@pytest.mark.parametrize(
    "specs",
    [
        [DELTA, SHUFFLE, ZSTD],
        [SHUFFLE] * 4 + [ZSTD],
        [{"id": "lz4"}, ZSTD],
        [BZ2, LZMA],
        [ZSTD] * 8,
    ],
    ids=["wider numbers", "four filters", "lz4 and zstd", "bz2 and lzma", "eight compressors"],
)
@pytest.mark.parametrize("data", [np.zeros(4 << 20, np.uint8), np.frombuffer(NOISE, np.uint8), np.zeros(2, np.uint8)])
def test_fine(specs: list[Any], data: np.ndarray) -> None:
    """Chains that people write decode in files of unknown origin, of zeros, noise and two bytes."""
    chain = chain_from_specs(specs)
    assert bytes(decode(chain, encode(chain, data), data.nbytes, hostile=True)) == data.tobytes()


@pytest.mark.parametrize("elementsize", [1, 16, 17, 255, 256, 257, 1000])
@pytest.mark.parametrize("count", [0, 1, 16, 17, 255, 256, 257, 700])
def test_shuffle_of_large_elements(elementsize: int, count: int) -> None:
    """The shuffle has the first bytes of all elements first, whatever the sizes of its tiles."""
    data = np.random.RandomState(count).randint(0, 256, elementsize * count, np.uint8)
    shuffled = shuffle(data, elementsize)
    assert np.array_equal(shuffled, data.reshape(count, elementsize).T.reshape(-1))
    assert np.array_equal(unshuffle(memoryview(shuffled), elementsize), data)
