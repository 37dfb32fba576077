"""What it costs to put a key into a dict or set.

Rule: the keys of a stream are chosen by its author. Python hashes strings and bytes with a secret, and small integers
are their own hashes; the author of a file can choose all other keys so that their hashes are equal, and then each of
them is compared with all before it. A string is compared with one that is equal to it, to the last character.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import islice
from sys import getsizeof
from time import thread_time
from typing import Any, Callable, Iterable, Sequence

from ..errors import LimitError
from .budget import Budget

__all__ = ["Hashing"]

_STRINGS = frozenset({str, bytes})
# Containers of fewer items cannot take long, and neither can strings of fewer characters.
_FEW = 1 << 12
_PART = 1 << 10
# What a key takes that is put into a container, and what it takes to move the others to a larger table, at most.
_SECONDS_A_KEY = 5e-6
_SECONDS_A_MOVE = 2e-7
_UNITS_A_SECOND = 1 << 22
_FREE = frozenset({type(None), bool})
# From here on, integers are hashed modulo a prime, and so have hashes in common.
_PRIME = (1 << 61) - 1
# A tuple that holds another one twice, and so on, has few bytes and more elements than can be hashed in a lifetime.
_MAX_KEY_ELEMENTS = 1 << 16


class Hashing:
    """Fills dicts and sets, and knows the hashes of keys that are not hashed at once, by container.

    Args:
        budget: pays for each key.
    """

    def __init__(self, budget: Budget):
        self._budget = budget
        self._hashes: dict[tuple[int, int], int] = {}

    def pay(self, target: Any, keys: Sequence[Any]) -> None:
        """Pay for the keys that are put into a dict or set.

        Raises:
            LimitError: they take too long to be hashed or compared.
            TypeError: a key cannot be hashed.
        """
        if _STRINGS.issuperset(map(type, keys)) and sum(map(len, keys)) < _FEW:
            return
        place = id(target)
        for key in keys:
            kind = type(key)
            if kind in _STRINGS:
                self._budget.pay(len(key) >> 8)
            elif kind not in _FREE and (kind is not int or not -_PRIME < key < _PRIME):
                self._pay(place, key)

    def fill(self, update: Callable[[Iterable[Any]], Any], items: Iterable[Any], count: int, size: int) -> None:
        """Put items into a dict or set, some at a time.

        Integers can be chosen so that looking for a free place takes as many steps as there are items. No look at the
        integers tells, so the time tells that it took.

        Args:
            update: puts items into the container.
            items: elements, or pairs of keys and values.
            count: how many these are.
            size: how many items the container has.

        Raises:
            LimitError: it takes too long.
        """
        if size + count <= _FEW:
            update(items)
            return
        left = iter(items)
        for start in range(0, count, _PART):
            begin = thread_time()
            update(islice(left, _PART))
            honest = _PART * _SECONDS_A_KEY + (size + start) * _SECONDS_A_MOVE
            self._budget.pay(max(0, int((thread_time() - begin - honest) * _UNITS_A_SECOND)))

    def _pay(self, target: int, key: Any) -> None:
        units = _units(key)
        self._budget.pay(units)
        place = target, hash(key)
        others = self._hashes.get(place, 0)
        self._hashes[place] = others + 1
        self._budget.pay(others * units)


def _units(key: Any) -> int:
    """Return the units that it takes to hash a key, or to compare it.

    Raises:
        LimitError: it is a tuple that is too large, counted with repetitions.
    """
    units, left, todo = 1, _MAX_KEY_ELEMENTS, [key]
    while todo:
        item = todo.pop()
        if type(item) is int:
            units += (item.bit_length() >> 8) ** 2 >> 4  # compared with a Decimal, it becomes one
        elif type(item) in (tuple, frozenset):  # frozensets know their hash, but are compared item by item
            left -= 1 + len(item)
            if left < 0:
                raise LimitError("pickle stream: a key is too large to be hashed", "nesting")
            todo += item
        elif isinstance(item, (str, bytes)):
            units += len(item) >> 10  # hashed once, compared each time
        elif type(item) is range:
            todo += (item.start, item.stop, item.step, item.stop - item.start)
        elif type(item) is Fraction:
            units += 8 + ((item.numerator.bit_length() + item.denominator.bit_length()) >> 6)
        else:
            units += 8 + (getsizeof(item) >> 4)  # Python code computes the hash, as a rule
    return units + _MAX_KEY_ELEMENTS - left
