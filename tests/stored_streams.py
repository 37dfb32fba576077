"""Files of every version around a pickle stream that is given, which no pickler needs to have written."""

from __future__ import annotations

import hashlib
from typing import Any, Sequence

import numpy as np
from internals import NATIVE_ORDER, VERSION, Header, IndexBuilder, Kind
from legacy_files import Entry, build_v1, build_v2

__all__ = ["VERSIONS", "file_of"]

VERSIONS = (1, 2, 3)


def file_of(stream: bytes, buffers: Sequence[Any] = (), version: int = VERSION, times: int = 1) -> bytes:
    """Return a file that holds a pickle stream and buffers, all raw.

    Args:
        stream: its bytes.
        buffers: the out-of-band buffers.
        version: of the format.
        times: how often each buffer is listed, in version 3.
    """
    parts = [bytes(buffer) for buffer in buffers]
    if version < VERSION:
        build = build_v1 if version == 1 else build_v2
        return build(*map(Entry, [*parts, stream]))
    header = Header(VERSION, NATIVE_ORDER).pack()
    index = IndexBuilder("sha256")
    for part in [stream, *parts]:
        if part:
            index.place(len(part), len(part), (), hashlib.sha256(part).digest())
    sizes = [len(part) for part in [stream, *parts]]
    starts = np.cumsum(sizes)[:-1].astype(np.int64)
    kinds = [Kind(size) for size in sizes[1:]]
    ids = np.repeat(np.arange(len(kinds)), times)
    data, trailer = index.finish(len(stream), starts[ids].tolist(), kinds, ids.tolist(), {}, {})
    return header + stream + b"".join(parts) + data + trailer.pack()
