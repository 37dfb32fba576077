"""The arrays of an open file by name: what makes `BinPickleFile` a mapping.

Rule: arrays are read when somebody asks for them, and each is read once for one question.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import ItemsView, KeysView, Mapping, ValuesView
from typing import Any, ContextManager, Iterator, Sequence

import numpy as np

from .below import Below
from .names import Names
from .partial import Place

__all__ = ["ArraysByName"]


class ArraysByName(ABC):
    """A read-only mapping from names to arrays; registered as a `Mapping`, and true even without names."""

    _names: Names

    @abstractmethod
    def _read_places(self, places: Sequence[Place]) -> Sequence[np.ndarray]:
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
        try:
            return self[name]
        except KeyError:
            return default

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
            return self._read_places([self._names.whole(node.array)])[0]
        below = Below(node)
        if not below.holds_arrays:
            raise KeyError(f"{name!r:.200} is {node.value or node.type} and holds no array: load() gives the object")
        return below.dicts(self._read_places(list(map(self._names.whole, below.places))))


Mapping.register(ArraysByName)
