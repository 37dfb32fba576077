"""The command `inspect`: which imports of a file it shows, and which of them it calls trusted."""

from __future__ import annotations

import json
import re
import sys
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
from assembler import call, glob, lst, stream
from commandline import Run, lines_of
from stored_streams import file_of

import binpickle
from binpickle import Limits

LIMITS = "binpickle:Limits"


@pytest.fixture
def mixed(run: Run) -> str:
    """A file that names something of its own, something of NumPy, and something built in."""
    binpickle.dump({"a": Limits(), "b": np.arange(2000), "c": OrderedDict(a=1)}, "mixed.bpk", codecs=["zstd"])
    return "mixed.bpk"


def test_untrusted(run: Run, mixed: str) -> None:
    """`inspect` shows the place and use of a name that is not trusted, and ends with 1."""
    result = run("inspect", mixed)
    assert result.code == 1
    (line,) = lines_of(result.out, "not trusted")
    assert re.fullmatch(rf"not trusted\t{LIMITS} at \d+, instantiated", line)
    assert {line.split("\t")[1].split()[0] for line in lines_of(result.out, "built in")} >= {"collections:OrderedDict"}
    assert re.fullmatch(r"binpickle: 1 of \d+ names in mixed.bpk is not trusted\n", result.err)


@pytest.mark.parametrize("line", ["file\tmixed.bpk", "format\tversion 3", "codecs\tzstd", "seal\tnone", "buffers\t1: "])
def test_facts(run: Run, mixed: str, line: str) -> None:
    """`inspect` shows the facts of a file that matter before loading."""
    assert len(lines_of(run("inspect", mixed).out, line)) == 1


def test_trusted(run: Run, mixed: str) -> None:
    """If every name is trusted, the exit code is 0 and stderr stays empty."""
    result = run("inspect", mixed, "--trust", "a.module:Class", "--trust", LIMITS)
    assert (result.code, result.err) == (0, "")
    assert len(lines_of(result.out, "trusted\t")) == 1
    assert binpickle.load(mixed, trusted=[LIMITS])["a"] == Limits()


@pytest.mark.parametrize("name", ["sklearn", "scipy", "pandas", "pyarrow", "torch"])
def test_curated_sets(run: Run, name: str) -> None:
    """`--trust` with the name of a curated set trusts every name in the set."""
    known = sorted(getattr(binpickle.trust, name)())[0]
    Path("f.bpk").write_bytes(file_of(stream(glob(known))))
    assert run("inspect", "f.bpk").code == 1
    assert run("inspect", "f.bpk", "--trust", name).code == 0
    assert known in run("inspect", "f.bpk", "--trust", name).out


def test_many(run: Run) -> None:
    """`inspect` shows all names that are not trusted, before all others, and the first 20 trusted names."""
    names = [f"module{n}:name{n}" for n in range(60)]
    Path("f.bpk").write_bytes(file_of(stream(lst(*map(glob, names)))))
    trust = [word for name in names[:30] for word in ("--trust", name)]
    result = run("inspect", "f.bpk", *trust)
    assert result.err == "binpickle: 30 of 60 names in f.bpk are not trusted\n"
    words = [line.split("\t")[0] for line in result.out.splitlines() if "module" in line]
    assert words == ["not trusted"] * 30 + ["trusted"] * 20
    assert "... and 10 more, trusted; --all shows them" in result.out
    everything = run("inspect", "f.bpk", "--all", *trust).out
    assert len([line for line in everything.splitlines() if "module" in line]) == 60


def test_long_names(run: Run) -> None:
    """A long name is shown to its end."""
    Path("f.bpk").write_bytes(file_of(stream(call(f"os:{'path.' * 800}system"))))
    assert f"{'path.' * 800}system at " in run("inspect", "f.bpk").out


def test_hostile_names(run: Run) -> None:
    """A name can neither act on a terminal nor forge another line."""
    Path("f.bpk").write_bytes(file_of(stream(call("os\nbuilt in\tx:\x1b[2J\u202esystem"))))
    result = run("inspect", "f.bpk")
    assert result.out.replace("\n", "").replace("\t", "").isprintable()
    assert not any("x:" in line for line in lines_of(result.out, "built in"))
    json.loads(run("inspect", "f.bpk", "--json").out)


def test_json(run: Run, mixed: str) -> None:
    """`--json` gives module, qualname, offset, uses and state of every name, and the facts of the file."""
    found = json.loads(run("inspect", mixed, "--json", "--trust", LIMITS).out)
    assert (found["path"], found["version"], found["codecs"], found["trusted"]) == (mixed, 3, ["zstd"], True)
    assert (found["sealed"], found["authenticated"], found["buffers"]) == (False, False, 1)
    (own,) = [one for one in found["globals"] if one["state"] == "trusted"]
    assert (own["module"], own["qualname"], own["uses"]) == (*LIMITS.split(":"), ["instantiated"])
    assert run("inspect", mixed, "--json").code == 1


@pytest.mark.parametrize("name", ["os", "os.system", ":system", "os:", "", "polars"])
def test_trust_names(run: Run, mixed: str, name: str) -> None:
    """`--trust` refuses a word that is neither a name nor a set, before the file is read."""
    result = run("inspect", "nowhere.bpk", "--trust", name)
    assert result.code == 1
    assert result.err.startswith(f"binpickle: --trust {name}: neither module:qualname nor one of the sets")


def test_nothing_imported(run: Run) -> None:
    """`inspect` imports no module that a file names."""
    Path("f.bpk").write_bytes(file_of(stream(call("antigravity:geohash"))))
    assert run("inspect", "f.bpk").code == 1
    assert "antigravity" not in sys.modules
