"""The tour of the design, `docs/design.md`: its table of modules is complete, and in an order that imports keep."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from common import ROOT
from test_imports import FILES, imports, part_of

PAGE = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")


def groups() -> dict[str, int]:
    """Return the modules of the table, with the number of their group; a row without one goes on with the last."""
    found: dict[str, int] = {}
    number = -1
    for group, modules in re.findall(r"^\| ?(\*\*\w+\*\*)? ?\| (`[^|]*`) \|", PAGE, re.MULTILINE):
        number += bool(group)
        found.update((name, number) for name in re.findall(r"`(\w+)`", modules))
    return found


def test_modules_complete() -> None:
    """The table names each module once; a new one is a word in `docs/design.md`."""
    assert set(groups()) == {part_of(path) for path in FILES} - {"__init__"}


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_modules_in_order(path: Path) -> None:
    """No module imports from a group below its own."""
    table = groups()
    own = table.get(part_of(path), len(table))
    assert [found for found in imports(path) if table.get(found.part, -1) > own] == []
