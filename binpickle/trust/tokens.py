"""Tokens: items of the machine's stack that stand for a global, an object without its state, or a tuple of these.

Rule: no token gets into a container that the stream makes. `Values.result` turns a token into a value where a stream
may use the value, and raises where it may not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable

from ..errors import FormatError
from ..pickling.renames import Name

__all__ = ["STAND_IN", "UNREAL", "Args", "Global", "GlobalUse", "Pending", "StandIn"]


@dataclass(frozen=True)
class GlobalUse:
    """A global that a pickle stream looks up.

    Attributes:
        module: the module, as the stream names it.
        qualname: the qualified name, as the stream names it.
        offset: position in the stream of the opcode that looks it up first, in bytes.
        uses: what the stream does with it, sorted: `"argument"` (of a call), `"called"`, `"instantiated"`, `"value"`
            (an element, an attribute, the object itself). Empty if it is looked up and dropped.
    """

    module: str
    qualname: str
    offset: int
    uses: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The name in the form that `trusted` takes: `module:qualname`."""
        return f"{self.module}:{self.qualname}"


class Global:
    """A global that the stream looked up: opaque, and not imported before it is used.

    Attributes:
        name: its canonical name.
        load: imports it, for a global that the caller named; else `None`.
        allowed: what a stream may do with it, if a curated set has it; else `None`, for anything.
        uses: what the stream has done with it.
    """

    __slots__ = ("allowed", "load", "name", "uses")

    def __init__(self, name: Name, load: Callable[[], Any] | None = None):
        self.name = name
        self.load = load
        self.allowed: frozenset[str] | None = None
        self.uses: set[str] = set()

    def __str__(self) -> str:
        return ":".join(self.name)


class Pending:
    """An object that the stream has begun, and that BUILD finishes.

    Attributes:
        memo_index: where the memo remembers it, if it does.
    """

    __slots__ = ("_finish", "_value", "memo_index")

    def __init__(self, finish: Callable[[Any], Any]):
        self._finish: Callable[[Any], Any] | None = finish
        self._value: Any = None
        self.memo_index = -1

    def build(self, state: Any) -> Any:
        """Return the finished object, made from the state."""
        if self._finish is None:
            raise FormatError("an object is built twice")
        finish, self._finish = self._finish, None
        self._value = finish(state)
        return self._value

    @property
    def value(self) -> Any:
        """The finished object."""
        if self._finish is not None or self._value is None:
            raise FormatError("an object is used before it is built: one that contains itself cannot be loaded so")
        return self._value


class Args(tuple):  # type: ignore[type-arg]
    """A tuple with something unreal in it: the arguments of a call, as a rule.

    Attributes:
        real: the tuple of values that it stands for, once something asked for it.
    """

    real: tuple[Any, ...] | None = None


class StandIn:
    """What the inert machine has on its stack in place of every object that a call would make."""

    __slots__ = ()


STAND_IN = StandIn()
UNREAL = frozenset({Global, Pending, Args, StandIn})
