"""What the environment says of trust: `BINPICKLE_TRUST` makes every load of the process restricted.

Rule: it can only restrict. A load that names what it trusts is restricted already, and the variable changes nothing for
it. The variable is read at each load, so that it also holds for what sets it while it runs.
"""

from __future__ import annotations

import os
from functools import lru_cache

from ..types import Trusted

__all__ = ["VARIABLE", "trusted_here"]

VARIABLE = "BINPICKLE_TRUST"
"""The name of the variable: sets of `binpickle.trust` and names as `module:qualname`, separated by commas."""

# Folders of binpickle_dask are made of these. They hold what they are given, and run nothing.
_OWN = frozenset(["binpickle_dask.structure:DatasetParts", "binpickle_dask.structure:Slot"])


def trusted_here(trusted: Trusted | None) -> Trusted | None:
    """Return what a load may use: what its caller trusts, else what the environment allows, else `None`.

    Raises:
        ValueError: the variable holds something that is neither a set nor a name.
    """
    if trusted is not None:
        return trusted
    text = os.environ.get(VARIABLE)
    return None if text is None else _parse(text)


@lru_cache(maxsize=8)
def _parse(text: str) -> frozenset[str]:
    from ..trust import sets  # most programs never need it

    names = set(_OWN)
    for entry in map(str.strip, text.split(",") if text.strip() else ()):
        if entry in sets.LIBRARIES:
            names |= getattr(sets, entry)()
        elif _is_name(entry):
            names.add(entry)
        else:
            known = ", ".join(sets.LIBRARIES)
            raise ValueError(f"{VARIABLE}: {entry!r:.200} is neither module:qualname nor one of the sets {known}")
    return frozenset(names)


def _is_name(entry: str) -> bool:
    module, _, qualname = entry.partition(":")
    return all(part.isidentifier() for part in (*module.split("."), *qualname.split(".")))
