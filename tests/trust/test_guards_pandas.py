"""Frames, series, indexes and arrays of pandas whose states lie are refused when they are loaded."""

from __future__ import annotations

import copyreg
import datetime
import importlib
import importlib.util
import io
from typing import Any, Callable

import numpy as np
import pytest
from forging import Forged, load, with_state
from internals import pickle

from binpickle import BinPickleError, trust

pd = pytest.importorskip("pandas", "1.4")
new = vars(copyreg)["__newobj__"]


def named(name: str) -> Any:
    """Return what pandas has under a name of the form `module:qualname`."""
    module, _, qualname = name.partition(":")
    return getattr(importlib.import_module(module), qualname)


MANAGERS = "pandas.core.internals.managers"
OFFSETS = "pandas._libs.tslibs.offsets"
RANGE = pd.RangeIndex(2)
FLOATS = np.arange(2.0)
TABLE = np.arange(4.0).reshape(2, 2)
STRINGS = np.array(["a", None], object)
CODES = np.array([0, 1], "int8")
TIMES = np.array(["2020-01-01", "2020-01-02"], "datetime64[ns]")
SPANS = np.array([1, 2], "timedelta64[ns]")
MASK = np.array([False, True])
TIMED = pd.IntervalDtype("datetime64[ns]", "right")
OVER_NUMPY: Any = getattr(pd.arrays, "NumpyExtensionArray", None) or pd.arrays.PandasArray
LABELS = pd.CategoricalDtype(["a", "b"])


def block(values: Any = TABLE, places: Any = slice(0, 2, 1), ndim: Any = 2) -> Forged:
    return Forged(named("pandas._libs.internals:_unpickle_block"), (values, places, ndim))


def manager(*blocks: Any, axes: Any = (RANGE, RANGE)) -> Forged:
    return Forged(named(f"{MANAGERS}:BlockManager"), (blocks, list(axes)))


def frame(*blocks: Any, **state: Any) -> Forged:
    held = {"_mgr": manager(*(blocks or (block(),))), "_typ": "dataframe", "_metadata": [], "attrs": {}}
    return Forged(new, (pd.DataFrame,), {**held, "_flags": {"allows_duplicate_labels": True}, **state})


def rows(values: Any = FLOATS, places: Any = slice(0, 2, 1), axes: Any = (RANGE,), **more: Any) -> Forged:
    """Return the manager of a series."""
    state = {"axes": list(axes), "blocks": [{"values": values, "mgr_locs": places}], **more}
    return Forged(new, (named(f"{MANAGERS}:SingleBlockManager"),), ([], [], [], {"0.14.1": state}))


def series(held: Any = None, **state: Any) -> Forged:
    kept = {"_mgr": rows() if held is None else held, "_typ": "series", "_metadata": [], "attrs": {}}
    return Forged(new, (pd.Series,), {**kept, "_flags": {"allows_duplicate_labels": True}, "_name": None, **state})


def index(cls: Any = pd.Index, **state: Any) -> Forged:
    return Forged(named("pandas.core.indexes.base:_new_Index"), (cls, state))


def multi(**state: Any) -> Forged:
    held = {"levels": [pd.Index(["a", "b"])], "codes": [CODES], "sortorder": None, "names": [None]}
    return index(pd.MultiIndex, **{**held, **state})


def times(**state: Any) -> Forged:
    return Forged(named("pandas.core.indexes.datetimes:_new_DatetimeIndex"), (pd.DatetimeIndex, state))


def intervals(left: Any = RANGE, right: Any = RANGE, closed: Any = "right", **more: Any) -> Forged:
    function = named("pandas.core.indexes.interval:_new_IntervalIndex")
    return Forged(function, (pd.IntervalIndex, {"left": left, "right": right, "closed": closed, **more}))


CHECKSUM = pd.Categorical(["a"]).__reduce__()[1][1]


def backed(cls: Any, *state: Any) -> Forged:
    return Forged(named("pandas._libs.arrays:__pyx_unpickle_NDArrayBacked"), (cls, CHECKSUM, None), state)


def category(codes: Any = CODES, dtype: Any = LABELS, *more: Any) -> Forged:
    return backed(pd.Categorical, dtype, codes, *more)


def sides(left: Any = FLOATS, right: Any = FLOATS, dtype: Any = None, **more: Any) -> Forged:
    real = pd.arrays.IntervalArray.from_breaks([0.0, 1.0])
    function, arguments = real.__reduce__()[:2]
    held = {"_left": left, "_right": right, "_dtype": real.dtype if dtype is None else dtype, **more}
    return Forged(function, arguments, (held,))


