"""Estimators whose states lie are refused when they are loaded, before a user can ask them anything."""

from __future__ import annotations

import io
import json
from typing import Any, Callable

import numpy as np
import pytest
from assembler import FALSE, NONE, TRUE, call, dic, glob, lst, new, number, raw, stream, text, tup
from forging import Forged, load, refused, with_state
from internals import uses

from binpickle import BinPickleError, trust
from binpickle.trust import scan
from reliability.children import in_child

pytest.importorskip("sklearn", "1.0")
pytestmark = pytest.mark.filterwarnings("ignore")

X = np.abs(np.random.RandomState(0).normal(size=(60, 4)))
TWO = (X[:, 0] > 0.7).astype(int)
THREE = np.digitize(X[:, 0], [0.4, 0.9])


def put(**parts: Any) -> Callable[[Any], None]:
    """Return a change that sets attributes."""
    return lambda state: state.update(parts)


def fit(name: str, *data: Any, **arguments: Any) -> Any:
    """Return a fitted estimator."""
    import importlib

    module, _, cls = name.rpartition(".")
    return getattr(importlib.import_module(f"sklearn.{module}"), cls)(**arguments).fit(*data)


def changed(array: Any, *changes: tuple[Any, Any]) -> Any:
    """Return a copy of an array with other items."""
    copy = array.copy()
    for place, value in changes:
        copy[place] = value
    return copy


# --- trees -----------------------------------------------------------------------------------------------------------


def tree() -> Any:
    return fit("tree.DecisionTreeClassifier", X, X[:, 0] * X[:, 1] > 0.3, random_state=0, max_depth=3)


def nodes(**changes: tuple[Any, Any]) -> Callable[[Any], None]:
    """Return a change of the state of a tree: for each field a place and a value."""

    def change(state: Any) -> None:
        state["nodes"] = state["nodes"].copy()
        for name, (place, value) in changes.items():
            state["nodes"][name][place] = value

    return change


TREES = [
    (nodes(left_child=(0, 1 << 28)), "a child that is not one of the nodes behind it"),
    (nodes(left_child=(0, 0)), "a child that is not one of the nodes behind it"),
    (nodes(right_child=(0, -7)), "a child that is not one of the nodes behind it"),
    (nodes(right_child=(0, 1)), "its nodes are not one tree"),
    (nodes(left_child=(0, -1)), "a node has one child"),
    (nodes(left_child=(0, -1), right_child=(0, -1)), "its nodes are not one tree"),
    (nodes(feature=(0, 4)), "features has numbers that are not from 0 to 3"),
    (nodes(feature=(0, -2)), "features has numbers that are not from 0 to 3"),
    (put(max_depth=1), "max_depth is 1, and its nodes are deeper"),
    (put(max_depth=1 << 40), "max_depth is not an integer"),
    (put(node_count=3), "node_count is not an integer"),
    (put(node_count=1 << 40), "node_count is not an integer"),
    (put(nodes=np.zeros(3)), "its nodes are not an array of records"),
    (put(nodes=None), "its nodes are not an array of records"),
    (put(values=None), "values is a NoneType"),
    (put(values=np.ones((2, 1, 2))), "values has the shape"),
    (lambda state: [1, 2], "its state is a list"),
]


@pytest.mark.parametrize(("change", "message"), TREES, ids=range(len(TREES)))
def test_forged_trees_are_refused(change, message):
    """A tree whose nodes are no tree, or compare features that there are not, is refused."""
    assert message in refused(with_state(tree().tree_, change))


@pytest.mark.parametrize(
    "parameters", [{}, {"max_leaf_nodes": 9}, {"ccp_alpha": 0.01}, {"max_depth": 1}, {"splitter": "random"}], ids=str
)
def test_builders_number_nodes_as_guards_demand(parameters):
    """Trees of the depth-first and best-first builders, and pruned ones, load and answer the same."""
    fitted = fit("tree.DecisionTreeClassifier", X, THREE, random_state=0, **parameters)
    assert np.array_equal(load(fitted).predict(X), fitted.predict(X))


def boosting(**arguments: Any) -> Any:
    return fit("ensemble.GradientBoostingClassifier", X, THREE, n_estimators=2, random_state=0, **arguments)


def other_tree(other: Any) -> Any:
    """Return the trees of gradient boosting with another one among them."""
    stages = boosting().estimators_.copy()
    stages[1, 2] = other
    return stages


