"""Arrays that other classes hold: subclasses of `numpy.ndarray`, arrays of Python's `array`, and arrays of Arrow."""

from __future__ import annotations

import datetime
import io
import pickle
import sys
from array import array
from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest
from common import assert_same, each
from internals import pickle as pickle_module

import binpickle
from binpickle import BinPickleFile, FormatError, UntrustedError

N = 10_000
RAMP = np.arange(N)


class Plain(np.ndarray):
    """A subclass that leaves its pickling to NumPy."""

    note = "of the class"

    def __new__(cls) -> Any:
        raise AssertionError("loading an array makes it without __new__")


class Tagged(np.ndarray):
    """A subclass that adds to the state of NumPy, as units of astropy do."""

    tag: Any = None

    def __reduce__(self) -> Any:
        function, arguments, state = super().__reduce__()
        return function, arguments, (state, {"tag": self.tag})

    def __setstate__(self, state: Any) -> None:
        super().__setstate__(state[0])
        self.tag = state[1]["tag"]


class Column(np.ndarray):
    """A subclass that appends to the state of NumPy, as columns of astropy do."""

    def __reduce__(self) -> Any:
        function, arguments, state = super().__reduce__()
        return function, arguments, (*state, "name")

    def __setstate__(self, state: Any) -> None:
        super().__setstate__(state[:-1])


class Secret(np.ndarray):
    """A subclass whose pickle does not hold its memory as it is."""

    def __reduce__(self) -> Any:
        function, arguments, state = super().__reduce__()
        return function, arguments, (*state[:4], bytes(byte ^ 0x55 for byte in state[4]))

    def __setstate__(self, state: Any) -> None:
        super().__setstate__((*state[:4], bytes(byte ^ 0x55 for byte in state[4])))


class Finishing(np.ndarray):
    """A subclass that fills new arrays, and takes only empty ones that are made of nothing."""

    def __array_finalize__(self, other: Any) -> None:
        if other is None:
            assert self.size == 0
            self.fill(0)


class Odd(np.ndarray):
    """A subclass whose attributes have the names of NumPy's, and other values."""

    dtype = "wood"  # type: ignore[assignment]
    nbytes = None  # type: ignore[assignment]
    shape = "round"  # type: ignore[assignment]


class Nested(np.ndarray):
    """A subclass whose pickle has tuples that hold each other very often."""

    def __reduce__(self) -> Any:
        function, arguments, state = super().__reduce__()
        often: Any = ()
        for _ in range(60):
            often = often, often
        return function, arguments, (often, state)

    def __setstate__(self, state: Any) -> None:
        super().__setstate__(state[1])


class Items(array):
    """A subclass of an array of Python's own."""


CLASSES = [Plain, Tagged, Column, Finishing]
LAYOUTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "C": lambda a: a.reshape(100, -1),
    "Fortran": lambda a: a.reshape(100, -1).T,
    "strided": lambda a: a[::2],
    "reversed": lambda a: a[::-1],
    "two axes with gaps": lambda a: a.reshape(-1, 8)[:, 1:5],
    "broadcast": lambda a: np.broadcast_to(a[:100], (100, 100)),
    "small": lambda a: a[:3],
    "empty": lambda a: a[:0],
    "dates": lambda a: a.astype("M8[s]"),
    "structured": lambda a: np.rec.fromarrays([a, a / 2]).view(np.ndarray),
    "objects": lambda a: a.astype(object),
    "big-endian": lambda a: a.astype(">i4"),
}


@pytest.mark.parametrize("cls", CLASSES)
@each(LAYOUTS, "layout")
def test_subclass(cls: Any, layout: Callable[[np.ndarray], np.ndarray], tmp_path: Path) -> None:
    """An array of a subclass comes back with the class, the values and the attributes that pickle gives it."""
    obj = layout(RAMP.copy()).view(cls)
    expected = pickle.loads(pickle.dumps(obj, 4))
    for options in ({}, {"codecs": []}, {"mappable": True}):
        binpickle.dump(obj, tmp_path / "a.bpk", **options)
        for mode in (None, "r", "c"):
            got = binpickle.load(tmp_path / "a.bpk", mmap_mode=mode if options.get("mappable") else None)
            assert type(got) is cls
            assert got.dtype.newbyteorder("=") == obj.dtype.newbyteorder("=")  # that of NumPy's own pickles is native
            assert got.shape == obj.shape
            assert got.tolist() == expected.tolist()


