"""What dumps, loads: equal, of the same dtype, and aligned, for every dtype of NumPy and every pair of fields."""

from __future__ import annotations

import pickle as plain
from typing import Any, Iterator

import numpy as np
import pytest
from common import each
from hypothesis import given
from hypothesis import strategies as st

import binpickle

WAYS: dict[str, dict[str, Any]] = {
    "auto": {},
    "raw": {"codecs": []},
    "a codec": {"codecs": ["zlib"]},
    "mappable": {"mappable": True},
}
FIELDS: dict[str, Any] = {
    **{code: code for code in "?bBhHiIlLqQefdgFDGO"},
    **{f"swapped {code}": np.dtype(code).newbyteorder() for code in "hIqefdgFD"},
    **{name: name for name in ("S5", "U3", "V7", "M8[s]", "m8[ns]", "M8[25us]", "S0", "U0", "V0")},
    "three floats": ("f4", (3,)),
    "two dates": ("M8[D]", (2,)),
    "two objects": ("O", (2,)),
    "a structure": [("a", "M8[ms]"), ("b", "u1")],
    "a structure of objects": [("a", "O"), ("b", "m8[s]")],
}
ALIGNED = 16


def filled(dtype: Any, count: int) -> np.ndarray:
    """An array whose bytes differ; objects are strings, or `None`."""
    array = np.zeros(count, dtype)
    if not array.dtype.hasobject:
        octets = np.random.default_rng(count).integers(0, 100, array.nbytes).astype(np.uint8)
        return np.frombuffer(octets.tobytes(), array.dtype) if array.nbytes and array.dtype.kind != "U" else array
    for name in array.dtype.names or ():
        if array.dtype[name] == np.dtype("O"):
            array[name] = [f"name {i}" for i in range(count)]
    return array


def described(array: Any) -> Any:
    """What two equal arrays have in common."""
    content = repr(array.tolist()) if array.dtype.hasobject else array.tobytes()
    return type(array), array.dtype, array.shape, content, array.flags.writeable


def arrays(dtype: Any) -> Iterator[np.ndarray]:
    for count in (1, 100):
        yield filled(dtype, count)


def check(array: np.ndarray, way: dict[str, Any]) -> None:
    loaded = binpickle.loads(binpickle.dumps([array, array[:1]], **way))[0]
    assert described(loaded) == described(plain.loads(plain.dumps(array, 4)) if array.dtype.hasobject else array)
    assert loaded.ctypes.data % min(ALIGNED, loaded.dtype.alignment or 1) == 0


@each(WAYS)
@pytest.mark.parametrize("name", FIELDS)
def test_dtype(name: str, row: dict[str, Any]) -> None:
    """An array of any dtype of NumPy comes back equal, and writable if it was."""
    for array in arrays(FIELDS[name]):
        check(array, row)
        writable = array.copy()
        check(writable, row)


@each({name: WAYS[name] for name in ("auto", "mappable")})
@pytest.mark.parametrize("first", FIELDS)
def test_pairs_of_fields(first: str, row: dict[str, Any]) -> None:
    """A structure of any two kinds of fields comes back equal."""
    for second in FIELDS.values():
        for array in arrays([("a", FIELDS[first]), ("b", second)]):
            check(array, row)


@each(WAYS)
@given(
    sizes=st.lists(st.integers(0, 5000), max_size=8),
    dtypes=st.lists(st.sampled_from(["?", "u1", "f4", "f8", "g", "D", "S3", "M8[s]"]), min_size=8, max_size=8),
)
def test_aligned(row: dict[str, Any], sizes: list[int], dtypes: list[str]) -> None:
    """Whatever lies beside it, each array that is loaded begins at a multiple of 16 bytes, as from `malloc`."""
    made = [np.zeros(size, dtype) for size, dtype in zip(sizes, dtypes)]
    for array, loaded in zip(made, binpickle.loads(binpickle.dumps(made, **row))):
        assert (loaded.dtype, loaded.shape) == (array.dtype, array.shape)
        assert not loaded.nbytes or loaded.ctypes.data % ALIGNED == 0