def regressor(features: Any, answers: Any = X[:, 1]) -> Any:
    return fit("tree.DecisionTreeRegressor", features, answers)


def unfitted() -> Any:
    from sklearn.tree import DecisionTreeRegressor

    return DecisionTreeRegressor()


MODELS = [
    (tree, put(n_features_in_=3), "n_features_in_ is not an integer from 4 to 4"),
    (tree, put(n_features_in_=None), "n_features_in_ is not an integer"),
    (tree, put(tree_=None), "tree_ is a NoneType"),
    (boosting, put(n_features_in_=5), "a tree for other features"),
    (boosting, put(estimators_=boosting().estimators_.ravel()), "estimators_ has the shape"),
    (boosting, put(estimators_=boosting().estimators_[:, :2]), "estimators_ has 2 trees for each step"),
    (boosting, put(estimators_=boosting().estimators_[:0]), "estimators_ has 3 trees for each step"),
    (boosting, put(estimators_=other_tree(X)), "estimators_ has a ndarray, not a decision tree"),
    (boosting, put(estimators_=other_tree(unfitted())), "estimators_ has a DecisionTreeRegressor, not a"),
    (boosting, put(estimators_=other_tree(regressor(X[:, :2]))), "estimators_ has a tree for other features"),
    (boosting, put(estimators_=other_tree(regressor(X, X[:, :2]))), "or of more than one answer"),
    (boosting, put(init_=None), "init_ is a NoneType; only the default"),
    (boosting, put(init_=fit("linear_model.LogisticRegression", X, THREE)), "init_ is a LogisticRegression"),
    (boosting, put(init_=fit("dummy.DummyClassifier", X, TWO, strategy="prior")), "init_ does not give answers for 3"),
    (boosting, put(init_=fit("dummy.DummyClassifier", X, THREE, strategy="uniform")), "init_ does not give answers"),
    (boosting, put(init_=fit("dummy.DummyRegressor", X, THREE)), "init_ does not give answers"),
]


@pytest.mark.parametrize(("make", "change", "message"), MODELS, ids=range(len(MODELS)))
def test_forged_estimators_of_trees_are_refused(make, change, message):
    """An estimator is refused whose trees do not fit to it."""
    found = refused(with_state(make(), change))
    assert found.startswith("FormatError")
    assert message in found


def histograms() -> Any:
    if not hasattr(pytest.importorskip("sklearn.ensemble"), "HistGradientBoostingClassifier"):
        pytest.skip("this release has no histogram gradient boosting")
    return fit("ensemble.HistGradientBoostingClassifier", X, TWO, max_iter=2, min_samples_leaf=5)


def predictor(**changes: tuple[Any, Any]) -> Callable[[Any], None]:
    """Return a change of the nodes of a predictor."""

    def change(state: Any) -> None:
        state["nodes"] = state["nodes"].copy()
        for name, (place, value) in changes.items():
            state["nodes"][name][place] = value

    return change


PREDICTORS = [
    (predictor(left=(0, 0)), "a child that is not one of the nodes behind it"),
    (predictor(left=(0, 1 << 28)), "a child that is not one of the nodes behind it"),
    (predictor(is_leaf=(slice(None), 0)), "a child that is not one of the nodes behind it"),
    (predictor(is_leaf=(0, 1)), "its nodes are not one tree"),
    (predictor(is_categorical=(0, 1)), "bitset_idx has numbers that are not from 0 to -1"),
    (put(nodes=np.zeros(3)), "FormatError"),
    (lambda state: state.update(nodes=state["nodes"][:0]), "nodes is empty"),
    (put(raw_left_cat_bitsets=np.zeros((1, 4), np.uint32)), "raw_left_cat_bitsets has the shape"),
    (put(binned_left_cat_bitsets=None), "binned_left_cat_bitsets is a NoneType"),
    (put(predict=None), "'predict' hides a method"),
]


@pytest.mark.parametrize(("change", "message"), PREDICTORS, ids=range(len(PREDICTORS)))
def test_forged_predictors_are_refused(change, message):
    """A tree of histogram gradient boosting that is no tree is refused."""
    assert message in refused(with_state(histograms()._predictors[0][0], change))


def first_predictor(**changes: Any) -> Callable[[Any], None]:
    def change(state: Any) -> None:
        made = state["_predictors"][0][0]
        state["_predictors"] = [[with_state(made, predictor(**changes))]]

    return change


