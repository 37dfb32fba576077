"""Streams of objects whose states were changed at random while they were pickled.

Rule: the object itself stays as it is. A pickler asks each object how it would be rebuilt, and writes that with a few
numbers, shapes, types and attributes changed, so that the changed state meets a class for the first time when loaded.
"""

from __future__ import annotations

import copyreg
import io
import random
import sys
from typing import Any

import numpy as np

from binpickle.pickling.storages import Storages

if sys.version_info >= (3, 8):
    import pickle
else:
    import pickle5 as pickle

__all__ = ["changed_stream", "reduce"]

_NUMBERS = (-1, 0, 1, 2, 3, 7, 255, 1 << 15, 1 << 20, 1 << 28, 1 << 31, 1 << 32, (1 << 63) - 1, -(1 << 31), -2)
_FLOATS = (0.0, -1.0, 1.5, float("nan"), float("inf"), -float("inf"), 1e300, 1e-300, 1e9)
_DTYPES = ("f4", "f8", "i4", "i8", "u1", "?", "c16", "O", ">f8", "i2")
_KEPT = (type, type(len), type(_NUMBERS.index), type(lambda: 0))


def changed_stream(made: Any, dice: random.Random) -> bytes:
    """Pickle an object, with one to three changes to what it is made of.

    Args:
        made: the object.
        dice: decides what changes.
    """
    spots = _Spots()
    _Changing(io.BytesIO(), spots).dump(made)
    spots.choose(dice)
    stream = io.BytesIO()
    _Changing(stream, spots).dump(made)
    return stream.getvalue()


def reduce(storages: Storages, obj: Any) -> Any:
    """Return how an object would be rebuilt: a storage of torch as BinPickle rebuilds it, all others as pickle does."""
    own = storages.reducer_for(type(obj))
    reduced = NotImplemented if own is None else own(obj)
    if reduced is not NotImplemented:
        return reduced
    registered = copyreg.dispatch_table.get(type(obj))
    return obj.__reduce_ex__(5) if registered is None else registered(obj)


