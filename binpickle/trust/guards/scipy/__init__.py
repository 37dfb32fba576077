"""Guards for the curated set of scipy: sparse matrices and arrays, and the splines that scikit-learn holds."""

from __future__ import annotations

from typing import Any, Callable

import numpy as np

from ...budget import Budget
from ..guard import Guard
from ..parts import expect_array, expect_number, expect_parts, fail, is_kind, own
from . import sparse

__all__ = ["ARGUMENTS", "STATES"]

_COEFFICIENTS = (np.dtype(np.float64), np.dtype(np.complex128))
_MOST_DIMENSIONS = 32
_SPLINES = "scipy.interpolate._bsplines"


def _before_spline(budget: Budget, spline: Any, state: Any) -> None:
    """Check that a spline of SciPy 1.18 is given one of NumPy arrays, of which its `__setstate__` asks the kind."""
    if type(state) is not tuple:
        if isinstance(state, dict) and state.get("_delegate_to") is not None:
            raise fail(spline, "_delegate_to is not None")
        return
    if len(state) != 2 or not is_kind(state[0], _SPLINES, "_BSpline") or type(state[1]) is not np.ndarray:
        raise fail(spline, "its state is not another spline and an array")
    _spline(budget, state[0])


def _spline(budget: Budget, spline: Any) -> None:
    """Check that the knots of a spline are sorted, and that there are as many as its degree and coefficients need."""
    parts = expect_parts(spline, frozenset({"_asarray"}))
    if parts.get("_delegate_to") is not None:
        return  # to a spline that was checked itself
    # Releases differ in the names: c and k were plain attributes before there were `_c` and `_t`.
    coefficients = parts.get("c", parts.get("_c"))
    name = "t" if "t" in parts else "_t"
    expect_array(spline, "its knots", parts.get(name), (np.dtype(np.float64),), (None,))
    own(budget, parts, name)
    knots = parts[name]
    if not isinstance(coefficients, np.ndarray) or not 1 <= coefficients.ndim <= _MOST_DIMENSIONS:
        raise fail(spline, "its coefficients are not an array")
    expect_array(spline, "its coefficients", coefficients, _COEFFICIENTS, (None,) * coefficients.ndim)
    degree = expect_number(spline, "its degree", parts.get("k"), 0, len(knots) // 2 - 1)
    budget.pay(1 + len(knots))
    if not np.isfinite(knots).all() or (knots[1:] < knots[:-1]).any() or knots[degree] == knots[-degree - 1]:
        raise fail(spline, "its knots are not sorted and finite")
    if len(coefficients) < len(knots) - degree - 1:
        raise fail(spline, f"it has {len(coefficients)} coefficients for {len(knots)} knots")
    expect_number(spline, "its axis", parts.get("axis", 0), 0, coefficients.ndim - 1)
    if type(parts.get("extrapolate")) not in (bool, np.bool_, str):
        raise fail(spline, "extrapolate is neither a bool nor a string")


ARGUMENTS: dict[tuple[str, str], Callable[..., None]] = {}
"""See `guards.ARGUMENTS`: no name of this set is called."""

STATES: dict[tuple[str, str], Guard] = {
    **sparse.STATES,
    **{(_SPLINES, name): Guard(_spline, before=_before_spline) for name in ("BSpline", "_BSpline")},
}
"""See `guards.STATES`."""
