"""The out-of-band buffers of one object, and which of them share memory.

Rule: a buffer that lies within the memory of another is stored once, as a part of that other buffer, its root.
"""

from __future__ import annotations

from typing import Any, Callable, Iterator, Mapping, NamedTuple, Sequence

import numpy as np

from ..format.contents import Kind

__all__ = ["OutOfBand", "find_shared"]


class OutOfBand(NamedTuple):
    """The out-of-band buffers of one object.

    Attributes:
        buffers: C-contiguous `PickleBuffer`s, or what stands for them, in the order in which the stream asks for them.
        kinds: the distinct kinds of the buffers: length, dtype, shape and order.
        kind_ids: for each buffer an index into `kinds`.
        within: for each buffer that lies within the memory of another: the number of that one, its root, and its
            position in it, in bytes. A root lies within no buffer.
        fetch: loads a buffer, or a slice of its `raw()`, into memory on demand; `None` if the buffers are in memory.
        sampled: whether `"auto"` may fetch samples of large buffers; if that takes too long, it chooses for each chunk.
    """

    buffers: Sequence[Any]
    kinds: Sequence[Kind]
    kind_ids: Sequence[int]
    within: Mapping[int, tuple[int, int]]
    fetch: Callable[[Any], Any] | None = None
    sampled: bool = True

    @property
    def nbytes(self) -> list[int]:
        """The lengths of the buffers."""
        nbytes = [kind.nbytes for kind in self.kinds]
        return [nbytes[i] for i in self.kind_ids]


def find_shared(buffers: Sequence[Any], sizes: Sequence[int]) -> dict[int, tuple[int, int]]:
    """Find the buffers that lie within the memory of another buffer of the same owner; return `OutOfBand.within`.

    Args:
        buffers: C-contiguous `PickleBuffer`s.
        sizes: their lengths in bytes.
    """
    owners: dict[int, list[int]] = {}
    for i, buffer in enumerate(buffers):
        obj = memoryview(buffer).obj
        base = getattr(obj, "base", None)
        owners.setdefault(id(obj if base is None else base), []).append(i)
    within: dict[int, tuple[int, int]] = {}
    for members in owners.values():
        if len(members) > 1:
            within.update(_nested(members, [_address(buffers[i]) for i in members], [sizes[i] for i in members]))
    return within


def _nested(
    members: Sequence[int], begins: Sequence[int], sizes: Sequence[int]
) -> Iterator[tuple[int, tuple[int, int]]]:
    """Yield each buffer within another one, among the numbers `members`. `begins` are their addresses."""
    root, root_begin, root_end = -1, 0, -1
    for begin, size, i in sorted(zip(begins, sizes, members), key=lambda row: (row[0], -row[1], row[2])):
        if begin + size <= root_end and size:
            yield i, (root, begin - root_begin)
        elif begin + size > root_end:
            root, root_begin, root_end = i, begin, begin + size


def _address(buffer: Any) -> int:
    # Half the time of `__array_interface__`, which describes the type, too.
    address: int = np.frombuffer(buffer.raw(), np.uint8).ctypes.data
    return address