HISTOGRAMS = [
    (first_predictor(feature_idx=(0, 4)), "feature_idx has numbers that are not from 0 to 3"),
    (put(n_features_in_=None), "n_features_in_ is not an integer"),
    (put(_predictors=[None]), "_predictors is not a list of lists"),
    (put(_predictors=[[None]]), "_predictors has a NoneType"),
    (lambda state: state["_bin_mapper"].__dict__.update(is_categorical_=np.zeros(3, np.uint8)), "is_categorical_ has"),
]


@pytest.mark.parametrize(("change", "message"), HISTOGRAMS, ids=range(len(HISTOGRAMS)))
def test_forged_histogram_boosting_is_refused(change, message):
    """Histogram gradient boosting is refused whose trees split by features that there are not."""
    assert message in refused(with_state(histograms(), change))


# --- neighbours ------------------------------------------------------------------------------------------------------


def neighbours(algorithm: str = "kd_tree", **arguments: Any) -> Any:
    arguments.setdefault("leaf_size", 5)
    return fit("neighbors.KNeighborsClassifier", X, TWO, algorithm=algorithm, **arguments)


def at(place: int, change: Callable[[Any], Any]) -> Callable[[Any], None]:
    """Return a change of one item of a state."""

    def apply(state: Any) -> None:
        state[place] = change(state[place])

    return apply


def distance(metric: str, **arguments: Any) -> Any:
    try:
        from sklearn.metrics import DistanceMetric
    except ImportError:
        from sklearn.neighbors import DistanceMetric
    return DistanceMetric.get_metric(metric, **arguments)


TREE_STATES = [
    (at(0, lambda a: a[:0]), "data is empty"),
    (at(0, np.asfortranarray), "data is empty, or not contiguous"),
    (at(0, lambda a: a.astype("f4")), "data has the dtype"),
    (at(0, lambda a: a.ravel()), "data has the shape"),
    (at(0, lambda a: None), "data is a NoneType"),
    (at(1, lambda a: a[:-1]), "idx_array has the shape"),
    (at(1, lambda a: changed(a, (3, 60))), "idx_array has numbers that are not from 0 to 59"),
    (at(1, lambda a: changed(a, (3, -1))), "idx_array has numbers that are not from 0 to 59"),
    (at(2, lambda a: a[:-1]), "node_data is not an array of so many nodes"),
    (at(2, lambda a: np.zeros(len(a))), "node_data is not an array of so many nodes"),
    (at(2, lambda a: changed(a, (0, (1, 60, 0, 1.0)))), "its first node has not all points"),
    (at(2, lambda a: changed(a, (0, (0, 61, 0, 1.0)))), "its first node has not all points"),
    (at(2, lambda a: changed(a, (-1, (55, 60, 0, 1.0)))), "a node of the last level has children"),
    (at(2, lambda a: changed(a, (1, (0, 40, 0, 1.0)))), "the points of a node are not those of its children"),
    (at(2, lambda a: changed(a, (2, (30, 90, 0, 1.0)))), "the points of a node are not those of its children"),
    (at(3, lambda a: a[..., :3]), "node_bounds has the shape"),
    (at(3, lambda a: a[:, :-1]), "node_bounds has the shape"),
    (at(4, lambda a: 0), "leaf_size is not an integer"),
    (at(5, lambda a: 50), "n_levels is not an integer"),
    (at(5, lambda a: a + 1), "n_nodes is not an integer"),
    (at(6, lambda a: a + 1), "n_nodes is not an integer"),
    (at(7, lambda a: "many"), "a count of steps is not an integer"),
    (at(11, lambda a: None), "its distance is a NoneType"),
    (at(11, lambda a: X), "its distance is a ndarray"),
    (at(11, lambda a: distance("seuclidean", V=np.ones(3))), "is for points of another number of features"),
    (at(11, lambda a: distance("minkowski", p=3, w=np.ones(3))), "is for points of another number of features"),
    (at(11, lambda a: distance("mahalanobis", VI=np.eye(3))), "is for points of another number of features"),
    (at(11, lambda a: distance("haversine")), "is for points of another number of features"),
    (at(12, lambda a: np.ones(3)), "sample_weight has the shape"),
    (at(12, lambda a: [1.0] * 60), "sample_weight is a list"),
    (lambda state: tuple(state[:12]), "its state is not a tuple of 13"),
    (lambda state: {"data": None}, "its state is not a tuple of 13"),
]


