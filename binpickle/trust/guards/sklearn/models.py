"""Guards for the other estimators that hand arrays of their state to compiled code, which does not compare their sizes.

Rule: an array that compiled code reads by the number of features, clusters or points has that size.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...budget import Budget
from ..guard import Guard
from ..parts import (
    ARRAYS,
    FLOATS,
    INDICES,
    attributes,
    expect_array,
    expect_number,
    expect_parts,
    expect_range,
    fail,
    is_kind,
    own,
)

__all__ = ["STATES"]

_MOST = 1 << 31
_BISECTING = "sklearn.cluster._bisect_k_means"


def _centers(budget: Budget, model: Any) -> None:
    """Check that the centers of k-means are points of as many features as users have to pass."""
    parts = expect_parts(model)
    if "cluster_centers_" not in parts:
        return
    features = expect_number(model, "n_features_in_", parts.get("n_features_in_"), 1, _MOST)
    centers = expect_array(model, "cluster_centers_", parts["cluster_centers_"], FLOATS, (None, features))
    if not len(centers):
        raise fail(model, "cluster_centers_ has no center")
    expect_number(model, "_n_threads", parts.get("_n_threads", 1), 1, 1024)
    if "_bisecting_tree" in parts:
        _check_halves(budget, model, parts["_bisecting_tree"], features, centers.dtype)


def _check_halves(budget: Budget, model: Any, root: Any, features: int, dtype: Any) -> None:
    """Check the tree of halves: its centers, and that it ends."""
    waiting, seen = [root], set()
    while waiting:
        node = waiting.pop()
        budget.pay(2)
        if not is_kind(node, _BISECTING, "_BisectingTree") or id(node) in seen:
            raise fail(model, "_bisecting_tree is not a tree")
        seen.add(id(node))
        parts = attributes(node)
        expect_array(model, "a center of _bisecting_tree", parts.get("center"), (dtype,), (features,))
        halves = [parts.get("left"), parts.get("right")]
        if halves != [None, None]:
            waiting.extend(halves)


def _birch(budget: Budget, model: Any) -> None:
    """Check that each center of Birch has a norm."""
    parts = expect_parts(model)
    if "_subcluster_norms" in parts:
        centers = expect_array(model, "subcluster_centers_", parts.get("subcluster_centers_"), FLOATS, (None, None))
        expect_array(model, "_subcluster_norms", parts["_subcluster_norms"], FLOATS, (len(centers),))


def _covariance(budget: Budget, model: Any) -> None:
    """Check that matrices are square for as many features as a location has."""
    parts = expect_parts(model)
    if "location_" not in parts:
        return
    size = len(expect_array(model, "location_", parts["location_"], FLOATS, (None,)))
    for name in ("covariance_", "precision_"):
        if parts.get(name) is not None:
            expect_array(model, name, parts[name], FLOATS, (size, size))


def _factors(budget: Budget, model: Any) -> None:
    """Check that a factorization has as many components as it makes room for."""
    parts = expect_parts(model)
    if "components_" not in parts:
        return
    count = len(expect_array(model, "components_", parts["components_"], FLOATS, (None, None)))
    for name in ("_n_components", "n_components_"):
        if name in parts:
            expect_number(model, name, parts[name], count, count)


def _groups(budget: Budget, model: Any) -> None:
    """Check that labels are small: transforming counts up to the largest."""
    parts = expect_parts(model)
    if "labels_" in parts:
        labels = expect_array(model, "labels_", parts["labels_"], INDICES, (None,))
        expect_range(budget, model, "labels_", labels, 0, len(labels) - 1)


def _linkage(budget: Budget, model: Any) -> None:
    """Check that a dendrogram joins only what there is when it does."""
    parts = expect_parts(model)
    if "_single_linkage_tree_" not in parts:
        return
    steps = parts["_single_linkage_tree_"]
    names = {"left_node", "right_node"}
    if type(steps) is not np.ndarray or steps.ndim != 1 or not names <= set(steps.dtype.names or ()):
        raise fail(model, "_single_linkage_tree_ is not an array of steps")
    own(budget, parts, "_single_linkage_tree_")
    steps = parts["_single_linkage_tree_"]
    budget.pay(2 * len(steps) + 1)
    there = len(steps) + 1 + np.arange(len(steps))
    joined = [steps[name].astype(np.int64) for name in sorted(names)]
    if any(((nodes < 0) | (nodes >= there)).any() for nodes in joined):
        raise fail(model, "_single_linkage_tree_ joins a cluster that is not there yet")
    both = np.concatenate(joined)
    if len(np.unique(both)) != len(both):
        raise fail(model, "_single_linkage_tree_ joins a cluster twice")


def _gradient(budget: Budget, model: Any) -> None:
    """Check that the averages of stochastic gradient descent have the sizes of its coefficients."""
    parts = expect_parts(model)
    if "coef_" not in parts:
        return
    coefficients = parts["coef_"]
    if type(coefficients) not in ARRAYS or coefficients.ndim not in (1, 2):
        if type(coefficients).__module__.startswith("scipy.sparse."):  # after `sparsify`
            return
        raise fail(model, f"coef_ is a {type(coefficients).__name__}, not an array")
    for name in ("_standard_coef", "_average_coef", "standard_coef_", "average_coef_"):
        if parts.get(name) is not None:
            expect_array(model, name, parts[name], FLOATS, coefficients.shape)
    intercept: Any = parts.get("intercept_", parts.get("offset_"))
    rows = len(coefficients) if coefficients.ndim == 2 else 1
    for name in ("_standard_intercept", "_average_intercept", "standard_intercept_", "average_intercept_"):
        if parts.get(name) is not None and np.shape(parts[name]) not in ((rows,), np.shape(intercept)):
            raise fail(model, f"{name} has not the size of the intercept")


STATES: dict[tuple[str, str], Guard] = {
    **{("sklearn.cluster._kmeans", name): Guard(_centers, again=True) for name in ("_BaseKMeans", "KMeans")},
    **{("sklearn.decomposition._nmf", name): Guard(_factors) for name in ("_BaseNMF", "NMF")},
    ("sklearn.cluster._agglomerative", "AgglomerativeClustering"): Guard(_groups),
    ("sklearn.cluster._birch", "Birch"): Guard(_birch),
    ("sklearn.covariance._empirical_covariance", "EmpiricalCovariance"): Guard(_covariance),
    ("sklearn.cluster._hdbscan.hdbscan", "HDBSCAN"): Guard(_linkage),
    ("sklearn.linear_model._stochastic_gradient", "BaseSGD"): Guard(_gradient),
}
"""See `guards.STATES`."""
