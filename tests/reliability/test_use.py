"""Objects whose states were changed at random are refused, or used without an end of the process or a hang."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any, Callable

import numpy as np
import pytest

from reliability.use import Case, fuzz_use, use_once

USES = 600

# One for each kind of compiled code that reads the state of an estimator.
ESTIMATORS = [
    "Birch",
    "CountVectorizer",
    "DecisionTreeClassifier",
    "EmpiricalCovariance",
    "FeatureHasher",
    "GradientBoostingRegressor",
    "HistGradientBoostingRegressor",
    "KBinsDiscretizer",
    "KMeans",
    "KernelDensity",
    "NMF",
    "RandomForestClassifier",
    "SGDClassifier",
    "SVC",
    "SplineTransformer",
    "boosting, three classes",
    "hdbscan",
    "neighbours, ball_tree",
    "neighbours, brute, uniform",
    "neighbours, kd_tree",
    "one hot, dropped",
    "one hot, infrequent",
    "sparse svm",
    "svm, own kernel",
]


IN_A_PROCESS = """
import json, sys
from reliability.use import fuzz_use
from reliability.use_estimators import estimator_cases

report = fuzz_use(list(estimator_cases(json.loads(sys.argv[1]))), 0, int(sys.argv[2]), 120.0)
print(json.dumps([report.finds, report.outcomes]))
"""


def check(cases: Any, inputs: int) -> None:
    report = fuzz_use(cases, 0, inputs, 120.0)
    assert report.finds == []
    assert report.outcomes["refused"]
    assert report.outcomes["used"]


def test_sparse_matrices(size: Callable[[int], int]) -> None:
    """Sparse matrices and splines with changed states do no damage when they are used."""
    pytest.importorskip("scipy.sparse")
    from reliability.use_sparse import sparse_cases

    check(list(sparse_cases()), size(USES))


@pytest.mark.filterwarnings("ignore")
def test_estimators(size: Callable[[int], int]) -> None:
    """Estimators with changed states do no damage when they are used."""
    pytest.importorskip("sklearn", "1.0")
    # In a process of its own: a forked child of one whose OpenMP has threads would wait for them.
    command = [sys.executable, "-W", "ignore", "-c", IN_A_PROCESS, json.dumps(ESTIMATORS), str(size(USES))]
    paths = os.pathsep.join(sys.path)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": paths}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True, timeout=170)
    finds, outcomes = json.loads(done.stdout)
    assert finds == []
    assert outcomes["refused"]
    assert outcomes["used"]


@pytest.mark.filterwarnings("ignore")
def test_frames(size: Callable[[int], int]) -> None:
    """Frames, series, indexes and scalars of pandas with changed states do no damage when they are used."""
    pytest.importorskip("pandas", "1.4")
    from reliability.use_frames import frame_cases

    check(frame_cases(), size(USES))


def test_tables(size: Callable[[int], int]) -> None:
    """Arrays and tables of pyarrow with changed states do no damage when they are used."""
    pytest.importorskip("pyarrow")
    from reliability.use_arrow import arrow_cases

    check(arrow_cases(), size(USES))


def end_process(made: Any) -> None:
    import os
    import signal

    os.kill(os.getpid(), signal.SIGSEGV)


def test_crashes_are_found() -> None:
    """A use that ends the process is a find, and the run goes on behind it."""
    report = fuzz_use([Case("crash", lambda: {"a": 1}, end_process, ())], 0, 3)
    assert {find[2] for find in report.finds} == {"ended by SIGSEGV"}
    assert report.uses == 3


def spin(made: Any) -> None:
    while True:
        pass


def test_slow_uses_are_interrupted() -> None:
    """A use that the interpreter can interrupt is slow, and no hang."""
    assert use_once(Case("slow", dict, spin, ()), np.arange(3), 0, 0) == "slow"


def fail(made: Any) -> None:
    raise ValueError("no answer")


def test_errors_are_counted() -> None:
    """An exception of a use is no find."""
    report = fuzz_use([Case("error", lambda: np.arange(3), fail, ())], 0, 20)
    assert report.finds == []
    assert report.outcomes["error"] > 10
