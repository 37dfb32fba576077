"""How deeply containers lie within containers, and which keys may be hashed.

Rule: CPython and NumPy free, hash and compare nested objects by recursion in C. A stream that spends a few bytes on
each level could end the process, so the depth of each container is noted when the container is filled: innermost first,
as every pickler does it.
"""

from __future__ import annotations

from collections import Counter, OrderedDict, defaultdict, deque
from typing import Any, Iterable

import numpy as np

from ..errors import LimitError
from .tokens import Args

__all__ = ["ATOMS", "CONTAINERS", "FREED_BY_RECURSION", "Nesting"]

ATOMS = frozenset({str, int, float, bool, type(None), bytes})
"""Types that hold nothing and are hashed at once."""

# CPython takes lists, dicts, tuples and sets apart without recursion, however they are nested. Not these.
FREED_BY_RECURSION = frozenset({defaultdict, deque, np.ndarray, np.matrix, np.recarray, np.ma.MaskedArray})

CONTAINERS = frozenset({list, dict, set, tuple, frozenset, Args, OrderedDict, Counter}) | FREED_BY_RECURSION

# A tuple that holds another one twice, and so on, has few bytes and more elements than can be hashed in a lifetime.
_MAX_KEY_ELEMENTS = 1 << 16


class Nesting:
    """The depths of the containers of one stream.

    Args:
        limit: greatest depth that is allowed.
    """

    def __init__(self, limit: int):
        self._limit = limit
        self._depths: dict[int, int] = {}
        self._alive: list[Any] = []  # an id means an object only as long as it lives
        self._placed: set[int] = set()
        self._slack = 0

    def note(self, parent: Any, children: Iterable[Any]) -> None:
        """Note that these children, or those of them that are containers, are put into `parent`.

        Raises:
            LimitError: it is nested too deeply.
        """
        depths = self._depths
        deepest = 0
        for child in children:
            if type(child) in CONTAINERS:
                depth = depths.get(id(child), 1)
                if depth > deepest:
                    deepest = depth
        if type(parent) in FREED_BY_RECURSION:
            self._note_recursive(parent, children)
        if deepest + self._slack >= self._limit:
            raise LimitError(f"pickle stream: objects are nested more than {self._limit} deep", "nesting")
        if deepest >= depths.get(id(parent), 1):
            depths[id(parent)] = deepest + 1
            self._alive.append(parent)

    def _note_recursive(self, parent: Any, children: Iterable[Any]) -> None:
        """Allow for what is put into a parent whose own parents' depths are noted already: cycles, or an attack."""
        risky = [child for child in children if type(child) in FREED_BY_RECURSION]
        if risky and id(parent) in self._placed:
            self._slack += max(self._depths.get(id(child), 1) for child in risky)
        for child in risky:
            if id(child) not in self._placed:
                self._placed.add(id(child))
                self._alive.append(child)

    def check_key(self, key: Any) -> None:
        """Refuse to hash a tuple that is too large, counted with repetitions.

        Raises:
            LimitError: it is.
        """
        left = _MAX_KEY_ELEMENTS
        todo = [key]
        while todo:
            found = [item for item in todo.pop() if type(item) is tuple]
            left -= 1 + sum(map(len, found))
            if left < 0:
                raise LimitError("pickle stream: a key is too large to be hashed", "nesting")
            todo += found
