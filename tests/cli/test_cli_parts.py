"""The commands `tree` and `export`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from commandline import MODEL, Run, lines_of

import binpickle


def test_tree(run: Run, model: str) -> None:
    """`tree` shows the parts of an object, imports nothing, and leaves no name out."""
    result = run("tree", model)
    assert (result.code, result.err) == (0, "")
    for name in MODEL:
        assert len([line for line in result.out.splitlines() if f"  {name} " in line]) == 1


@pytest.mark.parametrize("name", ["weights", "counts", "axes", "records", "1"])
def test_export(run: Run, model: str, name: str) -> None:
    """`export` writes one array, by its name or by the number of its buffer, as NumPy reads it."""
    result = run("export", model, name, "out.npy")
    assert (result.code, result.err) == (0, "")
    expected = MODEL["counts" if name == "1" else name]
    found = np.load("out.npy")
    np.testing.assert_array_equal(found, expected)
    assert result.out.startswith("out.npy: ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["model.bpk", "weight", "out.npy"], "model.bpk: nothing is named 'weight'; names like it are 'weights'"),
        (["model.bpk", "words", "out.npy"], "model.bpk: 'words' is no array (list), but has 0, 1"),
        (["model.bpk", "9", "out.npy"], "model.bpk: there is no buffer 9: the file has 5"),
        (["model.bpk", "weights", "model.bpk"], "model.bpk: this is the file to read from"),
        (["missing.bpk", "weights", "out.npy"], "missing.bpk: No such file or directory"),
    ],
)
def test_failures(run: Run, model: str, arguments: list[str], message: str) -> None:
    """What cannot be exported is told in one line, and no file is written."""
    result = run("export", *arguments)
    assert result.code == 1
    assert message in result.err
    assert len(lines_of(result.err, "binpickle: ")) == 1
    assert not Path("out.npy").exists()


def test_types_that_npy_lacks(run: Run) -> None:
    """An array of a dtype that `.npy` files cannot hold is refused: it would come back as another one."""
    dtypes = pytest.importorskip("ml_dtypes")
    binpickle.dump({"half": np.ones(1000, dtypes.bfloat16)}, "half.bpk")
    result = run("export", "half.bpk", "half", "out.npy")
    assert result.code == 1
    assert "which .npy files cannot hold" in result.err
