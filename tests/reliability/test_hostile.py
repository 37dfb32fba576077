"""A small file takes little time and memory, whatever its stream is made of; and a generator makes such streams."""

from __future__ import annotations

import hashlib
import os
import sys
import time
from typing import Any, Callable

import pytest
from benign import OBJECTS

from reliability import measured
from reliability.calls import RULES, callable_names
from reliability.children import in_child
from reliability.fuzz import CORPUS
from reliability.handling import handle
from reliability.hostile import LARGEST, PLANS, hostile, hostile_file
from reliability.packed import packed

# A minute in CI, in parts that run beside each other.
SEEDS, SECONDS = range(3), 20
FINDS = sorted((CORPUS / "finds" / "hostile").glob("*.bpk"))

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="memory is measured by what only Linux says of it"),
    pytest.mark.skipif(sys.version_info < (3, 10), reason="older NumPy ends the process in uses of honest objects"),
]


@pytest.mark.parametrize("seed", SEEDS)
def test_hostile_files(seed: int, size: Callable[[int], int]) -> None:
    """No hostile file takes more than its share of time and memory, ends the process, or raises a foreign error."""
    run = measured.measure(seed, 1 << 30, size(SECONDS))
    assert run.inputs > 1
    assert not [(find.number, find.why, find.kinds) for find in run.finds]


def test_finds() -> None:
    """A file that once took too much, or ended the process, does so no more."""
    for path in FINDS:
        assert not measured.try_file(path.read_bytes(), 0), path.name


def test_every_rule() -> None:
    """The grammar calls each name of the safe set that a stream may call or instantiate, and no other."""
    assert RULES.keys() == callable_names()


def test_streams_repeat() -> None:
    """Seed and number make the same stream again, and other numbers other streams, of every plan."""
    first, second = (in_child(lambda: [_made(1, number, 6) for number in range(150)]) for _ in range(2))
    assert first == second
    assert len({digest for digest, _, _ in first}) > 140
    assert {kind for _, kind, _ in first} == set(PLANS)


def test_sizes() -> None:
    """A file has at most 1 MB, and shrinking a stream makes it smaller."""
    assert all(nbytes <= LARGEST for nbytes in in_child(lambda: [len(hostile_file(2, n, 8)[1]) for n in range(20)]))
    sizes = [in_child(lambda shrink=shrink: sum(_made(2, n, shrink)[2] for n in range(40))) for shrink in (2, 8)]
    assert sizes[1] < sizes[0]


def _made(seed: int, number: int, shrink: int) -> list[Any]:
    """Return the digest of a stream, its plan and its size, in a child: some streams fit models in threads."""
    made = hostile(seed, number, shrink)
    return [hashlib.sha256(made.stream).hexdigest()[:16], made.kinds[0], len(made.stream)]


WRONG: dict[str, Callable[[bytes], Any]] = {
    "is slow": lambda file: _spin(5),
    "is large": lambda file: len(b"a" * (600 << 20)),
    "signal SIGABRT": lambda file: os.abort(),
    "raises ValueError": lambda file: int("a"),
    "it hangs": lambda file: _spin(60),
}


def _spin(seconds: float) -> None:
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


@pytest.mark.parametrize("why", WRONG)
def test_each_kind_of_find(why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that takes too long, or too much memory, or ends its process, or raises a foreign error, is a find."""
    monkeypatch.setitem(measured.WAYS, "load", WRONG[why])
    if why == "is slow":
        monkeypatch.setattr(measured, "SECONDS", 0.2)  # of a processor that does nothing else
    assert why in measured.try_file(packed(b"\x80\x05N."), 4)


def test_one_find_of_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run goes on after a file that ends its process, and names the file."""
    monkeypatch.setitem(measured.WAYS, "load", lambda file: os.abort() if len(file) == bad else None)
    bad = in_child(lambda: len(hostile_file(3, 1, 0)[1]))
    run = measured.measure(3, 3, 60, shrunk=False)
    assert run.inputs == 3
    assert [(find.number, find.why[:14]) for find in run.finds] == [(1, "signal SIGABRT")]


def test_handling() -> None:
    """Every object of the benign ones can be handled, and each step is said before it."""
    for value in OBJECTS.values():
        steps: list[str] = []
        handle(value, steps.append)
        assert len(steps) > 2
