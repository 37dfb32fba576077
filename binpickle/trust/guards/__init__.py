"""Guards: what the strict machine checks of objects whose classes are in a curated set.

Rule: a guard reads attributes of an object and compares numbers. It imports no library, calls a method of an object
only if what the method believes was checked, and raises `FormatError`. It pays for what it walks.

`ARGUMENTS` checks calls: a name of a set that a stream may call has an entry, and the stream may call no other.
`STATES` checks objects: after BUILD, and before anything else can use the object.
"""

from __future__ import annotations

from typing import Any, Callable

from ...pickling.renames import Name
from . import pandas, pyarrow, scipy, sklearn, torch
from .guard import Guard
from .parts import lineage

__all__ = ["ARGUMENTS", "STATES", "Guard", "guards_of"]

ARGUMENTS: dict[Name, Callable[..., Any]] = {
    **scipy.ARGUMENTS,
    **sklearn.ARGUMENTS,
    **pandas.ARGUMENTS,
    **pyarrow.ARGUMENTS,
    **torch.ARGUMENTS,
}
"""By canonical name: a check of the arguments of a call, or of NEWOBJ. It takes the budget and then the arguments, in
which globals are still tokens (`tokens.Global`). It returns a tuple of other arguments for the call, or `None`."""

STATES: dict[Name, Guard] = {
    **scipy.STATES,
    **sklearn.STATES,
    **pandas.STATES,
    **pyarrow.STATES,
    **torch.STATES,
}
"""By canonical name of a class: the guard of its instances, and of those of its subclasses."""


def guards_of(cls: type) -> list[Guard]:
    """Return the guards for instances of a class, those of its bases included."""
    found: list[Guard] = []
    for name in lineage(cls):
        guard = STATES.get(name)
        if guard is not None and guard not in found:
            found.append(guard)
    return found
