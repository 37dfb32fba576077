"""Honest objects of the libraries with curated sets, pushed again and again with arguments and state remembered.

Rule: the stream repeats a few bytes for each object, while the guard of its class may have to look at all of its state.
"""

from __future__ import annotations

import copyreg
import io
import pickle
import warnings
from typing import Any, Callable

import numpy as np
from assembler import glob

from .maker import Maker
from .mutation import opcodes

__all__ = ["HONEST", "honest"]


def honest(make: Maker, name: str) -> bytes:
    """Push an object of a library; what it is made of is remembered where that is long.

    Raises:
        ImportError: the library is not installed.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = HONEST[name](max(4, make.many(min(20_000, make.most))))
    function, arguments, *rest = made.__reduce_ex__(4)
    if function is getattr(copyreg, "__newobj__", None):
        function, arguments, opcode = arguments[0], arguments[1:], b"\x81"
    else:
        opcode = b"R"
    named = make.short(glob(f"{function.__module__}:{function.__qualname__}"))
    begun = named + make.short(_pushed(arguments)) + opcode
    if not rest or rest[0] is None:
        return begun
    return begun + make.short(_pushed(rest[0])) + b"b"


def _pushed(value: Any) -> bytes:
    """Return the opcodes that push a value, without a memo."""
    file = io.BytesIO()
    pickler = pickle.Pickler(file, 4)
    pickler.fast = True
    pickler.dump(value)
    return b"".join(opcodes(file.getvalue())[1:-1])


def _sparse(kind: str) -> Callable[[int], Any]:
    def made(size: int) -> Any:
        import scipy.sparse

        return getattr(scipy.sparse, f"{kind}_matrix")(scipy.sparse.eye(size, format="csr"))

    return made


def _fitted(module: str, name: str, **arguments: Any) -> Callable[[int], Any]:
    def made(size: int) -> Any:
        from importlib import import_module

        dice = np.random.RandomState(0)
        data = dice.rand(min(size, 300), 3)
        model = getattr(import_module(f"sklearn.{module}"), name)(**arguments)
        if "random_state" in model.get_params():
            model.set_params(random_state=0)
        return model.fit(data, data[:, 0] > 0.5)

    return made


def _part(module: str, name: str, part: str) -> Callable[[int], Any]:
    return lambda size: getattr(_fitted(module, name)(size), part)


def _words(size: int) -> Any:
    from sklearn.feature_extraction.text import CountVectorizer

    return CountVectorizer().fit([" ".join(f"w{n}" for n in range(size))])


def _frame(part: str) -> Callable[[int], Any]:
    def made(size: int) -> Any:
        import pandas

        numbers = np.arange(size)
        kinds: dict[str, Callable[[], Any]] = {
            "frame": lambda: pandas.DataFrame({"a": numbers, "b": numbers / 2, "c": numbers.astype(str)}),
            "wide frame": lambda: pandas.DataFrame({str(n): [n] for n in range(min(size, 500))}),
            "series": lambda: pandas.Series(numbers, index=numbers.astype(str)),
            "index": lambda: pandas.Index(numbers),
            "range": lambda: pandas.RangeIndex(size),
            "times": lambda: pandas.date_range("2020", periods=size, freq="h", tz="UTC"),
            "categories": lambda: pandas.Categorical.from_codes(numbers % 7, list("abcdefg")),
            "levels": lambda: pandas.MultiIndex.from_arrays([numbers, numbers % 3]),
            "intervals": lambda: pandas.interval_range(0, size),
            "periods": lambda: pandas.period_range("2020", periods=size, freq="M"),
            "integers": lambda: pandas.array(numbers, dtype="Int64"),
            "sparse": lambda: pandas.arrays.SparseArray(numbers % 2),
            "strings": lambda: pandas.array(numbers.astype(str), dtype="string"),
        }
        return kinds[part]()

    return made


HONEST: dict[str, Callable[[int], Any]] = {
    **{f"{kind} matrix": _sparse(kind) for kind in ("csr", "csc", "coo", "bsr", "dia", "lil", "dok")},
    **{
        f"pandas {part}": _frame(part)
        for part in (
            *("frame", "wide frame", "series", "index", "range", "times", "categories", "levels", "intervals"),
            *("periods", "integers", "sparse", "strings"),
        )
    },
    "tree": _part("tree", "DecisionTreeClassifier", "tree_"),
    "fitted tree": _fitted("tree", "DecisionTreeClassifier"),
    "forest": _fitted("ensemble", "RandomForestClassifier", n_estimators=3),
    "boosting": _fitted("ensemble", "GradientBoostingClassifier", n_estimators=3),
    "histograms": _fitted("ensemble", "HistGradientBoostingClassifier", max_iter=3),
    "neighbours": _fitted("neighbors", "KNeighborsClassifier", algorithm="kd_tree"),
    "ball tree": _part("neighbors", "KNeighborsClassifier", "_fit_X"),
    "clusters": _fitted("cluster", "KMeans", n_clusters=2, n_init=1),
    "machine": _fitted("svm", "SVC"),
    "linear": _fitted("linear_model", "LogisticRegression"),
    "encoder": _fitted("preprocessing", "OneHotEncoder"),
    "words": _words,
}
"""Objects by name; each function takes their size."""
