"""Names that an object must not have, for NumPy would read memory at the address that it finds under them.

Rule: NumPy looks these names up on the instance, whatever its class: an attribute, an item that a class shows as an
attribute, and a label of a series of pandas are all found.
"""

from __future__ import annotations

from typing import Any, Iterable

from ..errors import FormatError

__all__ = ["ADDRESSES", "refuse_memory"]

ADDRESSES = frozenset({"__array_interface__", "__array_struct__"})
"""The names."""


def refuse_memory(names: Iterable[Any]) -> None:
    """Refuse names under which NumPy looks for an address of memory, to read there whatever an object says.

    Raises:
        FormatError: one is among the names, or a string of another class than `str`, which checks of names would miss.
    """
    for name in names:
        if isinstance(name, str):
            if type(name) is not str:
                raise FormatError(f"the name of an attribute is a {type(name).__name__}")
            if name in ADDRESSES:
                raise FormatError(f"an object has {name}, by which NumPy would read memory anywhere")
