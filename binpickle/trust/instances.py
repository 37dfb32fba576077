"""Gives an instance of a class that the caller named its state.

Rule: the class's own `__setstate__` gets the state if the class has one. Otherwise attributes go into the `__dict__` of
the instance, and into those slots alone that the class declares, or a stream could set `__class__`.
"""

from __future__ import annotations

import sys
from typing import Any, Iterator

import numpy as np

from ..errors import FormatError

__all__ = ["restore", "string_keyed"]


def string_keyed(items: Any, what: str) -> dict[str, Any]:
    """Return a dict with strings as keys.

    Raises:
        FormatError: it is something else.
    """
    if type(items) is not dict or any(type(name) is not str for name in items):
        raise FormatError(f"{what} are not a dict with strings as keys")
    return items


def restore(target: Any, state: Any) -> None:
    """Give an instance its state, as the pickle protocol has it.

    Args:
        target: an instance that a class or function which the caller named has made for this stream.
        state: what BUILD has for it.

    Raises:
        FormatError: the state is not one that such an instance can have.
    """
    setstate = getattr(target, "__setstate__", None)
    if isinstance(target, np.ndarray) and type(target).__setstate__ is np.ndarray.__setstate__:
        raise FormatError("an array is given a state that NumPy would not check")
    if setstate is not None:
        setstate(state)
        return
    slots = None
    if type(state) is tuple and len(state) == 2:
        state, slots = state
    if state:
        attributes = target.__dict__
        for name, value in string_keyed(state, "attributes").items():
            attributes[sys.intern(name)] = value
    if slots:
        allowed = set(_slot_names(type(target)))
        for name, value in string_keyed(slots, "slots").items():
            if name not in allowed:
                raise FormatError(f"{type(target).__name__} has no slot {name!r}")
            setattr(target, name, value)


def _slot_names(cls: type) -> Iterator[str]:
    """Yield the attributes that the slots of a class are."""
    for base in cls.__mro__:
        slots = base.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if name.startswith("__") and not name.endswith("__"):
                owner = base.__name__.lstrip("_")
                yield f"_{owner}{name}" if owner else name
            elif name not in ("__dict__", "__weakref__"):
                yield name
