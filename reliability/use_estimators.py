"""The cases of `use` for scikit-learn: every estimator, fitted, and asked for all that it can answer."""

from __future__ import annotations

from typing import Any, Iterator, Sequence

import numpy as np

from binpickle import trust

from .use import Case

__all__ = ["estimator_cases", "use_estimator"]

_ASKED = (
    "predict",
    "predict_proba",
    "decision_function",
    "transform",
    "score_samples",
    "kneighbors",
    "radius_neighbors",
    "kneighbors_graph",
    "apply",
    "decision_path",
    "staged_predict",
    "inverse_transform",
    "mahalanobis",
    "predict_joint_log_proba",
)
_ALONE = ("get_feature_names_out", "get_precision", "get_covariance", "get_n_leaves", "get_depth", "__sklearn_tags__")
_HELD = ("feature_importances_", "coef_", "n_support_", "estimators_samples_", "cv_results_", "best_estimator_")


def estimator_cases(names: Sequence[str] = ()) -> Iterator[Case]:
    """Yield a case for each estimator.

    Args:
        names: the names of those to yield; all, if empty.
    """
    from threadpoolctl import threadpool_limits
    from trust_corpus import fitted_with_data

    threadpool_limits(1)  # a forked child must not wait for threads that only its parent has
    for name, estimator, data in fitted_with_data(names):
        yield Case(
            name, lambda made=estimator: made, lambda made, data=data: use_estimator(made, data), trust.sklearn()
        )


def use_estimator(model: Any, data: Any) -> None:
    """Ask an estimator for everything that it can say about the data that it was fitted to."""
    from sklearn.base import clone

    for ask in (repr, clone, lambda m: m._repr_html_(), lambda m: m.get_params(deep=True), lambda m: m == m):
        _try(ask, model)
    few = data[:7]
    for name in _ASKED:
        for given in (few, data):
            _show(_try(_call, model, name, given))
    for given in _others(few):
        for name in ("predict", "transform", "decision_function", "kneighbors"):
            _show(_try(_call, model, name, given))
    _try(_call, model, "score", data, np.arange(len(few)) if few is data else np.zeros(np.shape(data)[0]))
    _try(_call, model, "dbscan_clustering", 0.5)
    for name in _ALONE:
        _try(_call, model, name)
    for name in _HELD:
        _try(getattr, model, name)


def _others(few: Any) -> Iterator[Any]:
    """Yield the same data in other types, if it is a matrix of numbers."""
    from scipy import sparse

    if isinstance(few, np.ndarray) and few.ndim == 2 and few.dtype.kind == "f":
        yield sparse.csr_matrix(few)
        yield few.astype(np.float32)
        yield few * 1e6


def _call(model: Any, name: str, *arguments: Any) -> Any:
    found = getattr(model, name)(*arguments)
    return list(found)[-1:] if name.startswith("staged") else found


def _show(answer: Any) -> None:
    """Look at an answer, as a user would."""
    for part in answer if isinstance(answer, (tuple, list)) else (answer,):
        _try(repr, part)
        if hasattr(part, "toarray") and np.prod(part.shape) < 1e7:
            _try(lambda found: found.toarray().sum(), part)


def _try(ask: Any, *arguments: Any) -> Any:
    try:
        return ask(*arguments)
    except Exception:  # a wrong answer or an error is no crash
        return None
