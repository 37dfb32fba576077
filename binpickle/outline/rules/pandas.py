"""The forms of indexes and arrays of pandas: what they wrap, under the names that pandas' own attributes have.

Rule: an index or array over one array is that array. The others have parts: `codes` and `categories`, `data` and
`mask`, `left` and `right`, `levels` and `codes`.
"""

from __future__ import annotations

from typing import Any

from ...errors import FormatError
from ...pickling.renames import Name
from ..form import Context, Form, Rule
from ..held import attributes_of, named, state_of
from ..items import Made, is_call
from ..short import name_of, value_text

__all__ = ["CLASSES", "RULES"]

_INDEXES = "pandas.core.indexes"
_MADE_OF = ("_pa_array", "_ndarray", "_data", "_values")
_KEPT = frozenset({"_dtype", "_cache", "_readonly", "_freq", "_metadata", "_is_copy"})


def _index(context: Context, made: Made) -> Form:
    """Return the form of an index: a class, and a dict of what it is made of."""
    cls, pairs = made.arguments
    held = named(context, pairs)
    name = name_of(cls)
    if "start" in held and "data" not in held:
        numbers = ", ".join(value_text(held[key]) for key in ("start", "stop", "step"))
        return Form(name, value=f"range({numbers})")
    value = "" if held.get("name") is None else value_text(held["name"])
    parts = [(key, item) for key, item in held.items() if key not in ("data", "name") and item is not None]
    texts, children = [key for key, _ in parts], [item for _, item in parts]
    return Form(name, texts, children, value=value, inner=held.get("data"))


def _backed(context: Context, made: Made) -> Form:
    """Return the form of an array of pandas over one of NumPy: dates, time spans, periods, or codes of categories."""
    cls = made.arguments[0]
    state = state_of(made)
    if type(state) is dict:
        held = named(context, state)
        dtype, data = held.get("_dtype"), held.get("_ndarray", held.get("_codes", held.get("_data")))
    else:
        dtype, data, *_ = _expect_tuple(state)
        if is_call(dtype, ("numpy", "ndarray")):  # some releases put them the other way round
            dtype, data = data, dtype
    categories = _categories(context, dtype)
    if categories is not None:
        return Form(name_of(cls), ["codes", "categories"], [data, categories])
    return Form(name_of(cls), inner=data)


def _expect_tuple(state: Any) -> tuple[Any, ...]:
    if type(state) is not tuple or len(state) < 2:
        raise FormatError("an array of pandas has no state")
    return state


def _categories(context: Context, dtype: Any) -> Any:
    return named(context, state_of(dtype)).get("categories")


def _intervals(context: Context, made: Made) -> Form:
    state = state_of(made)
    held = named(context, state[0] if type(state) is tuple and state else state)
    return Form(name_of(made.arguments[0]), ["left", "right"], [held["_left"], held["_right"]])


def _array(context: Context, made: Made) -> Form:
    """Return the form of an array whose attributes are one array, or data and mask."""
    held = attributes_of(context, made)
    if "_mask" in held:
        return Form(name_of(made.function), ["data", "mask"], [held["_data"], held["_mask"]])
    for name in _MADE_OF:
        if name in held:
            rest = [(key, item) for key, item in held.items() if key != name and key not in _KEPT]
            return Form(name_of(made.function), [key for key, _ in rest], [item for _, item in rest], inner=held[name])
    raise FormatError("an array of pandas has no array")


def _categorical(context: Context, made: Made) -> Form:
    """Return the form of a `Categorical` of a release that does without a function to rebuild it."""
    held = attributes_of(context, made)
    codes = held.get("_codes", held.get("_ndarray"))
    categories = _categories(context, held.get("_dtype"))
    if codes is None or categories is None:
        raise FormatError("a Categorical has no codes")
    return Form(name_of(made.function), ["codes", "categories"], [codes, categories])


RULES: dict[Name, Rule] = {
    (f"{_INDEXES}.base", "_new_Index"): _index,
    (f"{_INDEXES}.datetimes", "_new_DatetimeIndex"): _index,
    (f"{_INDEXES}.period", "_new_PeriodIndex"): _index,
    (f"{_INDEXES}.interval", "_new_IntervalIndex"): _index,
    ("pandas._libs.arrays", "__pyx_unpickle_NDArrayBacked"): _backed,
    ("pandas._libs.interval", "__pyx_unpickle_IntervalMixin"): _intervals,
}
"""The rules of what pandas rebuilds by functions, by canonical name."""

CLASSES: dict[Name, Rule] = {
    **{
        ("pandas", name): _array
        for name in (
            *("ArrowExtensionArray", "ArrowStringArray", "ArrowStringArrayNumpySemantics", "StringArray"),
            *("StringArrayNumpySemantics", "NumpyExtensionArray", "PandasArray", "DatetimeArray", "TimedeltaArray"),
            *("PeriodArray", "IntegerArray", "FloatingArray", "BooleanArray"),
        )
    },
    ("pandas", "Categorical"): _categorical,
}
"""The rules of classes, by the package and the class: pandas has moved them."""
