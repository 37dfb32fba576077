"""Guards for neighbours: the distances and trees that are compiled, and the estimators that hold them.

Rule: the sizes of a tree agree with each other, each node that a query can reach has its points among those of its
parent, and the distance is one for as many features as the points have.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...budget import Budget
from ..guard import Guard, accept
from ..parts import (
    ARRAYS,
    FLOATS,
    attributes,
    expect_array,
    expect_number,
    expect_parts,
    expect_range,
    fail,
    is_kind,
    own,
    whole,
)

__all__ = ["STATES"]

_DISTANCES = "sklearn.metrics._dist_metrics"
_OLD_DISTANCES = "sklearn.neighbors._dist_metrics"
_DOUBLES = (np.dtype(np.float64),)
_MOST = 1 << 31
_NODE = {"idx_start": np.intp, "idx_end": np.intp, "is_leaf": np.intp, "radius": np.float64}
_TREES = {"_kd_tree": 2, "_ball_tree": 1}  # how many arrays of bounds a tree has


def _plain_name(cls: type) -> str:
    """Return the name of a class without the width of its numbers."""
    return cls.__name__[:-2] if cls.__name__.endswith(("32", "64")) else cls.__name__


def _expect_own(instance: Any) -> None:
    """Refuse a class of the caller's that derives from a compiled one: these checks go by the class."""
    if not type(instance).__module__.startswith("sklearn."):
        raise fail(instance, "it derives from a compiled class, whose states are checked for that class alone")


def _before_distance(budget: Budget, distance: Any, state: Any) -> None:
    """Check the state of a distance: its power, a vector and a matrix, for a function besides what it calls."""
    _expect_own(distance)
    size = 5 if _plain_name(type(distance)) == "PyFuncDistance" else 3
    if type(state) is not tuple or len(state) != size:
        raise fail(distance, f"its state is not a tuple of {size}")
    if type(state[0]) is not float:
        raise fail(distance, f"p is a {type(state[0]).__name__}")
    budget.pay(2)
    vector = expect_array(distance, "its vector", state[1], _DOUBLES, (None,))
    matrix = expect_array(distance, "its matrix", state[2], _DOUBLES, (None, None))
    if not vector.flags.c_contiguous or not matrix.flags.c_contiguous or matrix.shape[0] != matrix.shape[1]:
        raise fail(distance, "its vector is not contiguous, or its matrix is not square")
    if size == 5 and (not callable(state[3]) or type(state[4]) is not dict):
        raise fail(distance, "it has no function, or its keywords are not a dict")


def _fits(distance: Any, features: int) -> bool:
    """Whether a distance is one for points of so many features."""
    _, vector, matrix = distance.__getstate__()[:3]
    kind = _plain_name(type(distance))
    if kind == "MahalanobisDistance":
        # Until release 1.2, whose classes name no width, the vector is where it keeps differences.
        return len(matrix) == features and (type(distance).__name__ != kind or len(vector) == features)
    if kind in ("SEuclideanDistance", "WMinkowskiDistance"):
        return len(vector) == features
    if kind == "MinkowskiDistance":
        # A release without weights has a vector of one zero, which one with weights would believe to be a weight.
        return len(vector) in (0, features) or len(vector) == len(type(distance)(2.0).__getstate__()[1])
    return kind != "HaversineDistance" or features == 2


def _before_tree(budget: Budget, tree: Any, state: Any) -> Any:
    """Check the state of a tree before it gets it, and give it arrays that nothing else can write to."""
    _expect_own(tree)
    _check_tree(budget, tree, state)
    parts = dict(zip(("idx_array", "node_data"), state[1:3]))
    own(budget, parts, *parts)
    return (state[0], *parts.values(), *state[3:])


def _tree(budget: Budget, tree: Any) -> None:
    """Check a tree that has its state: the distance that it holds may have got another one."""
    _check_tree(budget, tree, tree.__getstate__())


def _check_tree(budget: Budget, tree: Any, state: Any) -> None:
    if type(state) is not tuple or len(state) != 13:
        raise fail(tree, "its state is not a tuple of 13")
    data, indices, nodes, bounds, leaf_size, n_levels, n_nodes = state[:7]
    dtypes = FLOATS[:1] if _width(tree) == 32 else FLOATS[1:]
    data = expect_array(tree, "data", data, dtypes, (None, None))
    count, features = data.shape
    if not count or not features or not data.flags.c_contiguous:
        raise fail(tree, "data is empty, or not contiguous")
    indices = expect_array(tree, "idx_array", indices, (np.dtype(np.intp),), (count,))
    expect_range(budget, tree, "idx_array", indices, 0, count - 1)
    expect_number(tree, "leaf_size", leaf_size, 1, (1 << 62))
    expect_number(tree, "n_levels", n_levels, 1, 48)
    expect_number(tree, "n_nodes", n_nodes, (1 << n_levels) - 1, (1 << n_levels) - 1)
    wide = _TREES.get(type(tree).__module__.rpartition(".")[2], 0)
    bounds = expect_array(tree, "node_bounds", bounds, dtypes, (wide, n_nodes, features))
    if type(nodes) not in ARRAYS or nodes.shape != (n_nodes,) or not _are_nodes(nodes.dtype):
        raise fail(tree, "node_data is not an array of so many nodes")
    if not (indices.flags.c_contiguous and bounds.flags.c_contiguous and nodes.flags.c_contiguous):
        raise fail(tree, "idx_array, node_data or node_bounds is not contiguous")
    _check_nodes(budget, tree, nodes, count)
    for number in state[7:11]:
        expect_number(tree, "a count of steps", number, 0, _MOST - 1)
    _check_distance(tree, state[11], features)
    if state[12] is not None:
        expect_array(tree, "sample_weight", state[12], FLOATS, (count,))


