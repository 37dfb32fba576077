"""Fills containers for the strict machine.

Rule: a stream fills dicts, lists, deques and sets that it made itself, by the methods of these types and no others. It
pays for each key, and what it fills is nested by one more than what it puts in.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict, deque
from functools import partial
from typing import Any, Callable, Iterable

from ..errors import FormatError
from .budget import Budget
from .hashing import Hashing
from .instances import Instances
from .memory import Addresses, refuse_memory
from .nesting import ATOMS, Nesting

__all__ = ["Containers"]

_DICTS = frozenset({dict, OrderedDict, defaultdict})
_LISTS = (list, deque)


class Containers:
    """The containers of one stream.

    Args:
        budget: pays for the keys.
        nesting: knows how deeply each container is nested.
        instances: knows the containers of classes that the caller named.
        addresses: looks for names by which NumPy takes memory; `None` if no object can have attributes.
    """

    def __init__(self, budget: Budget, nesting: Nesting, instances: Instances, addresses: Addresses | None):
        self._budget = budget
        self._nesting = nesting
        self._hashing = Hashing(budget)
        self._instances = instances
        self._addresses = addresses

    def frozenset_of(self, elements: list[Any]) -> Any:
        """Make a frozenset."""
        hashing = Hashing(self._budget)
        kept: set[Any] = set()
        hashing.pay(elements, elements)
        hashing.fill(kept.update, elements, len(elements), 0)
        made = frozenset(kept)
        self._nesting.note(made, elements)
        return made

    def extend(self, target: Any, items: list[Any]) -> None:
        """Append to a list or deque."""
        kind = type(target)
        if kind is list:
            target += items
            if ATOMS.issuperset(map(type, items)):
                return
        elif kind is deque:
            target.extend(items)
        else:
            base = next((base for base in _LISTS if isinstance(self._instances.own(target), base)), None)
            if base is None or kind.append is not base.append or kind.extend is not base.extend:
                raise FormatError(f"a {kind.__name__} is filled, which has no append and extend of list or deque")
            base.extend(target, items)
        self._nesting.note(target, items)

    def set_items(self, target: Any, items: list[Any]) -> None:
        """Set items of a dict, from keys and values by turns."""
        keys = items[::2]
        if self._addresses is not None:
            self._addresses.note(target, keys)
        self._hashing.pay(target, keys)
        update = target.update if type(target) in _DICTS else self._setter(target, keys)
        self._hashing.fill(update, zip(keys, items[1::2]), len(keys), len(target))
        if not ATOMS.issuperset(map(type, items)):
            self._nesting.note(target, items)

    def add_items(self, target: Any, elements: list[Any]) -> None:
        """Add to a set."""
        if type(target) is not set:
            raise FormatError(f"a {type(target).__name__} is filled as a set is")
        self._hashing.pay(target, elements)
        self._hashing.fill(target.update, elements, len(elements), len(target))
        self._nesting.note(target, elements)

    def finish(self) -> None:
        """Check, at the end of the stream, what it could change after the first check.

        Raises:
            FormatError: a dict names memory that NumPy would read or write.
        """
        if self._addresses is not None:
            self._addresses.finish()

    def _setter(self, target: Any, keys: list[Any]) -> Callable[[Iterable[tuple[Any, Any]]], None]:
        """Return what sets items of a dict of a class that the caller named.

        Raises:
            FormatError: the class sets them by code of its own.
        """
        kind = type(self._instances.own(target))
        setter = getattr(kind, "__setitem__", None)
        if not issubclass(kind, dict) or setter not in (dict.__setitem__, OrderedDict.__setitem__):
            raise FormatError(f"a {kind.__name__} is filled, which has no __setitem__ of dict")
        refuse_memory(keys)  # dicts of many classes show their items as attributes
        return partial(_set_each, setter, target)


def _set_each(setter: Callable[..., None], target: Any, pairs: Iterable[tuple[Any, Any]]) -> None:
    for key, value in pairs:
        setter(target, key, value)
