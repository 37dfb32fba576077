"""What `dump` leaves to the caller's own pickler, and what it never asks of foreign code."""

from __future__ import annotations

import copyreg
import io
import sys
import types
import warnings
from pathlib import Path
from typing import Any, Iterator

import numpy as np
import pytest
from common import each
from internals import pickle

import binpickle

ARRAY = np.ones(1000)


def zeros(array: np.ndarray) -> Any:
    return np.zeros, (array.shape,)


class Overrides(pickle.Pickler):
    def reducer_override(self, obj: Any) -> Any:
        return zeros(obj) if type(obj) is np.ndarray else NotImplemented


class Tabled(pickle.Pickler):
    dispatch_table = {np.ndarray: zeros}


class TabledByItself(pickle.Pickler):
    def __init__(self, *args: Any, **more: Any):
        super().__init__(*args, **more)
        self.dispatch_table = {**copyreg.dispatch_table, np.ndarray: zeros}


class Registered(pickle.Pickler):
    dispatch_table = {**copyreg.dispatch_table, complex: lambda number: (complex, (number.imag, number.real))}


@each({"reducer_override": Overrides, "dispatch_table": Tabled, "of the instance": TabledByItself})
def test_own_reducers_come_first(row: Any) -> None:
    """What a pickler says of arrays holds; the functions of BinPickle are for what it leaves."""
    assert binpickle.loads(binpickle.dumps(ARRAY, pickler=row)).sum() == 0


def test_own_reducers_of_others() -> None:
    """A pickler with functions for other classes leaves arrays to BinPickle."""
    data = binpickle.dumps([ARRAY, 1 + 2j], pickler=Registered)
    made, number = binpickle.loads(data)
    assert (made.sum(), number) == (1000, 2 + 1j)
    assert len(binpickle.BinPickleFile(io.BytesIO(data)).buffers) == 1


def test_registered_reducer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A function that `copyreg` has for arrays is used, as pickle uses it."""
    monkeypatch.setitem(copyreg.dispatch_table, np.ndarray, zeros)
    assert binpickle.loads(binpickle.dumps(ARRAY)).sum() == 0


@each({"reducer_override": zeros, "persistent_id": zeros, "dispatch_table": {}})
def test_subclass_that_would_be_ignored(row: Any, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """A subclass of `BinPickler` that has a hook of pickle is refused, since it would be ignored."""
    name = request.node.callspec.id
    with pytest.raises(TypeError, match=f"has {name}.*pickler="):
        type("Own", (binpickle.BinPickler,), {name: row})(tmp_path / "a")
    assert not list(tmp_path.iterdir())


class Meta(type):
    """A metaclass whose classes have no `__module__` that can be asked for."""

    def __getattribute__(cls, name: str) -> Any:
        if name in ("__module__", "__globals__"):
            raise RuntimeError(name)
        return super().__getattribute__(name)


def ask(name: str) -> Any:
    """Answer for a module whose version nobody should ask for."""
    if name == "__version__":
        warnings.warn("The '__version__' attribute is deprecated", DeprecationWarning, stacklevel=2)
        raise RuntimeError(name)
    raise AttributeError(name)


@pytest.fixture
def odd() -> Iterator[Any]:
    """A module with a class, which warns and raises when it is asked for its version."""
    module: Any = types.ModuleType("oldfashioned")
    module.Param = type("Param", (), {"__module__": "oldfashioned"})
    module.__getattr__ = ask
    sys.modules["oldfashioned"] = module
    yield module
    del sys.modules["oldfashioned"]


def test_no_module_is_asked_for_its_version(odd: Any) -> None:
    """A module says its version without being asked: no warning, no error, and no version of a lazy one."""
    data = binpickle.dumps(odd.Param())
    assert "oldfashioned" not in binpickle.BinPickleFile(io.BytesIO(data)).libraries
    odd.__version__ = "8.3"
    data = binpickle.dumps(odd.Param())
    assert binpickle.BinPickleFile(io.BytesIO(data)).libraries["oldfashioned"] == "8.3"


def test_odd_modules(monkeypatch: pytest.MonkeyPatch, odd: Any) -> None:
    """What stands among the modules need not be one."""
    monkeypatch.setitem(sys.modules, "oldfashioned", types.SimpleNamespace(Param=odd.Param, __slots__=()))
    assert type(binpickle.loads(binpickle.dumps(odd.Param()))) is odd.Param


def test_odd_classes() -> None:
    """A class that raises when it is asked for its module makes a dump fail only if pickle asks, too."""

    def reduce(self: Any, protocol: int) -> Any:
        return int, (7,)

    made = Meta("Made", (), {"__reduce_ex__": reduce})
    assert binpickle.loads(binpickle.dumps(made())) == 7
