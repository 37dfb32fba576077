"""Checksums of raw arrays that a helper computes ahead of the thread that writes."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from common import each, small_chunks
from internals import filewriter_module

import binpickle

ARRAYS = {
    "large": [np.random.RandomState(n).rand(3000 + n) for n in range(9)],
    "large and small": [np.arange(5000.0), *(np.arange(n % 200) for n in range(300)), np.arange(9000)[::2]],
    "none": [1, 2],
}
WAYS: dict[str, Any] = {
    "raw": {"codecs": []},
    "mappable": {"mappable": True},
    "auto": {},
    "digests": {"codecs": [], "digests": True},
}


@pytest.fixture(autouse=True)
def _ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make small files as large ones are made on an idle machine."""
    monkeypatch.setattr(filewriter_module, "has_idle_cpu", lambda: True)
    monkeypatch.setattr(filewriter_module, "CHECK_AHEAD_FROM", 1)


@each(ARRAYS, "obj")
@each(WAYS, "way")
def test_same_bytes(obj: Any, way: dict[str, Any]) -> None:
    """The file has the same bytes whether a helper computes checksums or not, and its checksums are right."""
    with small_chunks():
        want = binpickle.dumps(obj, threads=1, **way)
        for threads in (2, 4):
            assert binpickle.dumps(obj, threads=threads, **way) == want
    binpickle.loads(want, verify=True)


class Full(io.BytesIO):
    """A file that takes a few writes, and then no more."""

    def write(self, data: Any) -> int:
        if self.tell() > 40_000:
            raise OSError("full")
        return super().write(data)


def test_failed_write() -> None:
    """If a write fails, the dump raises its error, and no helper is left."""
    with small_chunks(), pytest.raises(OSError, match="full"):
        binpickle.dump(ARRAYS["large"], Full(), codecs=[], threads=3)
