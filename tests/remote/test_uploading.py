"""Writing to object stores: in parts, atomically, or not at all."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from stores import MemoryStore

import binpickle
from binpickle import ObjectPath, StoreError

NOISE = np.random.default_rng(0).integers(0, 256, 80 << 20, np.uint8)


class Unpicklable:
    def __reduce__(self) -> Any:
        raise ValueError("not me")


@pytest.mark.parametrize("nbytes", [0, 100, 1 << 20, 8 << 20, (8 << 20) + 1, 30 << 20], ids=str)
def test_dump(nbytes: int) -> None:
    """The object has the bytes of the file that `dump` writes; a small one is one request."""
    store = MemoryStore()
    binpickle.dump(NOISE[:nbytes], ObjectPath(store, "new"))
    assert store.objects["new"] == binpickle.dumps(NOISE[:nbytes])
    assert (store.calls == [("put", "new")]) == (nbytes < 8 << 20)


@pytest.mark.parametrize("nbytes", [0, 30 << 20], ids=str)
def test_failing_object(nbytes: int) -> None:
    """An object that cannot be pickled leaves the old object as it was, and no upload."""
    store = MemoryStore()
    store.objects["old"] = b"old"
    with pytest.raises(ValueError, match="not me"):
        binpickle.dump([bytes(NOISE[:nbytes]), Unpicklable()], ObjectPath(store, "old"))
    assert (store.objects, store.unfinished) == ({"old": b"old"}, 0)


@pytest.mark.parametrize("number", [1, 2, 12, 25])
def test_failing_store(number: int) -> None:
    """The error of any part ends the dump, and nothing appears."""
    store = MemoryStore()
    store.fails[number] = OSError(5, "no luck")
    with pytest.raises(OSError, match="no luck"):
        binpickle.dump(NOISE[: 30 << 20], ObjectPath(store, "new"))
    assert (store.objects, store.unfinished) == ({}, 0)


def test_interrupted() -> None:
    """An interruption of the dump ends the upload, and nothing appears."""
    store = MemoryStore()

    def interrupt(done: int, total: int | None) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        binpickle.dump(NOISE, ObjectPath(store, "new"), progress=interrupt)
    assert (store.objects, store.unfinished) == ({}, 0)


def test_exclusive() -> None:
    """With `exclusive`, the store refuses to replace an object, and the dump does not look before."""
    store = MemoryStore()
    binpickle.dump(1, ObjectPath(store, "new"), exclusive=True)
    with pytest.raises(FileExistsError):
        binpickle.dump(2, ObjectPath(store, "new"), exclusive=True)
    assert binpickle.load(ObjectPath(store, "new")) == 1
    assert [call[0] for call in store.calls[:2]] == ["put", "put"]


def test_exclusive_and_large() -> None:
    """An exclusive object of more than 64 MiB is refused, since no store promises that for parts."""
    store = MemoryStore()
    binpickle.dump(NOISE[: 60 << 20], ObjectPath(store, "fits"), exclusive=True)
    with pytest.raises(StoreError, match="64 MiB"):
        binpickle.dump(NOISE, ObjectPath(store, "new"), exclusive=True)
    assert set(store.objects) == {"fits"}


def test_exclusive_without_support() -> None:
    """A store that cannot promise `exclusive` refuses the dump before the object is pickled."""
    store = MemoryStore()
    store.can_create = False
    with pytest.raises(StoreError, match="exclusive"):
        binpickle.dump(Unpicklable(), ObjectPath(store, "new"), exclusive=True)
    assert store.calls == []