@pytest.mark.parametrize("cls", CLASSES)
@pytest.mark.parametrize("name", ["C", "Fortran", "strided", "two axes with gaps", "dates", "big-endian"])
def test_size(cls: Any, name: str) -> None:
    """An array of a subclass is out of band with its dtype, and its file is as small as that of a plain array."""
    plain = LAYOUTS[name](RAMP)
    file = binpickle.dumps(plain.view(cls))
    assert len(file) < 1.02 * len(binpickle.dumps(plain)) + 300
    with BinPickleFile(io.BytesIO(file)) as opened:
        assert [(buffer.dtype, buffer.shape) for buffer in opened.buffers] == [(plain.dtype, plain.shape)]
        assert (opened.array(0) == plain).all()


def test_odd_attributes() -> None:
    """An array comes back whose class has other attributes by the names of NumPy's."""
    got = binpickle.loads(binpickle.dumps(RAMP.view(Odd)))
    assert type(got) is Odd
    assert np.asarray(got).tolist() == RAMP.tolist()


def test_nested_tuples() -> None:
    """What a class pickles may hold one tuple any number of times: it takes no time to look through it."""
    got = binpickle.loads(binpickle.dumps(RAMP.view(Nested)))
    assert got.tolist() == RAMP.tolist()


def test_mapped_subclass(tmp_path: Path) -> None:
    """An array of a subclass without pickling of its own is mapped, and keeps what its class has."""
    binpickle.dump(RAMP.view(Plain), tmp_path / "a.bpk", mappable=True)
    got = binpickle.load(tmp_path / "a.bpk", mmap_mode="r")
    assert not got.flags.writeable
    assert got.note == "of the class"


def test_attributes() -> None:
    """What a class adds to the state of its arrays comes back."""
    obj = RAMP.view(Tagged)
    obj.tag = {"unit": "m"}
    assert binpickle.loads(binpickle.dumps(obj)).tag == {"unit": "m"}


def test_other_bytes() -> None:
    """Bytes that only look like the memory of the array stay in the pickle as they are."""
    file = binpickle.dumps(RAMP.view(Secret))
    assert binpickle.loads(file).tolist() == RAMP.tolist()
    with BinPickleFile(io.BytesIO(file)) as opened:
        assert len(opened.buffers) == 0


def test_masked_subclass() -> None:
    """The data of a masked array of a subclass is out of band."""
    obj = np.ma.masked_array(RAMP.view(Plain), RAMP % 2 == 0)
    file = binpickle.dumps(obj)
    assert_same(binpickle.loads(file), pickle.loads(pickle.dumps(obj)))
    with BinPickleFile(io.BytesIO(file)) as opened:
        assert opened.buffers[0].dtype == RAMP.dtype


@each({"plain": Plain, "tagged": Tagged}, "cls")
def test_restricted_subclass(cls: Any) -> None:
    """Restricted loading makes arrays of a subclass that is trusted by name, and of no other."""
    file = binpickle.dumps(RAMP.view(cls))
    with pytest.raises(UntrustedError, match=cls.__name__):
        binpickle.loads(file, trusted=())
    got = binpickle.loads(file, trusted={f"{cls.__module__}:{cls.__name__}"})
    assert type(got) is cls
    assert got.tolist() == RAMP.tolist()


@each({"no class": Path, "with a state": Tagged}, "cls")
def test_forged_subclass(cls: Any) -> None:
    """A forged file makes no array of a class that is none of arrays, or that has a state of its own."""
    file = binpickle.dumps(Forged(cls))
    with pytest.raises(FormatError, match="is not a subclass of numpy.ndarray|has a state of its own"):
        binpickle.loads(file, trusted={f"{cls.__module__}:{cls.__name__}"})


class Forged:
    """Reduces to a call that makes an array of a class.

    Args:
        cls: the class.
    """

    def __init__(self, cls: Any):
        self._cls = cls

    def __reduce__(self) -> Any:
        from binpickle.rebuild import array_of_class

        return array_of_class, (self._cls, (2,), np.dtype("u1"), b"ab")


@pytest.mark.parametrize("code", "bBhHiIlLqQfd")
def test_typed_array(code: str) -> None:
    """An array of Python's module `array` is out of band with its dtype, and comes back."""
    obj = array(code, [i % 100 for i in range(N)])
    file = binpickle.dumps({"a": obj, "small": obj[:3], "empty": obj[:0]})
    got = binpickle.loads(file)
    assert (got["a"], got["a"].typecode) == (obj, code)
    assert (got["small"], got["empty"]) == (obj[:3], obj[:0])
    with BinPickleFile(io.BytesIO(file)) as opened:
        assert [buffer.dtype for buffer in opened.buffers] == [np.dtype(code)]
    assert len(file) < 1.02 * len(binpickle.dumps(np.array(obj, code))) + 300


