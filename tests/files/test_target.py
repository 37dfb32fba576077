"""Arguments that say how a file is put in place."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from common import each

import binpickle


@each({"text": "yes", "a number": 2, "a list": []})
def test_durable_is_refused(row: Any, tmp_path: Path) -> None:
    """`durable` is `None`, `True` or `False`; anything else is a TypeError, and no file is written."""
    with pytest.raises(TypeError, match="durable must be None, True or False"):
        binpickle.dump([1], tmp_path / "a.bpk", durable=row)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("argument", ["durable", "exclusive"])
def test_arguments_that_need_a_path(argument: str) -> None:
    """A file object cannot be synced or refused: `durable` and `exclusive` need a path."""
    file = io.BytesIO()
    with pytest.raises(TypeError, match="need a path"):
        binpickle.dump([1], file, **{argument: True})
    assert file.getvalue() == b""