@pytest.mark.parametrize("algorithm", ["kd_tree", "ball_tree"])
@pytest.mark.parametrize(("change", "message"), TREE_STATES, ids=range(len(TREE_STATES)))
def test_forged_neighbour_trees_are_refused(algorithm, change, message):
    """A tree of points is refused whose sizes do not agree, or whose nodes have other points than their children."""
    assert message in refused(with_state(neighbours(algorithm)._tree, change))


DISTANCES = [
    (lambda state: tuple(state[:2]), "its state is not a tuple of 3"),
    (at(0, lambda p: "2"), "p is a str"),
    (at(1, lambda v: v.astype("f4")), "its vector has the dtype"),
    (at(1, lambda v: None), "its vector is a NoneType"),
    (at(2, lambda m: np.ones((2, 3))), "its matrix is not square"),
    (at(2, lambda m: m.ravel()), "its matrix has the shape"),
]


@pytest.mark.parametrize(("change", "message"), DISTANCES, ids=range(len(DISTANCES)))
def test_forged_distances_are_refused(change, message):
    """A distance is refused whose state is not what the class reads."""
    assert message in refused(with_state(distance("seuclidean", V=np.ones(4)), change))


def brute() -> Any:
    return neighbours("brute")


NEIGHBOURS = [
    (neighbours, put(n_samples_fit_=70), "_fit_X has the shape (60, 4)"),
    (neighbours, put(_fit_X=X[:50]), "_tree has other points than _fit_X"),
    (neighbours, put(_tree=X), "_tree is a ndarray"),
    (brute, put(_fit_X=X[:, :3]), "_fit_X has the shape (60, 3)"),
    (brute, put(_fit_X=None), "_fit_X is a NoneType"),
    (brute, put(_y=TWO[:50]), "_y has the shape (50,)"),
    (brute, put(_y=TWO + 1), "_y has numbers that are not from 0 to 1"),
    (brute, put(_y=None), "_y is a NoneType"),
    (brute, put(classes_=None, effective_metric_params_={"Y_norm_squared": X[0]}), "Y_norm_squared is given"),
    (brute, put(n_neighbors=61), "it asks for 61 neighbours among 60"),
    (brute, put(metric_params={"VI": np.eye(3)}), "VI of metric_params is not a matrix"),
]


@pytest.mark.parametrize(("make", "change", "message"), NEIGHBOURS, ids=range(len(NEIGHBOURS)))
def test_forged_neighbours_are_refused(make, change, message):
    """An estimator is refused whose points or labels are not those that it says."""
    assert message in refused(with_state(make(), change))


# --- support vectors -------------------------------------------------------------------------------------------------


def machine(**arguments: Any) -> Any:
    return fit("svm.SVC", X, THREE, **arguments)


def sparse_machine() -> Any:
    from scipy import sparse

    return fit("svm.SVC", sparse.csr_matrix(X), THREE)


def own_kernel() -> Any:
    from sklearn.metrics.pairwise import rbf_kernel

    return machine(kernel=rbf_kernel)


COUNT = len(machine().support_)
VECTORS = [
    (machine, put(_impl="epsilon_svr"), "_impl is its own"),
    (machine, put(support_=None), "support_ is a NoneType"),
    (machine, put(support_=np.full(COUNT, 60, np.int32)), "support_ has numbers that are not from 0 to 59"),
    (machine, put(shape_fit_=60), "shape_fit_ is not a shape"),
    (machine, put(shape_fit_=(60, -1)), "shape_fit_ is not an integer"),
    (machine, put(_n_support=np.array([1, 2, 3], np.int32)), "_n_support does not add up"),
    (machine, put(_n_support=np.array([COUNT], np.int32)), "_n_support does not add up"),
    (machine, put(_n_support=np.array([-5, 5, COUNT], np.int32)), "_n_support has numbers that are not from 0"),
    (machine, put(_intercept_=np.ones(2)), "_intercept_ has the shape (2,), not (3)"),
    (machine, put(_sparse=1), "_sparse is a int"),
    (machine, put(_probA=np.ones(2)), "_probA has 2 numbers for 3 pairs"),
    (machine, put(support_vectors_=np.ones((2, 4))), "support_vectors_ has the shape (2, 4)"),
    (machine, put(support_vectors_=np.ones((COUNT, 3))), "support_vectors_ has the shape"),
    (machine, put(support_vectors_=np.ones((COUNT, 4), order="F")), "its arrays are not contiguous"),
    (machine, put(_dual_coef_=np.ones((1, COUNT))), "_dual_coef_ has the shape"),
    (machine, put(_dual_coef_=np.ones((2, COUNT - 1))), "_dual_coef_ has the shape"),
    (machine, put(n_features_in_=3), "support_vectors_ has the shape"),
    (machine, put(_sparse=True), "it has a ndarray where a csr matrix should be"),
    (machine, put(kernel=np.sum), "which does not compare rows"),
    (own_kernel, put(_BaseLibSVM__Xfit=X[:9]), "what its kernel compares with"),
    (sparse_machine, put(kernel="precomputed"), "a precomputed kernel is sparse"),
    (sparse_machine, put(probability=True), "_probA has 0 numbers for 3 pairs"),
    (
        sparse_machine,
        lambda state: state["_dual_coef_"].__dict__.update(
            data=np.ones(9), indices=np.zeros(9, np.int32), indptr=np.array([0, 5, 9], np.int32)
        ),
        "_dual_coef_ has 9 numbers",
    ),
    (sparse_machine, lambda state: state.update(support_vectors_=state["support_vectors_"][:4]), "not"),
]


