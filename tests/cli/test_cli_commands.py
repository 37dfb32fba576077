"""The commands `verify`, `repack`, `warm` and `extract-stream`."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commandline import MODEL, Run, python
from internals import prefetching, text
from legacy_files import Entry, build_v2

import binpickle
from binpickle import BinPickleFile


def test_verify(run: Run, model: str, damaged: str) -> None:
    """`verify` tells whole files from damaged ones, and ends with 1 if a file is damaged or missing."""
    assert run("verify", model) == (0, "model.bpk: ok\n", "")
    result = run("verify", model, damaged, "missing.bpk", model)
    assert result.code == 1
    lines = result.out.splitlines()
    assert [lines[0], lines[1], *lines[3:]] == [
        "model.bpk: ok",
        "damaged.bpk: damaged",
        "missing.bpk: No such file or directory",
        "model.bpk: ok",
    ]
    assert lines[2].startswith("  chunk ")
    assert result.err == "binpickle: 2 of 4 files are damaged or cannot be read: damaged.bpk, missing.bpk\n"


def test_verify_many_errors(run: Run) -> None:
    """`verify` names the first of many damaged chunks and counts the rest."""
    binpickle.dump([np.full(1 << 18, n) for n in range(30)], "f.bpk", codecs=["zstd"])
    data = bytearray(Path("f.bpk").read_bytes())
    with BinPickleFile("f.bpk") as opened:
        for entry in opened.entries:
            data[entry.offset + 9] ^= 1
    Path("f.bpk").write_bytes(data)
    lines = run("verify", "f.bpk").out.splitlines()
    assert len(lines) == 22
    assert lines[-1] == "  ... and 11 more"


@pytest.mark.parametrize(
    ("options", "mappable", "codecs"),
    [
        (["--mappable"], True, []),
        (["--codec", "gzip"], False, ["gzip"]),
        (["--codec=shuffle", "--codec=zstd"], False, ["shuffle", "zstd"]),
        (["--codec=zstd:5"], False, ["zstd"]),
    ],
    ids=str,
)
def test_repack(run: Run, model: str, options: list[str], mappable: bool, codecs: list[str]) -> None:
    """`repack` stores the same object in the way asked for, and prints the size of the new file."""
    result = run("repack", model, "other.bpk", *options)
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith("other.bpk: ")
    assert result.out.endswith(" kB of model.bpk\n")
    with BinPickleFile("other.bpk") as opened:
        assert opened.is_mappable == mappable
        assert [spec["id"] for spec in opened.buffers[1].codecs] == codecs
        assert (opened.load()["counts"] == MODEL["counts"]).all()


@pytest.mark.parametrize(
    ("text", "config"),
    [
        ("zstd:19", {"id": "zstd", "level": 19}),
        ("lzma:2", {"id": "lzma", "preset": 2}),
        ("lz4:8", {"id": "lz4", "acceleration": 8}),
        ("blosc:9", {"id": "blosc", "clevel": 9}),
    ],
)
def test_levels(run: Run, model: str, text: str, config: dict[str, Any]) -> None:
    """A number behind the id of a codec is its level, whatever numcodecs calls it."""
    assert run("repack", model, "new.bpk", "--codec", text).code == 0
    with BinPickleFile("new.bpk") as opened:
        (spec,) = opened.buffers[1].codecs
    assert {name: spec[name] for name in config} == config


def test_verify_decodes(run: Run) -> None:
    """`verify --decode` finds data that was wrong before its checksum was made."""
    Path("old.bpk").write_bytes(build_v2(Entry(b"not zstd", 40, [{"id": "zstd", "level": 1}]), Entry(b"\x80\x05N.")))
    assert run("verify", "old.bpk")[:2] == (0, "old.bpk: ok\n")
    result = run("verify", "--decode", "old.bpk")
    assert result.code == 1
    assert "old.bpk: damaged\n  chunk 0 (buffer 0): " in result.out


def test_repack_auto(run: Run, model: str) -> None:
    """Without an option `repack` gives each buffer the codecs that suit it."""
    assert run("repack", model, model).code == 0
    with BinPickleFile(model) as opened:
        assert opened.buffers[1].stored_nbytes < MODEL["counts"].nbytes / 2


def test_warm(run: Run, model: str) -> None:
    """`warm` says how many bytes of a file it has read, and how long that took; with numbers, only those buffers."""
    size = text.nbytes_text(os.path.getsize(model))
    result = run("warm", model)
    assert (result.code, result.err) == (0, "")
    assert re.fullmatch(rf"model\.bpk: {re.escape(size)} are in the page cache, [0-9.]+ s\n", result.out)
    assert run("warm", model, "0").out.startswith(
        f"model.bpk: {text.nbytes_text(MODEL['weights'].nbytes)} are in the page"
    )
    assert run("warm", model, "1", "3").out.startswith("model.bpk: ")


def test_warm_without_room(run: Run, model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """If memory has no room for the file, `warm` says so."""
    monkeypatch.setattr(prefetching, "available_memory", lambda: 1000)
    size = text.nbytes_text(os.path.getsize(model))
    result = run("warm", model)
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith(f"model.bpk: 0 B of {size} are in the page cache, ")
    assert result.out.endswith(" s; memory has no room for the rest\n")


def test_extract_stream(run: Run, model: str) -> None:
    """`extract-stream` writes the exact bytes of the pickle stream to a file or to stdout."""
    with BinPickleFile(model) as opened:
        stream = opened.stream()
    assert run("extract-stream", model, "stream.pkl") == (0, "", "")
    assert Path("stream.pkl").read_bytes() == stream
    with open("piped.pkl", "wb") as piped:
        assert python("extract-stream", model, "-", stdout=piped).returncode == 0
    assert Path("piped.pkl").read_bytes() == stream


def test_module() -> None:
    """`python -m binpickle` is the same command."""
    result = python("--version", stdout=subprocess.PIPE)
    assert (result.returncode, result.stdout) == (0, binpickle.__version__ + "\n")


@pytest.mark.parametrize(
    "command", [[], ["info"], ["inspect"], ["verify"], ["repack"], ["warm"], ["extract-stream"]], ids=str
)
def test_help(run: Run, command: list[str]) -> None:
    """Every command explains itself."""
    result = run(*command, "--help")
    assert (result.code, result.err) == (0, "")
    assert "usage: binpickle" in result.out