def masked(dtype: str = "Int64", **state: Any) -> Forged:
    real = pd.array([1, None], dtype=dtype)
    return with_state(real, lambda held: held.update(state))


def sparse(**state: Any) -> Forged:
    return with_state(pd.arrays.SparseArray([0, 1, 2]), lambda held: held.update(state))


def kind(dtype: Any, **state: Any) -> Forged:
    return Forged(new, (type(dtype),), state)


def places(name: str, *arguments: Any) -> Forged:
    return Forged(named(f"pandas._libs.sparse:{name}"), arguments)


def offset(name: str, *arguments: Any, state: Any = None) -> Forged:
    return Forged(named(f"{OFFSETS}:{name}"), arguments, state)


def step(**state: Any) -> Forged:
    """Return a `DateOffset`."""
    return with_state(pd.DateOffset(months=1), lambda held: held.update(state))


def local(**state: Any) -> Forged:
    """Return the time zone of the computer, as dateutil has it."""
    return with_state(importlib.import_module("dateutil.tz").tzlocal(), lambda held: held.update(state))


def ints(*numbers: int) -> Any:
    return np.array(numbers, np.int32)


def unbuilt(cls: Any) -> Forged:
    """Return an object without its state."""
    return Forged(new, (cls,))


FORGED: list[tuple[str, Any, str]] = [
    ("dimensions", block(ndim=3), "the dimensions of a block"),
    ("too few places", block(places=slice(0, 1, 1)), "more or fewer columns than places"),
    ("too many places", block(places=slice(0, 3, 1)), "more or fewer columns than places"),
    ("flat values in a frame", block(FLOATS, slice(0, 2, 1)), "a block of 2 dimensions has values of 1"),
    ("a cube", block(np.zeros((1, 1, 1))), "an array of 3 dimensions"),
    ("no array", block([1, 2]), "what a block holds is a list"),
    ("fields", block(np.zeros((2, 2), "i4,i4")), "what a block holds is a ndarray"),
    ("negative place", block(places=np.array([-1, 0])), "a negative place"),
    ("places of floats", block(places=FLOATS), "the places of a block is a ndarray"),
    ("step of 0", block(places=slice(0, 2, 0)), "the distance 0"),
    ("negative start", block(places=slice(-1, 1, 1)), "the first place of a block"),
    ("huge stop", block(places=slice(0, 1 << 63, 1)), "the last place of a block"),
    ("array without a state", block(unbuilt(type(pd.array([1], dtype="Int64")))), "without a state"),
    ("two blocks for a column", frame(block(), block()), "a column of a frame has two blocks"),
    ("one place twice", frame(block(places=np.array([0, 0]))), "a column of a frame has two blocks"),
    ("no block", manager(), "a column without a block"),
    ("block outside", manager(block(places=slice(5, 7, 1))), "a place outside of its frame"),
    ("one block outside", manager(block(places=np.array([0, 5]))), "a place outside of its frame"),
    ("rows", manager(block(np.zeros((2, 3)))), "more or fewer rows than its frame"),
    ("flat block", manager(block(FLOATS, slice(0, 2, 1), 1)), "more or fewer rows than its frame"),
    ("no block at all", manager(FLOATS), "stands among the blocks"),
    ("one axis", manager(block(), axes=(RANGE,)), "a frame has 1 axes"),
    ("axis of numbers", manager(block(), axes=(RANGE, FLOATS)), "an axis of a frame is a ndarray"),
    ("state of a block", Forged(*block().__reduce_ex__(5), (slice(0, 9, 1), TABLE)), "given a state"),
    ("state of a manager", Forged(*manager(block()).__reduce_ex__(5), ()), "is given a state"),
    ("manager of a series", frame(_mgr=rows()), "a SingleBlockManager to manage"),
    ("no manager", frame(_mgr=None), "a NoneType to manage"),
    ("manager without a state", series(unbuilt(named(f"{MANAGERS}:SingleBlockManager"))), "to manage its blocks"),
    ("kind", frame(_typ="series"), "is of the kind 'series'"),
    ("method", frame(sum=1), "has 'sum'"),
    ("class", frame(__class__=pd.Series), "has '__class__'"),
    ("dict", frame(__dict__={}), "has '__dict__'"),
    ("attributes", frame(_metadata=["columns"]), "has the attribute 'columns'"),
    ("attrs", frame(attrs=[]), "the attrs of a DataFrame is a list"),
    ("flags", frame(_flags={"obj": 1}), "the flags of a DataFrame has 'obj'"),
    ("flag", frame(_flags={"allows_duplicate_labels": 1}), "a flag of a DataFrame is a int"),
    ("name of a series", series(_name=[1]), "a name is a list"),
    ("no state", Forged(new, (pd.DataFrame,), None), "is made and given no state"),
    ("rows of a series", series(rows(np.zeros(3))), "a series of 2 rows has values"),
    ("places of a series", series(rows(places=slice(1, 3, 1))), "not in the places of its rows"),
    ("places in an array", series(rows(places=np.array([1, 0]))), "not in the places of its rows"),
    ("table in a series", series(rows(TABLE)), "a series of 2 rows has values"),
    ("two axes", series(rows(axes=(RANGE, RANGE))), "a series has 2 axes"),
    ("axis of a series", series(rows(axes=(FLOATS,))), "the axis of a series is a ndarray"),
    ("more of a series", series(rows(more=1)), "a SingleBlockManager has 'more'"),
    ("class of an index", index(pd.Series, data=FLOATS), "an index is made as"),
    ("class is no index", index(dict, data=FLOATS), "an index is made as"),
    ("class is text", Forged(named("pandas.core.indexes.base:_new_Index"), ("Index", {})), "an index is made as"),
    ("no data", index(name=None), "a Index has no 'data'"),
    ("type of an index", index(data=FLOATS, dtype="category"), "a Index has 'dtype'"),
    ("list", index(data=[1, 2]), "the data of a Index is a list"),
    ("table", index(data=TABLE), "the data of a Index has 2 dimensions"),
    ("name", index(data=FLOATS, name={}), "a name is a dict"),
    ("name in a name", index(data=FLOATS, name=("a", [1])), "a name is a list"),
    ("no categories", index(pd.CategoricalIndex, data=CODES), "the data of a CategoricalIndex is a ndarray"),
    ("no periods", index(pd.PeriodIndex, data=CODES), "the data of a PeriodIndex is a ndarray"),
    ("range by 0", index(pd.RangeIndex, start=0, stop=1, step=0), "the step 0"),
    ("range of floats", index(pd.RangeIndex, start=0.5, stop=1, step=1), "the start of a RangeIndex"),
    ("huge range", index(pd.RangeIndex, start=0, stop=1 << 60, step=1), "more rows than any memory"),
    ("end of 64 bits", index(pd.RangeIndex, start=0, stop=(1 << 63) - 1, step=1 << 61), "the stop of a RangeIndex"),
    ("code too large", multi(codes=[np.array([0, 2], "int8")]), "a code that is not from -1 to 1"),
    ("code too small", multi(codes=[np.array([0, -2], "int8")]), "a code that is not from -1 to 1"),
    ("codes of floats", multi(codes=[FLOATS]), "the codes of a MultiIndex is a ndarray"),
    ("levels", multi(levels=[]), "different numbers"),
    ("names", multi(names=[None, None]), "different numbers"),
    ("level", multi(levels=[FLOATS]), "a level of a MultiIndex is a ndarray"),
    ("order", multi(sortorder=2), "the order of a MultiIndex"),
    ("codes", multi(levels=[RANGE] * 2, codes=[CODES, CODES[:1]], names=[None] * 2), "codes of different lengths"),
    ("name of a level", multi(names=[[1]]), "a name is a list"),
    ("times over numbers", times(data=CODES), "the data of a DatetimeIndex is a ndarray"),
    ("zone", times(data=TIMES, tz=None), "a DatetimeIndex has 'tz'"),
    ("frequency", times(data=pd.array(TIMES), freq="D"), "the frequency of an index is a str"),
    ("wrong step", times(data=pd.array(TIMES), freq=pd.offsets.Nano(1)), "a frequency that its values have not"),
    ("no step", times(data=pd.array(TIMES), freq=pd.offsets.Nano(0)), "its values have not"),
    ("kinds of sides", intervals(right=pd.Index([1.0, 2.0])), "sides that do not fit each other"),
    ("lengths of sides", intervals(right=pd.RangeIndex(3)), "sides that do not fit each other"),
    ("sides of text", intervals(pd.Index(STRINGS), pd.CategoricalIndex(["a"])), "sides that do not fit each other"),
    ("sides of categories", intervals(*[pd.CategoricalIndex(["a"])] * 2), "sides of the type"),
    ("no sides", intervals(FLOATS, FLOATS), "a side of an IntervalIndex is a ndarray"),
    ("closed", intervals(closed="none"), "closed nowhere"),
    ("class of an array", backed(pd.DataFrame, LABELS, CODES), "an array is made as"),
    ("class without data", backed(type(pd.array([1], dtype="Int64")), LABELS, CODES), "an array is made as"),
    ("code of a category", category(np.array([0, 2], "int8")), "a code that is not from -1 to 1"),
    ("negative code", category(np.array([0, -2], "int8")), "a code that is not from -1 to 1"),
    ("codes in a table", category(CODES.reshape(1, 2)), "2 dimensions"),
    ("swapped codes", category(CODES.astype(">i4")), "the dtype"),
    ("unsigned codes", category(CODES.astype("uint8")), "the codes of a Categorical"),
    ("unknown categories", category(dtype=pd.CategoricalDtype()), "what a Categorical has for categories"),
    ("type of a category", category(dtype=np.dtype("int8")), "the type of a Categorical"),
    ("type without a state", category(dtype=unbuilt(pd.CategoricalDtype)), "what a Categorical has for categories"),
    ("attribute", category(CODES, LABELS, {"_codes": CODES}), "has '_codes'"),
    ("parts", category(CODES, LABELS, {}, 1), "not of its type and its data"),
    ("old state", Forged(*category().__reduce_ex__(5)[:2], {"_codes": CODES}), "not of its type and its data"),
    ("frequency of an array", category(CODES, LABELS, {"_freq": "D"}), "the frequency of an array is a str"),
    ("read-only", category(CODES, LABELS, {"_readonly": 2}), "whether an array is read-only"),
    ("type of times", backed(pd.arrays.DatetimeArray, np.dtype("M8[s]"), TIMES), "another type than its data"),
    ("no times", backed(pd.arrays.DatetimeArray, np.dtype("i8"), CODES), "the data of a DatetimeArray"),
    (
        "zone and unit",
        backed(pd.arrays.DatetimeArray, pd.DatetimeTZDtype("ns", "UTC"), SPANS),
        "the data of a Datetime",
    ),
    ("unit", backed(pd.arrays.DatetimeArray, np.dtype("M8[D]"), TIMES.astype("M8[D]")), "an array of times has"),
    ("many units", backed(pd.arrays.DatetimeArray, np.dtype("M8[2ns]"), TIMES.astype("M8[2ns]")), "an array of times"),
    ("one time", backed(pd.arrays.DatetimeArray, TIMES.dtype, TIMES[:1].reshape(())), "0 dimensions"),
    ("type of spans", backed(pd.arrays.TimedeltaArray, np.dtype("m8[s]"), SPANS), "another type than its data"),
    (
        "steps of spans",
        backed(pd.arrays.TimedeltaArray, SPANS.dtype, SPANS, {"_freq": pd.offsets.Hour()}),
        "a frequency",
    ),
    ("type of periods", backed(pd.arrays.PeriodArray, np.dtype("i8"), CODES), "the type of a PeriodArray"),
    ("small periods", backed(pd.arrays.PeriodArray, pd.PeriodDtype("D"), CODES), "not of 64-bit integers"),
    (
        "list in strings",
        backed(pd.arrays.StringArray, pd.StringDtype("python"), np.array([[], None], object)),
        "a list",
    ),
    ("type of strings", backed(pd.arrays.StringArray, LABELS, STRINGS), "the type of a StringArray"),
    ("bytes in strings", backed(pd.arrays.StringArray, pd.StringDtype("python"), FLOATS), "the data of a StringArray"),
    ("length of sides", sides(right=np.arange(3.0)), "sides that do not fit each other"),
    ("order of sides", sides(left=FLOATS + 1), "greater than its right side"),
    ("missing side", sides(left=np.array([np.nan, 0])), "greater than its right side"),
    ("type of sides", sides(CODES, CODES), "do not fit each other, or its type"),
    ("sides of strings", sides(STRINGS, STRINGS), "a side of an IntervalArray"),
    ("sides of two kinds", sides(FLOATS, pd.arrays.SparseArray(FLOATS)), "sides of two kinds"),
    ("dtype of sides", sides(dtype=LABELS), "the type of an IntervalArray"),
    ("more of sides", sides(left_=1), "an IntervalArray has 'left_'"),
    ("mask", masked(_mask=np.array([False])), "data and a mask that do not fit"),
    ("mask of numbers", masked(_mask=FLOATS), "the mask of a IntegerArray"),
    ("mask of twos", masked(_mask=np.array([2, 0], "uint8").view("bool")), "not of truth values|bool"),
    ("numbers", masked(_data=FLOATS), "the data of a IntegerArray"),
    ("half numbers", masked("Float64", _data=FLOATS.astype("f2")), "data and a mask that do not fit"),
    ("booleans", masked("boolean", _data=CODES), "the data of a BooleanArray"),
    ("own type", masked("boolean", _dtype=LABELS), "the type of a BooleanArray"),
    ("method of a mask", masked(isna=1), "has 'isna'"),
    ("places behind", places("IntIndex", 3, ints(0, 3)), "do not ascend from 0 to 2"),
    ("places before", places("IntIndex", 3, ints(-1, 2)), "do not ascend from 0 to 2"),
    ("places down", places("IntIndex", 3, ints(2, 1)), "do not ascend from 0 to 2"),
    ("place twice", places("IntIndex", 3, ints(1, 1)), "do not ascend from 0 to 2"),
    ("long places", places("IntIndex", 3, np.array([0, 1])), "not 32-bit integers"),
    ("length", places("IntIndex", -1, ints()), "the length of a sparse array"),
    ("runs", places("BlockIndex", 3, ints(0, 2), ints(1)), "more starts of runs than lengths"),
    ("run before", places("BlockIndex", 3, ints(-1), ints(1)), "runs that do not ascend"),
    ("run behind", places("BlockIndex", 3, ints(2), ints(2)), "runs that do not ascend"),
    ("empty run", places("BlockIndex", 3, ints(1), ints(0)), "runs that do not ascend"),
    ("runs over runs", places("BlockIndex", 9, ints(0, 2), ints(3, 1)), "runs that do not ascend"),
    ("huge run", places("BlockIndex", 9, ints(1), ints((1 << 31) - 1)), "runs that do not ascend"),
    ("state of places", Forged(*places("IntIndex", 3, ints(1)).__reduce_ex__(5), ()), "is given a state"),
    ("values of places", sparse(_sparse_values=np.array([1])), "values that do not fit its places"),
    ("type of values", sparse(_sparse_values=FLOATS), "values that do not fit its places"),
    ("no places", sparse(_sparse_index=RANGE), "for places"),
    ("no type", sparse(_dtype=np.dtype("i8")), "the type of a SparseArray"),
    ("old sparse state", Forged(new, (pd.arrays.SparseArray,), ((1, 2), (0, None))), "the state of a SparseArray"),
    ("categories", kind(LABELS, categories=["a"], ordered=False), "categories is a list"),
    ("ordered", kind(LABELS, categories=None, ordered=2), "whether categories are ordered"),
    ("unit of a zone", kind(pd.DatetimeTZDtype("ns", "UTC"), unit="D", tz=datetime.timezone.utc), "the unit 'D'"),
    ("no zone", kind(pd.DatetimeTZDtype("ns", "UTC"), unit="ns", tz="UTC"), "and a str"),
    (
        "subtype",
        kind(pd.IntervalDtype("int64"), subtype=np.dtype("O"), closed="left"),
        "an IntervalDtype has the dtype",
    ),
    ("closed type", kind(pd.IntervalDtype("int64"), subtype=None, closed="none"), "closed nowhere"),
    ("fill", kind(pd.SparseDtype("int64"), _dtype=np.dtype("i8"), _fill_value=[]), "is filled with a list"),
    ("sparse type", kind(pd.SparseDtype("int64"), _dtype="i8", _fill_value=0), "a SparseDtype has the dtype"),
    ("number", kind(pd.Int64Dtype(), _cache={}, type=int), "a Int64Dtype has 'type'"),
    ("period", Forged(pd.PeriodDtype, ("period[" + "9" * 99 + "D]",)), "a PeriodDtype is"),
    ("period of a number", Forged(pd.PeriodDtype, (5,)), "a PeriodDtype has a int"),
    ("weeks of strings", Forged(pd.StringDtype, ("pickle",)), "the storage 'pickle'"),
    ("count", offset("Day", 1 << 63), "a parameter of an offset"),
    ("count of floats", offset("Day", 1.5), "a parameter of an offset"),
    ("normalize", offset("Day", 1, 2), "whether an offset normalizes"),
    ("arguments", offset("Day", 1, False, 3), "Day has 3 arguments"),
    ("no arguments", offset("Day"), "Day has 0 arguments"),
    ("month", offset("YearEnd", 1, False, 13), "a parameter of an offset"),
    ("first month", offset("QuarterEnd", 1, False, 0), "a parameter of an offset"),
    ("weekday", offset("Week", 1, False, 7), "a parameter of an offset"),
    ("weekmask", offset("CustomBusinessDay", 1, False, [1] * 6, (), None), "not of 7 days"),
    ("long weekmask", offset("CustomBusinessDay", 1, False, "Mon " * 99, (), None), "more than 64 characters"),
    ("holiday", offset("CustomBusinessDay", 1, False, "Mon", ("2020-01-01",), None), "a holiday is a str"),
    ("calendar", offset("CustomBusinessDay", 1, False, "Mon", (), FLOATS), "a calendar, which no stream"),
    ("span", offset("BusinessDay", 1, False, datetime.timedelta(99999)), "more than 10000 days"),
    ("hour", offset("BusinessHour", 1, False, ("09:00",)), "an hour of an offset is a str"),
    ("variation", offset("FY5253", 1, False, 0, 1, "first"), "the variation 'first'"),
    ("state of an offset", offset("Day", 1, state={"n": 2, "normalize": False}), "is given a state"),
    ("step", step(_offset=5), "a step that is a int"),
    ("parameter of a step", step(months=[1]), "a step of an offset"),
    ("method of a step", step(rollback=1), "a DateOffset has 'rollback'"),
    ("count of a step", step(n="1"), "a parameter of an offset"),
    (
        "unit of times",
        backed(pd.arrays.DatetimeArray, pd.DatetimeTZDtype("ns", "UTC"), TIMES.astype("M8[s]")),
        "another unit",
    ),
    ("numbers of an array", backed(OVER_NUMPY, OVER_NUMPY(FLOATS).dtype, CODES), "another type than its data"),
    ("table of an array", backed(OVER_NUMPY, OVER_NUMPY(FLOATS).dtype, TABLE), "another type than its data"),
    ("table of times", times(data=backed(pd.arrays.DatetimeArray, TIMES.dtype, TIMES.reshape(1, 2), {})), "dimension"),
    ("parts of intervals", Forged(*sides().__reduce_ex__(5)[:2], ({}, 1)), "not a tuple with a dict"),
    ("times and spans", sides(pd.array(TIMES), pd.array(SPANS)), "sides of two kinds"),
    ("order of times", sides(pd.array(TIMES[::-1].copy()), pd.array(TIMES), TIMED), "greater than its right side"),
    ("parts of a series", Forged(new, (named(f"{MANAGERS}:SingleBlockManager"),), (1, 2)), "has not four parts"),
    ("dict of a weekday", Forged(new, (named("dateutil._common:weekday"),), {"weekday": 1}), "not of slots"),
    (
        "day of a week",
        Forged(new, (named("dateutil._common:weekday"),), (None, {"weekday": 7, "n": 1})),
        "a weekday is not",
    ),
    ("long offset", local(_std_offset=datetime.timedelta(1)), "an offset of a day or more"),
    ("offset of minutes", local(_dst_offset=60), "an offset of a tzlocal is a int"),
    ("summer time", local(_hasdst=1), "whether a tzlocal has summer time"),
    ("one abbreviation", local(_tznames=("CET",)), "has not two abbreviations"),
    ("method of a zone", local(utcoffset=5), "has 'utcoffset'"),
    ("storage", Forged(new, (pd.StringDtype,), {"storage": "pickle"}), "the storage 'pickle'|do not let"),
    ("missing", Forged(new, (pd.StringDtype,), {"_na_value": "x"}), "a missing value that pandas has not|do not let"),
    ("relative to a relative", step(_use_relativedelta=1), "the kind of a DateOffset"),
]


