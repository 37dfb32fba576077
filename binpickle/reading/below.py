"""The arrays below a part of an object, and nested dicts of them.

Rule: an object that the stream reaches in several ways is looked at once, so that neither what is shared nor what
contains itself takes time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Iterator, Sequence

import numpy as np

if TYPE_CHECKING:
    from ..outline import ArrayPlace, Node

__all__ = ["Below"]


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
