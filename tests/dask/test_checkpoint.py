"""Checkpoints, and resuming saves that did not end."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import dask
import dask.array as da
import dask.bag as db
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest

import binpickle_dask as bpd
from binpickle import errors

pytestmark = pytest.mark.usefixtures("synchronous")


class Pair(NamedTuple):
    """Two objects of one class."""

    left: Any
    right: Any


class Counter:
    """Passes blocks on, counts them in a file, and fails at one of them."""

    __name__ = "counter"

    def __init__(self, log: Path, fail_at: int = -1):
        self.log = log
        self.fail_at = fail_at

    def __call__(self, block: Any) -> Any:
        if self.count == self.fail_at:
            raise ArithmeticError("stopped")
        with self.log.open("a") as file:
            file.write("x")
        return block

    @property
    def count(self) -> int:
        return len(self.log.read_text()) if self.log.exists() else 0

    def __dask_tokenize__(self) -> str:
        return "counter"


def counted(tmp_path: Path, fail_at: int = -1) -> tuple[Any, Counter]:
    """Return an array of six blocks, and a function that returns how many were computed."""
    counter = Counter(tmp_path / "log", fail_at)
    return da.arange(12, chunks=2).map_blocks(counter, dtype=int, meta=np.empty(0, int)), counter


def test_structures(tmp_path: Path) -> None:
    """Collections in builtin structures come back in their places, as from `dask.persist`; others pass through."""
    array = da.arange(6, chunks=2)
    frame = dd.from_pandas(pd.DataFrame({"a": range(4)}), npartitions=2)
    given = ({"array": array, "both": [Pair(frame, 5), dask.delayed(max)(1, 2)]}, "text")
    back = bpd.checkpoint(*given, path=tmp_path)
    assert back[0]["both"][1].compute() == 2
    assert back[0]["both"][0].left.a.sum().compute() == 6
    assert type(back[0]["both"][0]) is Pair
    assert back[1] == "text"
    again = bpd.from_bpk(tmp_path)
    assert again[0]["array"].name == back[0]["array"].name
    assert bpd.open_bpk(tmp_path).load()[0]["array"].tolist() == list(range(6))


def test_shared_work_once(tmp_path: Path) -> None:
    """Work that several collections of a checkpoint share is done once."""
    array, counter = counted(tmp_path)
    first, total, again = bpd.checkpoint(array, array.sum(), array, path=tmp_path / "out")
    assert counter.count == 6
    assert total.compute() == first.sum().compute() == again.sum().compute() == 66
    assert counter.count == 6


def test_order(tmp_path: Path) -> None:
    """Collections of all kinds come back in their order, although dask groups them by kind."""
    array, bag = da.arange(4, chunks=2), db.from_sequence(range(3), npartitions=2)
    frame = dd.from_pandas(pd.DataFrame({"a": range(4)}), npartitions=2)
    given = [array, frame, bag, dask.delayed(max)(1, 2), array.sum(), frame.a, bag.sum(), array + 1, frame.a.sum()]
    back = bpd.checkpoint(*given, path=tmp_path)
    for one, other in zip(given, back):
        assert type(one) is type(other)
        assert str(one.compute()) == str(other.compute())


def test_resume(tmp_path: Path) -> None:
    """After a failure only the missing parts are computed, and nobody saw any part before."""
    array, counter = counted(tmp_path, fail_at=4)
    with pytest.raises(ArithmeticError):
        bpd.to_bpk(array, tmp_path / "out", resume=True)
    with pytest.raises(errors.NotCommittedError):
        bpd.open_bpk(tmp_path / "out")
    array, counter = counted(tmp_path)
    assert bpd.to_bpk(array, tmp_path / "out", resume=True).ncomputed == 2
    assert counter.count == 6
    assert bpd.from_bpk(tmp_path / "out").sum().compute() == 66
    assert bpd.to_bpk(array, tmp_path / "out", resume=True).ncomputed == 0
    assert counter.count == 6


def test_resume_inside(tmp_path: Path) -> None:
    """A part that exists is loaded where the rest of a checkpoint needs it."""
    array, _ = counted(tmp_path, fail_at=5)
    with pytest.raises(ArithmeticError):
        bpd.checkpoint(array, array.sum(), path=tmp_path / "out", resume=True)
    array, counter = counted(tmp_path)
    _, total = bpd.checkpoint(array, array.sum(), path=tmp_path / "out", resume=True)
    assert total.compute() == 66
    assert counter.count == 6


def test_resume_damaged(tmp_path: Path) -> None:
    """A damaged part is computed again."""
    array, counter = counted(tmp_path)
    bpd.to_bpk(array, tmp_path / "out")
    part = next((tmp_path / "out").rglob("c.3.bpk"))
    data = bytearray(part.read_bytes())
    data[data.index(b"\x06\0\0\0\0\0\0\0\x07")] ^= 1
    part.unlink()
    part.write_bytes(data)
    assert bpd.to_bpk(array, tmp_path / "out", resume=True).ncomputed == 1
    assert counter.count == 7
    assert bpd.from_bpk(tmp_path / "out").sum().compute() == 66


def test_resume_other(tmp_path: Path) -> None:
    """Another computation, or the same one stored otherwise, is refused with the reason, unless it may overwrite."""
    array, _ = counted(tmp_path, fail_at=3)
    with pytest.raises(ArithmeticError):
        bpd.to_bpk(array, tmp_path / "out", resume=True)
    with pytest.raises(ValueError, match="another computation.*token"):
        bpd.to_bpk(da.arange(12, chunks=2) + 1, tmp_path / "out", resume=True)
    with pytest.raises(ValueError, match="another computation.*codecs"):
        bpd.to_bpk(array, tmp_path / "out", resume=True, codecs="auto")
    bpd.to_bpk(da.arange(12, chunks=2) + 1, tmp_path / "out", resume=True, overwrite=True)
    with pytest.raises(FileExistsError, match="another computation"):
        bpd.to_bpk(array, tmp_path / "out", resume=True)


def test_resume_unnamed(tmp_path: Path) -> None:
    """A computation whose token differs in each process cannot be resumed, and the error comes at once."""
    array, counter = counted(tmp_path)
    with pytest.raises(ValueError, match="token"):
        bpd.checkpoint(array, object(), path=tmp_path / "out", resume=True)
    assert not (tmp_path / "out").exists()
    assert counter.count == 0
