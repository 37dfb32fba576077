"""The session `foreign`: what stands in pickle's place, and how outcomes are compared."""

from __future__ import annotations

import io
import pickle
from typing import Any

import numpy as np
import pytest
from foreign import stand_in
from foreign.accepted import ACCEPTED, Accepted
from foreign.compare import compare

ROWS = [Accepted("numpy/a.py::test_a", "looks at bytes"), Accepted("numpy/a.py::test_old", "looked at bytes")]


def outcome(outcome: str = "passed", **calls: int) -> dict[str, Any]:
    """Return what the plugin notes of a test."""
    return {"outcome": outcome, "report": f"it {outcome}", "calls": calls}


def test_compare() -> None:
    """A test that passes with pickle alone is worse unless a row accepts it, and a row without such a test is stale."""
    plain = {
        "numpy/a.py::test_a[1]": outcome(dump=1),
        "numpy/a.py::test_ab": outcome(dump=1),
        "numpy/a.py::test_c": outcome("failed", dump=1),
        "numpy/a.py::test_d": outcome(),
        "numpy/a.py::test_e": outcome(load=1),
    }
    ours = {test: {**noted, "outcome": "failed"} for test, noted in plain.items() if not test.endswith("e")}
    found = compare("numpy", "2", plain, ours, ROWS)
    assert (found.run, found.pickled, found.passed, found.accepted) == (5, 4, (3, 0), 1)
    assert found.worse == {
        "numpy/a.py::test_ab": "it passed",
        "numpy/a.py::test_d": "it passed",
        "numpy/a.py::test_e": "it did not run",
    }
    assert found.stale == ROWS[1:]
    assert found.row == ["numpy", "2", "5", "4", "3", "0", "1", "3", "0", "0"]


def test_other_libraries() -> None:
    """Rows of other libraries are not looked at."""
    assert compare("pandas", "3", {}, {}, ROWS).stale == []
    assert len({row.test for row in ACCEPTED}) == len(ACCEPTED)


def test_stand_in() -> None:
    """What stands in pickle's place reads what it wrote, in memory or at the end of a file, and reads pickles."""
    file = io.BytesIO(b"before")
    file.seek(6)
    before = stand_in.calls.copy()
    array = np.arange(999)
    stand_in.dump(array, file, protocol=2)
    file.seek(6)
    assert np.array_equal(stand_in.load(file), array)
    assert np.array_equal(stand_in.loads(stand_in.dumps(array)), array)
    assert stand_in.loads(pickle.dumps([1])) == stand_in.load(io.BytesIO(pickle.dumps([1]))) == [1]
    assert stand_in.calls - before == {"dump": 2, "load": 2, "data of pickle": 2}


def test_what_goes_to_pickle() -> None:
    """A protocol that does not exist goes to pickle, which refuses it."""
    before = stand_in.calls.copy()
    with pytest.raises((ValueError, TypeError)):
        stand_in.dumps(1, 99)
    assert stand_in.calls - before == {"no such protocol": 1}
