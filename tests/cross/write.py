"""Writes the objects that must load under the other major release of NumPy: `python write.py FILE`.

Rule: `values` builds equal objects under every NumPy, so that `read.py` can build them again and compare.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

import binpickle

NUMBERS = ["?", "b", "B", "<i2", "<u2", "<i4", "<u4", "<i8", "<u8", "<f2", "<f4", "<f8", "<c8", "<c16", "g", "G"]
OTHER_ORDER = [">i2", ">u8", ">f4", ">c16"]
TIMES = ["<M8[ns]", "<M8[D]", "<m8[us]", ">M8[s]"]
TEXTS = ["S5", "<U7", "V9"]
POINT = np.dtype([("x", "<f8"), ("name", "S8"), ("at", "<M8[s]"), ("more", "<i4", (2, 2))], align=True)


def array(dtype: Any, count: int = 300) -> np.ndarray:
    """Return an array of `count` different items of any dtype."""
    size = np.dtype(dtype).itemsize
    if np.dtype(dtype).kind in "biufcmM":
        return np.arange(count).astype("i8").astype(dtype)
    if np.dtype(dtype).kind in "SU":
        return np.array([str(i) for i in range(count)], dtype)
    return (np.arange(count * size) % 251).astype("u1").view(dtype)


def points() -> np.ndarray:
    """Return a structured array with padding, text, times and a sub-array."""
    table = np.zeros(100, POINT)
    table["x"] = np.linspace(0, 1, 100)
    table["name"] = b"point"
    table["at"] = np.datetime64("2026-01-01", "s")
    table["more"][:, 1, 0] = np.arange(100)
    return table


def values() -> dict[str, Any]:
    """Return one value of every kind of NumPy object that must cross releases, by name."""
    grid = np.arange(6000.0).reshape(20, 300)
    found = {f"array {dtype}": array(dtype) for dtype in NUMBERS + OTHER_ORDER + TIMES + TEXTS}
    found.update({f"scalar {dtype}": array(dtype)[7] for dtype in NUMBERS + TIMES + TEXTS})
    found.update({f"dtype {dtype}": np.dtype(dtype) for dtype in NUMBERS + OTHER_ORDER + TIMES + TEXTS})
    found.update(
        {
            "dtype structured": POINT,
            "empty": np.zeros((0, 3)),
            "small": np.arange(3),
            "zero-dimensional": np.array(2.5),
            "fortran": np.asfortranarray(grid),
            "strided": grid[::2, ::3],
            "transposed": grid.reshape(4, 5, 300).transpose(2, 0, 1),
            "read-only": np.frombuffer(grid.tobytes()),
            "objects": np.array([None, "text", {"a": 1.5}, 1 << 70], object),
            "masked": np.ma.masked_less(grid, 100.0),
            "masked constant": np.ma.masked,
            "masked structured": np.ma.array(points(), mask=np.arange(100) % 2 == 0),
            "matrix": np.matrix(grid),
            "structured": points(),
            "record array": points().view(np.recarray),
            "record": points().view(np.recarray)[3],
            "void": points()[3],
        }
    )
    return found


if __name__ == "__main__":
    binpickle.dump(values(), sys.argv[1], metadata={"numpy": np.__version__})