def _are_nodes(dtype: Any) -> bool:
    return dtype.names == tuple(_NODE) and all(dtype[name] == kind for name, kind in _NODE.items())


def _check_nodes(budget: Budget, tree: Any, nodes: np.ndarray, count: int) -> None:
    """Check that the points of each node are those of its children, without a gap or an overlap."""
    budget.pay(8 * len(nodes))
    starts, ends, leaf = nodes["idx_start"], nodes["idx_end"], nodes["is_leaf"] != 0
    if starts[0] != 0 or ends[0] != count:
        raise fail(tree, "its first node has not all points")
    half = len(nodes) // 2
    if not leaf[half:].all():
        raise fail(tree, "a node of the last level has children")
    inner = np.flatnonzero(~leaf[:half])
    left, right = 2 * inner + 1, 2 * inner + 2
    split = (starts[left] == starts[inner]) & (ends[left] == starts[right]) & (ends[right] == ends[inner])
    if not (split & (starts[left] <= ends[left]) & (starts[right] <= ends[right])).all():
        raise fail(tree, "the points of a node are not those of its children")
    expect_range(budget, tree, "idx_start", starts, 0, count)
    expect_range(budget, tree, "idx_end", ends, 0, count)


def _check_distance(tree: Any, distance: Any, features: int) -> None:
    base = f"DistanceMetric{_width(tree) or ''}"
    if not any(is_kind(distance, module, base, "DistanceMetric") for module in (_DISTANCES, _OLD_DISTANCES)):
        raise fail(tree, f"its distance is a {type(distance).__name__}")
    if not _fits(distance, features):
        raise fail(tree, f"its {type(distance).__name__} is for points of another number of features")


def _width(tree: Any) -> int:
    """Return 32 for trees of single numbers, and 64 for all others."""
    return 32 if any(base.__name__.endswith("Tree32") for base in type(tree).__mro__) else 64


def _estimator(budget: Budget, model: Any) -> None:
    """Check that what an estimator says of its points is so."""
    parts = expect_parts(model)
    if "_fit_X" not in parts:
        return
    count = expect_number(model, "n_samples_fit_", parts.get("n_samples_fit_"), 0, (1 << 62))
    shape = _shape(model, parts["_fit_X"])
    features = shape[1] if parts.get("effective_metric_") == "precomputed" else parts.get("n_features_in_")
    tree = parts.get("_tree")
    if tree is not None:
        if not is_kind(tree, type(tree).__module__, "BinaryTree", "BinaryTree32", "BinaryTree64"):
            raise fail(model, f"_tree is a {type(tree).__name__}")
        if tree.__getstate__()[0].shape != shape:
            raise fail(model, "_tree has other points than _fit_X")
        features = shape[1] if features is None else features
    if shape != (count, features):
        raise fail(model, f"_fit_X has the shape {shape}, not that of what it was fitted to")
    _labels(budget, model, parts, count)


def _shape(model: Any, points: Any) -> tuple[int, ...]:
    """Return the shape of an array or a sparse matrix."""
    if type(points) in ARRAYS and points.ndim == 2:
        return tuple(points.shape)
    shape = attributes(points).get("_shape")
    if type(points).__module__.startswith("scipy.sparse.") and type(shape) is tuple and len(shape) == 2:
        return shape
    raise fail(model, f"_fit_X is a {type(points).__name__}, not a matrix")


def _labels(budget: Budget, model: Any, parts: dict[str, Any], count: int) -> None:
    """Check the labels of a classifier, which are indices of its classes."""
    labels, classes = parts.get("_y"), parts.get("classes_")
    if classes is None:
        return
    if type(classes) is list:
        labels = expect_array(model, "_y", labels, (np.dtype(np.intp), np.dtype(np.int32)), (count, len(classes)))
        for column, held in zip(labels.T, classes):
            if type(held) is not np.ndarray or held.ndim != 1:
                raise fail(model, "classes_ has what is no array of one dimension")
            expect_range(budget, model, "_y", column, 0, len(held) - 1)
        return
    labels = expect_array(model, "_y", labels, (np.dtype(np.intp), np.dtype(np.int32)), (count,))
    if type(classes) is not np.ndarray or classes.ndim != 1:
        raise fail(model, "classes_ is not an array of one dimension")
    expect_range(budget, model, "_y", labels, 0, len(classes) - 1)
    if parts.get("_fit_method") == "brute" and "n_neighbors" in parts and (whole(parts["n_neighbors"]) or 0) > count:
        raise fail(model, f"it asks for {parts['n_neighbors']} neighbours among {count}")


_DISTANCE = Guard(accept, before=_before_distance)
_BINARY_TREE = Guard(_tree, again=True, before=_before_tree)

STATES: dict[tuple[str, str], Guard] = {
    **{
        (module, f"DistanceMetric{width}"): _DISTANCE
        for module in (_DISTANCES, _OLD_DISTANCES)
        for width in ("", "32", "64")
    },
    **{
        (f"sklearn.neighbors.{module}", f"BinaryTree{width}"): _BINARY_TREE
        for module in _TREES
        for width in ("", "32", "64")
    },
    ("sklearn.neighbors._base", "NeighborsBase"): Guard(_estimator, again=True),
}
"""See `guards.STATES`."""
