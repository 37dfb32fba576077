"""Arrays of libraries that the common tests do not install: jax, ml_dtypes, astropy."""

from __future__ import annotations

import io
from typing import Any, Callable

import numpy as np
import pytest
from common import each

import binpickle
from binpickle import BinPickleFile

RAMP = np.arange(100_000)


def _jax(dtype: str) -> Any:
    jax = pytest.importorskip("jax")
    return jax.numpy.asarray(RAMP.astype(np.int32)).astype(dtype)


def _quantity() -> Any:
    return RAMP.astype(float) * pytest.importorskip("astropy.units").meter


def _table() -> Any:
    return pytest.importorskip("astropy.table").Table({"a": RAMP})["a"]


def _ml(name: str) -> Any:
    return RAMP.astype(getattr(pytest.importorskip("ml_dtypes"), name))


MADE: dict[str, Callable[[], Any]] = {
    "jax int32": lambda: _jax("int32"),
    "jax float32": lambda: _jax("float32"),
    "jax bfloat16": lambda: _jax("bfloat16"),
    "astropy quantity": _quantity,
    "astropy column": _table,
    "ml_dtypes bfloat16": lambda: _ml("bfloat16"),
    "ml_dtypes float8": lambda: _ml("float8_e4m3fn"),
    "ml_dtypes float8_e5m2": lambda: _ml("float8_e5m2"),
    "jax float8_e5m2": lambda: _jax("float8_e5m2"),
    "ml_dtypes int4": lambda: _ml("int4"),
}


@each(MADE, "make")
def test_library(make: Callable[[], Any]) -> None:
    """An array of another library comes back equal, and its file is as small as that of the same bytes of NumPy."""
    obj = make()
    plain = np.asarray(obj)
    number = plain if plain.dtype.kind in "iuf" else plain.view(f"u{plain.itemsize}")
    file = binpickle.dumps(obj)
    got = binpickle.loads(file)
    assert type(got) is type(obj)
    assert str(got.dtype) == str(obj.dtype)
    assert np.asarray(got).tobytes() == plain.tobytes()
    assert len(file) < 1.02 * len(binpickle.dumps(number)) + 600
    with BinPickleFile(io.BytesIO(file)) as opened:
        assert sum(buffer.nbytes for buffer in opened.buffers) == plain.nbytes
        assert len(opened.stream()) < 600


def test_unit() -> None:
    """A quantity of astropy keeps its unit."""
    got = binpickle.loads(binpickle.dumps(_quantity()))
    assert str(got.unit) == "m"


@each(MADE, "make")
def test_staged(make: Callable[[], Any]) -> None:
    """A staged array of another library gives the file of the array."""
    obj = [make(), make()[:100]]
    staged = binpickle.stage(obj)
    for options in ({}, {"mappable": True}):
        assert binpickle.dumps(staged, **options) == binpickle.dumps(obj, **options)


def test_staged_arrow() -> None:
    """Staged tables of Arrow give the files of the tables."""
    pa = pytest.importorskip("pyarrow")
    table = pa.table({"a": RAMP, "b": RAMP.astype(str), "c": [None, 1] * 50_000})
    obj = [table, table.slice(7, 900), table["b"].dictionary_encode(), pa.array([[1], [2, 3]])]
    staged = binpickle.stage(obj)
    for options in ({}, {"mappable": True}, {"codecs": lambda view: None}):
        assert binpickle.dumps(staged, **options) == binpickle.dumps(obj, **options)