@pytest.mark.parametrize(("make", "change", "message"), VECTORS, ids=range(len(VECTORS)))
def test_forged_machines_are_refused(make, change, message):
    """A support vector machine is refused whose arrays have other sizes than libsvm reads."""
    found = refused(with_state(make(), change))
    assert found.startswith("FormatError")
    assert message in found


# --- columns ---------------------------------------------------------------------------------------------------------

WORDS = np.array([["a", "x"], ["b", "y"], ["c", "x"], ["a", "x"]] * 5, dtype=object)
TEXTS = ["some text", "more text"]


def one_hot(data: Any = WORDS, **arguments: Any) -> Any:
    return fit("preprocessing.OneHotEncoder", data, **arguments)


def numbers() -> Any:
    return one_hot(np.array([[1.0, 2], [3, 4]]))


def dropped() -> Any:
    return one_hot(drop="first")


def rare() -> Any:
    try:
        return one_hot(min_frequency=6)
    except TypeError:
        pytest.skip("this release has no infrequent categories")


def counts() -> Any:
    return fit("feature_extraction.text.CountVectorizer", TEXTS)


def dicts() -> Any:
    return fit("feature_extraction.DictVectorizer", [{"a": 1, "b": 2}])


def labels() -> Any:
    made = fit("preprocessing.MultiLabelBinarizer", [["x", "y"]])
    made.transform([["x"]])
    return made


def hasher(name: str = "FeatureHasher") -> Any:
    return fit(f"feature_extraction.{name}", [{"a": 1}])


def hashing() -> Any:
    return fit("feature_extraction.text.HashingVectorizer", TEXTS)


def wide(state: Any) -> None:
    if "_n_features_outs" not in state:
        pytest.skip("this release counts the columns itself")
    state["_n_features_outs"] = [1, 1]


COLUMNS = [
    (one_hot, wide, "_n_features_outs is not the numbers of its categories"),
    (one_hot, put(categories_=None), "categories_ is a NoneType"),
    (one_hot, put(categories_=[WORDS[:2], WORDS[:, 1]]), "not an array of one dimension"),
    (numbers, put(categories_=[np.array([5.0, 3]), np.array([2.0, 4])]), "categories_ has numbers that are not sorted"),
    (numbers, put(categories_=[np.array([np.nan, 3]), np.array([2.0, 4])]), "numbers that are not sorted"),
    (dropped, put(drop_idx_=None, _drop_idx_after_grouping=np.array([0, 7], object)), "drops 7 of 2 categories"),
    (dropped, put(_drop_idx_after_grouping=np.array([0], object)), "has not an item for each feature"),
    (
        rare,
        put(_default_to_infrequent_mappings=[np.array([0, 9, 1]), None]),
        "its infrequent categories are not|has numbers",
    ),
    (rare, put(_default_to_infrequent_mappings=None), "is not a list with an item for each feature"),
    (rare, put(_infrequent_indices=[np.array([0.5]), None]), "is not an array of integers"),
    (counts, put(vocabulary_={"some": 0, "text": 9}), "vocabulary_ has 9 where a column from 0 to 1"),
    (counts, put(vocabulary_=[1, 2]), "vocabulary_ is a list"),
    (dicts, put(vocabulary_={"a": 0, "b": -1}), "vocabulary_ has -1 where a column from 0 to 1"),
    (dicts, put(vocabulary_={"a": 0, "b": "1"}), "vocabulary_ has '1' where a column"),
    (labels, put(_cached_dict={"x": 0, "y": 1 << 20}), "_cached_dict has 1048576 where a column"),
    (labels, put(_cached_dict={"x": 0}), "_cached_dict has not the labels"),
    (hasher, put(n_features=0), "n_features is not an integer from 1"),
    (hasher, put(n_features=1 << 40), "n_features is not an integer from 1"),
    (hashing, put(n_features=0), "n_features is not an integer from 1"),
]


