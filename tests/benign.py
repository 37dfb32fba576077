"""Objects of built-in and NumPy types, of every kind that restricted loading promises: a table, and strategies."""

from __future__ import annotations

import collections
import datetime
import decimal
import fractions
import pathlib
import uuid
from array import array
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as stn

__all__ = ["OBJECTS", "arrays", "objects"]

RECORD = np.dtype([("a", "<i4"), ("b", "S3", (2,))])
ALIGNED = np.dtype([("a", "i1"), ("b", "f8"), ("c", "M8[ms]")], align=True)
SHARED = ["shared"]


def _objects() -> Any:
    array = np.empty((2, 3), object, order="F")
    array[:] = [[1, "a", None], [[2], np.arange(2), {"k": SHARED}]]
    return array


def _generator(name: str) -> Any:
    generator = np.random.Generator(getattr(np.random, name)(7))
    generator.standard_normal(3, np.float32)
    return generator


def _strings() -> dict[str, Any]:
    if not hasattr(np, "dtypes") or not hasattr(np.dtypes, "StringDType"):
        return {}
    plain, missing = np.dtypes.StringDType(), np.dtypes.StringDType(na_object=np.nan, coerce=False)
    return {
        "StringDType": plain,
        "StringDType array": np.array([["a"], ["a longer string than fits in place"]], plain),
        "StringDType with missing strings": np.array(["a", np.nan, ""], missing),
    }


OBJECTS: dict[str, Any] = {
    "constants": [None, True, False, ..., NotImplemented, type(None), type(...), int, np.float64, np.ndarray],
    "integers": [0, -1, 255, 256, 1 << 31, -(1 << 31), 1 << 62, -(1 << 2000), (1 << 2040) - 1],
    "floats": [0.0, -0.0, float("inf"), float("nan"), 1e-300, 1 + 2j],
    "strings": ["", "a", "\xe9", "\ud800", "x" * 300, "y" * 70_000, b"", b"b" * 300, b"c" * 70_000, bytearray(b"d")],
    "containers": [(), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4), [[]], {1: {}}, {1}, frozenset({2}), {(1, (2,)): 3}],
    "typed arrays": [
        array(code, range(n)) for code in "bBhHiIlLqQfd" for n in (0, 3, 100, 2000)[: 3 if code in "bB" else 4]
    ],
    "shared": [SHARED, SHARED, (SHARED,)],
    "collections": [
        collections.OrderedDict(b=1, a=2),
        collections.defaultdict(list, a=[1]),
        collections.defaultdict(None, a=1),
        collections.Counter("aab"),
        collections.deque([1, [2]], maxlen=5),
        collections.deque("ab"),
    ],
    "numbers": [fractions.Fraction(1, 3), decimal.Decimal("1.50"), decimal.Decimal("NaN")],
    "indices": [range(1, 9, 2), slice(1, None), slice("a", np.int64(3), 1.5)],
    "times": [
        datetime.date(2020, 2, 29),
        datetime.time(23, 59, 59, 999_999, fold=1),
        datetime.datetime(2020, 1, 2, 3, 4, 5, 6, datetime.timezone.utc, fold=1),
        datetime.timedelta(-1, 2, 3),
        datetime.timezone(datetime.timedelta(hours=1), "X"),
    ],
    "identifiers": [uuid.UUID(int=5), uuid.uuid1(), pathlib.Path("a/b"), pathlib.PureWindowsPath("c:/x")],
    "dtypes": [
        np.dtype(spec)
        for spec in ("?", "<i8", ">f4", "c8", "f2", "g", "O", "S5", ">U3", "V7", "M8[ns]", ">m8[25s]", "M8", RECORD)
    ],
    "more dtypes": [
        np.dtype([(("title", "a"), "<i4"), ("b", ">f8")]),
        np.dtype("f8", metadata={"x": 1}),
        np.dtype((np.record, [("a", "f8")])),
        np.dtype(("f8", (2, 3))),
        np.dtype([]),
    ],
    "scalars": [np.float64(1.5), np.bool_(True), np.int8(-3), np.str_("abc"), np.bytes_(b"ab"), np.complex64(1j)],
    "more scalars": [np.datetime64("2020", "ns"), np.timedelta64(3, "h"), np.zeros(1, RECORD)[0], np.void(b"ab")],
    "array": np.arange(6.0).reshape(2, 3),
    "large array": np.arange(500.0),
    "scalar array": np.array(3),
    "Fortran array": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "transposed array": np.arange(24).reshape(2, 3, 4).transpose(1, 0, 2),
    "strided array": np.arange(20)[::3],
    "reversed array": np.arange(20)[::-1],
    "broadcast array": np.broadcast_to(np.arange(3), (4, 3)),
    "empty arrays": [np.zeros((0, 3)), np.zeros((2, 0), "M8[s]"), np.zeros(0, object), np.zeros(3, [])],
    "read-only array": np.frombuffer(b"abcdefgh", "i2"),
    "big-endian array": np.arange(4, dtype=">i4"),
    "dates": np.array(["2020-01-01", "NaT"], "M8[D]"),
    "strided dates": np.arange(6).astype("m8[us]")[::2],
    "structured array": np.array([(1, [b"a", b"bc"])], RECORD),
    "aligned array": np.zeros(3, ALIGNED),
    "aligned records": np.zeros(3, np.dtype((np.record, ALIGNED))).view(np.recarray),
    "objects": _objects(),
    "structured objects": np.array([(1, "a"), (2, [3])], [("n", "i4"), ("o", "O")]),
    "record array": np.rec.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")]),
    "matrix": np.arange(4).reshape(2, 2).view(np.matrix),
    "masked array": np.ma.array([1, 2, 3], mask=[0, 1, 0], fill_value=7),
    "masked array without a mask": np.ma.array([1.5, 2]),
    "masked records": np.ma.array([(1, 2.0)], mask=[(0, 1)], dtype=[("a", "i4"), ("b", "f8")]),
    "masked objects": np.ma.array(np.array(["a", None], object), mask=[0, 1]),
    "masked": np.ma.masked,
    **{f"Generator({name})": _generator(name) for name in ("MT19937", "PCG64", "Philox", "SFC64")},
    "RandomState": np.random.RandomState(3),
    "SeedSequence": np.random.SeedSequence([1, 2], spawn_key=(3,)),
    **_strings(),
}
"""Objects by what they are. Each is made of types of the built-in safe set only."""

