"""Guards against settings of estimators that make a later method open a path, unpickle, or start very many threads.

Rule: an attribute of such a name has a harmless value, or the file is refused and the message names the attribute. The
same holds for these names in grids and dicts of parameters, where they may follow the name of a step: `scale__memory`.
"""

from __future__ import annotations

from types import FunctionType
from typing import Any, Iterator

import numpy as np

from ...budget import Budget
from ..guard import Guard
from ..parts import FLOATS, expect_parts, fail, whole

__all__ = ["INERT", "before_settings", "check_parts", "check_settings"]

_MOST_JOBS = 1024
_LONGEST_RELEASE = 80
_MOST_CANDIDATES = 1 << 16
_COUNTS_OF_THREADS = ("n_jobs", "_n_threads", "n_threads")
# Arrays of norms that compiled code believes to have one number for each row of the data.
_NORMS = ("X_norm_squared", "Y_norm_squared")
_HELPERS = "sklearn.cluster._kmeans"  # its functions believe the sizes of their arguments
_WALKED = (dict, list, tuple, set, frozenset)


def check_parts(budget: Budget, instance: Any) -> None:
    """Check that no attribute hides a method."""
    budget.pay(1 + len(expect_parts(instance)))


def check_settings(budget: Budget, instance: Any) -> None:
    """Check the attributes of an estimator, and what they hold, for settings that must be harmless."""
    for name, value in expect_parts(instance).items():
        budget.pay(1)
        _check(instance, name, value)
        if type(value) in _WALKED:
            for inner, found in _items(budget, value):
                _check(instance, inner, found)
        elif type(value) is np.ndarray and value.dtype.hasobject:
            _check_names(budget, instance, value)
    _check_metric(instance, vars(instance))


def _check(instance: Any, name: Any, value: Any) -> None:
    """Check one attribute or item of a dict."""
    if isinstance(value, FunctionType) and value.__module__ == _HELPERS and name != "_kmeans_single":
        raise fail(instance, f"{name} is {value.__name__}, which believes its arguments")
    if not isinstance(name, str):
        return
    setting = str(name).rpartition("__")[2] or name
    if setting == "memory" and not all(item is None for item in _leaves(value)):
        raise fail(
            instance, f"memory ({name}) is not None: the folder that it names holds pickles, which fit would load"
        )
    if setting == "input" and not all(type(item) is str and item == "content" for item in _leaves(value)):
        raise fail(instance, f"input ({name}) is not 'content': a vectorizer would open what it is given as paths")
    if setting in _COUNTS_OF_THREADS and not all(_is_count(item) for item in _leaves(value)):
        raise fail(instance, f"{name} is not a number of threads from -{_MOST_JOBS} to {_MOST_JOBS}")
    if setting in _NORMS:
        raise fail(instance, f"{name} is given, and compiled code would not check its size")


def _is_count(value: Any) -> bool:
    return value is None or (whole(value) is not None and -_MOST_JOBS <= value <= _MOST_JOBS)


def _leaves(value: Any) -> Iterator[Any]:
    """Yield a value, or what a list of candidates holds."""
    if type(value) in (list, tuple):
        yield from value
    elif isinstance(value, np.ndarray) and value.size <= _MOST_CANDIDATES:
        yield from value.ravel().tolist()
    else:
        yield value


def _items(budget: Budget, held: Any) -> Iterator[tuple[Any, Any]]:
    """Yield keys and values of all dicts, and what else is in containers, under an empty name."""
    waiting, seen = [held], set()
    while waiting:
        here = waiting.pop()
        if id(here) in seen:
            continue
        seen.add(id(here))
        budget.pay(1 + len(here))
        for name, value in here.items() if type(here) is dict else (("", item) for item in here):
            yield name, value
            if type(value) in _WALKED:
                waiting.append(value)


def _check_names(budget: Budget, instance: Any, values: np.ndarray) -> None:
    """Check the containers in an array of objects."""
    budget.pay(1 + values.size)
    if values.dtype == object:
        for value in values.ravel().tolist():
            if type(value) in _WALKED:
                for name, found in _items(budget, value):
                    _check(instance, name, found)


def _check_metric(instance: Any, parts: dict[str, Any]) -> None:
    """Check the matrix of a Mahalanobis distance, whose size SciPy does not compare with that of the data."""
    for name in ("metric_params", "effective_metric_params_", "_metric_params"):
        held = parts.get(name)
        if type(held) is not dict or held.get("VI") is None:
            continue
        size, matrix = parts.get("n_features_in_"), held["VI"]
        if type(matrix) is not np.ndarray or matrix.dtype not in FLOATS or matrix.shape != (size, size):
            raise fail(instance, f"VI of {name} is not a matrix for as many features as it was fitted to")


def before_settings(budget: Budget, instance: Any, state: Any) -> None:
    """Check the release that a state names: a warning shows it, whatever it is."""
    if type(state) is dict:
        release = state.get("_sklearn_version", "")
        if type(release) is not str or len(release) > _LONGEST_RELEASE:
            raise fail(instance, "_sklearn_version is not a short string")


INERT = Guard(check_parts, needs_state=False)
"""For classes of Python that no compiled code believes."""
