"""The command `info`, as text and as JSON."""

from __future__ import annotations

import json
import os
from typing import Any

import numpy as np
import pytest
from commandline import MODEL, NOISE, OpenTerminal, Raw, Run, lines_of

import binpickle
from binpickle import BinPickleFile


@pytest.mark.parametrize(
    "line",
    [
        "file\tmodel.bpk",
        "format\tversion 3",
        "buffers\t5: 810 kB, stored in ",
        "mappable\t356 kB of 810 kB",
        "checks\tSHA-256 digests",
        f"libraries\tbinpickle {binpickle.__version__}, ",
        "metadata\tauthor: me",
        "metadata\ttrained: on a Tuesday",
        "#\tname\tdtype\tshape\torder\tbytes\tstored\tratio\tcodecs\toffset",
        "0\tweights\tint64\t(200, 100)\tC\t160 kB\t160 kB\t100 %\traw\t",
        "2\taxes\tfloat64\t(40, 20, 30)\t1,2,0\t192 kB\t192 kB\t100 %\traw\t",
        "3\trecords\t[('age', '<i8'), ('name', 'S1...\t(3000,)\tC\t54.0 kB\t",
        "4\traw\tbytes\t\t\t4.00 kB\t4.00 kB\t100 %\traw\t",
    ],
)
def test_info(run: Run, model: str, line: str) -> None:
    """`info` shows the facts of a file, and a table row for every buffer."""
    result = run("info", model)
    assert (result.code, result.err) == (0, "")
    assert len(lines_of(result.out, line)) == 1


def test_info_piped(run: Run, model: str) -> None:
    """Piped output is tab-separated: a fact has a name and a text, a row a text per column, and nothing is drawn."""
    facts, table = (part.splitlines() for part in run("info", model).out.split("\n\n"))
    assert {len(line.split("\t")) for line in facts} == {2}
    assert {len(line.split("\t")) for line in table} == {10}
    assert not any(text != text.strip() for line in facts + table for text in line.split("\t"))
    assert [line.split("\t")[0] for line in table] == ["#", "2", "0", "1", "4", "3"]


def test_info_aligned(run: Run, model: str, terminal: OpenTerminal) -> None:
    """On a terminal with rich, texts of the table begin below each other and numbers end below each other."""
    pytest.importorskip("rich")
    screen = terminal("stdout", 120)
    assert run("info", model).code == 0
    header, _, *rows = screen.lines[-7:]
    for title in ["dtype", "codecs"]:
        start = header.index(title)
        assert [row[start - 1 : start + 1].strip() for row in rows] == [row[start] for row in rows]
    for title in ["bytes", "stored", "ratio"]:
        end = header.index(title) + len(title)
        assert [row[end - 1 : end + 1].strip() for row in rows] == [row[end - 1] for row in rows]


def test_info_drawing(run: Run, terminal: OpenTerminal) -> None:
    """With rich the drawing is one line, its blocks as long as the parts of the file that they stand for."""
    pytest.importorskip("rich")
    binpickle.dump([Raw(NOISE[:n].tobytes()) for n in (4000, 12_000, 100)], "f.bpk", codecs=[])
    screen = terminal("stdout")
    assert run("info", "f.bpk").code == 0
    (drawing,) = (line for line in screen.lines if line.startswith("sA"))
    assert len(drawing) == 80
    blocks = 80 - len("s+.")
    assert drawing.count("A") == pytest.approx(blocks * 4 / 16, abs=1)
    assert drawing.count("B") == pytest.approx(blocks * 12 / 16, abs=1)
    assert "".join(sorted(set(drawing), key=drawing.index)) == "sAB+."


def test_info_many(run: Run) -> None:
    """`info` shows the largest of many buffers and adds up the rest; `--all` shows every buffer."""
    many = [np.arange(300 + n) for n in range(40)] + [np.zeros((7, 100 + n), "i2") for n in range(1000)]
    binpickle.dump(many, "many.bpk", codecs=["zstd"])
    short = run("info", "many.bpk").out
    assert len(short.splitlines()) < 60
    assert len(lines_of(short, "... and 1,020 more, stored in ")) == 1
    for line in ["zstd\t1,040\t", "int64\t40\t", "int16\t1,000\t"]:
        assert len(lines_of(short, line)) == 1
    every = run("info", "many.bpk", "--all").out
    assert "more" not in every
    assert len(every.splitlines()) > 1040


def test_info_many_names(run: Run) -> None:
    """`info` shows the first entries of long metadata and of many totals, and counts those left out."""
    many = [np.zeros(3, f"S{n}") for n in range(400, 440)]
    binpickle.dump(many, "many.bpk", metadata={f"name {n}": "x" * 5000 for n in range(50)})
    out = run("info", "many.bpk").out
    assert len(lines_of(out, "metadata\t")) == 20
    assert "... and 30 more; --all shows them" in out
    assert "... and 20 more; --all shows them" in out
    assert max(map(len, out.splitlines())) < 1100
    assert len(lines_of(run("info", "many.bpk", "--all").out, "metadata\t")) == 50


@pytest.mark.parametrize("obj", [None, np.zeros((0, 3)), np.zeros(0)], ids=str)
def test_info_empty(run: Run, obj: Any) -> None:
    """`info` shows a file that has no bytes outside its pickle stream."""
    binpickle.dump(obj, "empty.bpk", mappable=True)
    result = run("info", "empty.bpk")
    assert result.code == 0
    assert "mappable\tthere is nothing to map" in result.out


def test_info_json(run: Run, model: str) -> None:
    """`info --json` holds the values of an open file, under names that do not change."""
    found = json.loads(run("info", model, "--json").out)
    with BinPickleFile(model) as opened:
        summary = opened.summary
        expected = {
            "path": model,
            "version": 3,
            "size": os.path.getsize(model),
            "nbytes": summary.nbytes,
            "ratio": summary.size / summary.nbytes,
            "mappable": False,
            "checksum": "sha256",
            "sealed": False,
            "root_digest": opened.root_digest.hex(),
            "names_problem": None,
            "metadata": {"author": "me", "trained": "on a Tuesday"},
            "libraries": dict(opened.libraries),
            "stream": {"nbytes": summary.stream.nbytes, "stored_nbytes": summary.stream.stored_nbytes},
        }
        buffers, groups = found.pop("buffers"), [found.pop("by_codecs"), found.pop("by_dtype")]
        assert found == expected
        assert [buffer["stored_nbytes"] for buffer in buffers] == [buffer.stored_nbytes for buffer in opened.buffers]
        assert {tuple(group["codecs"]): group["count"] for group in groups[0]} == {(): 3, ("zstd",): 2}
        assert sum(group["nbytes"] for group in groups[1]) == summary.buffers.nbytes
        assert buffers[2] == {
            "number": 2,
            "name": "axes",
            "dtype": "float64",
            "shape": [40, 20, 30],
            "order": [1, 2, 0],
            "nbytes": 192_000,
            "stored_nbytes": 192_000,
            "ratio": 1.0,
            "codecs": [],
            "offset": opened.buffers[2].offset,
        }


def test_info_sealed(run: Run) -> None:
    """Without a key `info` shows that there is a seal, and that it was not checked."""
    binpickle.dump(MODEL, "sealed.bpk", key=bytes(32))
    assert "seal\tthere is one, which was not checked: no key was given" in run("info", "sealed.bpk").out
    assert json.loads(run("info", "sealed.bpk", "--json").out)["sealed"] is True
