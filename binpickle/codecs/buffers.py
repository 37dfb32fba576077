"""Bytes that codecs take and give, and how many are expected."""

from __future__ import annotations

from typing import NamedTuple, Union

import numpy as np

__all__ = ["Buffer", "Size", "bytes_of"]

Buffer = Union[bytes, memoryview, np.ndarray]
"""Contiguous bytes, or a contiguous array that stands for its bytes."""


class Size(NamedTuple):
    """How many bytes are expected: exactly or at most `most`."""

    most: int
    exact: bool

    def check(self, nbytes: int) -> None:
        """Raise `ValueError` unless `nbytes` is what is expected."""
        if nbytes > self.most or (self.exact and nbytes != self.most):
            raise ValueError(f"{nbytes} bytes instead of {'' if self.exact else 'at most '}{self.most}")


def bytes_of(data: Buffer) -> memoryview:
    """Return the bytes of a contiguous buffer, over the same memory.

    Raises:
        TypeError: it is no buffer, or its items are objects.
    """
    if isinstance(data, np.ndarray):
        data = data.reshape(-1, order="A").view(np.uint8).data
    view = memoryview(data)
    return view.cast("B") if view.nbytes else memoryview(b"")