@pytest.mark.parametrize(("make", "change", "message"), COLUMNS, ids=range(len(COLUMNS)))
def test_forged_columns_are_refused(make, change, message):
    """An encoder or vectorizer is refused that would fill columns which its result has not."""
    found = refused(with_state(make(), change))
    assert any(part in found for part in message.split("|")), found


# --- others ----------------------------------------------------------------------------------------------------------


def means() -> Any:
    return fit("cluster.KMeans", X, n_clusters=3, n_init=1, random_state=0)


def halves() -> Any:
    if not hasattr(pytest.importorskip("sklearn.cluster"), "BisectingKMeans"):
        pytest.skip("this release has no bisecting k-means")
    return fit("cluster.BisectingKMeans", X, n_clusters=3, random_state=0)


def birch() -> Any:
    return fit("cluster.Birch", X)


def covariance() -> Any:
    return fit("covariance.EmpiricalCovariance", X)


def density() -> Any:
    if not hasattr(pytest.importorskip("sklearn.cluster"), "HDBSCAN"):
        pytest.skip("this release has no HDBSCAN")
    return fit("cluster.HDBSCAN", X, min_samples=3)


def gradient() -> Any:
    return fit("linear_model.SGDClassifier", X, THREE, random_state=0)


def groups() -> Any:
    return fit("cluster.FeatureAgglomeration", X, n_clusters=2)


def factors() -> Any:
    return fit("decomposition.NMF", X, n_components=2)


def joins(place: int, name: str, value: int) -> Callable[[Any], None]:
    def change(state: Any) -> None:
        steps = state["_single_linkage_tree_"].copy()
        steps[name][place] = value
        state["_single_linkage_tree_"] = steps

    return change


OTHERS = [
    (groups, put(labels_=np.array([0, 1, 1 << 40, 0])), "labels_ has numbers that are not from 0 to 3"),
    (groups, put(labels_=None), "labels_ is a NoneType"),
    (factors, put(_n_components=1 << 28), "_n_components is not an integer from 2 to 2"),
    (factors, put(components_=None), "components_ is a NoneType"),
    (means, put(cluster_centers_=np.ones((3, 3))), "cluster_centers_ has the shape (3, 3), not (any, 4)"),
    (means, put(cluster_centers_=np.ones((0, 4))), "cluster_centers_ has no center"),
    (means, put(_n_threads=1 << 30), "_n_threads is not"),
    (means, put(n_features_in_=None), "n_features_in_ is not an integer"),
    (halves, lambda state: state["_bisecting_tree"].__dict__.update(center=np.ones(3)), "a center of _bisecting_tree"),
    (halves, lambda state: state["_bisecting_tree"].__dict__.update(left=state["_bisecting_tree"]), "is not a tree"),
    (birch, put(_subcluster_norms=np.ones(1)), "_subcluster_norms has the shape (1,)"),
    (covariance, put(precision_=np.eye(3)), "precision_ has the shape (3, 3), not (4, 4)"),
    (covariance, put(covariance_=np.eye(3)), "covariance_ has the shape (3, 3), not (4, 4)"),
    (density, joins(0, "left_node", 1 << 40), "joins a cluster that is not there yet"),
    (density, joins(0, "right_node", -1), "joins a cluster that is not there yet"),
    (density, joins(0, "left_node", 60), "joins a cluster that is not there yet"),
    (density, lambda state: joins(0, "left_node", state["_single_linkage_tree_"]["right_node"][0])(state), "twice"),
    (density, put(_single_linkage_tree_=X), "is not an array of steps"),
    (gradient, put(coef_=None), "coef_ is a NoneType"),
    (gradient, put(_standard_coef=np.ones((2, 2))), "_standard_coef has the shape"),
    (gradient, put(_standard_intercept=np.ones(7)), "_standard_intercept has not the size"),
]


