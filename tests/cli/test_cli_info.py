"""What `info` shows of a file, to people and to programs."""

from __future__ import annotations

import json
import os
import re
from typing import Any

import numpy as np
import pytest
from commandline import MODEL, NOISE, Raw, Run, lines_of

import binpickle
from binpickle import BinPickleFile


@pytest.mark.parametrize(
    "line",
    [
        "file model.bpk",
        "format version 3",
        "buffers 5: 810 kB, stored in ",
        "mappable 356 kB of 810 kB",
        "checks SHA-256 digests",
        f"libraries binpickle {binpickle.__version__}, ",
        "metadata author: me",
        "metadata trained: on a Tuesday",
        "0 int64 (200, 100) C 160 kB 160 kB 100 % raw ",
        "2 float64 (40, 20, 30) 1,2,0 192 kB 192 kB 100 % raw ",
        "3 [('age', '<i8'), ('name', 'S1... (3000,) C 54.0 kB ",
        "4 bytes 4.00 kB 4.00 kB 100 % raw ",
    ],
)
def test_info(run: Run, model: str, line: str) -> None:
    """`info` shows what a file is and every buffer."""
    result = run("info", model)
    assert (result.code, result.err) == (0, "")
    assert len(lines_of(re.sub(" +", " ", result.out), line)) == 1


def test_info_aligned(run: Run, model: str) -> None:
    """In the table texts begin below each other and numbers end below each other."""
    header, *rows = run("info", model).out.splitlines()[-6:]
    for title in ["dtype", "codecs"]:
        start = header.index(title)
        assert [row[start - 1 : start + 1].strip() for row in rows] == [row[start] for row in rows]
    for title in ["bytes", "stored", "ratio"]:
        end = header.index(title) + len(title)
        assert [row[end - 1 : end + 1].strip() for row in rows] == [row[end - 1] for row in rows]


def test_info_drawing(run: Run) -> None:
    """The drawing is one line, its blocks as long as the parts of the file that they stand for."""
    binpickle.dump([Raw(NOISE[:n].tobytes()) for n in (4000, 12_000, 100)], "f.bpk", codecs=[])
    (drawing,) = lines_of(run("info", "f.bpk").out, "[")
    assert len(drawing) == 80
    assert drawing.count("A") == pytest.approx(78 * 4 / 16.1, abs=2)
    assert drawing.count("B") == pytest.approx(78 * 12 / 16.1, abs=2)
    assert "".join(sorted(set(drawing), key=drawing.index)) == "[sAB+.]"


def test_info_many(run: Run) -> None:
    """Of many buffers the largest are shown and the others summed up; `--all` shows every one."""
    many = [np.arange(300 + n) for n in range(40)] + [np.zeros((7, 100 + n), "i2") for n in range(1000)]
    binpickle.dump(many, "many.bpk", codecs=["zstd"])
    short = run("info", "many.bpk").out
    assert len(short.splitlines()) < 60
    assert len(lines_of(short, "... and 1,020 more, stored in ")) == 1
    assert [lines_of(short, name)[0].split()[1] for name in ("zstd", "int64", "int16")] == ["1,040", "40", "1,000"]
    every = run("info", "many.bpk", "--all").out
    assert "more" not in every
    assert len(every.splitlines()) > 1040


def test_info_many_names(run: Run) -> None:
    """Metadata and sums of many kinds are cut off as well, and say so."""
    many = [np.zeros(3, f"S{n}") for n in range(400, 440)]
    binpickle.dump(many, "many.bpk", metadata={f"name {n}": "x" * 5000 for n in range(50)})
    out = run("info", "many.bpk").out
    assert len(lines_of(out, "metadata ")) == 20
    assert "... and 30 more; --all shows them" in out
    assert "... and 20 more; --all shows them" in out
    assert max(map(len, out.splitlines())) < 1100
    assert len(lines_of(run("info", "many.bpk", "--all").out, "metadata ")) == 50


@pytest.mark.parametrize("obj", [None, np.zeros((0, 3)), np.zeros(0)], ids=str)
def test_info_empty(run: Run, obj: Any) -> None:
    """A file without bytes outside its pickle stream is shown as well."""
    binpickle.dump(obj, "empty.bpk", mappable=True)
    result = run("info", "empty.bpk")
    assert result.code == 0
    assert "mappable   there is nothing to map" in result.out


def test_info_json(run: Run, model: str) -> None:
    """JSON holds, under names that stay, what an open file says of itself."""
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
    """A seal is shown without its key, and that nothing is known of it."""
    binpickle.dump(MODEL, "sealed.bpk", key=bytes(32))
    assert "seal       there is one; only who has the key can tell" in run("info", "sealed.bpk").out
    assert json.loads(run("info", "sealed.bpk", "--json").out)["sealed"] is True
