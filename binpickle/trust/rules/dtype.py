"""How the strict machine rebuilds dtypes: from checked strings and sizes, never by `dtype.__setstate__`.

A stream calls `numpy.dtype("f8", False, True)` and gives the result a state: byte order, fields, size and so on. The
call makes something pending here, the state a new dtype, by the constructor that checks what it is given.
"""

from __future__ import annotations

import re
from itertools import islice
from typing import Any, Callable, Sequence

import numpy as np

from ...errors import FormatError, LimitError
from ...format.shapes import MAX_ITEMSIZE, element_count, fields_fit, is_subarray
from ..budget import Budget
from ..nesting import ATOMS
from ..tokens import Args, Global, Pending
from .checks import expect, expect_int, expect_ints, expect_one_of, shown

__all__ = ["CALLS", "MENTIONED"]

_PLAIN = re.compile(r"[biufc][0-9]{1,2}|O[48]|[mM]8|[SUV][0-9]{1,9}")
_UNIT = re.compile(r"generic|[YMWDhms]|[munpfa]s")
_ALIGNED = 0x80  # NPY_ALIGNED_STRUCT; the flags are a signed byte in older streams
_KIND_FLAGS = 0x3F  # what the items are: objects, in need of being initialized, and so on
_LISTS = ("names", "formats", "offsets")
# NumPy compares and hashes dtypes by recursion, and does not notice that a field occurred before.
_MAX_DEPTH = 8
_MAX_FIELDS = 1 << 16
# What a field costs in units of work, for it takes some 300 bytes.
_FIELD = 10


def _dtype(budget: Budget, spec: Any, align: Any = False, copy: Any = True) -> Any:
    """Begin a dtype, or rebuild one that has no state."""
    if type(spec) is dict:
        return _from_layout(budget, spec)
    if type(spec) is Args:
        return _record(spec)
    expect(align, "numpy.dtype", bool, int)  # before NumPy 1.20 they were 0 and 1
    expect(copy, "numpy.dtype", bool, int)
    if isinstance(spec, Global) and spec.name == ("numpy", "record"):
        return Pending(lambda state: _finish(budget, "V", state, record=True))
    if not _PLAIN.fullmatch(expect(spec, "numpy.dtype", str)):
        raise FormatError(f"numpy.dtype: {shown(spec)} is not an element type that a stream may name")
    return Pending(lambda state: _finish(budget, spec, state))


def _record(spec: Args) -> np.dtype[Any]:
    """Return a record type over a structured one, as BinPickle pickles aligned ones."""
    if len(spec) != 2 or not isinstance(spec[0], Global) or spec[0].name != ("numpy", "record"):
        raise FormatError("numpy.dtype: a tuple that is not a record type")
    if not isinstance(spec[1], np.dtype) or spec[1].fields is None:
        raise FormatError("numpy.dtype: a record type over what is no structure")
    return np.dtype((np.record, spec[1]))


def _finish(budget: Budget, spec: str, state: Any, record: bool = False) -> np.dtype[Any]:
    """Make a dtype from its state.

    Args:
        budget: pays for the fields.
        spec: kind and size.
        state: version, byte order, subarray, names, fields, size, alignment, flags, and for some metadata.
        record: its scalars are `numpy.record`.
    """
    expect(state, "the state of a dtype", tuple)
    if len(state) not in (8, 9):
        raise FormatError("the state of a dtype is malformed")
    expect_one_of(state[0], "the version of a dtype", 3, 4)
    expect_one_of(state[1], "the byte order of a dtype", "<", ">", "=", "|")
    order, subarray, names, fields, itemsize, alignment, flags = state[1:8]
    metadata = state[8] if len(state) == 9 else None
    expect_int(alignment, "the alignment of a dtype", -1, 1 << 16)
    expect_int(itemsize, "the size of a dtype", -1, MAX_ITEMSIZE)
    if subarray is not None and fields is None and names is None:
        dtype = _subarray(budget, subarray, itemsize)
    elif names is not None and subarray is None:
        dtype = _structured(budget, names, fields, itemsize, flags)
    elif subarray is not None or fields is not None:
        raise FormatError("a dtype is both a subarray and a structure, or neither")
    elif spec[0] in "mM":
        dtype, metadata = _date(spec, order, metadata)
    else:
        dtype = _plain(spec, order, itemsize)
    if (order == "|") != (dtype.byteorder == "|") or (expect(flags, "flags", int) ^ dtype.flags) & _KIND_FLAGS:
        raise FormatError(f"the state of the dtype {spec} is not that of such a dtype")
    dtype = np.dtype((np.record, dtype)) if record else dtype
    return _with_metadata(budget, dtype, metadata) if metadata else dtype