@pytest.mark.parametrize(("make", "change", "message"), OTHERS, ids=range(len(OTHERS)))
def test_forged_estimators_are_refused(make, change, message):
    """An estimator is refused whose arrays have other sizes than compiled code reads."""
    assert message in refused(with_state(make(), change))


# --- settings --------------------------------------------------------------------------------------------------------


def pipeline(**arguments: Any) -> Any:
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import Pipeline

    return Pipeline([("model", Ridge())], **arguments)


def grid(**values: Any) -> Any:
    from sklearn.model_selection import GridSearchCV

    return GridSearchCV(pipeline(), values)


def array_of(value: Any) -> Any:
    array = np.empty(1, object)
    array[0] = value
    return array


SETTINGS = [
    (lambda: pipeline(memory="/tmp/cache"), "memory (memory) is not None"),
    (
        lambda: fit("feature_extraction.text.HashingVectorizer", TEXTS, input="content").set_params(input="filename"),
        "input (input) is not 'content'",
    ),
    (lambda: grid(memory=["/tmp/cache"]), "memory (memory) is not None"),
    (lambda: grid(model__memory=[None, "/tmp/cache"]), "memory (model__memory) is not None"),
    (lambda: grid(words__input=["file"]), "input (words__input) is not 'content'"),
    (lambda: grid(memory=array_of("/tmp/cache")), "memory (memory) is not None"),
    (lambda: grid(memory=({"a": 1},)), "memory (memory) is not None"),
    (lambda: with_state(pipeline(), put(steps=array_of({"x__memory": "/tmp"}))), "memory (x__memory) is not None"),
    (lambda: grid(n_jobs=[1 << 30]), "n_jobs is not a number of threads"),
    (lambda: neighbours(n_jobs=1 << 20), "n_jobs is not a number of threads"),
    (lambda: with_state(neighbours(), put(kneighbors=np.sum)), "the attribute 'kneighbors' hides a method"),
    (lambda: with_state(neighbours(), put(predict=None)), "the attribute 'predict' hides a method"),
]


@pytest.mark.parametrize(("make", "message"), SETTINGS, ids=range(len(SETTINGS)))
def test_harmful_settings_are_refused(make, message):
    """A setting that would open a path, unpickle or start very many threads is refused by its name, in grids too."""
    assert message in refused(make())


def test_helpers_are_no_settings():
    """A compiled helper of the set is refused where a function of the user's choice is called."""
    kmeans = pytest.importorskip("sklearn.cluster._kmeans")
    from sklearn.preprocessing import FunctionTransformer

    if not hasattr(kmeans, "_kmeans_single_lloyd"):
        pytest.skip("this release has no such helper")
    helper = vars(kmeans)["_kmeans_single_lloyd"]
    assert "believes its arguments" in refused(FunctionTransformer(helper))
    assert "believes its arguments" in refused(grid(model__func=[helper]))


@pytest.mark.parametrize("values", [{"memory": [None]}, {"model__alpha": [1, 2]}, {"input": ["content"]}], ids=str)
def test_harmless_settings_load(values):
    """Grids of other parameters load, and of these parameters with harmless values."""
    assert load(grid(**values)).param_grid == values


def test_lists_are_checked_when_the_stream_has_ended():
    """A grid that the stream fills after the search has its state is checked again."""
    candidates: list[Any] = []
    candidates.append(with_state(grid(memory=[None]), put(param_grid={"memory": candidates})))
    assert "memory (memory) is not None" in refused(candidates)


def test_names_for_values_have_no_other_use():
    """A function of the set can be held, and not called."""
    assert "numpy:sum" in refused(Forged(np.sum, (X,)))
    assert load(np.sum) is np.sum


BOUNDARY = "sklearn._loss.glm_distribution:DistributionBoundary"  # of releases before 1.1
KERNEL = "sklearn.gaussian_process.kernels:Hyperparameter"

# --- calls -----------------------------------------------------------------------------------------------------------

TUPLES = [
    ("sklearn.impute._iterative:_ImputerTriplet", [number(0)], "_ImputerTriplet is called with 1 arguments, not 3"),
    (BOUNDARY, [number(0)], "DistributionBoundary is called with 1 arguments, not 2"),
    (BOUNDARY, [text("0"), TRUE], "the number of DistributionBoundary is"),
    (BOUNDARY, [number(0), NONE], "DistributionBoundary is called with a flag that is none"),
    (KERNEL, [number(0)], "Hyperparameter is called with 1 arguments, not 5"),
    (KERNEL, [NONE, text("numeric"), text("fixed"), number(1), TRUE], "a name, a type or a flag that is none"),
    (KERNEL, [text("a"), text("numeric"), text("fixed"), number(1 << 40), TRUE], "n_elements of Hyperparameter is not"),
    (KERNEL, [text("a"), text("numeric"), NONE, number(1), TRUE], "bounds of Hyperparameter is a NoneType"),
]


