"""Failures of the operating system during a dump: the n-th call of a function fails, for every function and every n.

Rule: whichever call fails, the target holds one whole version, nothing else is left, and the error names the path.
"""

from __future__ import annotations

import ctypes
import errno
import os
from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest
from common import assert_same, choose_temporary, leftovers, small_chunks
from internals import linux_module

import binpickle

__all__ = ["FAULTS", "KINDS", "PIECES", "Faults", "faulty_dump"]

FAILING = ["open", "fchmod", "write", "writev", "fsync", "ftruncate", "close", "replace", "link", "fallocate"]
# A file system that cannot allocate room is no failure.
NO_FAULT = ("fallocate", errno.EIO)

KINDS: dict[str, Any] = {
    "new": (False, {}),
    "replaced": (True, {}),
    "durable": (True, {"durable": True}),
    "exclusive": (False, {"exclusive": True}),
}
KINDS.update({f"{kind}, named": row for kind, row in KINDS.items()})
"""The kinds of dumps: whether they replace an old file, and the arguments that put the file in place.

A temporary file has a name from the start if the kind says `named`, else only where the file system has no others.
"""

FAULTS = [(name, code) for name in FAILING for code in (errno.ENOSPC, errno.EIO) if (name, code) != NO_FAULT]
FAULTS += [("write", 0), ("writev", 0)]
"""Pairs of a function and the code of its error; code 0 is a short write."""

PIECES = [np.arange(1 << 18), *(np.arange(i, i + 1003) for i in range(9))]
"""The dumped object: arrays in several chunks, some of which they share."""


class Faults:
    """Stands in for the functions of the operating system, counts their calls and makes one call fail.

    Args:
        name: name of the function that fails.
        number: number of the call that fails, from 0 on.
        code: code of the error; with 0, a write takes only some of the bytes.
    """

    def __init__(self, patch: pytest.MonkeyPatch, name: str, number: int, code: int):
        self.calls = dict.fromkeys(FAILING, 0)
        self.replaced = False
        self._fails = name, number
        self._code = code
        real = linux_module.c_function
        for known in FAILING:
            if known != "fallocate":
                patch.setattr(os, known, self._stand_in(known, getattr(os, known)))
        ours = {"fallocate": lambda *_: self._allocate()}
        patch.setattr(linux_module, "c_function", lambda name, types: ours.get(name) or real(name, types))

    def fails(self, name: str) -> bool:
        self.calls[name] += 1
        return (name, self.calls[name] - 1) == self._fails

    def _allocate(self) -> int:
        if self.fails("fallocate"):
            ctypes.set_errno(self._code)
            return -1
        return 0

    def _stand_in(self, name: str, real: Any) -> Any:
        def call(*args: Any, **more: Any) -> Any:
            if not self.fails(name):
                done = real(*args, **more)
                in_place = name in ("replace", "link") and not str(args[1]).endswith(".bpk-tmp")
                self.replaced = self.replaced or in_place
                return done
            if name == "close":
                real(*args)
            if not self._code:
                return real(args[0], args[1][: max(1, len(args[1]) // 3)])
            raise OSError(self._code, os.strerror(self._code))

        return call


def faulty_dump(
    kind: str, name: str, number: int, code: int, folder: Path, dump: Callable[..., Any] = binpickle.dump
) -> Faults | None:
    """Dump with one fault and check what is left; return `None` if the function had fewer calls.

    Args:
        kind: a name in `KINDS`.
        name: name of the function that fails.
        number: number of the call that fails, from 0 on.
        code: code of the error.
        folder: an empty folder.
        dump: a function with the arguments of `binpickle.dump`.
    """
    path = folder / "a.bpk"
    old, way = KINDS[kind]
    if old:
        path.write_bytes(b"old")
    error: Any = None
    dump(None, folder / "first")  # what a process, or a loop, finds out or opens once for all
    (folder / "first").unlink()
    with pytest.MonkeyPatch.context() as patch, small_chunks(1 << 18):
        choose_temporary(patch, "named" in kind)
        faults = Faults(patch, name, number, code)
        try:
            dump(PIECES, path, mappable=True, **way)
        except OSError as caught:
            error = caught
    if faults.calls[name] <= number:
        path.unlink()
        return None
    assert leftovers(folder) == []
    if code:
        assert error is not None, "the error was swallowed"
        assert (error.errno, error.filename) == (code, str(path))
    if not code or faults.replaced:
        assert_same(binpickle.load(path), PIECES)
    else:
        assert path.read_bytes() == b"old" if old else not path.exists()
    if path.exists():
        path.unlink()
    return faults
