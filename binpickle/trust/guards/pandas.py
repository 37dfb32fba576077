"""Guards for the curated set of pandas."""

from __future__ import annotations

from typing import Any, Callable

from .guard import Guard

__all__ = ["ARGUMENTS", "STATES"]

ARGUMENTS: dict[tuple[str, str], Callable[..., None]] = {}
"""See `guards.ARGUMENTS`."""

STATES: dict[tuple[str, str], Guard] = {}
"""See `guards.STATES`."""
