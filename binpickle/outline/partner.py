"""The partner of the strict machine that keeps what a stream makes as a tree of items, and makes nothing of it.

Rule: it takes any stream that `Inert` takes, and raises nothing. See `items` for what the tree consists of.
"""

from __future__ import annotations

from itertools import count
from typing import Any

from ..trust.tokens import Global
from .items import Buffer, Items, Made, More

__all__ = ["Partner"]


_new = object.__new__


class Partner:
    """Items for all that `Values` makes."""

    def __init__(self) -> None:
        # These are called for each array, and run no code of Python: streams have hundreds of thousands.
        self.next_buffer = map(Buffer, count()).__next__
        self.tuple_of = tuple

    def admit(self, found: Global) -> None:
        """Take any global."""

    def frozenset_of(self, items: list[Any]) -> Any:
        """Keep the elements."""
        return Items(items)

    def call(self, function: Any, arguments: Any) -> Any:
        """Keep what is called, and with what."""
        made = _new(Made)  # without its `__init__`, which takes as long again
        made.function, made.arguments, made.more = function, arguments, None
        return made

    def new(self, cls: Any, arguments: Any, keywords: Any) -> Any:
        """Keep what is instantiated, and with what."""
        made = Made(cls, arguments)
        if keywords:
            made.more = More(keywords)
        return made

    def build(self, target: Any, state: Any) -> Any:
        """Keep the state with the object."""
        if type(target) is Made:
            _more(target).state = state
        return target

    def extend(self, target: Any, items: list[Any]) -> None:
        """Append to a list, or to an object that takes items as a list does."""
        if type(target) is list:
            target.extend(items)
        elif type(target) is Made:
            _more(target).items.extend(items)

    def set_items(self, target: Any, items: list[Any]) -> None:
        """Add keys and values to a dict, or to an object that takes them as a dict does."""
        if type(target) is dict:
            target.setdefault(None, []).extend(items)
        elif type(target) is Made:
            _more(target).pairs.extend(items)

    def add_items(self, target: Any, items: list[Any]) -> None:
        """Add elements to a set."""
        if type(target) is set:
            if not target:
                target.add(Items())
            next(iter(target)).extend(items)
        elif type(target) is Made:
            _more(target).items.extend(items)

    def read_only(self, buffer: Any) -> Any:
        """Leave it."""
        return buffer

    def finish(self, value: Any) -> Any:
        """Return the root of the tree."""
        return value


def _more(made: Made) -> More:
    if made.more is None:
        made.more = More()
    return made.more