if hasattr(pd, "ArrowDtype") and importlib.util.find_spec("pyarrow"):
    arrow = importlib.import_module("pyarrow")
    WORDS = pd.array(["a", None], dtype="string[pyarrow]")
    WHOLE = pd.arrays.ArrowExtensionArray(arrow.array([1, 2]))
    FORGED += [
        ("two arrays", with_state(WHOLE, lambda state: state.update(_pa_array=arrow.array([1]), _data=1)), "or two"),
        ("no array", with_state(WHOLE, lambda state: {"_dtype": WHOLE.dtype}), "has no array of pyarrow"),
        ("list", with_state(WHOLE, lambda state: {"_pa_array": [1], "_dtype": WHOLE.dtype}), "the data of a Arrow"),
        (
            "words",
            with_state(WHOLE, lambda state: {"_pa_array": arrow.array(["a"]), "_dtype": WHOLE.dtype}),
            "another type",
        ),
        (
            "numbers",
            with_state(WORDS, lambda state: {"_pa_array": arrow.array([1]), "_dtype": WORDS.dtype}),
            "of strings",
        ),
        (
            "type",
            with_state(WHOLE, lambda state: {"_pa_array": arrow.array([1]), "_dtype": LABELS}),
            "the type of a Arrow",
        ),
        ("text", kind(WHOLE.dtype, pyarrow_dtype="int64"), "an ArrowDtype has a str"),
        ("store", kind(WHOLE.dtype, pyarrow_dtype=arrow.int64(), storage="x"), "another storage than pyarrow"),
    ]


