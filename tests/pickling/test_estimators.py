"""Every estimator of scikit-learn gives the same answers after it was dumped and loaded, mapped or not."""

from __future__ import annotations

import inspect
import sys
import warnings
from pathlib import Path
from typing import Any, Iterator

import numpy as np
import pytest

import binpickle

pytest.importorskip("sklearn")
pytestmark = pytest.mark.filterwarnings("ignore")  # most come from fitting so little data

METHODS = [
    "predict",
    "predict_proba",
    "decision_function",
    "transform",
    "score_samples",
    "kneighbors",
    "sample",
    "apply",
]
SEED = 0


def samples() -> Iterator[tuple[Any, Any]]:
    """Yield kinds of features and targets; an estimator is tested with the first pair that it fits."""
    random = np.random.RandomState(SEED)
    X = random.rand(60, 5) + np.arange(60)[:, None] % 3
    classes, quantity = np.arange(60) % 3, X.sum(1) + random.rand(60) / 10
    several = np.c_[classes == 0, classes == 1].astype(int)
    words = [f"a b{n % 3} c{n % 7}" for n in range(60)]
    for y in (classes, quantity, classes % 2, several, np.c_[quantity, X[:, 0]]):
        yield X, y
    yield X[:, 0], quantity
    for other in (words, classes, [{"a": n, "b": str(n % 5)} for n in range(60)], [(n % 3, n % 5) for n in range(60)]):
        yield other, None
    yield random.rand(60, 5000), None


def estimators() -> list[Any]:
    from sklearn.utils import all_estimators

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return all_estimators()


def make(cls: Any, **quick: Any) -> Any:
    """Make a small estimator; if it needs other estimators, around simple ones."""
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.preprocessing import StandardScaler

    simple = Ridge() if "Regressor" in cls.__name__ else LogisticRegression()
    wanted = {
        "estimator": simple,
        "base_estimator": simple,
        "estimators": [("a", simple), ("b", simple)],
        "steps": [("a", StandardScaler()), ("b", simple)],
        "transformers": [("a", StandardScaler(), [0, 1])],
        "transformer_list": [("a", StandardScaler())],
        "param_grid": {"C": [1.0, 2.0]},
        "param_distributions": {"C": [1.0, 2.0]},
        "dictionary": np.eye(5),
        "n_estimators": 3,
        "random_state": SEED,
        **quick,
    }
    parameters = inspect.signature(cls).parameters
    return cls(**{name: value for name, value in wanted.items() if name in parameters})


def fit(cls: Any) -> tuple[Any, Any]:
    """Return a fitted estimator and the data it was fitted to."""
    for quick in ({"max_iter": 5, "cv": 2, "n_init": 1}, {"min_samples": 10}, {"n_components": 3}):
        for X, y in samples():
            try:
                estimator = make(cls, **quick)
                return (estimator.fit(X) if y is None else estimator.fit(X, y)), X
            except Exception:
                continue
    return None, None


def answers(estimator: Any, X: Any) -> dict[str, Any]:
    """Return the answers of an estimator for some data."""
    found: dict[str, Any] = {}
    for method in METHODS:
        np.random.seed(SEED)
        try:
            found[method] = getattr(estimator, method)(X)
        except Exception as error:
            found[method] = type(error)
    return found


def assert_equal(got: Any, want: Any) -> None:
    assert type(got) is type(want)
    if isinstance(want, (tuple, list)):
        assert len(got) == len(want)
        for one, other in zip(got, want):
            assert_equal(one, other)
    elif hasattr(want, "toarray"):
        assert_equal(got.toarray(), want.toarray())
    elif isinstance(want, np.ndarray):
        np.testing.assert_allclose(got, want, rtol=1e-6, atol=1e-9)  # BLAS rounds by alignment
    elif isinstance(want, type):
        assert got is want


# Some estimators of the releases for Python 3.7 ask for writable arrays.
MAPPED: Any = "r" if sys.version_info >= (3, 8) else "c"


def test_estimators(tmp_path: Path) -> None:
    """Estimators answer the same after dump and load, by default and mapped."""
    path, fitted = tmp_path / "a.bpk", 0
    for _, cls in estimators():
        estimator, X = fit(cls)
        if estimator is None:
            continue
        want = list(answers(estimator, X).items())
        binpickle.dump(estimator, path)
        assert_equal(list(answers(binpickle.load(path), X).items()), want)
        binpickle.dump(estimator, path, mappable=True)
        assert_equal(list(answers(binpickle.load(path, mmap_mode=MAPPED), X).items()), want)
        fitted += 1
    assert fitted >= 200
