"""Loads the file that `write.py` wrote under another release of NumPy, in every way: `python read.py FILE`."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from write import values

import binpickle


def check(name: str, got: Any, wanted: Any) -> None:
    """Compare a loaded value with the written one: class, dtype, shape, elements, and the mask of masked arrays.

    Raises:
        AssertionError: the values differ.
    """
    assert type(got) is type(wanted), (name, type(got), type(wanted))
    if isinstance(wanted, np.dtype):
        assert got == wanted, (name, got)
        return
    assert (got.dtype, got.shape) == (wanted.dtype, wanted.shape), (name, got.dtype, got.shape)
    np.testing.assert_array_equal(np.asarray(got), np.asarray(wanted), err_msg=name)
    np.testing.assert_array_equal(np.ma.getmaskarray(got), np.ma.getmaskarray(wanted), err_msg=name)


def main(path: str) -> None:
    """Load the file in every way, compare all values, and print their number."""
    expected = values()
    with binpickle.BinPickleFile(path) as file:
        writer = file.metadata["numpy"]
    for options in [{}, {"mmap_mode": "r"}, {"mmap_mode": "c"}, {"trusted": ()}]:
        loaded = binpickle.load(path, **options)
        assert list(loaded) == list(expected)
        for name, wanted in expected.items():
            check(name, loaded[name], wanted)
    print(f"{len(expected)} values written by NumPy {writer}, the same under {np.__version__}")


if __name__ == "__main__":
    main(sys.argv[1])
