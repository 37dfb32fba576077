"""Reading a changed file or stream gives an object or a BinPickleError, whatever was changed."""

from __future__ import annotations

import io
import os
from typing import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

import binpickle
from reliability.fuzz import CORPUS, Report, fuzz, input_number, read_corpus
from reliability.guided import guided, is_there
from reliability.mutation import mend
from reliability.targets import TARGETS, Broken

# How many inputs to run, and how long to run at most on a slow machine.
INPUTS = {"container": 4000, "stream": 20_000}
SECONDS = 20
GUIDED_SECONDS, LEAST_SECONDS = 10, 5  # the inputs of the corpus alone take 3 seconds


@pytest.mark.parametrize("target", TARGETS)
def test_changed_inputs(target: str, size: Callable[[int], int]) -> None:
    """No changed input crashes, hangs, or raises anything but a BinPickleError; `inspect` tells what `load` does."""
    report = fuzz(target, 0, size(INPUTS[target]), SECONDS)
    assert {"loaded", "opened", "untrusted"} <= set(report.outcomes)
    assert not report.finds


@pytest.mark.skipif(not is_there(), reason="atheris is not installed")
@pytest.mark.parametrize("target", TARGETS)
def test_led_by_coverage(target: str, size: Callable[[int], int]) -> None:
    """No input that atheris finds by the coverage of earlier inputs crashes, hangs, or raises another error."""
    run = guided(target, max(size(GUIDED_SECONDS), LEAST_SECONDS), seed=1)
    assert run.inputs > 100, run.said
    assert not run.crashes, run.said


@pytest.mark.parametrize("target", TARGETS)
@given(data=st.data())
def test_any_bytes(target: str, data: st.DataObject) -> None:
    """No input that Hypothesis makes of two inputs of the corpus breaks a promise."""
    seeds = st.sampled_from(read_corpus(target))
    one, other = data.draw(seeds), data.draw(seeds)
    cut, start, stop = (data.draw(st.integers(0, len(source))) for source in (one, other, one))
    mixed = one[:cut] + data.draw(st.binary(max_size=16)) + other[start:] + one[stop:]
    TARGETS[target](mend(mixed) if target == "container" else mixed)


@pytest.mark.parametrize(
    "path", sorted((CORPUS / "finds").rglob("*/*")), ids=lambda path: f"{path.parent.name}/{path.name}"
)
def test_finds(path) -> None:
    """An input that once broke a promise breaks none today."""
    TARGETS[path.parent.name](path.read_bytes())


def test_corpus_is_small() -> None:
    """The corpus takes less than 2 MiB."""
    assert sum(path.stat().st_size for path in CORPUS.rglob("*") if path.is_file()) < 2 << 20


def test_inputs_repeat() -> None:
    """Seed and number make the same input again."""
    seeds = read_corpus("stream")
    numbers = range(len(seeds), len(seeds) + 50)
    first, second, other = ([input_number("stream", seed, n, seeds) for n in numbers] for seed in (1, 1, 2))
    assert first == second
    assert first != other


def test_mend() -> None:
    """Mending leaves a valid file as it was, and makes the checksums of other files fit."""
    for file in read_corpus("container"):
        if file[:6] == b"BPCK\0\3":
            assert mend(file) == file
    changed = bytearray(binpickle.dumps([1, 2, 3], codecs=[]))
    changed[20] ^= 1
    assert binpickle.BinPickleFile(io.BytesIO(mend(bytes(changed)))).find_errors() == []


def test_children_report(monkeypatch: pytest.MonkeyPatch) -> None:
    """A target that raises, or ends its process, is a find, and the run goes on with the other inputs."""

    def broken(data: bytes) -> str:
        if data == b"a":
            raise Broken("it is a")
        if data == b"b":
            os.abort()
        return "loaded"

    monkeypatch.setitem(TARGETS, "stream", broken)
    report: Report = fuzz("stream", 0, 4, 60, seeds=[b"c", b"a", b"b", b"d"])
    assert [find.data for find in report.finds] == [b"a", b"b"]
    assert "it is a" in report.finds[0].why
    assert "SIGABRT" in report.finds[1].why
    assert report.inputs == 4
