"""The public names, and pickles of them."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import dask.array as da
import pytest

import binpickle_dask as bpd


@pytest.mark.parametrize("name", bpd.__all__)
def test_module(name: str) -> None:
    """Each public class and function names the package as its module, and so pickles under its public name."""
    public = getattr(bpd, name)
    assert public.__module__ == "binpickle_dask"
    assert b"binpickle_dask." not in pickle.dumps(public)
    assert pickle.loads(pickle.dumps(public)) is public


@pytest.mark.usefixtures("synchronous")
def test_values(tmp_path: Path) -> None:
    """Pickles of the values that saving and opening return name no inner module."""
    info = bpd.to_bpk(da.arange(10, chunks=4), tmp_path)
    store = bpd.open_bpk(tmp_path)
    for pickled in (pickle.dumps(info), pickle.dumps(store)):
        assert b"binpickle_dask." not in pickled
    assert pickle.loads(pickle.dumps(info)) == info
    assert pickle.loads(pickle.dumps(store)).part(1).tolist() == [4, 5, 6, 7]


def test_lazy() -> None:
    """A pickled function is found by a process that has not imported its module."""
    code = f"import pickle; print(pickle.loads({pickle.dumps(bpd.to_bpk)!r}).__name__)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "to_bpk"


def test_typed() -> None:
    """The package says that it has types."""
    assert Path(bpd.__file__).with_name("py.typed").exists()
