"""Saved collections come back, of all kinds, with all kinds of chunks, in all modes of dask."""

from __future__ import annotations

import operator
import pickle
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any, Callable

import dask
import dask.array as da
import dask.bag as db
import dask.dataframe as dd
import numcodecs
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import binpickle_dask as bpd
from binpickle import errors

pytestmark = pytest.mark.usefixtures("synchronous")


class Duck:
    """An element that has no method but `__eq__`."""

    def __init__(self, value: int):
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Duck) and other.value == self.value

    def __hash__(self) -> int:
        return self.value


def saved(collection: Any, path: Path, **options: Any) -> Any:
    """Save a collection, and open it again."""
    bpd.to_bpk(collection, path)
    return bpd.from_bpk(path, **options)


ARRAYS: dict[str, Callable[[], Any]] = {
    "plain": lambda: da.arange(20, chunks=6),
    "irregular": lambda: da.ones((5, 7), chunks=((1, 4), (3, 0, 4))),
    "no elements": lambda: da.zeros((0, 3), chunks=(1, 3)),
    "0-d": lambda: da.from_array(np.array(5.0)),
    "sum": lambda: da.arange(10, chunks=3).sum(),
    "big-endian": lambda: da.arange(9, chunks=4).astype(">i4"),
    "records": lambda: da.from_array(np.zeros(6, [("a", "i4"), ("b", "f8")]), chunks=4),
    "dates": lambda: da.from_array(np.arange(6).astype("M8[D]"), chunks=4),
    "objects": lambda: da.from_array(np.array([Duck(1), None, "x", (2,)], object), chunks=2),
    "text": lambda: da.from_array(np.array(["a", "bcd", ""]), chunks=2),
    "Fortran order": lambda: da.from_array(np.asfortranarray(np.arange(12.0).reshape(3, 4)), chunks=(3, 2)),
    "transposed": lambda: da.arange(12, chunks=5).reshape(3, 4).T,
}


@pytest.mark.parametrize("name", ARRAYS)
def test_array(name: str, tmp_path: Path) -> None:
    """An array comes back with its values, dtype and chunks."""
    array = ARRAYS[name]()
    back = saved(array, tmp_path)
    np.testing.assert_array_equal(back.compute(), array.compute(), strict=True)
    assert (back.dtype, back.chunks) == (array.dtype, array.chunks)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sizes=st.lists(st.lists(st.integers(0, 4), min_size=1, max_size=3), min_size=1, max_size=3), data=st.data())
