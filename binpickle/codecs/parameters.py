"""What the parameters of a codec may be: the checks that the table of codecs is made of.

Rule: a parameter comes from a file. It must have exactly the expected type, so that no bool passes for an integer.
"""

from __future__ import annotations

import lzma
from typing import Any, Callable

from ..errors import FormatError
from ..format.dtypes import dtype_from_spec

__all__ = [
    "FLAG",
    "INT32",
    "LZMA_DICTIONARY",
    "Check",
    "integer",
    "lzma_filters",
    "lzma_preset",
    "number",
    "numeric_dtype",
    "one_of",
]

Check = Callable[[Any], bool]

LZMA_DICTIONARY = 64 << 20
"""The largest LZMA dictionary that is decoded: that of preset 9. It is allocated before the first byte comes out."""


def integer(low: int, high: int) -> Check:
    """Return the check that a value is an integer from `low` to `high`."""
    return lambda value: type(value) is int and low <= value <= high


def one_of(*values: Any) -> Check:
    """Return the check that a value is one of `values`, and of their type."""
    return lambda value: type(value) is type(values[0]) and value in values


INT32 = integer(-(1 << 31), (1 << 31) - 1)
FLAG = one_of(False, True)


def number(value: Any) -> bool:
    """Return whether a value is a float, or an integer of 64 bits."""
    return type(value) is float or integer(-(1 << 63), 1 << 63)(value)


def numeric_dtype(value: Any) -> bool:
    """Return whether a value names a dtype of numbers."""
    try:
        return isinstance(value, str) and dtype_from_spec(value).kind in "biufc"
    except FormatError:
        return False


_FILTER_PARAMETERS: dict[str, Check] = {
    "id": integer(0, (1 << 63) - 1),
    "preset": integer(0, 9 | lzma.PRESET_EXTREME),
    "dict_size": integer(0, LZMA_DICTIONARY),
    **{key: integer(0, (1 << 32) - 1) for key in ("lc", "lp", "pb", "mode", "nice_len", "mf", "depth")},
    **{key: integer(0, (1 << 32) - 1) for key in ("dist", "start_offset")},
}


def lzma_filters(value: Any) -> bool:
    """Return whether a value is a chain of LZMA filters, or `None`."""
    return value is None or (isinstance(value, list) and len(value) <= 4 and all(map(_lzma_filter, value)))


def _lzma_filter(value: Any) -> bool:
    return isinstance(value, dict) and all(
        key in _FILTER_PARAMETERS and _FILTER_PARAMETERS[key](item) for key, item in value.items()
    )


def lzma_preset(value: Any) -> bool:
    """Return whether a value is a preset of LZMA, or `None`."""
    return value is None or _FILTER_PARAMETERS["preset"](value)
