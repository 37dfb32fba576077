"""The partner of the strict machine that makes, imports and calls nothing: every object is a stand-in.

Rule: it takes from the stack and leaves on the stack as many items as `Values` does, so that a scan sees the same
stream as a load. A global notes each use that the stream makes of it.
"""

from __future__ import annotations

from typing import Any, Iterable

from .tokens import STAND_IN, Global

__all__ = ["Inert"]


class Inert:
    """Stand-ins for all that `Values` does."""

    def admit(self, found: Global) -> None:
        """Take any global."""

    def tuple_of(self, items: Iterable[Any]) -> Any:
        """Note the globals in a tuple, most often the arguments of a call."""
        return _note(items, "argument")

    def frozenset_of(self, items: Iterable[Any]) -> Any:
        """Note the globals in a frozenset."""
        return _note(items, "value")

    def call(self, function: Any, arguments: Any) -> Any:
        """Note what is called."""
        _note((function,), "called")
        return _note((arguments,), "argument")

    def new(self, cls: Any, arguments: Any, keywords: Any) -> Any:
        """Note what is instantiated."""
        _note((cls,), "instantiated")
        return _note((arguments, keywords), "argument")

    def build(self, target: Any, state: Any) -> Any:
        """Note a global that is given a state, or is one."""
        return _note((target, state), "value")

    def extend(self, target: Any, items: Iterable[Any]) -> None:
        """Note the globals among the items of a list."""
        _note(items, "value")

    def set_items(self, target: Any, items: Iterable[Any]) -> None:
        """Note the globals among the keys and values of a dict."""
        _note(items, "value")

    def add_items(self, target: Any, items: Iterable[Any]) -> None:
        """Note the globals among the elements of a set."""
        _note(items, "value")

    def next_buffer(self) -> Any:
        """Take no buffer."""
        return STAND_IN

    def read_only(self, buffer: Any) -> Any:
        """Leave it."""
        return STAND_IN

    def finish(self, value: Any) -> Any:
        """Note the object itself."""
        return _note((value,), "value")


def _note(items: Iterable[Any], use: str) -> Any:
    for item in items:
        if type(item) is Global:
            item.uses.add(use)
    return STAND_IN
