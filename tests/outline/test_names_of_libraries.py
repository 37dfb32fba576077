"""The names of buffers in objects of pandas, SciPy, scikit-learn, pyarrow, xarray and torch."""

from __future__ import annotations

import subprocess
import sys
from typing import Any, Callable

import numpy as np
import pytest
from common import ROOT, each
from looking import look, names_of

A = np.arange(100.0)
LABELS = [f"r{i}" for i in range(100)]


def pandas() -> Any:
    return pytest.importorskip("pandas")


def frame(**columns: Any) -> Any:
    return pandas().DataFrame(columns)


def mixed() -> Any:
    pd = pandas()
    return pd.DataFrame(
        {
            "a": A,
            "n": np.arange(100),
            "b": A + 1,
            "c": pd.Categorical.from_codes(np.arange(600)[:100] % 2, ["x", "y"]),
            "d": pd.date_range("2020", periods=100),
        }
    )


def wide(count: int) -> Any:
    return pandas().DataFrame(np.ones((100, count)), columns=[f"c{i}" for i in range(count)])


def forest() -> Any:
    ensemble = pytest.importorskip("sklearn.ensemble")
    x = np.random.default_rng(0).normal(size=(2000, 5))
    return ensemble.RandomForestClassifier(2, max_depth=10, random_state=0).fit(
        x, (x[:, 0] * x[:, 1] > 0.1).astype(int)
    )


def pipeline() -> Any:
    make = pytest.importorskip("sklearn.pipeline").make_pipeline
    scaler = pytest.importorskip("sklearn.preprocessing").StandardScaler()
    model = pytest.importorskip("sklearn.linear_model").LogisticRegression()
    x = np.random.default_rng(0).normal(size=(200, 80))
    return make(scaler, model).fit(x, (x[:, 0] > 0).astype(int))


def neighbors() -> Any:
    kind = pytest.importorskip("sklearn.neighbors").KNeighborsClassifier
    return kind(algorithm="kd_tree", leaf_size=2).fit(np.arange(400.0).reshape(200, 2), np.arange(200) % 2)


def sparse() -> Any:
    scipy = pytest.importorskip("scipy.sparse")
    csr = scipy.random(100, 100, 0.5, format="csr", random_state=0)
    csr.indptr = csr.indptr.astype("i8")
    return {"csr": csr}


def dataset() -> Any:
    pytest.importorskip("dask.base")  # without it, xarray takes the folder `tests/dask` for dask
    xr = pytest.importorskip("xarray")
    return xr.Dataset({"t": (("x", "y"), np.ones((100, 70)))}, coords={"x": A, "y": np.arange(70)})


def data_array() -> Any:
    pytest.importorskip("dask.base")  # without it, xarray takes the folder `tests/dask` for dask
    xr = pytest.importorskip("xarray")
    return [xr.DataArray(np.ones((100, 70)), dims=("x", "y"), coords={"x": A})]


def table() -> Any:
    pa = pytest.importorskip("pyarrow")
    return pa.table({"i": range(100), "s": pa.array(["x", None] * 50), "l": pa.array([[1, 2]] * 100)})


def arrow_structs() -> Any:
    pa = pytest.importorskip("pyarrow")
    return pa.chunked_array([pa.array([{"a": 1, "b": 2.0}] * 100)] * 2)


NAMES: dict[str, tuple[Callable[[], Any], set[str]]] = {
    "a frame of one block": (lambda: {"df": frame(a=A, b=A)}, {"df/[a,b]"}),
    "a frame of four columns": (lambda: wide(4), {"[c0,+3]"}),
    "a frame of one column": (lambda: frame(**{"x/y": A}), {"[x~1y]"}),
    "columns without labels": (lambda: pandas().DataFrame(np.ones((100, 2))), {"[0,1]"}),
    "labels that are tuples": (
        lambda: pandas().DataFrame(np.ones((100, 2)), columns=pandas().MultiIndex.from_product([["a"], [1, 2]])),
        {"[('a', 1),('a', 2)]"},
    ),
    "a frame with an index": (lambda: frame(a=A).set_index(A + 1), {"[a]", "index"}),
    "a mixed frame": (mixed, {"[a,b]", "[n]", "[d]"}),
    "nullable integers": (lambda: frame(a=pandas().array([1, None] * 50, dtype="Int64")), {"a/data"}),
    "a series": (lambda: [pandas().Series(A, name="s", index=A + 1)], {"0/values", "0/index", "0/_mgr/state/2/0"}),
    "an index of several levels": (
        lambda: pandas().MultiIndex.from_arrays([A, np.arange(100)]),
        {"levels/0", "levels/1"},
    ),
    "an interval index": (lambda: {"i": pandas().interval_range(0, 100)}, {"i/left", "i/right"}),
    "an index of dates": (lambda: {"i": pandas().date_range("2020", periods=100, freq=None)}, {"i"}),
    "a forest": (forest, {f"estimators_/{i}/tree_/{part}" for i in (0, 1) for part in ("nodes", "values")}),
    "a pipeline": (pipeline, {"steps/0/1/mean_", "steps/0/1/var_", "steps/0/1/scale_", "steps/1/1/coef_"}),
    "neighbours": (neighbors, {"_y", "_fit_X", "_tree/idx_array", "_tree/node_data", "_tree/node_bounds"}),
    "sparse matrices": (sparse, {f"csr/{part}" for part in ("data", "indices", "indptr")}),
    "a data set": (dataset, {"t", "x", "y"}),
    "a data array": (data_array, {"0", "0/x", "0/_indexes/x/index"}),
    "a table of Arrow": (
        table,
        {"i/values", "s/validity", "s/offsets", "s/data", "l/offsets", "l/items/values"},
    ),
    "structures of Arrow": (arrow_structs, {f"{i}/{part}/values" for i in (0, 1) for part in "ab"}),
}