_strings_of_bytes = st.one_of(stn.unicode_string_dtypes(), stn.byte_string_dtypes())
arrays = stn.arrays(
    st.one_of(stn.scalar_dtypes(), _strings_of_bytes, stn.nested_dtypes(max_itemsize=99)),
    stn.array_shapes(min_dims=0, min_side=0, max_side=4),
)
"""Arrays of all plain types and of structures of them."""

_atoms = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(1 << 600), 1 << 600),
    st.floats(),
    st.complex_numbers(),
    st.text(),
    st.binary(),
    st.binary().map(bytearray),
    st.dates(),
    st.datetimes(),
    st.timedeltas(),
    st.times(),
    st.decimals(),
    st.fractions(),
    st.uuids(),
    st.builds(range, st.integers(-9, 9), st.integers(), st.integers(1)),
    arrays,
)
_keys = st.recursive(
    st.one_of(st.integers(), st.text(), st.binary(), st.booleans(), st.none(), st.dates()),
    lambda inner: st.one_of(st.tuples(inner), st.tuples(inner, inner), st.frozensets(inner, max_size=3)),
    max_leaves=4,
)

objects = st.recursive(
    _atoms,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=5).map(tuple),
        st.dictionaries(_keys, inner, max_size=4),
        st.dictionaries(_keys, inner, max_size=3).map(collections.OrderedDict),
        st.dictionaries(_keys, inner, max_size=3).map(lambda items: collections.defaultdict(dict, items)),
        st.lists(inner, max_size=3).map(lambda items: collections.deque(items, maxlen=5)),
        st.sets(_keys, max_size=4),
        st.frozensets(_keys, max_size=4),
        inner.map(lambda item: [item, item]),
    ),
    max_leaves=12,
)
"""Nested objects of the built-in safe set."""
