"""What stands on the machine's stack, and in the tree, in place of the objects of a stream.

Rule: a number, a string and a tuple is itself; everything else is kept as the stream gives it, in the order of the
stream, and nothing is hashed or compared: keys may collide, and containers may contain themselves. A list is a list.
A dict has its keys and values in one list, by turns, under the key `None`; a set has a list of its elements as `Items`.
"""

from __future__ import annotations

from typing import Any, Sequence

from ..pickling.renames import Name
from ..trust.nesting import ATOMS
from ..trust.tokens import Global

__all__ = ["LEAVES", "Buffer", "Items", "Made", "More", "elements_of", "is_call", "pairs_of"]


class Buffer(int):
    """An out-of-band buffer: its number in the file."""

    __slots__ = ()


class Items(list):  # type: ignore[type-arg]
    """The elements of a set or frozenset, in the order of the stream."""

    __slots__ = ()
    __hash__ = object.__hash__  # type: ignore[assignment]
    __eq__ = object.__eq__


class More:
    """What a stream adds to an object after the call that makes it.

    Attributes:
        keywords: the dict of keywords of the call.
        items: appended items.
        pairs: keys and values that were set, by turns.
        state: the state; `None` if it has none.
    """

    __slots__ = ("items", "keywords", "pairs", "state")

    def __init__(self, keywords: Any = None):
        self.keywords = keywords
        self.items: list[Any] = []
        self.pairs: list[Any] = []
        self.state: Any = None


class Made:
    """An object that a call makes.

    Attributes:
        function: what is called or instantiated, most often a `Global`.
        arguments: the tuple of arguments, or whatever stands in its place.
        more: what was added afterwards, or `None`.
    """

    __slots__ = ("arguments", "function", "more")

    def __init__(self, function: Any, arguments: Any):
        self.function = function
        self.arguments = arguments
        self.more: More | None = None


LEAVES = ATOMS | {bytearray}
"""Types of items that no buffer is below."""


def pairs_of(made: dict[Any, Any]) -> Sequence[Any]:
    """Return the keys and values of a dict, by turns."""
    return made.get(None, ())  # type: ignore[no-any-return]


def elements_of(made: Any) -> Sequence[Any]:
    """Return the elements of a set."""
    return next(iter(made), ())


def is_call(item: Any, name: Name) -> bool:
    """Whether an item is what a certain function or class makes, with a tuple of arguments."""
    if type(item) is not Made or type(item.function) is not Global or type(item.arguments) is not tuple:
        return False
    return item.function.name == name