class _Spots:
    """The places at which an object can be changed: numbered in a first pass, changed in a second."""

    def __init__(self) -> None:
        self._count = 0
        self._chosen: set[int] | None = None
        self._dice = random.Random()
        self._pool: list[Any] = []

    def choose(self, dice: random.Random) -> None:
        changes = dice.choice((1, 1, 1, 2, 3))
        self._chosen = {dice.randrange(max(self._count, 1)) for _ in range(changes)}
        self._count, self._dice = 0, dice

    def see(self, value: Any) -> Any:
        """Return a value, changed if this place was chosen."""
        here = self._count
        self._count += 1
        if self._chosen is None:
            if len(self._pool) < 1000:
                self._pool.append(value)
            return value
        return self._change(value) if here in self._chosen else value

    def _change(self, value: Any) -> Any:
        dice = self._dice
        if dice.random() < 0.08:
            return dice.choice(self._pool)
        if dice.random() < 0.03:
            return dice.choice((None, "text", [], {}, (), b"", 0, 1.0, True))
        if isinstance(value, bool):
            return not value
        if type(value) is int:
            return dice.choice((*_NUMBERS, value + 1, value - 1, 2 * value, -value, value // 2))
        if type(value) is float:
            return dice.choice((*_FLOATS, -value, value * 2, int(min(max(value, -9e9), 9e9)) if value == value else 0))
        if type(value) is np.ndarray:
            return change_array(value, dice)
        if isinstance(value, np.generic):
            return type(value)(dice.choice((0, 1, 2))) if value.dtype.kind in "fiub" else value
        if type(value) is str:
            return dice.choice(("", "auto", "text", value + "_"))
        if type(value) in (list, tuple):
            items = list(value)
            return type(value)(dice.choice((items[:-1], items + items[-1:], items[::-1], items[1:] + items[:1], [])))
        if type(value) is dict and value:
            return _change_dict(dict(value), dice)
        if type(value) is pickle.PickleBuffer:
            return change_array(np.frombuffer(value, np.uint8), dice).tobytes()
        return value


class _Changing(pickle.Pickler):
    """A pickler that changes what objects are rebuilt from."""

    def __init__(self, stream: Any, spots: _Spots):
        super().__init__(stream, 5)
        self._spots = spots
        self._storages = Storages()

    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, (*_KEPT, np.dtype)):
            return NotImplemented
        if isinstance(obj, np.ndarray):
            if type(obj) is not np.ndarray:
                return NotImplemented
            changed = self._spots.see(obj)
            if type(changed) is np.ndarray:
                return changed.__reduce_ex__(5)
            return _identity_of(changed)
        reduced = reduce(self._storages, obj)
        if not isinstance(reduced, tuple):
            return NotImplemented
        function, arguments, *rest = reduced
        if not isinstance(obj, np.generic):
            arguments = tuple(map(self._inner, arguments))
        if rest and rest[0] is not None:
            rest[0] = self._inner(rest[0])
        return (function, arguments, *rest)

    def _inner(self, value: Any, depth: int = 0) -> Any:
        """Return a value of a state, changed or with changes inside."""
        if isinstance(value, (np.ndarray, *_KEPT)):
            return value  # arrays are changed when the pickler comes to them
        changed = self._spots.see(value)
        if depth > 3:
            return changed
        if type(changed) is dict:
            return {name: self._inner(item, depth + 1) for name, item in changed.items()}
        if type(changed) in (list, tuple) and len(changed) < 100:
            return type(changed)(self._inner(item, depth + 1) for item in changed)
        return changed


def _identity_of(value: Any) -> Any:
    """Return a reduction for what stands in place of an array."""
    if isinstance(value, np.ndarray):
        return value.__reduce_ex__(5)
    return np.array(0).__reduce_ex__(5)


def _change_dict(items: dict[Any, Any], dice: random.Random) -> dict[Any, Any]:
    one, other = dice.choice(list(items)), dice.choice(list(items))
    if dice.random() < 0.3:
        del items[one]
    else:
        items[one], items[other] = items[other], items[one]
    return items


def change_array(array: np.ndarray, dice: random.Random) -> np.ndarray:
    """Return a changed copy of an array: other elements, shape, dtype or order."""
    changed = array.copy()
    kind = dice.random()
    if changed.dtype.names and kind < 0.8 and changed.size:
        name = dice.choice(changed.dtype.names)
        changed[name] = (
            change_array(np.ascontiguousarray(changed[name]), random.Random(0))
            if kind < 0.05
            else (_elements(np.ascontiguousarray(changed[name]), dice))
        )
        return changed
    if kind < 0.5 and changed.size and changed.dtype.kind in "iufbmM":
        return _elements(changed, dice)
    if kind < 0.8 and changed.ndim:
        return _shaped(changed, dice)
    if kind < 0.9 and changed.dtype.kind in "iufb":
        return changed.astype(dice.choice(_DTYPES))
    if kind < 0.95:
        return np.asfortranarray(changed)
    return changed.T


def _elements(array: np.ndarray, dice: random.Random) -> np.ndarray:
    if array.dtype.kind in "mM":
        return _elements(np.ascontiguousarray(array).view(np.int64), dice).view(array.dtype)
    changed = array.copy().reshape(-1)
    for _ in range(dice.choice((1, 1, 2, 5))):
        index = dice.randrange(len(changed))
        choices = _FLOATS if changed.dtype.kind == "f" else (*_NUMBERS, *changed[:1].tolist())
        with np.errstate(all="ignore"):
            changed[index] = np.array(dice.choice(choices)).astype(changed.dtype)
    if dice.random() < 0.1:
        changed[:] = changed[0]
    return changed.reshape(array.shape)


def _shaped(array: np.ndarray, dice: random.Random) -> np.ndarray:
    return dice.choice(
        (
            lambda: array[:-1],
            lambda: array[1:],
            lambda: np.concatenate([array, array]),
            lambda: array[:0],
            lambda: array.reshape(-1),
            lambda: array[np.newaxis],
            lambda: array[..., :-1],
            lambda: np.concatenate([array, array], axis=-1),
            lambda: array[:1],
            lambda: np.array(array.flat[0]) if array.size else array,
        )
    )()
