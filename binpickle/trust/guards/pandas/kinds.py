"""What the guards of pandas have in common: which class is which, and which shape an array of pandas has.

Rule: a class is known by its name and those of its bases, since pandas need not be installed. Releases differ in the
module that they name, so each kind has all spellings.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from ....errors import FormatError
from ...budget import Budget
from ...rules.checks import expect, shown
from ...tokens import Global
from ..parts import lineage

__all__ = [
    "CORE",
    "array_shape",
    "expect_label",
    "expect_named",
    "expect_plain_array",
    "expect_state",
    "expect_token",
    "is_kind",
    "spellings",
]

CORE = {
    "DataFrame": "pandas.core.frame",
    "Series": "pandas.core.series",
    "Categorical": "pandas.core.arrays.categorical",
    "DatetimeArray": "pandas.core.arrays.datetimes",
    "TimedeltaArray": "pandas.core.arrays.timedeltas",
    "PeriodArray": "pandas.core.arrays.period",
    "NumpyExtensionArray": "pandas.core.arrays.numpy_",
    "PandasArray": "pandas.core.arrays.numpy_",
    "StringArray": "pandas.core.arrays.string_",
    "StringArrayNumpySemantics": "pandas.core.arrays.string_",
    "IntervalArray": "pandas.core.arrays.interval",
    "BooleanArray": "pandas.core.arrays.boolean",
    "IntegerArray": "pandas.core.arrays.integer",
    "FloatingArray": "pandas.core.arrays.floating",
    "SparseArray": "pandas.core.arrays.sparse.array",
    "ArrowExtensionArray": "pandas.core.arrays.arrow.array",
    "ArrowStringArray": "pandas.core.arrays.string_arrow",
    "ExtensionArray": "pandas.core.arrays.base",
    "BooleanDtype": "pandas.core.arrays.boolean",
    "StringDtype": "pandas.core.arrays.string_",
    "CategoricalDtype": "pandas.core.dtypes.dtypes",
    "DatetimeTZDtype": "pandas.core.dtypes.dtypes",
    "IntervalDtype": "pandas.core.dtypes.dtypes",
    "PeriodDtype": "pandas.core.dtypes.dtypes",
    "SparseDtype": "pandas.core.dtypes.dtypes",
    "ArrowDtype": "pandas.core.dtypes.dtypes",
    "NumpyEADtype": "pandas.core.dtypes.dtypes",
    "PandasDtype": "pandas.core.dtypes.dtypes",
    "Index": "pandas.core.indexes.base",
    "CategoricalIndex": "pandas.core.indexes.category",
    "DatetimeIndex": "pandas.core.indexes.datetimes",
    "IntervalIndex": "pandas.core.indexes.interval",
    "MultiIndex": "pandas.core.indexes.multi",
    "PeriodIndex": "pandas.core.indexes.period",
    "RangeIndex": "pandas.core.indexes.range",
    "TimedeltaIndex": "pandas.core.indexes.timedeltas",
    "Int64Index": "pandas.core.indexes.numeric",
    "UInt64Index": "pandas.core.indexes.numeric",
    "Float64Index": "pandas.core.indexes.numeric",
    "Timestamp": "pandas._libs.tslibs.timestamps",
    "Timedelta": "pandas._libs.tslibs.timedeltas",
    "Period": "pandas._libs.tslibs.period",
    "Interval": "pandas._libs.interval",
    "DateOffset": "pandas._libs.tslibs.offsets",
    "NAType": "pandas._libs.missing",
    "NaTType": "pandas._libs.tslibs.nattype",
    **{f"Int{bits}Dtype": "pandas.core.arrays.integer" for bits in (8, 16, 32, 64)},
    **{f"UInt{bits}Dtype": "pandas.core.arrays.integer" for bits in (8, 16, 32, 64)},
    **{f"Float{bits}Dtype": "pandas.core.arrays.floating" for bits in (32, 64)},
}
"""The classes of pandas that guards know, and the module in which each is defined."""

_FORMER = {"SparseDtype": "pandas.core.arrays.sparse.dtype", "ArrowDtype": "pandas.core.arrays.arrow.dtype"}
# Pickles of objects in these modules name another module, or the public one, in some releases.
_PUBLIC = ("pandas", "pandas.arrays", "pandas.api.extensions", "pandas.api.typing")

# The attribute in which an array of pandas holds what tells its length.
_NDARRAY_BACKED = ("pandas._libs.arrays", "NDArrayBacked")
_HOLDERS = ("_data", "_sparse_index", "_left", "_pa_array")


@lru_cache(maxsize=None)
def spellings(kind: str) -> frozenset[tuple[str, str]]:
    """Return the names under which streams of any release of pandas know a class."""
    modules = {*_PUBLIC, CORE[kind], _FORMER.get(kind, CORE[kind])}
    return frozenset((module, kind) for module in modules)


def is_kind(value: Any, *kinds: str) -> bool:
    """Whether a value is an instance of one of these classes of pandas."""
    cls: Any = type(value)
    bases = lineage(cls)
    return any(not spellings(kind).isdisjoint(bases) for kind in kinds)


def expect_named(value: Any, what: str, *kinds: str) -> Any:
    """Return `value` if it is an instance of one of these classes of pandas.

    Raises:
        FormatError: it is not.
    """
    if not is_kind(value, *kinds):
        raise FormatError(f"{what} is a {type(value).__name__}")
    return value


def expect_token(value: Any, what: str, *kinds: str) -> str:
    """Return which of these classes of pandas a token names.

    Raises:
        FormatError: it is no token, or of another class.
    """
    if type(value) is Global and value.name[1] in kinds and value.name in spellings(value.name[1]):
        return value.name[1]
    raise FormatError(f"{what} is made as a {value if type(value) is Global else type(value).__name__}")


def expect_state(state: Any, what: str, required: frozenset[str], optional: frozenset[str]) -> dict[str, Any]:
    """Return a dict that has the required keys, and of others only the optional ones.

    Raises:
        FormatError: it is not one.
    """
    for key in expect(state, f"the state of {what}", dict):
        if key not in required and key not in optional:
            raise FormatError(f"the state of {what} has {shown(key)}")
    for key in required:
        if key not in state:
            raise FormatError(f"the state of {what} has no {shown(key)}")
    return state  # type: ignore[no-any-return]


def expect_plain_array(value: Any, what: str, kinds: str, ndim: int = 1) -> Any:
    """Return an array of NumPy itself whose dtype is of one of these kinds, in the byte order of the machine.

    Raises:
        FormatError: it is not one.
    """
    if type(value) is not np.ndarray or value.dtype.kind not in kinds or value.dtype.names is not None:
        raise FormatError(f"{what} is a {type(value).__name__} of the dtype {getattr(value, 'dtype', None)}")
    if value.ndim != ndim or not value.dtype.isnative:
        raise FormatError(f"{what} has {value.ndim} dimensions and the dtype {value.dtype!r}")
    return value


def array_shape(value: Any, what: str) -> tuple[int, ...]:
    """Return the shape of an array of NumPy, or of an array of pandas that has its state.

    Raises:
        FormatError: it is neither.
    """
    if type(value) is np.ndarray:
        return value.shape  # type: ignore[no-any-return]
    cls: Any = type(value)
    if is_kind(value, "ExtensionArray") or _NDARRAY_BACKED in lineage(cls):
        held = getattr(value, "_ndarray", None)
        if type(held) is np.ndarray:
            return held.shape  # type: ignore[no-any-return]
        attributes = getattr(value, "__dict__", {})
        for name in _HOLDERS:
            if name in attributes:
                return (_length(attributes[name]),)
        if cls.__module__.partition(".")[0] != "pandas":
            return (len(value),)
        raise FormatError(f"{what} is a {type(value).__name__} without a state")
    raise FormatError(f"{what} is a {type(value).__name__}")


def _length(held: Any) -> int:
    return int(held.length) if hasattr(held, "npoints") else len(held)


def expect_label(budget: Budget, value: Any, depth: int = 8) -> None:
    """Check that a name of an index or series can be hashed in reasonable time.

    Raises:
        FormatError: it cannot.
    """
    budget.pay(1)
    if type(value) is tuple and depth:
        for part in value:
            expect_label(budget, part, depth - 1)
    elif isinstance(value, (tuple, list, dict, set, frozenset, bytearray, np.ndarray)):
        raise FormatError(f"a name is a {type(value).__name__}")
