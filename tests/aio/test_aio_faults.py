"""Failures of the operating system amid `adump`, on each event loop: as amid `dump`, the old file or the new one."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest
from faults import FAULTS, KINDS, faulty_dump

import binpickle


@pytest.mark.skipif(os.name != "posix", reason="POSIX only")
@pytest.mark.parametrize("loop", ["asyncio", "trio"])
@pytest.mark.parametrize(("name", "code"), FAULTS)
def test_faults(name: str, code: int, loop: str, tmp_path: Path) -> None:
    """Whichever call fails, the old file stays, no other is left, and the error names the path; short writes go on."""

    def dump(obj: Any, path: Path, **way: Any) -> None:
        anyio.run(partial(binpickle.adump, obj, path, **way), backend=loop)

    dump(None, tmp_path / "first")  # what a loop opens once for all
    (tmp_path / "first").unlink()
    for kind in KINDS:
        number = 0
        while faulty_dump(kind, name, number, code, tmp_path, dump) is not None:
            number += 1
