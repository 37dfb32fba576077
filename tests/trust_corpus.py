"""Objects of scikit-learn and pandas as people store them, for the curated sets and their tests.

Rule: nothing here depends on one release of these libraries, so that the sets can be made from several.
"""

from __future__ import annotations

import datetime
import warnings
from typing import Any, Iterator

import numpy as np

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


def frames() -> Iterator[tuple[str, Any]]:
    """Yield objects of pandas of every kind, by name."""
    import pandas as pd

    plain = pd.DataFrame(
        {
            "int": [1, 2],
            "float": [1.5, np.nan],
            "str": ["x", "y"],
            "bool": [True, False],
            "category": pd.Categorical(["u", "v"]),
            "date": pd.to_datetime(["2020-01-01", "2021-01-01"]),
            "span": pd.to_timedelta([1, 2], "h"),
        }
    )
    yield "frame", plain
    yield "series", plain["float"]
    yield "multi", plain.set_index(["int", "str"])
    yield "object", pd.Series(["a", None, 1], dtype=object)
    yield "sparse", pd.Series(pd.arrays.SparseArray([0, 0, 1]))
    for name in ("Int64", "UInt8", "boolean", "Float32", "string", "string[pyarrow]", "int64[pyarrow]"):
        try:
            yield name, pd.Series(pd.array([1 if "nt" in name else None, None], dtype=name))
        except (ImportError, NameError, TypeError, ValueError):  # not in this release, or without pyarrow
            continue
    yield from _indices(pd)
    yield from _scalars(pd)


def _indices(pd: Any) -> Iterator[tuple[str, Any]]:
    zone = datetime.timezone(datetime.timedelta(hours=1))
    yield "range", pd.RangeIndex(3)
    yield "categories", pd.CategoricalIndex(["a", "b"])
    yield "intervals", pd.Series([1, 2], index=pd.interval_range(0, 2))
    yield "interval values", pd.Series(pd.interval_range(0, 2))
    yield "periods", pd.Series([1, 2], index=pd.period_range("2020", periods=2, freq="M"))
    yield "days", pd.Series([1, 2], index=pd.date_range("2020", periods=2, freq="D"))
    yield "utc", pd.Series(pd.date_range("2020", periods=2, tz="UTC"))
    yield "zone", pd.Series(pd.date_range("2020", periods=2, tz=zone))
    yield "spans", pd.timedelta_range("1h", periods=2)


def _scalars(pd: Any) -> Iterator[tuple[str, Any]]:
    yield "timestamp", pd.Timestamp("2020-01-01", tz="UTC")
    yield "timedelta", pd.Timedelta(1, "D")
    yield "period", pd.Period("2020-01", "M")
    yield "interval", pd.Interval(0, 1)
    yield "nat", pd.NaT
    yield "missing", pd.NA
    for offset in (pd.DateOffset(months=1), pd.offsets.BDay(2), pd.offsets.MonthEnd(), pd.offsets.BusinessHour()):
        yield type(offset).__name__, offset