@pytest.mark.skipif(sys.version_info >= (3, 16), reason="Python 3.16 has no such arrays")
@pytest.mark.filterwarnings("ignore:The 'u' type code is deprecated")
def test_typed_text() -> None:
    """An array of characters comes back."""
    obj = array("u", "a\xe9\u4e2d" * N)
    assert binpickle.loads(binpickle.dumps(obj)) == obj


def test_typed_array_may_grow() -> None:
    """An array of Python's module `array` may change its length as soon as it is written."""
    obj = array("d", range(N))
    binpickle.dumps(obj)
    obj.append(1.0)
    assert len(obj) == N + 1


def test_subclass_of_typed_array() -> None:
    """A subclass of `array.array` is pickled as pickle does it."""
    obj = Items("i", range(N))
    got = binpickle.loads(binpickle.dumps(obj))
    assert type(got) is Items
    assert got == obj


DAY = datetime.date(2020, 1, 1)
ARROW: dict[str, tuple[Callable[[Any], Any], list[str]]] = {
    "integers": (lambda pa: pa.array(RAMP), ["<i8"]),
    "with nulls": (lambda pa: pa.array([None, *range(N)], pa.int32()), ["None", "<i4"]),
    "a slice": (lambda pa: pa.array(RAMP)[10:-10], ["<i8"]),
    "times": (lambda pa: pa.array(RAMP.astype("M8[us]")), ["<i8"]),
    "dates": (lambda pa: pa.array([DAY] * N), ["<i4"]),
    "texts": (lambda pa: pa.array(["text"] * N), ["<i4", "None"]),
    "large texts": (lambda pa: pa.array(["text"] * N, pa.large_string()), ["<i8", "None"]),
    "lists": (lambda pa: pa.array([[1, 2], [3]] * N), ["<i4", "<i8"]),
    "lists of one length": (lambda pa: pa.array([[1, 2]] * N, pa.list_(pa.int16(), 2)), ["<i2"]),
    "structures": (lambda pa: pa.array([{"a": 1, "b": "x"}] * N), ["<i8", "<i4", "None"]),
    "categories": (lambda pa: pa.array([str(i) for i in RAMP]).dictionary_encode(), ["<i4", "<i4", "None"]),
    "booleans": (lambda pa: pa.array([True, False] * N), ["None"]),
    "maps": (lambda pa: pa.array([[("a", 1)]] * N, pa.map_(pa.string(), pa.int64())), ["None"] * 4),
    "a table": (lambda pa: pa.table({"a": RAMP, "b": RAMP / 2}), ["<i8", "<f8"]),
    "a batch": (lambda pa: pa.record_batch({"a": RAMP}), ["<i8"]),
}


@each(ARROW, "case")
def test_arrow(case: tuple[Callable[[Any], Any], list[str]]) -> None:
    """The buffers of Arrow have the element types of their arrays, as far as these are numbers."""
    pa = pytest.importorskip("pyarrow")
    make, dtypes = case
    obj = make(pa)
    file = binpickle.dumps(obj)
    assert binpickle.loads(file).equals(obj)
    with BinPickleFile(io.BytesIO(file)) as opened:
        found = [buffer.dtype.str if buffer.dtype else "None" for buffer in opened.buffers if buffer.nbytes > 16]
    assert found == dtypes


def test_arrow_size() -> None:
    """An array of Arrow is as small as that of NumPy."""
    pa = pytest.importorskip("pyarrow")
    assert len(binpickle.dumps(pa.array(RAMP))) < 1.02 * len(binpickle.dumps(RAMP)) + 300


@pytest.mark.parametrize("dtype", ["i8", "f4", "u2"])
def test_foreign_buffer(dtype: str) -> None:
    """A buffer of numbers that another class hands out comes back as bytes, and its file is as small as an array's."""
    numbers = RAMP.astype(dtype)
    file = binpickle.dumps(pickle_module.PickleBuffer(numbers))
    got = binpickle.loads(file)
    assert (got.format, got.tobytes()) == ("B", numbers.tobytes())
    assert len(file) < 1.02 * len(binpickle.dumps(numbers)) + 300