@pytest.mark.parametrize(("name", "items", "message"), TUPLES, ids=range(len(TUPLES)))
def test_forged_tuples_are_refused(name, items, message):
    """A named tuple of scikit-learn is made of as many items as it has, and of the kinds that its code counts on."""
    with pytest.raises(BinPickleError, match=message):
        trust.load(io.BytesIO(stream(new(name, *items))).read, (), 0, trust.sklearn())


CALLED = sorted(
    f"{module}:{name}" for (module, name), allowed in uses().items() if "called" in allowed and "sklearn" in module
)
CLASSES = ("sklearn.neighbors._kd_tree:KDTree", "sklearn.metrics._dist_metrics:EuclideanDistance")
CLASSES += ("sklearn._loss._loss:CyPinballLoss", "sklearn.linear_model._sgd_fast:Hinge", "sklearn.tree._tree:Tree")
CLASSES += ("sklearn.linear_model._ridge:Ridge", "numpy:ndarray", "numpy:sum")


def arguments() -> list[bytes]:
    """Return opcodes that push objects of every kind."""
    values = [
        NONE,
        TRUE,
        FALSE,
        text(""),
        text("x"),
        raw(b"abcdefgh"),
        lst(number(1)),
        tup(),
        dic(text("a"), number(1)),
    ]
    values += [number(n) for n in (0, 1, -1, 3, 255, 1 << 20, 1 << 31, (1 << 63) - 1, 1 << 64, -(1 << 200))]
    values += [tup(number(1)), tup(number(1), number(2)), tup(b"G" + bytes(8)), b"G\x7f\xf8" + bytes(6)]
    values += [glob(name) for name in CLASSES]
    arrays = [np.array([2]), np.array([2.0]), np.zeros(0, int), np.array([-1]), np.array([1 << 40]), np.array(2)]
    arrays += [np.array([[2]]), np.array([2], ">i8"), np.array([2], np.int32), np.array(["a"])]
    return values + list(map(pushed, arrays))


def pushed(array: Any) -> bytes:
    """Return opcodes that push an array."""
    from assembler import array_state, dtype

    spec = array.dtype.str
    return array_state(tup(*map(number, array.shape)), dtype(spec[1:], spec[0]), raw(array.tobytes()))


def calls(name: str) -> Any:
    """Yield streams that call a global with forged arguments."""
    one = arguments()
    yield stream(call(name))
    for first in one:
        yield stream(call(name, first))
        yield stream(call(name, first, first, first, first))
        yield stream(call(name, first) + tup() + b"b")
        for second in one[:: max(1, len(one) // 12)]:
            yield stream(call(name, first, second))
    if name.endswith(":Tree") or "__pyx_unpickle" in name:
        few = one[::9] + [glob(cls) for cls in CLASSES]
        for third in one[::3]:
            for first in few:
                yield stream(call(name, first, third, number(1)))
                yield stream(call(name, number(2), third, first))
                yield stream(call(name, first, number(232881889), third))


@pytest.mark.parametrize("name", CALLED)
def test_calls_with_forged_arguments_are_refused(name):
    """What a stream may call is called with arguments of every kind, and only a BinPickleError comes of it."""

    def run() -> Any:
        outcomes = {"refused": 0, "made": 0}
        for data in calls(name):
            try:
                trust.load(io.BytesIO(data).read, (), 0, trust.sklearn())
                outcomes["made"] += 1
            except BinPickleError:
                outcomes["refused"] += 1
        return json.loads(json.dumps(outcomes))

    outcomes = in_child(run)
    assert outcomes["refused"] > 50


def test_scan_sees_the_uses_of_the_set():
    """Streams of fitted estimators use each name as the set allows."""
    from internals import pickle

    for made in (tree(), neighbours(), machine(), gradient(), boosting(), means()):
        for use in scan(io.BytesIO(pickle.dumps(made, 5)).read, 0):
            allowed = uses().get((use.module, use.qualname))
            assert allowed is None or set(use.uses) <= allowed, use
