"""A plugin of pytest: it selects the tests that pickle, puts BinPickle in pickle's place, and notes what happens.

Rule: it changes the module `pickle` itself, before any library is imported, so that the tests and the libraries under
them go the same way. The classes `Pickler` and `Unpickler` stay as they are: BinPickle is made of them.
"""

from __future__ import annotations

import functools
import json
import os
import pickle
from collections import Counter
from pathlib import Path
from typing import Any, Generator

import cloudpickle
import pytest

from foreign import stand_in
from foreign.selection import pickles, says_pickle

_OUTCOMES: dict[str, dict[str, Any]] = {}
_LONGEST = 2000  # characters of the report of a failure


def _counting(name: str) -> Any:
    """Return a function of pickle that is counted."""
    function, kind = stand_in.PICKLE[name], name.rstrip("s")

    @functools.wraps(function)
    def counting(*args: Any, **options: Any) -> Any:
        stand_in.calls[kind] += 1
        return function(*args, **options)

    return counting


def _put_in_place(with_binpickle: bool) -> None:
    for name in stand_in.PICKLE:
        setattr(pickle, name, getattr(stand_in, name) if with_binpickle else _counting(name))
    cloudpickle.loads = pickle.loads
    if with_binpickle:
        cloudpickle.dumps = stand_in.dumps_of(cloudpickle)


_put_in_place(os.environ["FOREIGN_WITH"] == "binpickle")


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    is_module = collection_path.name.startswith("test_") and collection_path.suffix == ".py"
    return True if is_module and not says_pickle(collection_path) else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    chosen, others = [], []
    for item in items:
        (chosen if pickles(item) else others).append(item)
    config.hook.pytest_deselected(items=others)
    items[:] = chosen


def pytest_collectreport(report: pytest.CollectReport) -> None:
    if report.failed:
        _OUTCOMES[report.nodeid] = {"outcome": "failed", "report": str(report.longrepr)[-_LONGEST:], "calls": {}}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, Any, Any]:
    before = Counter(stand_in.calls)
    result = yield
    _OUTCOMES[item.nodeid]["calls"] = stand_in.calls - before
    return result


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    noted = _OUTCOMES.setdefault(report.nodeid, {"outcome": "", "report": ""})
    if report.failed:
        noted.update(outcome="failed", report=str(report.longrepr)[-_LONGEST:])
    elif noted["outcome"] != "failed" and (report.when == "call" or report.skipped):
        noted["outcome"] = report.outcome


def pytest_sessionfinish() -> None:
    with open(os.environ["FOREIGN_OUTCOMES"], "w", encoding="utf-8") as file:
        json.dump(_OUTCOMES, file)