@pytest.mark.parametrize(("obj", "message"), [row[1:] for row in FORGED], ids=[row[0] for row in FORGED])
def test_forged_objects_are_refused(obj, message):
    """An object whose arguments or state lie is refused by the check that is meant."""
    with pytest.raises(BinPickleError, match=message):
        load(obj, trust.pandas())


SCALARS: list[tuple[str, str, tuple[Any, ...], str]] = [
    (
        "timestamp",
        "pandas._libs.tslibs.timestamps:_unpickle_timestamp",
        (1 << 63, None, None, 10),
        "a timestamp is not",
    ),
    ("unit", "pandas._libs.tslibs.timestamps:_unpickle_timestamp", (0, None, None, 4), "the unit of a time"),
    (
        "zone",
        "pandas._libs.tslibs.timestamps:_unpickle_timestamp",
        (0, None, "UTC", 10),
        "the time zone of a timestamp",
    ),
    ("frequency", "pandas._libs.tslibs.timestamps:_unpickle_timestamp", (0, "D", None, 10), "the frequency of a"),
    ("timedelta", "pandas._libs.tslibs.timedeltas:_timedelta_unpickle", (1.5, 10), "a timedelta is not"),
    ("no time", "pandas._libs.tslibs.nattype:_nat_unpickle", (5,), "the argument of NaT"),
    ("side", "pandas:Interval", ([], 1, "left"), "a side of an interval is a list"),
    ("closed", "pandas:Interval", (0, 1, "none"), "closed nowhere"),
    ("period", "pandas:Period", (None, pd.offsets.Day(), 1 << 63), "a period is not"),
    ("no frequency", "pandas:Period", (None, None, 1), "a period has no frequency"),
    ("text", "pandas:Period", ("2020", pd.offsets.Day(), 1), "the value of a period"),
    ("frequency of a period", "pandas:Period", (None, "D", 1), "the frequency of a period"),
    ("utc", "dateutil.tz.tz:tzutc", (1,), "takes|arguments"),
    ("path", "pytz:_p", ("../../etc/passwd",), "has no name of a zone"),
    ("offset", "pytz:_p", ("Europe/Paris", 86400, 0, "CET"), "the offset of a time zone"),
    ("saving", "pytz:_p", ("Europe/Paris", 0, None, "CET"), "the summer time"),
    ("abbreviation", "pytz:_p", ("Europe/Paris", 0, 0, "C" * 17), "more than 16 characters"),
    ("minutes", "pytz:FixedOffset", (1440,), "the offset of a time zone"),
]


