"""The tour of the design, `docs/design.md`, names each unit of the architecture, in the order in which they import."""

from __future__ import annotations

import re

from common import ROOT
from test_imports import FACES, ORDER

PAGE = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")


def test_units_complete_and_in_order() -> None:
    """The table of units names each folder and top-level module of `binpickle` once, lowest first."""
    rows = re.findall(r"^\| `([^|]*)` \|", PAGE.partition("## The units")[2], re.MULTILINE)
    assert re.findall(r"\w+", " ".join(rows)) == [unit for unit in ORDER if unit not in FACES and "dask:" not in unit]
