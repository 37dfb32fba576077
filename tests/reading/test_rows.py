"""Rows of the arrays of a file are those that NumPy's indexing takes from the whole arrays."""

from __future__ import annotations

import io
import itertools
from pathlib import Path
from typing import Any

import hypothesis
import numpy as np
import pytest
from common import ROOT, each, small_chunks
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

import binpickle
from binpickle import BinPickleFile, CodecError

KEY = bytes(range(32))
RECORD = np.dtype([("a", ">i2"), ("b", "f8", (2,)), ("c", "U3"), ("d", "M8[s]")])


def structured(*shape: int) -> np.ndarray:
    made = np.zeros(shape, RECORD)
    made["a"] = np.arange(made.size).reshape(shape)
    made["b"] = np.arange(2 * made.size).reshape(*shape, 2) / 7
    made["c"] = made["a"].astype("U3")
    made["d"] = made["a"].astype("M8[s]")
    return made


CUBE = (np.arange(12 * 20 * 30) * 7919 % 10007).reshape(12, 20, 30)
ARRAYS = {
    "C": CUBE,
    "F": np.asfortranarray(CUBE),
    "turned": CUBE.transpose(1, 0, 2),
    "1-d": CUBE.reshape(-1).astype("f4"),
    "big-endian": CUBE.astype(">i4"),
    "complex": CUBE * (1 + 2j),
    "bytes": (CUBE % 251).astype("u1"),
    "dates": np.asfortranarray(CUBE.astype("M8[ms]")),
    "text": CUBE.astype("U5"),
    "strided": CUBE[::2, :, ::3],
    "reversed": CUBE[::-1],
    "structured": structured(40, 30),
    "records": structured(900).view(np.recarray),
    "wide items": np.frombuffer(np.random.RandomState(3).bytes(10 * 5003), "V5003"),
    "long rows": CUBE.reshape(2, -1),
    "thin rows": CUBE.reshape(-1, 2, 2),
    "one row": CUBE[:1],
    "bool": CUBE % 3 == 0,
}
WAYS = {
    "auto": {},
    "raw": {"codecs": None},
    "zstd": {"codecs": "zstd"},
    "shuffle alone": {"codecs": [{"id": "shuffle", "elementsize": 1}]},
    "two compressors": {"codecs": ["zstd", "lz4"]},
    "mappable": {"mappable": True},
    "Blosc": {"codecs": "blosc", "key": KEY},
}
ROWS = [0, 3, -1, slice(None), slice(2, 7), slice(-3, None), slice(5, 5), slice(9, 2), slice(0, 1), slice(1, 10**20)]


def taken(array: np.ndarray, rows: Any, axis: int) -> np.ndarray:
    """Return rows of an array as NumPy indexes them, as an array."""
    return array.view(np.ndarray)[(slice(None),) * axis + (rows, ...)]


def require_same(got: np.ndarray, want: np.ndarray) -> None:
    """Fail unless both arrays are equal, and the elements of the first lie as in a copy of the second."""
    assert type(got) is np.ndarray
    assert (got.dtype, got.shape) == (want.dtype, want.shape)
    assert got.tobytes() == want.tobytes()
    assert got.flags.aligned or not want.flags.aligned


def opened(data: bytes, **options: Any) -> BinPickleFile:
    return BinPickleFile(io.BytesIO(data), **options)


@each(ARRAYS, "array")
@each(WAYS, "way")
@pytest.mark.parametrize("chunk", [1 << 12, 1 << 22])
def test_rows(array: np.ndarray, way: Any, chunk: int) -> None:
    """Rows along any axis are those that NumPy's indexing gives, in fresh memory of their own size and order."""
    with small_chunks(chunk):
        data = binpickle.dumps([array], **way)
    with opened(data, key=way.get("key")) as file:
        whole = file.array(0)
        require_same(whole, np.asarray(array).view(np.ndarray))
        for axis in range(array.ndim):
            for rows in ROWS:
                if isinstance(rows, int) and rows >= array.shape[axis]:
                    continue
                got, want = file.array(0, rows, axis), taken(whole, rows, axis)
                require_same(got, want)
                copy = want.copy(order="K")
                assert got.flags.c_contiguous == copy.flags.c_contiguous
                assert got.flags.f_contiguous == copy.flags.f_contiguous
                assert got.flags.writeable
                np.copyto(got, np.zeros(got.shape, got.dtype))
        require_same(file.array(0), whole)
        require_same(file.buffers[0][1:3], taken(whole, slice(1, 3), 0))
        require_same(file.buffers[-1][-1], taken(whole, -1, 0))


@each({name: ARRAYS[name] for name in ("C", "F", "turned", "dates", "structured", "strided")}, "array")
@pytest.mark.parametrize("mode", ["r", "c"])
def test_mapped_rows(array: np.ndarray, mode: Any, tmp_path: Path) -> None:
    """Rows of a mapped array are a part of the mapping."""
    path = tmp_path / "a.bpk"
    binpickle.dump([array], path, mappable=True)
    with BinPickleFile(path, mmap_mode=mode) as file:
        whole = file.array(0)
        for axis, rows in itertools.product(range(array.ndim), ROWS[:5]):
            got = file.array(0, rows, axis)
            require_same(got, taken(whole, rows, axis))
            assert np.shares_memory(got, whole) == (mode == "r" or got.size > 0)
            assert got.flags.writeable == (mode == "c")