@pytest.mark.parametrize(
    ("name", "arguments", "message"), [row[1:] for row in SCALARS], ids=[row[0] for row in SCALARS]
)
def test_forged_scalars_are_refused(name, arguments, message):
    """A scalar or a time zone with arguments that pandas' own pickling would not give it is refused."""
    try:
        function = named(name)
    except (ImportError, AttributeError):
        pytest.skip(f"there is no {name}")
    with pytest.raises(BinPickleError, match=message):
        load(Forged(function, arguments), trust.pandas())


WELL_FORMED: list[tuple[str, Any, Callable[[], Any]]] = [
    ("frame", frame(), lambda: pd.DataFrame(TABLE.T)),
    ("reversed", frame(block(places=slice(1, None, -1))), lambda: pd.DataFrame(TABLE.T[:, ::-1])),
    (
        "intervals of times",
        sides(*[pd.array(TIMES)] * 2, TIMED),
        lambda: pd.arrays.IntervalArray.from_arrays(TIMES, TIMES),
    ),
    ("series", series(), lambda: pd.Series(FLOATS)),
    ("index", index(data=FLOATS), lambda: pd.Index(FLOATS)),
    ("multi", multi(), lambda: pd.MultiIndex.from_arrays([["a", "b"]])),
    ("intervals", sides(), lambda: pd.arrays.IntervalArray.from_arrays(FLOATS, FLOATS)),
    ("category", category(CODES, LABELS, {}), lambda: pd.Categorical(["a", "b"])),
    ("integers", masked(), lambda: pd.array([1, None], dtype="Int64")),
    ("sparse", sparse(), lambda: pd.arrays.SparseArray([0, 1, 2])),
    ("step", step(), lambda: pd.DateOffset(months=1)),
]


