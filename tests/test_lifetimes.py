"""Objects that were written or read are freed with their last reference, without the garbage collector."""

from __future__ import annotations

import gc
import weakref
from functools import partial
from pathlib import Path
from typing import Any, Callable, Iterator

import anyio
import numpy as np
import pytest

import binpickle

WRITES: dict[str, Callable[[Any, Path], Any]] = {
    "raw": partial(binpickle.dump, codecs=[]),
    "auto": binpickle.dump,
    "mappable": partial(binpickle.dump, mappable=True),
    "encoded": partial(binpickle.dump, codecs=["zlib"]),
    "sealed": partial(binpickle.dump, key=bytes(32)),
    "to bytes": lambda obj, path: binpickle.dumps(obj),
    "pickler": lambda obj, path: binpickle.BinPickler(path).dump(obj),
}
READS: dict[str, Callable[[Path], Any]] = {
    "memory": binpickle.load,
    "mapped": partial(binpickle.load, mmap_mode="r"),
    "restricted": partial(binpickle.load, trusted=()),
    "bytes": lambda path: binpickle.loads(path.read_bytes()),
}


@pytest.fixture(autouse=True)
def no_collector() -> Iterator[None]:
    """Switch the garbage collector off, so that only objects without references are freed."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("way", WRITES)
def test_written(way: str, tmp_path: Path) -> None:
    """No cycle keeps an array that was written in any way, nor an array of an object that cannot be written."""
    array = np.arange(100_000)
    gone = weakref.ref(array)
    WRITES[way]([array, len], tmp_path / "a.bpk")
    with pytest.raises(Exception, match="lambda"):
        WRITES[way]([array, lambda: None], tmp_path / "b.bpk")
    del array
    assert gone() is None


@pytest.mark.parametrize("way", READS)
def test_read(way: str, tmp_path: Path) -> None:
    """No cycle keeps an array that was read in any way."""
    binpickle.dump([np.arange(100_000), "text"], tmp_path / "a.bpk", mappable=True)
    array, *_ = READS[way](tmp_path / "a.bpk")
    gone = weakref.ref(array)
    del array, _
    assert gone() is None


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_async(backend: str, tmp_path: Path) -> None:
    """No cycle keeps an array that `adump` wrote or failed to write, or that `aload` read."""

    async def write_and_read() -> list[bool]:
        array = np.arange(100_000)
        written = weakref.ref(array)
        with pytest.raises(Exception, match="lambda"):
            await binpickle.adump([array, lambda: None], tmp_path / "b.bpk")
        await binpickle.adump([array, "text"], tmp_path / "a.bpk")
        array, _ = await binpickle.aload(tmp_path / "a.bpk")
        read = weakref.ref(array)
        del array, _
        await anyio.sleep(0.01)
        return [reference() is None for reference in (written, read)]

    assert anyio.run(write_and_read, backend=backend) == [True, True]
