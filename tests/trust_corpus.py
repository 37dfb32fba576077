"""Objects of scikit-learn and pandas as people store them, for the curated sets and their tests.

Rule: nothing here depends on one release of these libraries, so that the sets can be made from several.
"""

from __future__ import annotations

import warnings
from typing import Any, Callable, Iterator, Sequence

import numpy as np
from trust_frames import frames

__all__ = ["fitted_estimators", "fitted_with_data", "frames"]


def fitted_estimators() -> Iterator[tuple[str, Any]]:
    """Yield a fitted instance of every estimator of scikit-learn that can be fitted on its own, by name, and more."""
    for name, estimator, _ in fitted_with_data():
        yield name, estimator


def fitted_with_data(names: Sequence[str] = ()) -> Iterator[tuple[str, Any, Any]]:
    """Yield name, fitted estimator, and the data that it was fitted to.

    Args:
        names: the names to yield; all, if empty.
    """
    from sklearn.utils import all_estimators

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, cls in all_estimators():
            found = _fitted(cls) if not names or name in names else None
            if found is not None:
                yield (name, *found)
        for name, make in _variants():
            if not names or name in names:
                estimator, features = make()
                yield name, estimator, features


def _fitted(cls: Any) -> Any:
    for arguments in _arguments(cls):
        for data in _data():
            try:
                return cls(**arguments).fit(*data), data[0]
            except Exception:  # another way to make it, or other data, may do
                continue
    return None


def _variants() -> Iterator[tuple[str, Callable[[], tuple[Any, Any]]]]:
    """Yield estimators whose state has another form than that of the same class with its defaults."""
    from scipy import sparse
    from sklearn import cluster, ensemble, impute, neighbors, preprocessing, svm, tree
    from sklearn.experimental import enable_iterative_imputer  # noqa: F401 - it makes the class known

    features, labels, three = _features()
    csr = sparse.csr_matrix(features * (features > 0.5))
    single = features.astype(np.float32)
    words = np.array([["a", "x"], ["b", "y"], ["c", "x"], ["a", "z"], ["a", "x"]] * 4, dtype=object)

    def fit(estimator: Any, data: Any = features, answers: Any = labels) -> Callable[[], tuple[Any, Any]]:
        return lambda: (estimator.fit(data, answers), data)

    yield "tree, best first", fit(tree.DecisionTreeClassifier(max_leaf_nodes=8, random_state=0), answers=three)
    yield "tree, pruned", fit(tree.DecisionTreeRegressor(ccp_alpha=0.01, random_state=0), answers=features[:, 1])
    yield "boosting, three classes", fit(ensemble.GradientBoostingClassifier(n_estimators=3), answers=three)
    yield "boosting from zero", fit(ensemble.GradientBoostingClassifier(n_estimators=3, init="zero"), answers=three)
    yield "histograms, three classes", fit(ensemble.HistGradientBoostingClassifier(max_iter=3), answers=three)
    yield "sparse svm", fit(svm.SVC(), csr, three)
    yield "svm, linear, three classes", fit(svm.SVC(kernel="linear", break_ties=True), answers=three)
    yield "svm, precomputed", fit(svm.SVC(kernel="precomputed"), features @ features.T)
    yield "svm, own kernel", fit(svm.SVR(kernel=_kernel()), answers=features[:, 1])
    for algorithm in ("ball_tree", "kd_tree", "brute"):
        knn = neighbors.KNeighborsClassifier(algorithm=algorithm, leaf_size=5, weights="distance")
        yield f"neighbours, {algorithm}", fit(knn, answers=three)
    yield "neighbours, brute, uniform", fit(neighbors.KNeighborsClassifier(algorithm="brute"), single, three)
    yield "neighbours, minkowski", fit(neighbors.NearestNeighbors(algorithm="kd_tree", p=3))
    yield (
        "neighbours, haversine",
        fit(neighbors.NearestNeighbors(algorithm="ball_tree", metric="haversine"), features[:, :2]),
    )
    inverse = {"VI": np.eye(4)}
    for algorithm in ("ball_tree", "brute"):
        knn = neighbors.NearestNeighbors(algorithm=algorithm, metric="mahalanobis", metric_params=inverse)
        yield f"neighbours, mahalanobis, {algorithm}", fit(knn)
    yield (
        "radius, brute",
        fit(neighbors.RadiusNeighborsClassifier(5.0, algorithm="brute", outlier_label=0), answers=three),
    )
    yield "density, ball tree", fit(neighbors.KernelDensity(algorithm="ball_tree", leaf_size=5))
    yield "local outliers", fit(neighbors.LocalOutlierFactor(novelty=True))
    yield "one hot, dropped", fit(preprocessing.OneHotEncoder(drop="first"), words)
    yield "one hot, numbers", fit(preprocessing.OneHotEncoder(handle_unknown="ignore"), features.round(1))
    yield "k-means, sparse", fit(cluster.KMeans(3, n_init=1, random_state=0), csr)
    holes = np.where(features > 1.5, np.nan, features)
    yield "iterative imputer", fit(impute.IterativeImputer(max_iter=2, random_state=0), holes)
    yield "bag of trees", fit(ensemble.BaggingRegressor(n_estimators=2, max_features=2), answers=features[:, 1])
    if hasattr(cluster, "HDBSCAN"):
        yield "one hot, infrequent", fit(preprocessing.OneHotEncoder(min_frequency=5, sparse_output=False), words)
        yield "hdbscan", fit(cluster.HDBSCAN(min_samples=3))
        yield "bisecting, elkan", fit(cluster.BisectingKMeans(3, algorithm="elkan", random_state=0))


