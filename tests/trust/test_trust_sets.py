"""The curated sets load what they are for, with the same answers, and name nothing that runs a stream's code."""

from __future__ import annotations

import datetime
import importlib
import importlib.util
import io
import re
import sys
import warnings
from pkgutil import get_data
from typing import Any

import numpy as np
import pytest
from common import copies
from internals import Pickling
from same import assert_same

from binpickle import trust

if sys.version_info >= (3, 8):
    import pickle
else:
    import pickle5 as pickle

SETS = {name: getattr(trust, name) for name in ("sklearn", "scipy", "pandas", "pyarrow", "torch")}


def pickled(obj: Any) -> tuple[bytes, list[bytearray]]:
    """Pickle `obj` as the library does."""
    stream = io.BytesIO()
    pickling = Pickling(stream.write)
    pickling.dump(obj)
    return stream.getvalue(), copies(pickling.out_of_band())


def reload(obj: Any, trusted: Any) -> Any:
    """Write `obj` and load it restricted."""
    stream, buffers = pickled(obj)
    return trust.load(io.BytesIO(stream).read, buffers, len(buffers), trusted)


@pytest.mark.parametrize("name", SETS)
def test_sets_are_frozensets_of_exact_names(name):
    """A set is a frozenset of `module:qualname` strings, without patterns."""
    names = SETS[name]()
    assert isinstance(names, frozenset)
    assert names
    assert all(re.fullmatch(r"\w+(\.\w+)*:\w+", entry) for entry in names)


@pytest.mark.parametrize("name", SETS)
def test_set_files_are_sorted(name):
    """The file of a set has one name a line, each once, in order, so that a change of it is easy to review."""
    lines = (get_data("binpickle.trust.sets", f"{name}.txt") or b"").decode("ascii").splitlines()
    assert lines == sorted(set(lines))
    assert {line.split()[0] for line in lines} <= getattr(trust, name)()


@pytest.mark.parametrize("name", SETS)
def test_sets_hold_nothing_that_runs_what_a_stream_brings(name):
    """No set names what evaluates strings, calls its arguments, opens files or starts processes."""
    modules = {entry.partition(":")[0] for entry in SETS[name]()}
    tops = {module.partition(".")[0] for module in modules}
    assert tops <= {"sklearn", "scipy", "pandas", "numpy", "pyarrow", "dateutil", "pytz", "torch", "binpickle"}
    forbidden = ("scipy.stats", "pandas.io", "pandas.eval", "sklearn.datasets", "sklearn.externals", "numpy.lib")
    assert not [module for module in modules if module.startswith(forbidden)]


def test_sklearn_includes_scipy():
    """Estimators hold sparse matrices, so trusting scikit-learn's names trusts those of scipy.sparse."""
    assert trust.scipy() < trust.sklearn()


def test_every_fitted_estimator_loads_under_sklearn():
    """Every fitted scikit-learn estimator loads with `trusted=trust.sklearn()`, with the state it had."""
    pytest.importorskip("sklearn")
    corpus = importlib.import_module("trust_corpus")
    trusted, seen = trust.sklearn(), 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, estimator in corpus.fitted_estimators():
            loaded = reload(estimator, trusted)
            stream, buffers = pickled(estimator)
            plain = pickle.loads(stream, buffers=buffers)
            assert_same(loaded, plain, name)
            seen += 1
    assert seen > 150


def test_estimators_answer_the_same():
    """Predictions of a loaded estimator equal those of the original."""
    pytest.importorskip("sklearn")
    from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    random = np.random.RandomState(0)
    features = random.normal(size=(80, 5))
    labels = (features[:, 0] > 0).astype(int)
    models = [GradientBoostingClassifier(n_estimators=3), RandomForestClassifier(3), KNeighborsClassifier(), SVC()]
    for model in models:
        fitted = make_pipeline(StandardScaler(), model).fit(features, labels)
        loaded = reload(fitted, trust.sklearn())
        assert np.array_equal(loaded.predict(features), fitted.predict(features))


def test_frames_load_under_pandas():
    """Frames, series, indices and scalars of every kind load with `trusted=trust.pandas()`, equal to what they were."""
    pandas = pytest.importorskip("pandas", "1.4")
    corpus = importlib.import_module("trust_corpus")
    for name, obj in corpus.frames():
        loaded = reload(obj, trust.pandas())
        assert type(loaded) is type(obj), name
        if isinstance(obj, pandas.DataFrame):
            pandas.testing.assert_frame_equal(loaded, obj)
        elif isinstance(obj, pandas.Series):
            pandas.testing.assert_series_equal(loaded, obj)
        elif isinstance(obj, pandas.Index):
            pandas.testing.assert_index_equal(loaded, obj)
        else:
            assert repr(loaded) == repr(obj), name


def test_named_time_zones_load_under_pandas():
    """Columns and indices in time zones with names load with `trusted=trust.pandas()`, whoever made the zones."""
    pandas = pytest.importorskip("pandas", "1.4")
    zones: list[Any] = ["Europe/Paris", datetime.timezone.utc, datetime.timezone(datetime.timedelta(hours=-3))]
    for module, name, *arguments in [
        ("zoneinfo", "ZoneInfo", "Asia/Tokyo"),
        ("pytz", "timezone", "Asia/Tokyo"),
        ("pytz", "FixedOffset", 60),
        ("dateutil.tz", "tzutc"),
        ("dateutil.tz", "tzlocal"),
    ]:
        if importlib.util.find_spec(module):
            zones.append(getattr(importlib.import_module(module), name)(*arguments))
    for zone in zones:
        times = pandas.date_range("2024-03-30", periods=4, freq="h", tz=zone)
        frame = pandas.DataFrame({"time": times, "value": range(4)}, index=times + pandas.Timedelta(1, "h"))
        loaded = reload(frame, trust.pandas())
        pandas.testing.assert_frame_equal(loaded, frame)
        assert str(loaded["time"].dt.tz) == str(frame["time"].dt.tz)


def test_sparse_matrices_load_under_scipy():
    """Sparse arrays and matrices of every format load with `trusted=trust.scipy()`."""
    sparse = pytest.importorskip("scipy.sparse")
    dense = np.array([[0, 1.5, 0], [2, 0, 0]])
    for kind in ("bsr", "coo", "csc", "csr", "dia", "dok", "lil"):
        matrix = getattr(sparse, f"{kind}_matrix")(dense)
        loaded = reload(matrix, trust.scipy())
        assert type(loaded) is type(matrix)
        assert np.array_equal(loaded.toarray(), dense)
