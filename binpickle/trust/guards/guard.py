"""The record of one guard, and the checks of those that have nothing to check, or no state to take."""

from __future__ import annotations

from typing import Any, Callable, NamedTuple

from ...errors import FormatError
from ..budget import Budget

__all__ = ["Guard", "accept", "refuse_state"]


class Guard(NamedTuple):
    """How the machine guards the instances of one class.

    Attributes:
        check: takes the budget and a finished instance, and raises `FormatError` if using it could end the process,
            run for ever, open a file or unpickle.
        again: whether a stream could still change what was checked, by filling a list or dict that the instance holds.
            The machine then checks it a second time, when the stream has ended.
        needs_state: whether an instance without a state must not be used. The machine refuses a stream that ends
            without giving it one.
        before: takes the budget, an instance and the state that it is about to get, and returns the state that it
            gets instead, or `None` for this one. The machine calls it before BUILD runs the class's own `__setstate__`.
            Compiled classes need it: theirs believes what a tuple holds.
    """

    check: Callable[[Budget, Any], None]
    again: bool = False
    needs_state: bool = True
    before: Callable[[Budget, Any, Any], Any] | None = None


def accept(budget: Budget, instance: Any) -> None:
    """Accept an object whose arguments or state were checked before it got them."""


def refuse_state(budget: Budget, instance: Any, state: Any) -> None:
    """Refuse a state for an object that a call has made whole.

    Raises:
        FormatError: always.
    """
    raise FormatError(f"a {type(instance).__name__} is given a state, which it has from its arguments")
