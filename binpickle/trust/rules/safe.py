"""The built-in safe set: every global that a stream may use without the caller's trust, and by which rule.

Rule: names are canonical and exact. A name is here because a rule checks each use of it, or because it is harmless to
hold; nothing here is ever looked up in a module that a stream names.
"""

from __future__ import annotations

from typing import Any, Callable

from ...pickling.renames import Name
from . import array as array_rules
from . import dtype as dtype_rules
from . import masked as masked_rules
from . import random as random_rules
from . import stdlib as stdlib_rules

__all__ = ["CALLS", "INSTANCES", "RECONSTRUCTOR", "SAFE", "VALUES"]

RECONSTRUCTOR: Name = ("copyreg", "_reconstructor")
"""How some classes with C code are rebuilt; for a class that the caller named only."""

CALLS: dict[Name, Callable[..., Any]] = {
    **stdlib_rules.CALLS,
    **dtype_rules.CALLS,
    **array_rules.CALLS,
    **masked_rules.CALLS,
    **random_rules.CALLS,
}
"""What a stream may call."""

INSTANCES: dict[Name, Callable[..., Any]] = stdlib_rules.INSTANCES
"""What a stream may instantiate."""

VALUES: dict[Name, Any] = stdlib_rules.VALUES
"""What a stream may hold as a value."""

SAFE = frozenset(
    {
        RECONSTRUCTOR,
        *CALLS,
        *INSTANCES,
        *VALUES,
        *dtype_rules.MENTIONED,
        *array_rules.MENTIONED,
        *masked_rules.MENTIONED,
        *random_rules.MENTIONED,
    }
)
"""All names of the safe set."""