@pytest.mark.parametrize(("obj", "expected"), [row[1:] for row in WELL_FORMED], ids=[row[0] for row in WELL_FORMED])
def test_what_the_tests_forge_is_loaded_when_it_is_true(obj, expected):
    """Objects that are put together by hand as pandas puts them together are loaded: the refusals are for the lies."""
    loaded = load(obj, trust.pandas())
    assert repr(loaded) == repr(expected())


SECOND: list[Any] = [frame(), series(), rows(), category(CODES, LABELS, {}), sides(), masked(), sparse()]
SECOND += [kind(LABELS, categories=pd.Index(["a"]), ordered=True), Forged(pd.offsets.Day, (1, False), {"n": 1})]


@pytest.mark.parametrize("obj", SECOND, ids=range(len(SECOND)))
def test_second_states_are_refused(obj):
    """An object that has its state gets no other, which would undo what was checked with the first."""
    function, arguments, state = obj.__reduce_ex__(5)
    stream = b"".join([b"\x80\x05", pushed(Forged(function, arguments, state)), pushed(state), b"b."])
    with pytest.raises(BinPickleError, match="second state|given a state"):
        trust.load(io.BytesIO(stream).read, (), 0, trust.pandas())


def pushed(obj: Any) -> bytes:
    """Return the opcodes that push an object, without the ones that remember it and without frames."""
    held = io.BytesIO()
    pickler = pickle.Pickler(held, 5)
    pickler.fast = True
    pickler.dump(obj)
    data, pos, parts = held.getvalue()[2:-1], 0, []
    while data[pos : pos + 1] == b"\x95":
        size = int.from_bytes(data[pos + 1 : pos + 9], "little")
        parts.append(data[pos + 9 : pos + 9 + size])
        pos += 9 + size
    return b"".join([*parts, data[pos:]])


