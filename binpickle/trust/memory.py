"""Names that an object must not have, for NumPy would read memory at the address that it finds under them.

Rule: NumPy looks these names up on the instance, whatever its class: an attribute, an item that a class shows as an
attribute, and a label of a series of pandas are all found. What it finds is a dict that has an address among its items;
a string of the data can become a label later, so no such dict is made for a file that uses classes of a set.
"""

from __future__ import annotations

from typing import Any, Iterable

from ..errors import FormatError

__all__ = ["Addresses", "refuse_memory"]

_ADDRESSES = frozenset({"__array_interface__", "__array_struct__"})
_KEY = "typestr"
_KEYS = frozenset({_KEY, "shape", "version"})


def refuse_memory(names: Iterable[Any]) -> None:
    """Refuse names under which NumPy looks for an address of memory, to read there whatever an object says.

    Raises:
        FormatError: one is among the names, or a string of another class than `str`, which checks of names would miss.
    """
    names = list(names)
    if {*map(type, names)} <= {str} and _ADDRESSES.isdisjoint(names):
        return  # as nearly all are
    for name in names:
        if isinstance(name, str):
            if type(name) is not str:
                raise FormatError(f"the name of an attribute is a {type(name).__name__}")
            if name in _ADDRESSES:
                raise FormatError(f"an object has {name}, by which NumPy would read memory anywhere")


class Addresses:
    """The dicts of one stream that could tell NumPy where to read."""

    def __init__(self) -> None:
        self._found: list[Any] = []

    def note(self, target: Any, keys: list[Any]) -> None:
        """Note a dict that gets the key which no such dict can lack."""
        if {*map(type, keys)} <= {str}:
            found = _KEY in keys
        else:
            found = any(key == _KEY for key in keys if isinstance(key, str))
        if found:
            self._found.append(target)

    def finish(self) -> None:
        """Refuse the stream if one of the dicts has all that NumPy needs.

        Raises:
            FormatError: one has.
        """
        if any(found.keys() >= _KEYS for found in self._found):
            raise FormatError("a dict describes an array of NumPy at an address of memory")
