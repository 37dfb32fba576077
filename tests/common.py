"""What several test files share: comparing what came back with what was dumped, small chunks, children."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Iterator

import numpy as np
import pytest
from golden_contents import same
from internals import Folder, OutOfBand, atomic_module, plan_module, stream_module

import binpickle

__all__ = ["ROOT", "assert_same", "choose_temporary", "copies", "each", "leftovers", "python", "small_chunks"]

ROOT = Path(__file__).resolve().parents[1]
INSTALLED = Path(binpickle.__file__).resolve().parents[1]  # elsewhere, where the tests run on a wheel


def each(table: dict[str, Any], *names: str) -> pytest.MarkDecorator:
    """Run a test with each value of a table, which its keys name."""
    return pytest.mark.parametrize(",".join(names) or "row", table.values(), ids=list(table))


def assert_same(got: Any, want: Any, writeable: bool | None = None) -> None:
    """Fail unless `got` is as `want`: types, element types, shapes, order, bits, sharing, writability.

    Args:
        got: what came back.
        want: what was dumped.
        writeable: whether arrays must be writable; by default those are that were.
    """
    same(got, want)
    for g, w in zip(_arrays(got), _arrays(want)):
        assert g.flags.writeable == (w.flags.writeable if writeable is None else writeable)
        assert g.flags.aligned or not w.flags.aligned
        assert g.flags.f_contiguous or not w.flags.f_contiguous


def _arrays(obj: Any) -> Iterator[np.ndarray]:
    """Yield the arrays of data in an object, if it is one of those made here: arrays, lists, tuples and dicts."""
    if isinstance(obj, np.ndarray) and obj.nbytes and not obj.dtype.hasobject:
        yield obj
    elif isinstance(obj, dict):
        obj = list(obj.values())
    if isinstance(obj, (list, tuple)):
        for item in obj:
            yield from _arrays(item)


@contextmanager
def small_chunks(nbytes: int = 4096) -> Iterator[None]:
    """Cut into chunks of so many bytes; buffers from a quarter of that on have their own."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (plan_module, stream_module):
            patch.setattr(module, "CHUNK_BYTES", nbytes)
        patch.setattr(plan_module, "SHARE_BELOW", nbytes // 4)
        yield


def python(code: str, *args: Any, check: bool = True, **more: Any) -> subprocess.CompletedProcess:
    """Run code in a Python of its own, which finds BinPickle and these helpers; return what came of it."""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(INSTALLED), str(ROOT / "tests")])}
    command = [sys.executable, "-c", code, *map(str, args)]
    done = subprocess.run(command, env=env, capture_output=True, timeout=120, **more)
    if check and done.returncode:
        raise AssertionError(f"exit status {done.returncode}: {done.stderr.decode()}")
    return done


def copies(found: OutOfBand) -> list[bytearray]:
    """Return copies of out-of-band buffers."""
    fetched = found.buffers if found.fetch is None else map(found.fetch, found.buffers)
    return [bytearray(buffer.raw()) for buffer in fetched]


def choose_temporary(patch: pytest.MonkeyPatch, named: bool) -> None:
    """Make dumps write to temporary files from the start, with a name, or without one where the system has those."""
    patch.setattr(atomic_module, "HELD", -1)
    if named:
        patch.setattr(Folder, "takes_unnamed", False)


def leftovers(folder: Path) -> list[str]:
    """Return the names of temporary files that a dump left."""
    return [name for name in os.listdir(folder) if name.endswith(".bpk-tmp")]