def _plain(spec: str, order: str, itemsize: Any) -> np.dtype[Any]:
    if spec[0] in "SUV":
        size = int(spec[1:]) * (4 if spec[0] == "U" else 1)
        if expect_int(itemsize, "the size of a dtype", 0, MAX_ITEMSIZE) != size:
            raise FormatError(f"the dtype {spec} has items of {itemsize} bytes")
    return np.dtype(spec) if spec[0] in "OSV" else np.dtype(order + spec)


def _date(spec: str, order: str, metadata: Any) -> tuple[np.dtype[Any], Any]:
    """Return a dtype of dates or time spans, and other metadata."""
    metadata, date = expect(metadata, "the unit of a date", tuple)
    unit, count, divisor, _ = expect(date, "the unit of a date", tuple)
    name = expect(unit, "the unit of a date", bytes).decode("utf-8")
    expect_int(count, "the unit of a date", 1, (1 << 31) - 1)
    expect_int(divisor, "the divisor of the unit of a date", 1, 1)
    if not _UNIT.fullmatch(name):
        raise FormatError(f"{shown(name)} is not a unit of dates")
    return np.dtype(f"{order}{spec}" if name == "generic" else f"{order}{spec}[{count}{name}]"), metadata


def _subarray(budget: Budget, subarray: Any, itemsize: Any) -> np.dtype[Any]:
    base, shape = expect(subarray, "a subarray", tuple)
    shape = expect_ints((shape,) if type(shape) is int else shape, "the shape of a subarray")
    _check_size(budget, [_expect_dtype(base)])
    if element_count(shape) * base.itemsize != expect_int(itemsize, "the size of a subarray", 0, MAX_ITEMSIZE):
        raise FormatError(f"a subarray has {itemsize} bytes, which disagrees with its shape")
    if not is_subarray(base, shape):
        raise FormatError("a subarray has more or larger dimensions than NumPy allows")
    return np.dtype((base, shape))


def _structured(budget: Budget, names: Any, fields: Any, itemsize: Any, flags: Any) -> np.dtype[Any]:
    """Return a structured dtype, as NumPy pickles it."""
    expect(names, "the names of a structured dtype", tuple)
    expect(fields, "the fields of a structured dtype", dict)
    budget.pay(_FIELD * (len(names) + len(fields)))
    columns = [_field(name, fields) for name in names]
    titles = [title for _, _, title in columns]
    if fields.keys() != set(names) | set(titles) - {None}:
        raise FormatError("a structured dtype has fields without a name")
    aligned = expect(flags, "the flags of a dtype", int) & _ALIGNED
    formats, offsets = [dtype for dtype, _, _ in columns], [at for _, at, _ in columns]
    return _laid_out(budget, names, formats, offsets, titles, itemsize, aligned)


def _from_layout(budget: Budget, layout: dict[Any, Any]) -> np.dtype[Any]:
    """Return an aligned structured dtype, as BinPickle pickles it."""
    if layout.keys() != {"names", "formats", "offsets", "itemsize", "aligned"} or layout["aligned"] is not True:
        raise FormatError("the layout of a structured dtype is malformed")
    names, formats, offsets = (expect(layout[key], f"the {key} of a dtype", list) for key in _LISTS)
    budget.pay(_FIELD * len(names))
    for name, dtype, offset in zip(names, formats, offsets):
        _field(name, {name: (dtype, offset)})
    return _laid_out(budget, names, formats, offsets, [None] * len(names), layout["itemsize"], True)


