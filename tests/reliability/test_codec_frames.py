"""Changed frames do no damage: no decoder reads or writes beyond its input and output."""

from __future__ import annotations

import ctypes
import mmap
from typing import Callable

import pytest
from internals import CODECS, chain_from_specs

from binpickle import UnknownCodecError
from reliability.children import in_child
from reliability.frames import SPECS, Guarded, try_frames
from reliability.targets import Broken

FRAMES = 20_000


def test_all_codecs() -> None:
    """Every codec that restricted loading uses is tried."""
    assert set(SPECS) == {name for name, rule in CODECS.items() if rule.hostile_safe}


@pytest.mark.parametrize("codec_id", SPECS)
def test_frames(codec_id: str, size: Callable[[int], int]) -> None:
    """A frame decodes to the number of bytes asked for, or is refused; both happen."""
    try:
        chain_from_specs([{"id": codec_id, **SPECS[codec_id][0]}])
    except UnknownCodecError:
        pytest.skip(f"the installed numcodecs has no {codec_id}")
    frames = size(FRAMES)
    decoded = in_child(lambda: try_frames(codec_id, 0, range(frames)))
    assert 0 < decoded < frames


@pytest.mark.parametrize("write", [False, True])
def test_guard(write: bool) -> None:
    """Reading or writing one byte beyond the guarded memory ends the child."""

    def overrun() -> int:
        last = Guarded(mmap.PAGESIZE).last(1)
        address = last.__array_interface__["data"][0] + 1
        if write:
            ctypes.memset(address, 0, 1)
        return ctypes.string_at(address, 1)[0]

    with pytest.raises(Broken, match="SIGSEGV"):
        in_child(overrun)
