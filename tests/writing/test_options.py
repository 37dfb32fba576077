"""The options of a dump: one definition, which every function that writes lists in its own signature."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest
from common import each
from internals import DumpOptions

import binpickle

OPTIONS = inspect.signature(DumpOptions).parameters
LISTED = set(OPTIONS) - {"align"}
FUNCTIONS = (binpickle.dump, binpickle.dumps, binpickle.adump, binpickle.adump_iter)
WRITERS = {f.__name__: f for f in (*FUNCTIONS, binpickle.BinPickler)}


@each(WRITERS)
def test_signatures(row: Any) -> None:
    """A function that writes has every option as a keyword, of the same type and with the same default."""
    parameters = inspect.signature(row).parameters
    assert set(parameters) >= LISTED
    for name in set(parameters) & set(OPTIONS):
        assert parameters[name].annotation == OPTIONS[name].annotation
        assert parameters[name].kind is inspect.Parameter.KEYWORD_ONLY
        default = None if row is binpickle.BinPickler and name == "codecs" else OPTIONS[name].default
        assert parameters[name].default == default


@each({**WRITERS, "repack": binpickle.repack})
@pytest.mark.parametrize("word", ["compress", "compression"])
def test_words_of_others(row: Any, word: str, tmp_path: Path) -> None:
    """The word of another library for codecs is refused with BinPickle's word for it, before anything is written."""

    def call() -> None:
        result = row([1], tmp_path / "a.bpk", **{word: 3})
        if inspect.isawaitable(result):
            result.send(None)

    with pytest.raises(TypeError, match=rf"{row.__name__}\(\) takes codecs=, not {word}=: by default each array"):
        call()
    assert list(tmp_path.iterdir()) == []


def test_other_errors() -> None:
    """Any other word that a function does not know is refused as Python refuses it."""
    with pytest.raises(TypeError, match="unexpected keyword argument 'protocol'"):
        binpickle.dumps(1, protocol=5)
    assert inspect.iscoroutinefunction(binpickle.adump)


def test_from_arguments() -> None:
    """Options are taken from the arguments of a function by name; a missing option has its default."""
    options = DumpOptions.of({"obj": 1, "file": "a.bpk", "threads": 2, "mappable": True, "metadata": {"by": "me"}})
    assert options.mappable
    assert options.align
    assert options.metadata == {"by": "me"}
    assert options.keys is None


@pytest.mark.parametrize("name", sorted(LISTED))
def test_passed_on(name: str) -> None:
    """Each function passes each option on: a wrong value raises before anything is written."""
    wrong = {"context": b"no key", "pickler": int, "codecs": 7, "key": "x", "metadata": 7}.get(name, "wrong")
    for write in (binpickle.dumps, lambda obj, **options: binpickle.BinPickler("unwritten.bpk", **options)):
        with pytest.raises((TypeError, ValueError)):
            write([], **{name: wrong})
