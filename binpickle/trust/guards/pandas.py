"""Guards for the curated set of pandas."""

from __future__ import annotations

from typing import Any, Callable

from . import (
    pandas_arrays,
    pandas_frames,
    pandas_indexes,
    pandas_offsets,
    pandas_parts,
    pandas_scalars,
    pandas_types,
    pyarrow,
)
from .guard import Guard

__all__ = ["ARGUMENTS", "STATES"]

_PARTS: tuple[Any, ...] = (
    pandas_types,
    pandas_offsets,
    pandas_arrays,
    pandas_parts,
    pandas_indexes,
    pandas_frames,
    pandas_scalars,
    pyarrow,
)

ARGUMENTS: dict[tuple[str, str], Callable[..., None]] = {
    name: check for part in _PARTS for name, check in part.ARGUMENTS.items()
}
"""See `guards.ARGUMENTS`."""

STATES: dict[tuple[str, str], Guard] = {name: guard for part in _PARTS for name, guard in part.STATES.items()}
"""See `guards.STATES`."""
