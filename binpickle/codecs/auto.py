"""`codecs="auto"`: whether zstd pays for an array, and whether a byte shuffle before it does.

Rule: the choice depends on the array's bytes and item size alone. A small array is encoded both ways. Of a large one
only a sample is, spread over the array, so that the choice costs about a millisecond.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Callable

import numpy as np

from .byteshuffle import shuffle
from .chain import RAW, Chain, chain_from_specs, encode

__all__ = ["choose", "encode_best"]

# Fewer bytes cannot save enough to be worth a call of a codec.
_LEAST = 512
# Up to here, encoding all of it both ways takes less time than calling zstd for each block of a sample.
_SMALL = 256 << 10

# Sixteen blocks would do. One more takes the sample of a large array beyond 256 KiB; below that size zstd searches
# otherwise than it does in whole chunks.
_BLOCKS = 17
# A few blocks suffice where the result is clear. For random numbers they save most of the cost.
_FEW_BLOCKS = 5
_CLEAR = 0.08
_LEAST_BLOCK = 2 << 10
_LARGEST_BLOCK = 16 << 10
# So a block grows with the array, and the sample stays below 7 % of it, down to where it would say too little.
_BLOCK_SHARE = 256

# A raw array is written several times as fast, and can be mapped. Compression must save a fifth to be worth more.
_WORTHWHILE = 0.80
# zstd is two to three times as fast on shuffled bytes. That speed is worth 3 % of the size.
_SHUFFLE_BONUS = 1.03
# The shuffle visits each cache line once for each byte of an item: it is slow for larger items.
_MAX_ITEMSIZE = 64

_ZSTD: Chain = chain_from_specs([{"id": "zstd", "level": 1}])


def encode_best(data: np.ndarray) -> tuple[Chain, memoryview]:
    """Return the chain that suits a chunk, `RAW`, zstd, or shuffle and zstd, and the chunk encoded by it.

    Args:
        data: the chunk, 1-d, of its element type.
    """
    itemsize = _shuffled_itemsize(data.dtype.itemsize)
    if data.nbytes < _LEAST:
        return RAW, encode(RAW, data)
    if data.nbytes > _SMALL:
        chain = choose(data.view(np.uint8), itemsize)
        return chain, encode(chain, data)
    chain, encoded = _ZSTD, encode(_ZSTD, data)
    if itemsize > 1:
        shuffled = encode(_shuffle_zstd(itemsize), data)
        if shuffled.nbytes < _SHUFFLE_BONUS * encoded.nbytes:
            chain, encoded = _shuffle_zstd(itemsize), shuffled
    return (chain, encoded) if encoded.nbytes <= _WORTHWHILE * data.nbytes else (RAW, encode(RAW, data))


def choose(data: Any, itemsize: int, fetch: Callable[[Any], Any] | None = None) -> Chain:
    """Return the chain that suits a large array: `RAW`, zstd, or shuffle and zstd.

    Args:
        data: the bytes of the array: a buffer of bytes, or anything of which `fetch` makes such buffers.
        itemsize: the length of an item, of which `data` is a multiple; 1 for what has no items.
        fetch: loads a slice of `data` into memory; `None` if `data` is in memory.
    """
    itemsize = _shuffled_itemsize(itemsize)
    for blocks in (_FEW_BLOCKS, _BLOCKS):
        sample = _sample(data, itemsize, blocks, fetch)
        plain = _encoded_size(sample)
        shuffled = plain if itemsize == 1 else _shuffled_size(sample)
        share = min(plain, shuffled) / max(sample.size, 1)
        unclear = abs(share - _WORTHWHILE) < _CLEAR or share < _WORTHWHILE and itemsize > 1
        if not unclear:
            break
    if share > _WORTHWHILE:
        return RAW
    return _shuffle_zstd(itemsize) if itemsize > 1 and shuffled < _SHUFFLE_BONUS * plain else _ZSTD


def _shuffled_itemsize(itemsize: int) -> int:
    return itemsize if itemsize <= _MAX_ITEMSIZE else 1


def _sample(data: Any, itemsize: int, blocks: int, fetch: Callable[[Any], Any] | None) -> np.ndarray:
    """Return blocks of items, spread evenly from the first to the last, as rows of bytes; all items if they are few."""
    items = len(data) // itemsize
    block = min(max(len(data) // _BLOCK_SHARE, _LEAST_BLOCK), _LARGEST_BLOCK) // itemsize
    parts = [data]
    if items > blocks * block:
        starts = [(items - block) * i // (blocks - 1) for i in range(blocks)]
        parts = [data[start * itemsize : (start + block) * itemsize] for start in starts]
    loaded = [np.frombuffer(part, np.uint8) for part in (parts if fetch is None else map(fetch, parts))]
    return (loaded[0] if len(loaded) == 1 else np.concatenate(loaded)).reshape(-1, itemsize)


def _shuffled_size(sample: np.ndarray) -> int:
    planes = shuffle(sample.reshape(-1), sample.shape[1])
    # In a whole chunk the planes lie farther apart than zstd looks back, and share no statistics: each by itself.
    return sum(map(_encoded_size, planes.reshape(sample.shape[1], -1)))


def _encoded_size(data: np.ndarray) -> int:
    return encode(_ZSTD, data.reshape(-1)).nbytes


@lru_cache(maxsize=None)
def _shuffle_zstd(itemsize: int) -> Chain:
    return chain_from_specs([{"id": "shuffle", "elementsize": itemsize}, {"id": "zstd", "level": 1}])
