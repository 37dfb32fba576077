"""Folders on the command line: those that `binpickle_dask` reads, and folders of files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Callable

import pytest
from commandline import Run


class Store(SimpleNamespace):
    """Stands in for the result of `binpickle_dask.store.open_bpk`, with the names that the command line uses."""

    errors: list[str] = []
    decoded = False

    def verify(self, *, decode: bool = False, progress: Callable[[int, int], Any] | None = None) -> list[str]:
        self.decoded = decode
        if progress is not None:
            progress(1, 2)
        return self.errors


@pytest.fixture
def folder(run: Run, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A folder named `out`, and the store that opening it returns."""
    os.mkdir("out")
    facts = {"kind": "array", "nparts": 10, "nbytes": 80_000, "shape": (9500, 3), "dtype": "float64", "columns": None}
    facts["sealed"] = False
    chunks = ((1000,) * 9 + (500,), (3,))
    store = Store(**facts, chunks=chunks, snapshot="s2", snapshots=["s1", "s2"])
    monkeypatch.setitem(sys.modules, "binpickle_dask.store", SimpleNamespace(open_bpk={"out": store}.__getitem__))
    return store


def test_info_folder(run: Run, folder: Store) -> None:
    """`info` of a folder shows the facts of its newest snapshot."""
    result = run("info", "out")
    assert (result.code, result.err) == (0, "")
    assert result.out.splitlines() == [
        "folder\tout",
        "kind\tarray",
        "size\t80.0 kB in 10 parts",
        "shape\t(9500, 3)",
        "dtype\tfloat64",
        "chunks\t9 x 1000, 500; 3",
        "snapshot\ts2",
        "snapshots\ts1, s2",
    ]


def test_info_folder_json(run: Run, folder: Store) -> None:
    """`info --json` of a folder has the same facts, under names that do not change."""
    found = json.loads(run("info", "out", "--json").out)
    assert found == {
        "path": "out",
        "kind": "array",
        "nparts": 10,
        "size": 80_000,
        "shape": [9500, 3],
        "dtype": "float64",
        "chunks": [[1000] * 9 + [500], [3]],
        "columns": None,
        "sealed": False,
        "snapshot": "s2",
        "snapshots": ["s1", "s2"],
    }


@pytest.mark.parametrize(("errors", "code", "out"), [([], 0, "out: ok\n"), (["a: bad"], 1, "out: damaged\n  a: bad\n")])
def test_verify_folder(run: Run, folder: Store, errors: list[str], code: int, out: str) -> None:
    """`verify` of a folder checks its parts."""
    folder.errors = errors
    assert run("verify", "out")[:2] == (code, out)
    assert not folder.decoded
    run("verify", "--decode", "out")
    assert folder.decoded


def test_verify_files_in_folder(run: Run, folder: Store, damaged: str) -> None:
    """`verify` of a folder of files checks all that end in .bpk, in subfolders too, each as if it were named."""
    for name in ("data/more/b.bpk", "data/a.bpk", "data/c.bpk"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes(Path(damaged if "c" in name else "model.bpk").read_bytes())
    Path("data/notes.txt").write_text("not checked")
    result = run("verify", "data")
    assert result.code == 1
    assert [line for line in result.out.splitlines() if line[0] != " "] == [
        f"{Path(name)}: {state}"
        for name, state in [("data/a.bpk", "ok"), ("data/c.bpk", "damaged"), ("data/more/b.bpk", "ok")]
    ]
    assert "1 of 3 files is damaged" in result.err


@pytest.mark.parametrize("mark", ["_bpk.json", "run/RUN.json"])
def test_verify_folders_in_folder(run: Run, folder: Store, model: str, monkeypatch: Any, mark: str) -> None:
    """Below a folder, a folder of `binpickle_dask` counts as one, even if no save into it has ended."""
    Path("all/out/run").mkdir(parents=True)
    Path("all/out", mark).touch()
    Path("all/out/run/c.0.bpk").touch()
    Path("all/a.bpk").write_bytes(Path(model).read_bytes())
    stores = {os.path.join("all", "out"): folder}
    monkeypatch.setitem(sys.modules, "binpickle_dask.store", SimpleNamespace(open_bpk=stores.__getitem__))
    assert run("verify", "all").out.splitlines() == [
        f"{os.path.join('all', 'a.bpk')}: ok",
        f"{os.path.join('all', 'out')}: ok",
    ]


def test_folder_not_installed(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without `binpickle_dask` one line names the extra to install."""
    os.mkdir("out")
    monkeypatch.setitem(sys.modules, "binpickle_dask.store", None)
    for command in ["info", "verify"]:
        result = run(command, "out")
        assert result.code == 1
        assert "out is a folder, which binpickle[dask] reads; it is not installed: " in result.out + result.err
        assert result.err.count("\n") == 1


def test_store_names(folder: Store) -> None:
    """The real store has every name of the store that stands in for it here."""
    pytest.importorskip("cloudpickle")
    code = "import sys; from binpickle_dask.store import Store; sys.exit(set(sys.argv[1:]) - set(dir(Store)) != set())"
    assert subprocess.run([sys.executable, "-c", code, "verify", *vars(folder)]).returncode == 0
