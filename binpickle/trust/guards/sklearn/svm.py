"""The guard of support vector machines, whose arrays libsvm believes.

Rule: with `n` support vectors and `c` classes there are `n` numbers for each of `c - 1` rows of coefficients, and one
intercept for each of the `c * (c - 1) / 2` pairs; the numbers of vectors for the classes add up to `n`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...budget import Budget
from ...rules.checks import shown
from ..guard import Guard
from ..parts import attributes, expect_array, expect_flag, expect_number, expect_parts, expect_range, fail

__all__ = ["STATES"]

_MOST = 1 << 31
_INTS = (np.dtype(np.int32),)
_DOUBLES = (np.dtype(np.float64),)
_KERNEL_MODULES = ("sklearn.metrics.pairwise", "sklearn.gaussian_process.kernels")


def _machine(budget: Budget, model: Any) -> None:
    parts = expect_parts(model)
    for name in ("_impl", "_sparse_kernels"):
        if name in parts:
            raise fail(model, f"{name} is its own, not that of the class")
    if "support_" not in parts:
        return
    support = expect_array(model, "support_", parts["support_"], _INTS, (None,))
    count, shape = len(support), parts.get("shape_fit_")
    if type(shape) is not tuple or len(shape) != 2:
        raise fail(model, "shape_fit_ is not a shape")
    rows, columns = (expect_number(model, "shape_fit_", length, 0, _MOST) for length in shape)
    expect_range(budget, model, "support_", support, 0, rows - 1)
    classes = expect_array(model, "_n_support", parts.get("_n_support"), _INTS, (None,))
    expect_range(budget, model, "_n_support", classes, 0, count)
    if len(classes) < 2 or (_is_classifier(model) and int(classes.sum(dtype=np.int64)) != count):
        raise fail(model, f"_n_support does not add up to {count} support vectors")
    pairs = len(classes) * (len(classes) - 1) // 2
    expect_array(model, "_intercept_", parts.get("_intercept_"), _DOUBLES, (pairs,))
    is_sparse = expect_flag(model, "_sparse", parts.get("_sparse"))
    _check_kernel(model, parts, is_sparse, rows)
    _check_probabilities(model, parts, pairs, is_sparse)
    if is_sparse:
        _check_sparse(model, parts, count, len(classes) - 1)
    else:
        _check_dense(model, parts, count, len(classes) - 1, columns)
    for name in ("support_", "_n_support", "_intercept_"):
        if not parts[name].flags.c_contiguous:
            raise fail(model, f"{name} is not contiguous")


def _is_classifier(model: Any) -> bool:
    return any(base.__name__ == "BaseSVC" for base in type(model).__mro__)


def _check_kernel(model: Any, parts: dict[str, Any], is_sparse: bool, rows: int) -> None:
    """Check that a kernel that is computed first has a column for each row that the machine was fitted to."""
    kernel = parts.get("kernel")
    if type(kernel) is str:
        if is_sparse and kernel == "precomputed":
            raise fail(model, "a precomputed kernel is sparse")
        return
    module = getattr(kernel, "__module__", None) or ""
    home = module if isinstance(module, str) else ""
    if is_sparse or (home.startswith(("sklearn", "numpy", "scipy")) and home not in _KERNEL_MODULES):
        raise fail(model, f"its kernel is {shown(kernel)}, which does not compare rows")
    points = parts.get("_BaseLibSVM__Xfit")
    size = points.shape if type(points) is np.ndarray else attributes(points).get("_shape")
    if type(size) is not tuple or len(size) != 2 or size[0] != rows:
        raise fail(model, "what its kernel compares with is not what it was fitted to")


def _check_probabilities(model: Any, parts: dict[str, Any], pairs: int, is_sparse: bool) -> None:
    for name in ("_probA", "_probB"):
        held = expect_array(model, name, parts.get(name), _DOUBLES, (None,))
        if len(held) != pairs and (len(held) or (is_sparse and _wants_probabilities(parts))):
            raise fail(model, f"{name} has {len(held)} numbers for {pairs} pairs of classes")


def _wants_probabilities(parts: dict[str, Any]) -> bool:
    return parts.get("probability") not in (False, "deprecated") or bool(parts.get("_effective_probability"))


def _check_dense(model: Any, parts: dict[str, Any], count: int, rows: int, columns: int) -> None:
    vectors = expect_array(model, "support_vectors_", parts.get("support_vectors_"), _DOUBLES, (None, None))
    coefficients = expect_array(model, "_dual_coef_", parts.get("_dual_coef_"), _DOUBLES, (rows, count))
    if not vectors.flags.c_contiguous or not coefficients.flags.c_contiguous:
        raise fail(model, "its arrays are not contiguous")
    if parts["kernel"] == "precomputed" or type(parts["kernel"]) is not str:
        if len(vectors) not in (0, count):
            raise fail(model, f"support_vectors_ has {len(vectors)} rows, not {count}")
        return
    if vectors.shape != (count, columns) or parts.get("n_features_in_") != columns:
        raise fail(model, f"support_vectors_ has the shape {vectors.shape}, not {(count, columns)}")


def _check_sparse(model: Any, parts: dict[str, Any], count: int, rows: int) -> None:
    vectors, coefficients = parts.get("support_vectors_"), parts.get("_dual_coef_")
    for held in (vectors, coefficients):
        if type(held).__name__ not in ("csr_matrix", "csr_array") or "scipy.sparse" not in type(held).__module__:
            raise fail(model, f"it has a {type(held).__name__} where a csr matrix should be")
    size = attributes(vectors).get("_shape")
    if type(size) is not tuple or len(size) != 2 or size[0] != count:
        raise fail(model, f"support_vectors_ has the shape {size}, not {count} rows")
    data = expect_array(model, "the data of _dual_coef_", attributes(coefficients).get("data"), _DOUBLES, (None,))
    if len(data) != count * rows:
        raise fail(model, f"_dual_coef_ has {len(data)} numbers, not {count * rows}")


STATES: dict[tuple[str, str], Guard] = {("sklearn.svm._base", "BaseLibSVM"): Guard(_machine, again=True)}
"""See `guards.STATES`."""
