"""Whether a CPU is idle, by the load that the system tells."""

from __future__ import annotations

import os

import pytest
from internals import has_idle_cpu, usable_cpus


@pytest.mark.parametrize(("less", "idle"), [(0.4, False), (0.6, True), (-9.0, False)])
def test_idle_cpu(less: float, idle: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A CPU is idle if the load is less than the number of usable CPUs by more than half a CPU."""
    monkeypatch.setattr(os, "getloadavg", lambda: (usable_cpus() - less, 0.0, 0.0), raising=False)
    assert has_idle_cpu() is idle


def test_unknown_load(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system tells no load, a CPU counts as idle."""
    monkeypatch.delattr(os, "getloadavg", raising=False)
    assert has_idle_cpu()
