"""The memory into which the chunks of an open file are read."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from internals import allocate

from binpickle import LimitError


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
