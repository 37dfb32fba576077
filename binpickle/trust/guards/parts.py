"""Checks of the parts of an object that compiled code believes: arrays, numbers, attributes.

Rule: exact types. What has the attributes of an array and is none would get compiled code to read any memory.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Iterable

import numpy as np

from ...errors import FormatError
from ...pickling.renames import Name, canonical
from ..budget import Budget
from ..rules.checks import shown

__all__ = [
    "ARRAYS",
    "FLOATS",
    "INDICES",
    "attributes",
    "expect_array",
    "expect_flag",
    "expect_number",
    "expect_parts",
    "expect_range",
    "fail",
    "is_frozen",
    "is_kind",
    "lineage",
    "own",
    "owned",
    "whole",
]

_MOST_ATTRIBUTES = 1000
ARRAYS = (np.ndarray, np.memmap)
INDICES = (np.dtype(np.int32), np.dtype(np.int64))
FLOATS = (np.dtype(np.float32), np.dtype(np.float64))


def fail(owner: Any, what: str) -> FormatError:
    """Return an error that names the class of an object and what is wrong with it."""
    return FormatError(f"a {(owner if isinstance(owner, type) else type(owner)).__name__}: {what}")


def attributes(instance: Any) -> dict[str, Any]:
    """Return the attributes of an instance, as they are: no property or method runs."""
    found = getattr(instance, "__dict__", None)
    return found if type(found) is dict else {}


@lru_cache(maxsize=1024)
def lineage(cls: Any) -> tuple[Name, ...]:
    """Return the canonical names of a class and of its bases, in the order in which Python looks attributes up."""
    return tuple(canonical(base.__module__, base.__qualname__) for base in cls.__mro__)


def is_kind(value: Any, module: str, *names: str) -> bool:
    """Whether the class of an object is one of these classes of a module, or derives from one."""
    cls: Any = type(value)
    return not {(module, name) for name in names}.isdisjoint(lineage(cls))


def expect_array(owner: Any, what: str, value: Any, dtypes: Iterable[Any], shape: tuple[int | None, ...]) -> np.ndarray:
    """Return an array, if it is one of these dtypes and of this shape.

    Args:
        owner: the object that has it, for the message.
        what: its name, for the message.
        value: what should be an array.
        dtypes: the dtypes that it may have.
        shape: the length of each dimension; `None` for any.

    Raises:
        FormatError: it is another kind of object, or another array.
    """
    if type(value) not in ARRAYS:
        raise fail(owner, f"{what} is a {type(value).__name__}, not an array")
    if value.dtype not in dtypes:
        raise fail(owner, f"{what} has the dtype {value.dtype!r}")
    if value.ndim != len(shape) or any(n is not None and n != m for n, m in zip(shape, value.shape)):
        wanted = ", ".join("any" if n is None else str(n) for n in shape)
        raise fail(owner, f"{what} has the shape {value.shape}, not ({wanted})")
    return value  # type: ignore[no-any-return]


def expect_range(budget: Budget, owner: Any, what: str, values: np.ndarray, low: int, high: int) -> None:
    """Check that all numbers of an array of integers are from `low` to `high`."""
    budget.pay(1 + values.size)
    if values.size and (int(values.min()) < low or int(values.max()) > high):
        raise fail(owner, f"{what} has numbers that are not from {low} to {high}")


def expect_number(owner: Any, what: str, value: Any, low: int, high: int) -> int:
    """Return an integer, Python's or NumPy's, if it is from `low` to `high`."""
    if whole(value) is None or not low <= value <= high:
        raise fail(owner, f"{what} is not an integer from {low} to {high}")
    return int(value)


def whole(value: Any) -> int | None:
    """Return an integer for one of Python or NumPy, and `None` for all else."""
    return int(value) if type(value) is int or isinstance(value, np.integer) else None


def own(budget: Budget, parts: dict[str, Any], *names: str) -> None:
    """Give an object arrays that nothing else can write to, because compiled code believes their numbers later, too.

    Two arrays of a stream may share memory, and one array may be part of several objects.
    """
    for name in names:
        parts[name] = owned(budget, parts[name])


def owned(budget: Budget, array: np.ndarray) -> np.ndarray:
    """Return an array that nothing else can write to: this one, or a copy."""
    if is_frozen(array):
        return array
    budget.pay(1 + (array.nbytes >> 7))  # an honest file has each number once
    return np.array(array, order="K")


def is_frozen(array: Any) -> bool:
    """Whether nobody can write to the memory of an array: it lies over bytes, or over a file mapped for reading."""
    while True:
        if type(array) is memoryview:
            if not array.readonly:
                return False
            array = array.obj
        elif isinstance(array, np.ndarray):
            if array.flags.writeable or array.base is None:
                return False
            array = array.base
        else:
            return type(array) is bytes or (type(array) is not bytearray and memoryview(array).readonly)


def expect_flag(owner: Any, what: str, value: Any) -> bool:
    """Return a bool, Python's or NumPy's."""
    if type(value) not in (bool, np.bool_):
        raise fail(owner, f"{what} is a {type(value).__name__}, not a bool")
    return bool(value)


def expect_parts(instance: Any, allowed: frozenset[str] = frozenset()) -> dict[str, Any]:
    """Return the attributes of an instance, if none hides a method of its class.

    A stream could put any function of a set in the place of a method that checks what users pass.

    Raises:
        FormatError: an attribute hides a method, or has a name that Python or NumPy looks up by itself.
    """
    found = attributes(instance)
    kind: Any = type(instance)
    if len(found) > _MOST_ATTRIBUTES:
        raise fail(instance, f"it has more than {_MOST_ATTRIBUTES} attributes")
    for name in found:
        if name not in allowed and _is_method(kind, name):
            raise fail(instance, f"the attribute {shown(name)} hides a method of the class")
        if type(name) is str and name.startswith("__") and name.endswith("__"):
            raise fail(instance, f"the attribute {shown(name)} is one that Python or NumPy looks up by itself")
    return found


@lru_cache(maxsize=1 << 14)
def _is_method(kind: Any, name: str) -> bool:
    """Whether instances of a class have a method under a name. Properties do not count, for nothing hides them."""
    for base in kind.__mro__:
        if name in vars(base):
            held = type(vars(base)[name])
            return hasattr(held, "__get__") and not hasattr(held, "__set__") and held.__name__ != "cached_property"
    return False
