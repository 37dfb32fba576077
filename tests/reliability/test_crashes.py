"""Writers may be killed, and files may be replaced while they are read."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Callable

import pytest

import binpickle
from reliability.kills import kill_writers, race_readers


def test_kills(size: Callable[[int], int]) -> None:
    """Whenever writers are killed, the path holds one whole version; some of them are killed while they write."""
    killed = kill_writers(size(300), seed=0)
    assert killed.unreadable == 0
    assert killed.amid > 0


def test_kills_show_in_place() -> None:
    """The test finds torn files if a writer writes in place."""

    def in_place(obj: Any, path: str) -> None:
        Path(path).write_bytes(binpickle.dumps(obj, threads=1))

    assert kill_writers(120, seed=0, write=in_place).unreadable > 0


def test_readers(size: Callable[[int], int]) -> None:
    """Each reader and each mapping finds one whole version while others replace the file."""
    raced = race_readers(size(10))
    assert raced.failures == 0
    assert raced.versions > 1
    assert raced.reads > 1


@pytest.mark.skipif(not os.environ.get("BINPICKLE_POWER_CUTS"), reason="on request: BINPICKLE_POWER_CUTS=20, as root")
def test_power_cuts() -> None:
    """After a power cut the file is one whole version."""
    from reliability.powercut import cut_power

    assert cut_power(int(os.environ["BINPICKLE_POWER_CUTS"]), seed=0).torn == 0