def _kernel() -> Any:
    from sklearn.metrics.pairwise import rbf_kernel

    return rbf_kernel


def _features() -> tuple[Any, Any, Any]:
    """Return features, labels of two classes, and labels of three."""
    random = np.random.RandomState(0)
    features = np.abs(random.normal(size=(60, 4)))
    return features, (features[:, 0] > 0.7).astype(int), np.digitize(features[:, 0], [0.4, 0.9])


def _arguments(cls: Any) -> Iterator[dict[str, Any]]:
    """Yield arguments that the constructor may need."""
    from inspect import signature

    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LinearRegression, LogisticRegression
    from sklearn.preprocessing import StandardScaler

    names = signature(cls).parameters
    common: dict[str, Any] = {"random_state": 0, "n_components": 2, "max_iter": 50, "n_estimators": 3}
    if "perplexity" in names:  # t-SNE, which begins at this number
        common.update(max_iter=250, n_iter=250)
    common = {name: value for name, value in common.items() if name in names}
    for model in (LogisticRegression(), LinearRegression(), RandomForestClassifier(n_estimators=2)):
        composed = {
            "estimator": model,
            "base_estimator": model,
            "estimators": [("a", model), ("b", model)],
            "steps": [("scale", StandardScaler()), ("model", model)],
            "transformers": [("scale", StandardScaler(), [0, 1])],
            "transformer_list": [("scale", StandardScaler())],
            "param_grid": {"fit_intercept": [True, False]},
            "param_distributions": {"fit_intercept": [True, False]},
            "dictionary": np.eye(4),
        }
        composed = {name: value for name, value in composed.items() if name in names}
        yield {**common, **composed}
        yield composed


def _data() -> Iterator[tuple[Any, ...]]:
    """Yield arguments for `fit`."""
    features, labels, _ = _features()
    yield features, labels
    yield features, features[:, 1] + 1
    yield features, np.column_stack([labels, 1 - labels])
    yield features, features[:, :2]
    yield features[:, 0], features[:, 1]
    yield (features,)
    yield (features @ features.T,)
    yield (["some text", "and more text", "or none"],)
    yield ([{"a": 1, "b": 2}, {"a": 3}],)
    yield (labels,)
    yield ([["x", "y"], ["x"]],)
