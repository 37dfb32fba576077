"""How deeply objects lie within objects.

Rule: CPython and NumPy free, compare and show nested objects by recursion in C. A stream that spends a few bytes on
each level could end the process, so the depth of each object is noted when the object is filled: innermost first, as
every pickler does it.
"""

from __future__ import annotations

from collections import Counter, OrderedDict, defaultdict, deque
from itertools import repeat
from typing import Any, Collection

import numpy as np

from ..errors import LimitError
from .tokens import Args, Global

__all__ = ["ATOMS", "Nesting"]

ATOMS = frozenset({str, int, float, bool, type(None), bytes})
"""Types that hold nothing."""

# CPython takes lists, dicts, tuples, sets and instances of Python's classes apart without recursion, however they are
# nested. It does not so with these.
_FREED_BY_RECURSION = (defaultdict, deque, np.ndarray, np.void, slice)

# What holds nothing unless the depths have it.
_FLAT = ATOMS | {list, dict, tuple, set, frozenset, bytearray, memoryview, np.dtype, Global, Args}

# Types whose instances certainly are none of these.
_PLAIN = ATOMS | {list, dict, tuple, set, frozenset, OrderedDict, Counter, np.dtype}


class Nesting:
    """The depths of the objects of one stream.

    Args:
        limit: greatest depth that is allowed.
    """

    def __init__(self, limit: int):
        self._limit = limit
        self._depths: dict[int, int] = {}  # of objects that hold others; 1 for all that are not here
        self._alive: list[Any] = []  # an id means an object only as long as it lives
        self._placed: set[int] = set()
        self._slack = 0

    def note(self, parent: Any, children: Collection[Any]) -> None:
        """Note that these children are put into `parent`.

        Raises:
            LimitError: it is nested too deeply.
        """
        kinds = {*map(type, children)} - ATOMS
        if not kinds:
            return  # as most are: of numbers and strings
        depths = self._depths
        deepest = max(map(depths.get, map(id, children), repeat(1)))
        if not kinds <= _PLAIN:
            self._place(parent, children)
        self._check(deepest)
        if deepest >= depths.get(id(parent), 1):
            depths[id(parent)] = deepest + 1
            self._alive.append(parent)

    def note_wrapped(self, made: Any, parts: Collection[Any]) -> None:
        """Note that `made` was made of these parts: it holds what they hold, and lists among them item by item.

        Raises:
            LimitError: it is nested too deeply.
        """
        deepest = max(map(self._depths.get, map(id, parts), repeat(1)), default=1)
        if deepest == 1 and not any(map(_may_hold, parts)):
            return  # as most are: of numbers, shapes, buffers and attributes
        for part in parts:
            if type(part) is list:
                self._place(made, part)
        self._check(deepest)
        if deepest >= self._depths.get(id(made), 1):
            self._depths[id(made)] = deepest + 1
            self._alive.append(made)

    def _check(self, deepest: int) -> None:
        if deepest + self._slack >= self._limit:
            raise LimitError(f"pickle stream: objects are nested more than {self._limit} deep", "nesting")

    def _place(self, parent: Any, children: Collection[Any]) -> None:
        """Allow for what is put into a parent whose own parents' depths are noted already: cycles, or an attack."""
        risky = [child for child in children if _is_risky(child)]
        if risky and id(parent) in self._placed and isinstance(parent, _FREED_BY_RECURSION):
            self._slack += max(self._depths.get(id(child), 1) for child in risky)
        for child in risky:
            if id(child) not in self._placed:
                self._placed.add(id(child))
                self._alive.append(child)


def _may_hold(part: Any) -> bool:
    """Whether an object may hold others, and is neither a flat container of Python nor a plain array."""
    kind = type(part)
    if kind is np.ndarray:
        return bool(part.dtype.hasobject)
    return kind not in _FLAT and not issubclass(kind, np.generic)


def _is_risky(item: Any) -> bool:
    return isinstance(item, _FREED_BY_RECURSION) and (not isinstance(item, np.ndarray) or item.dtype.hasobject)