DTYPES = st.one_of(
    arrays_of.scalar_dtypes(),
    arrays_of.nested_dtypes(arrays_of.scalar_dtypes(), max_leaves=4, max_itemsize=200),
)
CODECS = st.sampled_from([None, "auto", "zstd", "lz4", [{"id": "shuffle", "elementsize": 1}, "zstd"], "zlib"])


@hypothesis.given(data=st.data())
def test_any_rows(data: st.DataObject) -> None:
    """Rows of arrays of any element type, shape and order, cut into chunks of any length, are those of NumPy."""
    dtype = data.draw(DTYPES.filter(lambda dtype: 0 < dtype.itemsize <= 400 and not dtype.subdtype))
    shape = data.draw(arrays_of.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=9))
    nbytes = int(np.prod(shape)) * dtype.itemsize
    noise = np.random.RandomState(data.draw(st.integers(0, 99))).randint(0, 3, nbytes).astype("u1")
    array = np.frombuffer(noise.tobytes(), dtype).reshape(shape) if nbytes else np.empty(shape, dtype)
    array = array.transpose(data.draw(st.permutations(range(len(shape)))))
    with small_chunks(data.draw(st.integers(64, 2000))):
        file = opened(binpickle.dumps([array], codecs=data.draw(CODECS), mappable=True))
    if not len(file.buffers):
        return
    whole = file.array(0)
    axis = data.draw(st.integers(0, array.ndim - 1))
    rows: Any = data.draw(st.slices(array.shape[axis]).filter(lambda rows: rows.step in (None, 1)))
    if array.shape[axis] and data.draw(st.booleans()):
        rows = data.draw(st.integers(-array.shape[axis], array.shape[axis] - 1))
    require_same(file.array(0, rows, axis - array.ndim), taken(whole, rows, axis))


GOLDEN = sorted((ROOT / "tests" / "data" / "golden").rglob("*.bpk"))


@each({f"{path.parent.name}-{path.stem}": path for path in GOLDEN}, "path")
def test_older_files(path: Path) -> None:
    """Rows of the arrays of older files, whose items may lie across the borders of chunks, are those of the arrays."""
    with BinPickleFile(path) as file:
        for i, buffer in enumerate(file.buffers):
            try:
                whole = file.array(i)
            except CodecError:  # Blosc, which only a plain load decodes
                continue
            for axis in range(whole.ndim):
                for rows in (slice(1, 3), slice(None), *([-1] if whole.shape[axis] else [])):
                    require_same(file.array(i, rows, axis), taken(whole, rows, axis))
            assert buffer.slowest_axis in (None, *range(whole.ndim))


def test_nothing_to_count_along() -> None:
    """Arrays without axes have no rows, and arrays without bytes have rows without bytes."""
    empty = [np.empty((3, 0, 2)), np.empty((4, 5), "V0"), np.empty(0)]
    with opened(binpickle.dumps([np.zeros((), "S600"), *empty, np.zeros(5, "V0")], mappable=True)) as file:
        assert [file.array(i).shape for i in range(len(file.buffers))][0] == ()
        with pytest.raises(IndexError, match="there is no axis 0"):
            file.array(0, 0)
        assert file.buffers[0].slowest_axis is None
        for i in range(1, len(file.buffers)):
            whole = file.array(i)
            require_same(file.array(i, slice(1, 3)), taken(whole, slice(1, 3), 0))


WRONG = {
    "no such row": ([12], IndexError, "there is no row 12: the array has 12"),
    "no such row from the end": ([-13], IndexError, "there is no row -13"),
    "no such axis": ([1, 3], IndexError, "there is no axis 3: the array has 3"),
    "a step": ([slice(0, 9, 2)], ValueError, "slice of step 1"),
    "backwards": ([slice(None, None, -1)], ValueError, "slice of step 1"),
    "a tuple": ([(1, 2)], TypeError, "row must be an integer"),
    "a float": ([1.0], TypeError, "row must be an integer"),
}


@each(WRONG, "args", "error", "match")
def test_wrong_rows(args: Any, error: Any, match: str) -> None:
    """Rows that are not there, or are no rows, are refused before anything is read."""
    with opened(binpickle.dumps([CUBE])) as file, pytest.raises(error, match=match):
        file.array(0, *args)


def test_closed_file() -> None:
    """A closed file gives no rows."""
    file = opened(binpickle.dumps([CUBE]))
    buffer = file.buffers[0]
    file.close()
    for read in (lambda: file.array(0, 1), lambda: file.arrays([0]), lambda: buffer[1]):
        with pytest.raises(ValueError, match="the file is closed"):
            read()