def test_codes_that_a_file_shares_are_copied():
    """A column and a category over one array get memory of their own, so that writing to one leaves the other true."""
    codes = np.array([0, 1, 0], "int8")
    frame, category, levels = load(
        [codes, pd.Categorical.from_codes(codes, ["a", "b"]), multi(codes=[codes])], trust.pandas()
    )
    frame[:] = 100
    assert list(category) == ["a", "b", "a"]
    assert [*levels.get_level_values(0)] == ["a", "b", "a"]


def test_blocks_that_a_file_shares_are_made_anew():
    """Two frames over one block have blocks of their own: a column that one frame gets moves none in the other."""
    shared = block()
    first, second = load([frame(shared), frame(shared)], trust.pandas())
    first.insert(0, "new", [7, 8])
    assert second.to_numpy().tolist() == TABLE.T.tolist()
    assert repr(second) == repr(pd.DataFrame(TABLE.T))


def test_no_value_tells_numpy_where_to_read():
    """A series may have any label; a dict by which NumPy would read memory under such a label is refused."""
    labels = pd.Index(["a", "__array_interface__"], dtype=object)
    described = {"version": 3, "shape": (3,), "typestr": "<f8", "data": (4096, False)}
    assert load(pd.Series([1, 2], index=labels), trust.pandas()).tolist() == [1, 2]
    with pytest.raises(BinPickleError, match="at an address of memory"):
        load(pd.Series([None, described], index=labels, dtype=object), trust.pandas())


def test_caches_of_a_file_are_dropped():
    """A cache says what pandas would compute: one that lies is not used."""
    loaded = load(masked(_cache={"dtype": pd.Int8Dtype()}), trust.pandas())
    assert loaded.dtype == pd.Int64Dtype()


def test_subclasses_of_frames_keep_what_they_declare():
    """A class that the caller names and that derives from a frame may keep the attributes that it declares."""
    made = Noted({"a": [1, 2]})
    made.note = "mine"
    loaded = load(made, trust.pandas() | {Noted})
    assert type(loaded) is Noted
    assert loaded.note == "mine"
    with pytest.raises(BinPickleError, match="has 'other'"):
        load(with_state(made, lambda state: state.update(other=1)), trust.pandas() | {Noted})


class Noted(pd.DataFrame):
    """A frame with a note."""

    _metadata = ["note"]

    @property
    def _constructor(self) -> Any:
        return Noted
