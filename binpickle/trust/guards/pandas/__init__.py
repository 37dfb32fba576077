"""Guards for the curated set of pandas: the tables of the modules for its kinds of objects, joined."""

from __future__ import annotations

from typing import Callable

from ..guard import Guard
from . import arrays, compound, frames, indexes, offsets, scalars, types

__all__ = ["ARGUMENTS", "STATES"]

ARGUMENTS: dict[tuple[str, str], Callable[..., None]] = {
    **types.ARGUMENTS,
    **offsets.ARGUMENTS,
    **arrays.ARGUMENTS,
    **compound.ARGUMENTS,
    **indexes.ARGUMENTS,
    **frames.ARGUMENTS,
    **scalars.ARGUMENTS,
}
"""See `guards.ARGUMENTS`."""

STATES: dict[tuple[str, str], Guard] = {
    **types.STATES,
    **offsets.STATES,
    **arrays.STATES,
    **compound.STATES,
    **indexes.STATES,
    **frames.STATES,
    **scalars.STATES,
}
"""See `guards.STATES`."""
