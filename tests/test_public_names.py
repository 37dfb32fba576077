"""Public objects say that they come from where users import them, so that pickles of them survive any new layout."""

from __future__ import annotations

import inspect
import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from common import ROOT, assert_same, each

import binpickle
import binpickle.format
from binpickle import errors, trust

OLDER_FOLDER = ROOT / "tests" / "data" / "older"
OLDER = sorted(OLDER_FOLDER.glob("*.bpk"))


def public_objects(module: Any) -> list[Any]:
    found = [getattr(module, name) for name in module.__all__]
    return [obj for obj in found if inspect.isclass(obj) or inspect.isfunction(obj)]


@each({module.__name__: module for module in (binpickle, errors, trust)})
def test_modules(row: Any) -> None:
    """Each public class and function names a public module, and is found there when it is unpickled."""
    public = {"binpickle", "binpickle.errors", "binpickle.trust"}
    for obj in public_objects(row):
        assert obj.__module__ in public
        assert pickle.loads(pickle.dumps(obj)) is obj


VALUES = {
    "Limits": binpickle.Limits(buffers=7),
    "BPKInfo": binpickle.BPKInfo(binpickle.FileStatus.BINPICKLE, 99, 3),
    "FileStatus": binpickle.FileStatus.MISSING,
    "Buffer": binpickle.BinPickleFile(io.BytesIO(binpickle.dumps(np.arange(1000)))).buffers[0],
    "Entry": binpickle.BinPickleFile(io.BytesIO(binpickle.dumps(np.arange(1000)))).entries[0],
    "Total": binpickle.BinPickleFile(io.BytesIO(binpickle.dumps(np.arange(1000)))).summary.buffers,
    "Inspection": binpickle.inspect(io.BytesIO(binpickle.dumps([np.arange(1000), {1}]))),
    "GlobalUse": binpickle.inspect(io.BytesIO(binpickle.dumps(np.arange(1000)))).globals[0],
}


@each(VALUES)
def test_values(row: Any) -> None:
    """Values of public classes come back equal from a pickle that names public modules only."""
    data = pickle.dumps(row)
    assert pickle.loads(data) == row
    assert not {name for name in PRIVATE if name.encode() in data}


PRIVATE = [f"binpickle.{path.stem}" for path in Path(binpickle.__file__).parent.iterdir() if path.stem != "trust"]
PRIVATE = [name for name in PRIVATE if name not in ("binpickle.errors", "binpickle.format")]


def test_open_file(tmp_path: Path) -> None:
    """An open file is pickled as a call of a function that the package itself holds."""
    path = tmp_path / "a.bpk"
    binpickle.dump(np.arange(1000), path)
    with binpickle.BinPickleFile(path) as file:
        data = pickle.dumps(file)
    assert b"binpickle.file" not in data
    with pickle.loads(data) as again:
        assert_same(again.load(), np.arange(1000))


A = np.arange(300).reshape(3, 100)

OLDER_CONTENTS = {
    "arrays-auto": {
        "a": A,
        "f": np.asfortranarray(A * 0.5),
        "dates": np.arange("2020", "2030", dtype="M8[Y]"),
        "masked": np.ma.array([1.0, 2.0], mask=[0, 1]),
        "view": A[1],
    },
    "mappable": [A, A * 2, {"text": "x" * 3000}],
    "own-classes": {
        "limits": binpickle.Limits(buffers=7),
        "info": binpickle.BPKInfo(binpickle.FileStatus.BINPICKLE, 99, 3),
        "use": trust.GlobalUse("numpy", "ndarray", 29, ("called",)),
    },
    "sealed-zstd": [A, b"q" * 2000],
}


def test_older_files_are_known() -> None:
    """Each file that an older commit wrote has its contents listed here."""
    assert [path.stem for path in OLDER] == sorted(OLDER_CONTENTS)


@pytest.mark.parametrize("path", OLDER, ids=[path.stem for path in OLDER])
def test_older_files(path: Path) -> None:
    """Files that older commits of this repository wrote load, those that hold BinPickle's own classes included."""
    assert_same(binpickle.load(path, verify=True), OLDER_CONTENTS[path.stem])


def test_older_mappable_file() -> None:
    """A mappable file of an older commit can be mapped, and keeps its metadata."""
    path = OLDER_FOLDER / "mappable.bpk"
    assert_same(binpickle.load(path, mmap_mode="c"), OLDER_CONTENTS["mappable"])
    with binpickle.BinPickleFile(path) as file:
        assert file.is_mappable
        assert file.metadata == {"by": "93c5204"}


def test_older_digests() -> None:
    """A file that an older commit wrote with digests identifies its contents, and has no seal."""
    with binpickle.BinPickleFile(OLDER_FOLDER / "sealed-zstd.bpk") as file:
        assert len(file.root_digest or b"") == 32
        assert not file.is_sealed
        assert [[spec["id"] for spec in buffer.codecs] for buffer in file.buffers] == [["zstd"]]