@each(NAMES, "make,names")
def test_names(make: Callable[[], Any], names: set[str]) -> None:
    """Buffers have the names that a user of the library writes."""
    found = {name for name in names_of(make()) if not name.startswith("columns/") and "/columns/" not in name}
    found -= {name for name in found if name.startswith("c/")}  # which strings take depends on what is installed
    assert found == names


@pytest.mark.parametrize("order", ["C", "F"])
def test_columns_of_frames(order: str) -> None:
    """Each column of a frame is found by its label, as a row of its block, and is no listed part."""
    df = pandas().DataFrame(np.arange(600.0).reshape(100, 6, order=order), columns=list("abcdef"))  # type: ignore[call-overload]
    df["n"] = np.arange(100)
    df["t"] = pandas().date_range("2020", periods=100)
    looked = look({"df": df})
    for label in df:
        assert np.array_equal(looked.array(f"df/{label}"), df[label].to_numpy())
    node = looked.outline.find("df")
    assert node is not None
    assert [text for text, _ in node.parts()] == ["[a,+5]", "[n]", "[t]", "columns", "index"]
    assert looked.outline.find("df/g") is None


def test_columns_of_objects() -> None:
    """A column of Python objects is found by its label, with its items as parts."""
    df = frame(a=A, s=pandas().Series([["x"], ["y"]] * 50, dtype=object))
    column = look(df).outline.find("s")
    assert column is not None
    assert len(column) == 100
    assert look(df).outline.find("s/1/0").value == "'y'"  # type: ignore[union-attr]


def test_columns_that_are_mixed_up() -> None:
    """Columns of blocks whose places are in an array have their labels, too, where the array is small."""
    df = pandas().concat([frame(**{f"f{i}": A, f"i{i}": np.arange(100)}) for i in range(5)], axis=1)
    df = pandas().DataFrame({label: df[label] for label in df}).iloc[:, [0, 1, 2, 5, 6, 7, 9]].copy()
    looked = look(df)
    for label in df:
        assert np.array_equal(looked.array(str(label)), df[label].to_numpy())


def test_columns_are_numbered_without_labels() -> None:
    """Where labels cannot be read, as nobody fetches their buffers, columns are numbered."""
    df = pandas().DataFrame(np.ones((100, 100)), columns=np.arange(1000.0, 1100.0))
    assert "[1000.0,+99]" in look(df).outline.names
    without = look(df, fetch=False)
    assert "[0,+99]" in without.outline.names
    assert without.array("7").shape == (100,)


def test_parts_of_a_frame_named_as_a_column() -> None:
    """A column that is called as another part of the frame is told apart."""
    looked = look(frame(index=A + 1, x=A).set_index(A))
    assert looked.array("index")[0] == 0
    assert looked.array("index~2")[0] == 1


def test_tensors() -> None:
    """A buffer has the name of the first tensor on it, and each tensor its own dtype, shape and strides."""
    torch = pytest.importorskip("torch")
    base = torch.arange(1000.0)
    state = {
        "row": base[10:20].reshape(2, 5).T,
        "all": base,
        "half": torch.ones(300, dtype=torch.bfloat16),
        "p": torch.nn.Parameter(torch.ones(20, 20)),
        "sparse": torch.eye(100).to_sparse(),
        "small": torch.ones(3, dtype=torch.int16),
    }
    looked = look(state)
    assert looked.outline.names == ("row", "half", "p", "sparse/indices")
    for name in ("row", "all", "p", "small", "sparse/values"):
        want = state["sparse"].values() if "/" in name else state[name]
        assert np.array_equal(looked.array(name), want.detach().numpy())
    assert looked.array("half").dtype == "u2"
    half = looked.outline.find("half")
    assert half is not None
    assert (half.type, half.value) == ("torch:Tensor", "bfloat16")


def test_modules() -> None:
    """A module shows parameters, buffers and modules by the keys of its state dict; other ways are found, too."""
    torch = pytest.importorskip("torch")
    model = torch.nn.Sequential(torch.nn.Linear(30, 20), torch.nn.BatchNorm1d(200))
    looked = look(model)
    for key, tensor in model.state_dict().items():
        assert np.array_equal(looked.array(key.replace(".", "/")), tensor.numpy())
    assert set(looked.outline.names) <= {key.replace(".", "/") for key in model.state_dict()}
    assert looked.outline.find("_modules/0/_parameters/weight") is looked.outline.find("0/weight")


CHILD = """
import sys
sys.path[:0] = [{tests!r}, {here!r}, {root!r}]
from pathlib import Path
from looking import look
assert look(Path({path!r}).read_bytes()).outline.names
heavy = {{"pandas", "sklearn", "scipy", "torch", "xarray", "pyarrow"}} & set(sys.modules)
assert not heavy, heavy
"""


@each(
    {name: make for name, (make, _) in NAMES.items() if name in ("a mixed frame", "a pipeline", "a data set")}, "make"
)
def test_nothing_is_imported(make: Callable[[], Any], tmp_path: Any) -> None:
    """To name the buffers of a file, no library is imported whose objects are in it."""
    import binpickle

    path = tmp_path / "it.bpk"
    binpickle.dump(make(), path)
    here = str(ROOT / "tests" / "outline")
    code = CHILD.format(tests=str(ROOT / "tests"), here=here, root=str(ROOT), path=str(path))
    subprocess.run([sys.executable, "-c", code], check=True)
