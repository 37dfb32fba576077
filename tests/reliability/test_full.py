"""A real file system runs full during a dump."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Iterator

import numpy as np
import pytest

import binpickle


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB."""
    if sys.platform != "linux" or os.geteuid():
        pytest.skip("only root can mount a file system")
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(tmp_path)]
    if subprocess.run(mount, stderr=subprocess.DEVNULL, check=False).returncode:
        pytest.skip("no file system can be mounted here")
    yield tmp_path
    subprocess.run(["umount", str(tmp_path)], check=True)


@pytest.mark.parametrize("way", [{"codecs": []}, {"mappable": True}, {"codecs": ["zstd"]}, {"durable": True}])
def test_full(way: dict[str, Any], small: Path) -> None:
    """A dump without room for the new file raises an `OSError` with its name, and only the old file stays."""
    path = small / "a.bpk"
    binpickle.dump("old", path)
    noise = np.random.default_rng(0).integers(0, 1 << 62, 1 << 18)
    with pytest.raises(OSError, match="No space left") as caught:
        binpickle.dump(noise, path, **way)
    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, str(path))
    assert os.listdir(small) == ["a.bpk"]
    assert binpickle.load(path) == "old"
    binpickle.dump(noise[: 1 << 15], path, **way)
    assert np.array_equal(binpickle.load(path), noise[: 1 << 15])
