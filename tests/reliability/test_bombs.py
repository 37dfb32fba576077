"""Small files that would decode to very large objects are refused with little memory and time."""

from __future__ import annotations

import sys

import pytest

from reliability.bombs import LIMITS, bombs, defuse
from reliability.children import in_child

BOMBS = dict(bombs()) if sys.platform == "linux" else {}
ROOM = 64 << 20


@pytest.mark.parametrize("name", BOMBS)
def test_bomb(name: str) -> None:
    """A bomb is refused with at most 64 MiB above the limit, in less than a second of processor time."""
    file = BOMBS[name]()
    nbytes, seconds = in_child(lambda: defuse(file))
    assert nbytes <= LIMITS.decoded_bytes + ROOM
    assert seconds < 1


def test_enough_bombs() -> None:
    """There are bombs of every kind."""
    assert len(BOMBS) >= 20 or sys.platform != "linux"
