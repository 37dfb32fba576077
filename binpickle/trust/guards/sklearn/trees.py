"""Guards for trees: decision trees, what is made of them, and the predictors of histogram gradient boosting.

Rule: children have larger numbers than their parents and each has one parent, so that a walk ends; features are those
that the estimator was fitted to. All builders of scikit-learn number nodes so, and pruning keeps it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...budget import Budget
from ..guard import Guard
from ..parts import (
    ARRAYS,
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

_TREE = ("sklearn.tree._tree", "Tree")
_PREDICTOR = "sklearn.ensemble._hist_gradient_boosting.predictor"
_MOST = 1 << 31
_NODE = ("value", "feature_idx", "left", "right", "is_leaf", "num_threshold", "bin_threshold")


def _check_children(budget: Budget, owner: Any, left: np.ndarray, right: np.ndarray, inner: np.ndarray) -> np.ndarray:
    """Check that nodes are one tree, and return the parent of each node.

    Args:
        budget: pays for the walk.
        owner: the object that has the nodes, for the message.
        left: number of the left child of each node.
        right: number of the right child of each node.
        inner: which nodes have children.
    """
    count = len(inner)
    budget.pay(4 * count)
    parents = np.flatnonzero(inner)
    parent = np.full(count, -1)
    for children in (left[inner].astype(np.int64), right[inner].astype(np.int64)):
        if ((children <= parents) | (children >= count)).any():
            raise fail(owner, "a node has a child that is not one of the nodes behind it")
        parent[children] = parents
    if 2 * len(parents) != count - 1 or (parent[1:] < 0).any():
        raise fail(owner, "its nodes are not one tree: a node has no parent, or two")
    return parent


def _depth(budget: Budget, parent: np.ndarray) -> int:
    """Return how deep a tree is, from the parent of each node: each round doubles the ancestors that it looks at."""
    depth = (parent >= 0).astype(np.int64)
    above = np.maximum(parent, 0)
    while above.any():
        budget.pay(2 * len(parent))
        depth += depth[above]
        above = above[above]
    return int(depth.max())


def _before_tree(budget: Budget, tree: Any, state: Any) -> None:
    """Check that the state of a tree has two arrays; `Tree` compares their dtypes and shapes itself."""
    if type(state) is not dict:
        raise fail(tree, f"its state is a {type(state).__name__}")
    nodes, values = state.get("nodes"), state.get("values")
    if type(nodes) is not np.ndarray or nodes.ndim != 1 or nodes.dtype.names is None or not len(nodes):
        raise fail(tree, "its nodes are not an array of records")
    expect_array(tree, "values", values, (np.dtype(np.float64),), (len(nodes), None, None))
    expect_number(tree, "node_count", state.get("node_count"), len(nodes), len(nodes))
    expect_number(tree, "max_depth", state.get("max_depth"), 0, len(nodes))


def _tree(budget: Budget, tree: Any) -> None:
    """Check the nodes of a tree."""
    count = expect_number(tree, "node_count", tree.node_count, 1, tree.capacity)
    left, right, feature = tree.children_left, tree.children_right, tree.feature
    inner = left != -1
    if ((right == -1) == inner).any():
        raise fail(tree, "a node has one child")
    parent = _check_children(budget, tree, left, right, inner)
    expect_range(budget, tree, "features", feature[inner], 0, tree.n_features - 1)
    if not _depth(budget, parent) <= tree.max_depth <= count:
        raise fail(tree, f"max_depth is {tree.max_depth}, and its nodes are deeper")


def _is_tree(value: Any) -> bool:
    return (type(value).__module__, type(value).__qualname__) == _TREE


def _estimator(budget: Budget, model: Any) -> None:
    """Check that a decision tree compares what users pass with the features of its nodes."""
    parts = expect_parts(model)
    if "tree_" not in parts:
        return
    if not _is_tree(parts["tree_"]):
        raise fail(model, f"tree_ is a {type(parts['tree_']).__name__}, not a Tree")
    features = parts["tree_"].n_features
    expect_number(model, "n_features_in_", parts.get("n_features_in_"), features, features)


def _boosting(budget: Budget, model: Any) -> None:
    """Check gradient boosting, which walks its trees without looking at what is in them."""
    parts = expect_parts(model)
    if "estimators_" not in parts:
        return
    stages = expect_array(model, "estimators_", parts["estimators_"], (np.dtype(object),), (None, None))
    features = expect_number(model, "n_features_in_", parts.get("n_features_in_"), 1, _MOST)
    budget.pay(1 + stages.size)
    for stage in stages.ravel().tolist():
        held = attributes(stage)
        if not is_kind(stage, "sklearn.tree._classes", "BaseDecisionTree") or not _is_tree(held.get("tree_")):
            raise fail(model, f"estimators_ has a {type(stage).__name__}, not a decision tree")
        tree = held["tree_"]
        if (tree.n_features, tree.n_outputs, tree.max_n_classes) != (features, 1, 1):
            raise fail(model, "estimators_ has a tree for other features, or of more than one answer")
        expect_number(model, "n_features_in_ of a tree", held.get("n_features_in_"), features, features)
    if not stages.size or _columns(model, parts) != stages.shape[1]:
        raise fail(model, f"estimators_ has {stages.shape[1]} trees for each step, other than its first answers have")
    _first_answers(model, parts.get("init_"), stages.shape[1])


def _columns(model: Any, parts: dict[str, Any]) -> int | None:
    """Return how many trees each step has to have, from where the release keeps it."""
    if "n_trees_per_iteration_" in parts:
        return whole(parts["n_trees_per_iteration_"])
    for name in ("_loss", "loss_"):
        if "K" in attributes(parts.get(name)):
            return whole(attributes(parts[name])["K"])
    return None


def _first_answers(model: Any, first: Any, columns: int) -> None:
    """Check that what the trees add to has a column for each of them."""
    if type(first) is str:
        return
    held = attributes(first)
    if is_kind(first, "sklearn.dummy", "DummyRegressor"):
        if columns == 1 and held.get("n_outputs_") == 1:
            return
    elif is_kind(first, "sklearn.dummy", "DummyClassifier"):
        prior = held.get("class_prior_")
        known = {held.get("strategy"), held.get("_strategy", "prior")} == {"prior"}
        if known and held.get("n_outputs_") == 1 and getattr(prior, "shape", None) == (max(columns, 2),):
            return
    else:
        raise fail(model, f"init_ is a {type(first).__name__}; only the default and 'zero' can be checked")
    raise fail(model, f"init_ does not give answers for {columns} trees")


def _predictor(budget: Budget, predictor: Any) -> None:
    """Check the nodes of a tree of histogram gradient boosting."""
    parts = expect_parts(predictor)
    nodes: Any = parts.get("nodes")
    if type(nodes) not in ARRAYS or not set(_NODE) <= set(nodes.dtype.names or ()):
        raise fail(predictor, "nodes is not an array of nodes")
    own(budget, parts, "nodes")
    nodes = parts["nodes"]
    if nodes.ndim != 1 or not len(nodes):
        raise fail(predictor, "nodes is empty, or not of one dimension")
    inner = nodes["is_leaf"] == 0
    _check_children(budget, predictor, nodes["left"], nodes["right"], inner)
    expect_range(budget, predictor, "feature_idx", nodes["feature_idx"][inner], 0, _MOST)
    bitsets = _categorical(nodes)
    for name in ("raw_left_cat_bitsets", "binned_left_cat_bitsets"):
        held = expect_array(predictor, name, parts.get(name), (np.dtype(np.uint32),), (None, 8))
        expect_range(budget, predictor, "bitset_idx", nodes["bitset_idx"][bitsets], 0, len(held) - 1)


def _categorical(nodes: np.ndarray) -> np.ndarray:
    """Return which nodes split by categories."""
    if "is_categorical" not in (nodes.dtype.names or ()):
        return np.zeros(len(nodes), bool)
    return (nodes["is_leaf"] == 0) & (nodes["is_categorical"] != 0)  # type: ignore[no-any-return]


def _histograms(budget: Budget, model: Any) -> None:
    """Check that the nodes of histogram gradient boosting split by features and categories that there are."""
    parts = expect_parts(model)
    if "_predictors" not in parts:
        return
    features = expect_number(model, "n_features_in_", parts.get("n_features_in_"), 1, _MOST)
    is_categorical = np.zeros(features, bool)
    held = attributes(parts.get("_bin_mapper")).get("is_categorical_")
    if held is not None:
        kinds = (np.dtype(bool), np.dtype(np.uint8))
        is_categorical = expect_array(model, "is_categorical_", held, kinds, (features,)) != 0
    stages = parts["_predictors"]
    if type(stages) is not list or not all(type(stage) is list for stage in stages):
        raise fail(model, "_predictors is not a list of lists")
    budget.pay(1 + sum(1 + 16 * len(stage) for stage in stages))
    for predictor in (predictor for stage in stages for predictor in stage):
        if not is_kind(predictor, _PREDICTOR, "TreePredictor"):
            raise fail(model, f"_predictors has a {type(predictor).__name__}")
        nodes: Any = attributes(predictor).get("nodes")
        if type(nodes) not in ARRAYS or not set(_NODE) <= set(nodes.dtype.names or ()):
            raise fail(model, "_predictors has a tree without nodes")
        expect_range(budget, model, "feature_idx", nodes["feature_idx"][nodes["is_leaf"] == 0], 0, features - 1)
        if not is_categorical[nodes["feature_idx"][_categorical(nodes)].astype(np.int64)].all():
            raise fail(model, "a node splits a feature by categories that is not categorical")
    _preprocessor(model, parts.get("_preprocessor"), features)


def _preprocessor(model: Any, held: Any, features: int) -> None:
    """Check that what comes before the trees keeps the number of features."""
    if held is None:
        return
    parts = attributes(held)
    steps: Any
    steps, columns = parts.get("transformers_"), parts.get("_transformer_to_input_indices")
    kinds = [type(step[1]).__name__ for step in steps] if type(steps) is list else []
    numerical = attributes(steps[1][1]).get("func") if len(kinds) == 2 else None
    if kinds != ["OrdinalEncoder", "FunctionTransformer"] or type(numerical).__name__ != "partial":
        raise fail(model, "_preprocessor is not what fit makes")
    if type(columns) is not dict or sum(map(len, columns.values())) != features:
        raise fail(model, "_preprocessor gives other features than it was fitted to")


STATES: dict[tuple[str, str], Guard] = {
    _TREE: Guard(_tree, before=_before_tree),
    ("sklearn.tree._classes", "BaseDecisionTree"): Guard(_estimator, again=True),
    ("sklearn.ensemble._gb", "BaseGradientBoosting"): Guard(_boosting, again=True),
    (_PREDICTOR, "TreePredictor"): Guard(_predictor, again=True),
    ("sklearn.ensemble._hist_gradient_boosting.gradient_boosting", "BaseHistGradientBoosting"): Guard(
        _histograms, again=True
    ),
}
"""See `guards.STATES`."""
