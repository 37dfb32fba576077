"""The arrays of an open file by name: what makes `BinPickleFile` a mapping.

Rule: arrays are read when somebody asks for them, and each is read once for one question.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import ItemsView, KeysView, Mapping, ValuesView
from typing import TYPE_CHECKING, Any, ContextManager, Iterator, Sequence

import numpy as np

from .names import Names

if TYPE_CHECKING:
    from ..outline import ArrayPlace, Node

__all__ = ["ArraysByName", "Below"]


class ArraysByName(ABC):
    """A read-only mapping from names to arrays; registered as a `Mapping`, and true even without names."""

    _names: Names

    @abstractmethod
    def _read_places(self, places: Sequence[ArrayPlace]) -> Sequence[np.ndarray]:
        """Return the arrays at some places, in one plan."""

    @abstractmethod
    def _naming(self) -> ContextManager[None]:
        """Add the name of the file to errors; refuse to read a closed file."""

    @property
    def names(self) -> tuple[str, ...]:
        """For each buffer its name: how the object reaches it, as a JSON Pointer (RFC 6901) without the first slash.

        Names come from the pickle stream, nothing is imported for them, and nothing runs. They are read when they are
        asked for first. All names are empty if the stream is damaged, or has more than 2 million opcodes; open the file
        with `limits` to name the buffers of a longer one.
        """
        with self._naming():
            return self._names.outline.names

    @property
    def names_problem(self) -> str | None:
        """Why no buffer has a name, in words; `None` if the names could be told."""
        with self._naming():
            return self._names.outline.problem

    def keys(self) -> KeysView[str]:
        """Return the names of the buffers that have one, in the order of the buffers."""
        return KeysView(self)  # type: ignore[arg-type]

    def values(self) -> ValuesView[np.ndarray]:
        """Return the arrays that have a name; each is read when the view comes to it."""
        return ValuesView(self)  # type: ignore[arg-type]

    def items(self) -> ItemsView[str, np.ndarray]:
        """Return the names and the arrays; each is read when the view comes to it."""
        return ItemsView(self)  # type: ignore[arg-type]

    def get(self, name: str, default: Any = None) -> Any:
        """Return what `[name]` returns, or `default` if nothing has the name."""
        return self[name] if name in self else default

    def __iter__(self) -> Iterator[str]:
        return filter(None, self.names)

    def __len__(self) -> int:
        return sum(map(bool, self.names))

    def __bool__(self) -> bool:
        return True

    def __contains__(self, name: object) -> bool:
        with self._naming():
            node = self._names.outline.find(name) if isinstance(name, str) else None
        return node is not None and (node.array is not None or Below(node).holds_arrays)

    def __getitem__(self, name: str) -> Any:
        """Return the array of a name, or nested dicts of the arrays below it.

        Args:
            name: a name of `names`, any other way in which the object reaches the array, or what lies above arrays.

        Raises:
            KeyError: nothing has the name. The message has names that are like it.
            Exception: see `array`.
        """
        with self._naming():
            node = self._names.find(name)
        if node.array is not None:
            return self._read_places([node.array])[0]
        below = Below(node)
        if not below.holds_arrays:
            raise KeyError(f"{name!r:.200} is {node.value or node.type} and holds no array: load() gives the object")
        return below.dicts(self._read_places(below.places))


Mapping.register(ArraysByName)


class Below:
    """The arrays below a node.

    Args:
        top: the node; it is no array itself.

    Attributes:
        places: where the arrays are, each once.
    """

    def __init__(self, top: Node):
        self._top = top
        self._inner = list(_inner(top))
        arrays = {id(node): node for _, parts in self._inner for _, node in parts if node.array is not None}
        self._numbers = {key: n for n, key in enumerate(arrays)}
        self.places: list[ArrayPlace] = [node.array for node in arrays.values() if node.array is not None]

    @property
    def holds_arrays(self) -> bool:
        """Whether there are any."""
        return bool(self.places)

    def dicts(self, arrays: Sequence[np.ndarray]) -> dict[str, Any]:
        """Return nested dicts with the arrays; what the object shares, the dicts share.

        Args:
            arrays: the arrays at `places`.
        """
        holding = self._holding()
        made: dict[int, dict[str, Any]] = {key: {} for key in holding}
        for node, parts in self._inner:
            for part, child in parts if id(node) in holding else ():
                if child.array is not None:
                    made[id(node)][part] = arrays[self._numbers[id(child)]]
                elif id(child) in holding:
                    made[id(node)][part] = made[id(child)]
        return made[id(self._top)]

    def _holding(self) -> set[int]:
        """Return the ids of the nodes that have an array somewhere below them."""
        above: dict[int, list[int]] = {}
        for node, parts in self._inner:
            for _, child in parts:
                above.setdefault(id(child), []).append(id(node))
        holding: set[int] = set()
        todo = [key for array in self._numbers for key in above[array]]
        while todo:
            key = todo.pop()
            if key not in holding:
                holding.add(key)
                todo += above.get(key, ())
        return holding


def _inner(top: Node) -> Iterator[tuple[Node, list[tuple[str, Node]]]]:
    """Yield the node and all below it that are no arrays, each once, with their parts."""
    seen, todo = {id(top)}, [top]
    while todo:
        node = todo.pop()
        parts = list(node.parts())
        yield node, parts
        for _, child in parts:
            if child.array is None and id(child) not in seen:
                seen.add(id(child))
                todo.append(child)
