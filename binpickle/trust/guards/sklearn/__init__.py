"""Guards for the curated set of scikit-learn: the tables of the modules for its kinds of objects, joined.

Rule: every class of the set that a stream may instantiate has a guard. One that no compiled code believes has that of
`settings`, so that no attribute of a file hides a method that checks what users pass.
"""

from __future__ import annotations

from typing import Callable

from ...sets import uses
from ..guard import Guard
from . import calls, columns, models, neighbors, settings, svm, trees

__all__ = ["ARGUMENTS", "STATES"]

ARGUMENTS: dict[tuple[str, str], Callable[..., None]] = calls.ARGUMENTS
"""See `guards.ARGUMENTS`."""

_ESTIMATOR = Guard(settings.check_settings, again=True, needs_state=False, before=settings.before_settings)

STATES: dict[tuple[str, str], Guard] = {
    **{
        name: settings.INERT
        for name, allowed in uses().items()
        if name[0].startswith("sklearn.") and "instantiated" in allowed
    },
    ("sklearn.base", "BaseEstimator"): _ESTIMATOR,
    ("sklearn.metrics._scorer", "_BaseScorer"): _ESTIMATOR,
    **calls.STATES,
    **columns.STATES,
    **models.STATES,
    **neighbors.STATES,
    **svm.STATES,
    **trees.STATES,
}
"""See `guards.STATES`."""