def _laid_out(
    budget: Budget,
    names: Sequence[str],
    formats: list[np.dtype[Any]],
    offsets: list[int],
    titles: list[Any],
    itemsize: Any,
    aligned: Any,
) -> np.dtype[Any]:
    """Return a structured dtype of checked parts, if they fit together."""
    expect_int(itemsize, "the size of a structured dtype", 0, MAX_ITEMSIZE)
    if not names and not itemsize:
        return np.dtype([])  # NumPy 1 divides by the alignment of the fields, which is 0 when there are none
    same_length = len(names) == len(formats) == len(offsets) > 0
    if not same_length or not fields_fit(formats, offsets, itemsize):
        raise FormatError("a structured dtype has fields that lie outside of it")
    _check_size(budget, formats)
    layout = {"names": list(names), "formats": formats, "offsets": offsets, "itemsize": itemsize}
    if any(title is not None for title in titles):
        layout["titles"] = titles
    make: Any = np.dtype
    return make(layout, align=bool(aligned))  # type: ignore[no-any-return]


def _field(name: Any, fields: dict[Any, Any]) -> tuple[np.dtype[Any], int, Any]:
    """Return dtype, offset and title of a field."""
    parts = expect(fields[expect(name, "the name of a field", str)], "a field", tuple)
    dtype, offset, title = parts if len(parts) == 3 else (*parts, None)
    if type(title) not in (str, type(None)):
        raise FormatError(f"the field {shown(name)} has a {type(title).__name__} as its title")
    return _expect_dtype(dtype), expect_int(offset, "the offset of a field", 0, MAX_ITEMSIZE), title


def _expect_dtype(value: Any) -> np.dtype[Any]:
    if not isinstance(value, np.dtype):
        raise FormatError(f"the type of a field is a {type(value).__name__}")
    return value


def _check_size(budget: Budget, parts: list[np.dtype[Any]]) -> None:
    """Refuse what has too many fields, counted with repetitions, or too deep ones."""
    left = _MAX_FIELDS
    for _ in range(_MAX_DEPTH):
        budget.pay(2 * len(parts))
        left -= len(parts)
        if left < 0 or not parts:
            break
        parts = list(islice((inner for part in parts for inner in _inner(part)), left + 1))
    if parts:
        raise LimitError("pickle stream: a dtype has too many fields, or too deep ones", "nesting")


def _inner(dtype: np.dtype[Any]) -> list[np.dtype[Any]]:
    if dtype.subdtype:
        return [dtype.subdtype[0]]
    return [dtype.fields[name][0] for name in dtype.names or ()] if dtype.fields else []


def _with_metadata(budget: Budget, dtype: np.dtype[Any], metadata: Any) -> np.dtype[Any]:
    budget.pay(3 * len(expect(metadata, "the metadata of a dtype", dict)))
    return np.dtype(dtype, metadata=expect(metadata, "the metadata of a dtype", dict))


def _string_dtype(budget: Budget, coerce: Any, na_object: Any = ...) -> np.dtype[Any]:
    """Make a dtype of strings of variable length (NumPy 2)."""
    coerced = bool(expect(coerce, "StringDType", bool, int))
    if na_object is ...:
        return np.dtypes.StringDType(coerce=coerced)
    if isinstance(na_object, Global):
        if na_object.load is None:
            raise FormatError(f"StringDType has {na_object} for missing strings")
        na_object = na_object.load()
    elif type(na_object) not in ATOMS:
        raise FormatError(f"StringDType has a {type(na_object).__name__} for missing strings")
    return np.dtypes.StringDType(coerce=coerced, na_object=na_object)


CALLS: dict[tuple[str, str], Callable[..., Any]] = {
    ("numpy", "dtype"): _dtype,
    ("numpy._core._internal", "_convert_to_stringdtype_kwargs"): _string_dtype,
}
"""What makes dtypes, by canonical name."""

MENTIONED = frozenset({("numpy", "record")})
"""What these take as an argument."""
