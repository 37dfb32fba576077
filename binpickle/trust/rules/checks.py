"""Checks of arguments that rules have in common.

Rule: exact types, since a subclass could come from a type that the caller named and have methods of its own. A value
is compared only with one of its own type, and shown only if it is short: a tuple that holds another one twice, and so
on, would take for ever, and an array that repeats its memory compares each of its elements.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...errors import FormatError

__all__ = ["expect", "expect_dtype", "expect_int", "expect_ints", "expect_one_of", "field_count", "shown"]

# More than any NumPy allows an array.
_MAX_DIMENSIONS = 64


def expect(value: Any, what: str, *types: type) -> Any:
    """Return `value` if it is of exactly one of these types.

    Raises:
        FormatError: it is of another.
    """
    if type(value) not in types:
        raise FormatError(f"{what} is a {type(value).__name__}")
    return value


def expect_one_of(value: Any, what: str, *options: Any) -> Any:
    """Return `value` if it is one of these atoms, and of the type of that.

    Raises:
        FormatError: it is another.
    """
    if not any(type(value) is type(option) and value == option for option in options):
        raise FormatError(f"{what} is {shown(value)}")
    return value


def shown(value: Any) -> str:
    """Return a short text for a value, for messages."""
    if type(value) in (str, bytes):
        return repr(value[:60])
    if value is None or type(value) in (bool, float) or (type(value) is int and value.bit_length() < 200):
        return repr(value)
    return f"a {type(value).__name__}"


def field_count(dtype: np.dtype[Any]) -> int:
    """Return how many fields a dtype has, those within fields included, and at least 1."""
    if dtype.subdtype is not None:
        return field_count(dtype.subdtype[0])
    count = 1
    for name in dtype.names or ():
        count += field_count(dtype.fields[name][0])  # type: ignore[index]
    return count


def expect_int(value: Any, what: str, low: int, high: int) -> int:
    """Return an integer, if it is one from `low` to `high`.

    Raises:
        FormatError: it is not.
    """
    if type(value) is not int or not low <= value <= high:
        raise FormatError(f"{what} is not an integer from {low} to {high}")
    return value


def expect_ints(value: Any, what: str, low: int = 0, most: int = _MAX_DIMENSIONS) -> tuple[int, ...]:
    """Return a tuple of at most `most` integers of `low` or more that fit into 64 bits: a shape, as a rule.

    Raises:
        FormatError: it is not one.
    """
    if len(expect(value, what, tuple)) > most:
        raise FormatError(f"{what} has more than {most} numbers")
    for number in value:
        if type(number) is not int or not low <= number < 1 << 63:
            raise FormatError(f"{what} is not of integers from {low}")
    return value  # type: ignore[no-any-return]


def expect_dtype(value: Any, what: str, objects: bool = False) -> np.dtype[Any]:
    """Return a dtype, if it is one of plain bytes: an object made from a file's bytes would be a forged pointer.

    Args:
        value: what should be a dtype.
        what: the name of the argument, for the message.
        objects: allow dtypes with objects and strings of variable length.

    Raises:
        FormatError: it is not one.
    """
    if not isinstance(value, np.dtype):
        raise FormatError(f"{what} has no dtype but a {type(value).__name__}")
    if value.hasobject and not objects:
        raise FormatError(f"{what} cannot have the dtype {value.str}, which has objects")
    return value
