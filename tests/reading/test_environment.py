"""The variable `BINPICKLE_TRUST`, which makes every load of the process restricted."""

from __future__ import annotations

import io
from fractions import Fraction
from textwrap import dedent
from typing import Any, Callable

import anyio
import numpy as np
import pytest
from internals import environment, limiting

import binpickle
from binpickle import BinPickleFile, Limits, UntrustedError

VARIABLE = "BINPICKLE_TRUST"
PLAIN = binpickle.dumps({"a": np.arange(5000), "b": [1, "text", Fraction(1, 2)]})
CODE = binpickle.dumps(dedent)
NAME = "textwrap:dedent"


def by_aload(data: bytes) -> Any:
    return anyio.run(binpickle.aload, io.BytesIO(data))


DOORS: dict[str, Callable[[bytes], Any]] = {
    "load": lambda data: binpickle.load(io.BytesIO(data)),
    "loads": binpickle.loads,
    "loads without a copy": lambda data: binpickle.loads(data, copy=False),
    "BinPickleFile": lambda data: BinPickleFile(io.BytesIO(data)).load(),
    "aload": by_aload,
}


@pytest.mark.parametrize("door", DOORS)
def test_every_door(door: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With an empty variable every load is restricted, and trusts nothing; without the variable none is."""
    load = DOORS[door]
    assert load(CODE) is dedent
    monkeypatch.setenv(VARIABLE, "")
    with pytest.raises(UntrustedError, match="dedent"):
        load(CODE)
    assert load(PLAIN)["b"] == [1, "text", Fraction(1, 2)]
    monkeypatch.setenv(VARIABLE, NAME)
    assert load(CODE) is dedent
    monkeypatch.delenv(VARIABLE)
    assert load(CODE) is dedent


def test_sets_and_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable takes sets and names, with spaces around them."""
    monkeypatch.setenv(VARIABLE, f" scipy , {NAME},pandas")
    expected = binpickle.trust.scipy() | binpickle.trust.pandas() | {NAME}
    assert expected <= set(environment.trusted_here(None))
    assert not binpickle.trust.sklearn() <= set(environment.trusted_here(None))


def test_the_argument_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    """A load that says what it trusts trusts just that, whatever the variable holds, be it malformed."""
    monkeypatch.setenv(VARIABLE, "")
    assert binpickle.loads(CODE, trusted=[dedent]) is dedent
    for text in (NAME, "no such thing"):
        monkeypatch.setenv(VARIABLE, text)
        with pytest.raises(UntrustedError):
            binpickle.loads(CODE, trusted=())


@pytest.mark.parametrize(
    "text", ["everything", "sklearn,torchh", "sklearn,,pandas", ",", "a.b", "a:", ":b", "a:b c", "*"]
)
def test_unknown(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Anything else in the variable is an error of each load, which names the variable and the entry."""
    monkeypatch.setenv(VARIABLE, text)
    for _ in range(2):
        for load in DOORS.values():
            with pytest.raises(
                ValueError, match="BINPICKLE_TRUST: '.*' is neither module:qualname nor one of the sets"
            ):
                load(PLAIN)


def test_limits_of_restricted_loading(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limits of restricted loading hold as well."""
    monkeypatch.setattr(limiting, "RESTRICTED_LIMITS", Limits(stored_bytes=100))
    assert len(binpickle.loads(PLAIN)) == 2
    monkeypatch.setenv(VARIABLE, "")
    with pytest.raises(binpickle.LimitError):
        binpickle.loads(PLAIN)


def test_no_code_of_codecs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Codecs that are not safe on files of unknown origin are refused as with `trusted=`."""
    data = binpickle.dumps(np.arange(5000), codecs=["blosc"])
    assert len(binpickle.loads(data)) == 5000
    monkeypatch.setenv(VARIABLE, "")
    with pytest.raises(binpickle.UnknownCodecError, match="not safe on files of unknown origin"):
        binpickle.loads(data)
