"""Every stream of the attack corpus is refused, in the way it says, and leaves no trace."""

from __future__ import annotations

import io
import re

import pytest
from attacks import corpus, touched

from binpickle import trust
from binpickle.errors import BinPickleError, FormatError, UntrustedError

ATTACKS = list(corpus())


@pytest.fixture(autouse=True)
def _no_trace(monkeypatch, tmp_path):
    """Fail a test that left a trace."""
    monkeypatch.chdir(tmp_path)
    touched.clear()
    yield
    assert not touched
    assert not list(tmp_path.iterdir())


def load(attack):
    """Load an attack's stream as its victim would."""
    read = io.BytesIO(attack.stream).read
    return trust.load(read, iter(attack.buffers), len(attack.buffers), attack.trusted, attack.limits)


def test_corpus_is_large():
    """The corpus has more than 60 attacks, each with a name of its own."""
    assert len(ATTACKS) > 60
    assert len({attack.name for attack in ATTACKS}) == len(ATTACKS)


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_attack_is_refused(attack):
    """A crafted stream is refused with the error and the reason that the corpus says."""
    with pytest.raises(BinPickleError) as caught:
        load(attack)
    assert type(caught.value) is attack.error, caught.value
    assert re.search(attack.message, str(caught.value))
    if isinstance(caught.value, UntrustedError):
        assert attack.message in [f"{module}:{qualname}" for module, qualname, _ in caught.value.refused]


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_scan_sees_what_load_refuses(attack):
    """`scan` finds untrusted globals just when `load` raises `UntrustedError`, and fails where `load` fails."""
    try:
        uses = trust.scan(io.BytesIO(attack.stream).read, len(attack.buffers), attack.limits)
    except FormatError as error:
        with pytest.raises(type(error)):
            load(attack)
    else:
        assert bool(trust.untrusted(uses, attack.trusted)) == (attack.error is UntrustedError)