def test_slices(sizes: list[list[int]], data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Any slice of an array that is loaded in other chunks is that slice of the array."""
    shape = tuple(map(sum, sizes))
    values = np.arange(np.prod(shape, dtype=int)).reshape(shape)
    path = tmp_path_factory.mktemp("array")
    bpd.to_bpk(da.from_array(values, chunks=tuple(map(tuple, sizes))), path)
    chunks = data.draw(st.integers(1, 5))
    start, step = data.draw(st.integers(0, 3)), data.draw(st.integers(1, 3))
    back = bpd.from_bpk(path, chunks=chunks)
    np.testing.assert_array_equal(back.compute(), values)
    np.testing.assert_array_equal(back[start::step, ...].compute(), values[start::step, ...])


def test_unknown_chunks(tmp_path: Path) -> None:
    """Unknown chunk sizes are known afterwards."""
    array = da.arange(10, chunks=4)
    back = saved(array[array % 3 == 0], tmp_path)
    assert back.chunks == ((2, 1, 1),)
    assert back.compute().tolist() == [0, 3, 6, 9]


def test_plain(tmp_path: Path) -> None:
    """The manifest describes a NumPy array of numbers fully: nothing is unpickled before the parts are."""
    saved(da.arange(10, chunks=4), tmp_path)
    for path in tmp_path.rglob("meta.bpk"):
        path.unlink()
    assert bpd.from_bpk(tmp_path).sum().compute() == 45
    assert bpd.from_bpk(tmp_path, chunks=5).sum().compute() == 45
    with pytest.raises(errors.PartError):
        bpd.open_bpk(tmp_path).meta()


def test_masked(tmp_path: Path) -> None:
    """Masked chunks stay masked, and so does the array in other chunks."""
    array = da.ma.masked_greater(da.arange(10, chunks=4), 6)
    back = saved(array, tmp_path)
    assert isinstance(back.compute(), np.ma.MaskedArray)
    assert back.sum().compute() == 21
    assert bpd.from_bpk(tmp_path, chunks=5).sum().compute() == 21
    assert bpd.open_bpk(tmp_path).load().sum() == 21


def test_sparse(tmp_path: Path) -> None:
    """Chunks of other array libraries come back with their class."""
    sparse = pytest.importorskip("sparse")
    array = da.eye(6, chunks=4).map_blocks(sparse.COO, meta=sparse.COO(np.zeros((0, 0))))
    back = saved(array, tmp_path)
    assert isinstance(back.compute(), sparse.COO)
    assert back.sum().compute().todense() == 6


FRAME = pd.DataFrame(
    {
        "integers": range(10),
        "floats": np.linspace(0, 1, 10),
        "strings": list("abcdefghij"),
        "categories": pd.Categorical(list("aabbccddee")),
        "mixed": pd.Series(["x", 1, None, (2,), 0.5] * 2, dtype=object),
        "dates": pd.date_range("2020", periods=10, tz="UTC"),
        "nullable": pd.array([1, None] * 5, dtype="Int64"),
    },
    index=pd.Index(range(0, 100, 10), name="at"),
)
FRAMES: dict[str, Callable[[Any], Any]] = {
    "frame": lambda frame: frame,
    "Series": lambda frame: frame.strings,
    "Index": lambda frame: frame.index,
    "filtered": lambda frame: frame[frame.integers > 4],
    "empty": lambda frame: frame[frame.integers > 100],
}


@pytest.mark.parametrize("name", FRAMES)
def test_frame(name: str, tmp_path: Path) -> None:
    """A frame, Series or Index comes back with its dtypes and divisions."""
    with dask.config.set({"dataframe.convert-string": False}):
        frame = FRAMES[name](dd.from_pandas(FRAME, npartitions=3))
    back = saved(frame, tmp_path)
    assert type(back) is type(frame)
    assert back.divisions == frame.divisions
    assert back.compute().equals(frame.compute())
    assert str(getattr(back, "dtypes", None)) == str(getattr(frame, "dtypes", None))
    assert bpd.open_bpk(tmp_path).load().equals(frame.compute())


def test_divisions_found(tmp_path: Path) -> None:
    """Unknown divisions are known afterwards if the partitions are in order."""
    frame = dd.from_pandas(FRAME, npartitions=3).clear_divisions()
    assert saved(frame, tmp_path).divisions == (0, 40, 70, 90)
    assert bpd.open_bpk(tmp_path).divisions == (0, 40, 70, 90)


def test_columns(tmp_path: Path) -> None:
    """Only columns that are asked for, or used, are taken from the parts."""
    bpd.to_bpk(dd.from_pandas(FRAME, npartitions=2), tmp_path)
    assert list(bpd.from_bpk(tmp_path, columns=["floats", "integers"]).compute()) == ["floats", "integers"]
    projected = bpd.from_bpk(tmp_path)[["floats"]].optimize()
    assert "['floats']" in str(projected.expr.operands)
    with pytest.raises(KeyError, match="no columns"):
        bpd.from_bpk(tmp_path, columns=["absent"])


def test_bag(tmp_path: Path) -> None:
    """A bag comes back, even if its partitions are iterators of objects."""
    bag = db.from_sequence(range(10), npartitions=3).map(Duck)
    back = saved(bag, tmp_path)
    assert back.npartitions == 3
    assert back.compute() == bpd.open_bpk(tmp_path).load() == [Duck(i) for i in range(10)]
    assert back.map(operator.attrgetter("value")).sum().compute() == 45


SINGLES: dict[str, Callable[[], Any]] = {
    "Delayed": lambda: dask.delayed(operator.add)(1, 2),
    "Item": lambda: db.from_sequence([1, 2], npartitions=2).sum(),
    "Scalar": lambda: dd.from_pandas(pd.Series([1, 2]), npartitions=2).sum(),
}


@pytest.mark.parametrize("name", SINGLES)
def test_single(name: str, tmp_path: Path) -> None:
    """Collections of one value come back with their class."""
    back = saved(SINGLES[name](), tmp_path)
    assert type(back).__name__ == name
    assert back.compute() == bpd.open_bpk(tmp_path).load() == 3
    assert dask.delayed(operator.add)(back, 1).compute() == 4


def test_xarray(tmp_path: Path) -> None:
    """A Dataset and a DataArray come back with coordinates, attributes and lazy variables."""
    xarray = pytest.importorskip("xarray")
    values = da.arange(12, chunks=5).reshape(3, 4)
    dataset = xarray.Dataset(
        {"lazy": (("t", "y"), values, {"unit": "m"}), "there": ("t", np.arange(3))},
        coords={"t": [10, 20, 30], "lat": (("t", "y"), values + 1)},
        attrs={"title": "x"},
    )
    for name, obj in [("dataset", dataset), ("array", dataset.lazy)]:
        back = saved(obj, tmp_path / name)
        assert back.chunks == obj.chunks
        xarray.testing.assert_identical(back.compute(), obj.compute())
        xarray.testing.assert_identical(bpd.open_bpk(tmp_path / name).load(), obj.compute())


@pytest.mark.parametrize("scheduler", ["threads", "processes"])
def test_schedulers(scheduler: str, tmp_path: Path) -> None:
    """The other local schedulers save and load the same."""
    run_python(f"""
        import dask.array as da, binpickle_dask as bpd
        if __name__ == "__main__":
            counts = []
            bpd.to_bpk(
                da.arange(10, chunks=4) + 1, {str(tmp_path)!r}, compute_kwargs={{"scheduler": {scheduler!r}}},
                progress=lambda done, total: counts.append((done, total)),
            )
            assert counts == [(1, 3), (2, 3), (3, 3)]
            assert bpd.from_bpk({str(tmp_path)!r}).sum().compute(scheduler={scheduler!r}) == 55
    """)


def test_expressions(tmp_path: Path) -> None:
    """Everything works in the mode in which dask arrays are expressions, where many readers and writers fail."""
    code = f"""
        import dask
        dask.config.set({{"array.query-planning": True, "scheduler": "synchronous"}})
        import dask.array as da, numpy as np, binpickle_dask as bpd
        values = np.arange(35).reshape(5, 7)
        array = da.from_array(values, chunks=(2, 3)) + 1
        assert hasattr(array, "expr")
        bpd.to_bpk(array, {str(tmp_path / "a")!r})
        for chunks in None, 4:
            back = bpd.from_bpk({str(tmp_path / "a")!r}, chunks=chunks)
            assert hasattr(back, "expr")
            np.testing.assert_array_equal(back.compute(), values + 1)
            np.testing.assert_array_equal(back[1:4, 2].compute(), values[1:4, 2] + 1)
        (again, total), = bpd.checkpoint([array, array.sum()], path={str(tmp_path / "b")!r})
        assert total.compute() == again.sum().compute() == values.sum() + 35
    """
    run_python(code)


@pytest.mark.parametrize("codecs", ["auto", ["zstd"], [], {"id": "zstd"}, numcodecs.Zstd()], ids=str)
def test_codecs(codecs: Any, tmp_path: Path) -> None:
    """Parts are stored with the given codecs, and decoded without any other information than the folder."""
    array = da.arange(10_000, chunks=2500) // 5000
    info = bpd.to_bpk(array, tmp_path, codecs=codecs)
    assert (info.nbytes < 10_000) == bool(codecs)
    for mode in (None, "r", "c"):
        assert bpd.from_bpk(tmp_path, mmap_mode=mode).sum().compute() == 5000


@pytest.mark.parametrize(("mode", "writable"), [(None, True), ("r", False), ("c", True)])
def test_mmap_mode(mode: str | None, writable: bool, tmp_path: Path) -> None:
    """Mapped chunks are read-only, and writable in the other modes."""
    back = saved(da.arange(1000, chunks=500), tmp_path, mmap_mode=mode)
    flags = [block.flags.writeable for block in dask.compute(*back.to_delayed())]
    assert flags == [writable] * 2


def test_mapped_once(tmp_path: Path) -> None:
    """Two loads of a part in one process share its memory."""
    store = bpd.open_bpk(bpd.to_bpk(da.zeros(1000, chunks=500), tmp_path).path)
    first, again, other = store.part(0), store.part((0,)), store.part(1)
    assert np.shares_memory(first, again)
    assert not np.shares_memory(first, other)


def test_graph_small(tmp_path: Path) -> None:
    """The graph of a loaded collection is one layer, whose pickle does not grow with the number of parts."""
    array = saved(da.zeros((30, 40), chunks=1), tmp_path / "array")
    bag = saved(db.from_sequence(range(300), npartitions=300), tmp_path / "bag")
    frame = saved(dd.from_pandas(pd.DataFrame({"a": range(300)}), npartitions=300), tmp_path / "frame")
    assert len(array.dask.layers) == len(bag.dask.layers) == 1
    assert all(len(pickle.dumps(collection)) < 5000 for collection in (array, bag, frame))
    assert len(dask.optimize(array[:2, :2])[0].dask) <= 8
    assert len(dask.optimize((array + 1) * 2)[0].dask.layers) == 1


def test_names(tmp_path: Path) -> None:
    """The keys of a folder change with its content, and are the same for the same content."""
    before = saved(da.zeros(4, chunks=2), tmp_path)
    assert bpd.from_bpk(tmp_path).name == before.name
    bpd.to_bpk(da.ones(4, chunks=2), tmp_path, overwrite=True)
    after = bpd.from_bpk(tmp_path)
    assert after.name != before.name
    assert (before.sum().compute(), after.sum().compute()) == (0, 4)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"mmap_mode": "w"}, ValueError),
        ({"columns": ["a"]}, ValueError),
        ({"snapshot": "none"}, errors.SnapshotGoneError),
        ({"snapshot": "../x"}, errors.FormatError),
    ],
)
def test_from_bpk_refuses(options: dict[str, Any], error: type[Exception], tmp_path: Path) -> None:
    """Arguments that do not fit the content of the folder are refused when it is opened."""
    bpd.to_bpk(da.zeros(4, chunks=2), tmp_path)
    with pytest.raises(error):
        bpd.from_bpk(tmp_path, **options)


def run_python(code: str) -> None:
    """Run code in another Python process."""
    subprocess.run([sys.executable, "-W", "error", "-c", textwrap.dedent(code)], check=True)
