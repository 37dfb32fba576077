"""The objects that classes and functions outside of the safe set have made, and the states that they are given.

Rule: a stream fills, or gives a state to, only an object that was made for it and that nothing else holds, or it could
change what the whole process shares. Methods are looked up on the class, since a stream chooses what an instance has.
"""

from __future__ import annotations

import sys
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any, Callable, Iterable, Iterator, Mapping
from weakref import getweakrefcount

import numpy as np

from ..errors import FormatError
from .budget import Budget
from .guards import Guard, guards_of
from .memory import refuse_memory
from .nesting import ATOMS

__all__ = ["Instances", "string_keyed"]

# What has checks of its own, and what no stream may change.
_KEPT_APART = (type, ModuleType, FunctionType, BuiltinFunctionType, MethodType, np.generic, np.dtype)
_BUILT_IN = ATOMS | {list, dict, set, tuple, frozenset, bytearray, memoryview, np.ndarray}


def _references() -> int:
    """Return how many references there are, as Python counts, to an object that one local variable holds."""
    made = object()
    return sys.getrefcount(made)


_ALONE = _references()


def string_keyed(items: Any, what: str) -> dict[str, Any]:
    """Return a dict with strings as keys.

    Raises:
        FormatError: it is something else.
    """
    if type(items) is not dict or not {*map(type, items)} <= {str}:
        raise FormatError(f"{what} are not a dict with strings as keys")
    return items


class Instances:
    """What one stream has had made.

    Args:
        budget: guards pay from it.
    """

    def __init__(self, budget: Budget):
        self._budget = budget
        self._new: dict[int, Any] = {}
        self._kinds: dict[type, list[Guard] | None] = {}
        self._unfinished: dict[int, Any] = {}
        self._again: list[tuple[Guard, Any]] = []

    def make(self, function: Callable[..., Any], arguments: Iterable[Any], keywords: Mapping[str, Any] = {}) -> Any:
        """Call what makes an object, and remember the object if nothing else holds it."""
        made = function(*arguments, **keywords)
        guards = self._guards(type(made))
        if guards is None or sys.getrefcount(made) > _ALONE or getweakrefcount(made):  # by a cache, as a rule
            return made
        self._new[id(made)] = made
        for guard in guards:
            if guard.needs_state:
                self._unfinished[id(made)] = made
            else:
                self._guard(guard, made)
        return made

    def keep(self, made: Any) -> None:
        """Remember an object that a rule made, and that nothing else holds."""
        self._new[id(made)] = made

    def own(self, target: Any) -> Any:
        """Return `target`, if it was made for this stream and nothing else holds it.

        Raises:
            FormatError: it was not.
        """
        if self._new.get(id(target), self) is not target:
            raise FormatError(f"a {type(target).__name__} is filled or given a state that this stream did not make")
        return target

    def restore(self, target: Any, state: Any) -> None:
        """Give an object its state, as the pickle protocol has it, and check what came of it.

        Raises:
            FormatError: it was not made for this stream, or the state is not one that it can have.
        """
        guards = self._guards(type(self.own(target))) or ()
        self._budget.pay(_size(state))
        for part in state if type(state) is tuple else (state,):
            if isinstance(part, dict):
                refuse_memory(part)
        if guards and type(state) in (dict, tuple):
            self._budget.pay_arrays(state.values() if type(state) is dict else state)
        for guard in guards:
            if guard.before is not None:
                instead = guard.before(self._budget, target, state)
                state = state if instead is None else instead
        _restore(target, state)
        self._unfinished.pop(id(target), None)
        for guard in guards:
            self._guard(guard, target)

    def finish(self) -> None:
        """Check, at the end of the stream, what it could change after the first check.

        Raises:
            FormatError: an object has no state and needs one, or a state that it cannot have.
        """
        for made in self._unfinished.values():
            raise FormatError(f"a {type(made).__name__} is made and given no state")
        for guard, made in self._again:
            guard.check(self._budget, made)

    def _guards(self, kind: type) -> list[Guard] | None:
        """Return the guards of a class; `None` for what no stream may change, and what has checks of its own."""
        try:
            return self._kinds[kind]
        except KeyError:
            guards = None if kind in _BUILT_IN or issubclass(kind, _KEPT_APART) else guards_of(kind)
            self._kinds[kind] = guards
            return guards

    def _guard(self, guard: Guard, made: Any) -> None:
        guard.check(self._budget, made)
        if guard.again:
            self._again.append((guard, made))


def _size(state: Any) -> int:
    """Return the units of work that it takes to put a state into an object."""
    if type(state) is tuple:
        return sum(_size(part) if type(part) is dict else 1 for part in state)
    if type(state) is dict:  # strings are compared when they are interned
        if {*map(type, state)} <= {str}:
            return len(state) + (sum(map(len, state)) >> 8)
        return sum(1 + (len(name) >> 8 if type(name) is str else 0) for name in state)
    return 1 + (sys.getsizeof(state) >> 5 if type(state) in _BUILT_IN else 0)


def _restore(target: Any, state: Any) -> None:
    kind = type(target)
    setstate = getattr(kind, "__setstate__", None)
    if isinstance(target, np.ndarray) and setstate is np.ndarray.__setstate__:
        raise FormatError("an array is given a state that NumPy would not check")
    if setstate is not None:
        setstate(target, state)
        return
    slots = None
    if type(state) is tuple and len(state) == 2:
        state, slots = state
    if state:
        attributes = target.__dict__
        for name, value in string_keyed(state, "attributes").items():
            attributes[sys.intern(name)] = value
    if slots:
        allowed = set(_slot_names(kind))
        for name, value in string_keyed(slots, "slots").items():
            if name not in allowed:
                raise FormatError(f"{kind.__name__} has no slot {name[:60]!r}")
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
