"""Files around streams that no writer would make, with an index and checksums that fit.

Rule: the file is valid in all but what the caller makes wrong, so that reading it reaches what is to be tested.
"""

from __future__ import annotations

import hashlib
from typing import Any, Sequence

import numpy as np
from numcodecs.zstd import Zstd

from binpickle.format.contents import Kind
from binpickle.format.header import NATIVE_ORDER, VERSION, Header
from binpickle.format.write_index import IndexBuilder
from binpickle.pickling.protocol import pickle

__all__ = ["EMPTY", "file_of", "packed"]

EMPTY = pickle.dumps(None, 5)
"""The stream of `None`."""
_CHUNK = 4 << 20
_ZSTD = ({"id": "zstd"},)


def file_of(frames: list[bytes], sizes: list[int], chains: list[Any], stream: bytes = EMPTY, listed: int = 0) -> bytes:
    """Return a file of a stream, not encoded, and of encoded buffers.

    Args:
        frames: the stored bytes of each buffer.
        sizes: the length that the index claims for each.
        chains: the codec chain of each.
        stream: the pickle stream.
        listed: how often the index lists each buffer, if more than once.
    """
    return _file([(stream, len(stream), ())], len(stream), list(zip(frames, sizes, chains)), listed or 1)


def packed(stream: bytes, buffers: Sequence[bytes] = (), listed: int = 1) -> bytes:
    """Return a file of a stream and buffers that zstd makes as small as it can."""
    pieces = [stream[at : at + _CHUNK] for at in range(0, len(stream), _CHUNK)]
    chunks = [(bytes(Zstd(3).encode(piece)), len(piece), _ZSTD) for piece in pieces]
    encoded = [(bytes(Zstd(3).encode(buffer)), len(buffer), _ZSTD) for buffer in buffers]
    return _file(chunks, len(stream), encoded, listed)


def _file(stream: list[Any], length: int, buffers: list[Any], listed: int) -> bytes:
    index = IndexBuilder("sha256")
    for data, size, chain in stream + buffers:
        index.place(size, len(data), chain, hashlib.sha256(data).digest())
    kinds = [Kind(size) for _, size, _ in buffers]
    ends = np.cumsum([length, *(kind.nbytes for kind in kinds)])
    starts = np.repeat(ends[:-1], listed).tolist()
    data, trailer = index.finish(length, starts, kinds, np.repeat(np.arange(len(kinds)), listed).tolist(), {}, {})
    body = b"".join(data for data, _, _ in stream + buffers)
    return Header(VERSION, NATIVE_ORDER).pack() + body + data + trailer.pack()
