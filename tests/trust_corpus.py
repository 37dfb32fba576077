"""Objects of scikit-learn and pandas as people store them, for the curated sets and their tests.

Rule: nothing here depends on one release of these libraries, so that the sets can be made from several.
"""

from __future__ import annotations

import warnings
from typing import Any, Iterator

import numpy as np
from trust_frames import frames

__all__ = ["fitted_estimators", "frames"]


def fitted_estimators() -> Iterator[tuple[str, Any]]:
    """Yield a fitted instance of every estimator of scikit-learn that can be fitted on its own, by name."""
    from sklearn.utils import all_estimators

    for name, cls in all_estimators():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            estimator = _fitted(cls)
        if estimator is not None:
            yield name, estimator


def _fitted(cls: Any) -> Any:
    for arguments in _arguments(cls):
        for data in _data():
            try:
                estimator = cls(**arguments)
                return estimator.fit(*data)
            except Exception:  # another way to make it, or other data, may do
                continue
    return None


def _arguments(cls: Any) -> Iterator[dict[str, Any]]:
    """Yield arguments that the constructor may need."""
    from inspect import signature

    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LinearRegression, LogisticRegression
    from sklearn.preprocessing import StandardScaler

    names = signature(cls).parameters
    common: dict[str, Any] = {"random_state": 0, "n_components": 2, "max_iter": 50, "n_estimators": 3}
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
    random = np.random.RandomState(0)
    features = np.abs(random.normal(size=(60, 4)))
    labels = (features[:, 0] > 0.7).astype(int)
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
