"""Uses a loaded object as people use one: show it, hash, sort, copy, compare, cast, and pickle it again.

Rule: an error of such a use is no failure, and neither is one that anyone would expect to take long. So objects that
have more than some 2000 parts, counted with repetitions, or more than 4 MiB, are only looked at from outside.
"""

from __future__ import annotations

import copy
import datetime
import decimal
import fractions
import operator
import pathlib
import pickle
from collections import Counter, deque
from typing import Any, Callable, Iterator

import numpy as np

__all__ = ["handle"]

_MOST_PARTS = 2000
_MOST_BYTES = 4 << 20
_MOST_COUNTERS = 8
_CONTAINERS = (list, tuple, set, frozenset, deque)
_SCALARS = (type(None), bool, int, float, complex, np.generic, np.dtype)
_FIRST = 6


def handle(value: Any, say: Callable[[str], None] = lambda step: None) -> None:
    """Use an object, and the first few objects in it.

    Args:
        value: the object.
        say: is told of each step before it.
    """
    for inner in _first_parts(value):
        for act in _steps(inner):
            say(f"{act.__name__.strip('_')} of {type(inner).__name__}")
            try:
                act(inner)
            except Exception:
                continue


def _first_parts(value: Any) -> Iterator[Any]:
    """Yield the object, the first objects in it, and the first ones in these."""
    todo, seen = [value], 0
    while todo and seen < 4 * _FIRST:
        found = todo.pop(0)
        seen += 1
        yield found
        todo += list(_inside(found))[:_FIRST]


def _inside(value: Any) -> Iterator[Any]:
    """Yield the first objects in a container, or none of another object."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from (key, item)
    elif isinstance(value, _CONTAINERS):
        yield from value
    elif isinstance(value, np.ndarray) and value.dtype.hasobject and value.size <= _MOST_PARTS:
        yield from value.view(np.ndarray).ravel().tolist()[: 2 * _FIRST]
    elif type(value).__module__.partition(".")[0] in ("sklearn", "pandas", "scipy"):
        yield from getattr(value, "__dict__", {}).values()


def _steps(value: Any) -> list[Callable[[Any], Any]]:
    """Return what to do with an object."""
    if isinstance(value, np.dtype):
        return [repr, hash, _dtype_uses]
    if not _is_small(value):
        return [bool, len, _shape]
    steps: list[Callable[[Any], Any]] = [repr, str, hash, bool, len, _compare, _sort, copy.copy, copy.deepcopy]
    steps += [_pickle, _iterate, operator.index, float, complex]
    if isinstance(value, np.ndarray):
        steps += [*_ARRAY_STEPS, _casts]
    for kinds, more in _MORE.items():
        if isinstance(value, kinds):
            steps += more
    return steps


def _is_small(value: Any) -> bool:
    """Whether an object has few parts, counted with repetitions, and few bytes."""
    todo, parts, nbytes, counters = [value], 0, 0, 0
    while todo:
        found = todo.pop()
        parts += 1
        if isinstance(found, np.ndarray):
            nbytes += max(found.nbytes, found.size)
        elif isinstance(found, (str, bytes, bytearray)):
            nbytes += len(found)
        elif isinstance(found, int):
            nbytes += found.bit_length() ** 2 >> 10  # to print it takes time by the square of its size
        elif isinstance(found, decimal.Decimal) and found.is_finite():
            nbytes += abs(found.adjusted()) + len(found.as_tuple().digits)
        if hasattr(found, "__len__") and not isinstance(found, (str, bytes, bytearray, np.ndarray, np.generic)):
            try:
                parts += len(found)
            except Exception:
                parts += 1
        counters += isinstance(found, Counter)  # each compares the counters in it twice, so 60 take for ever
        if counters > _MOST_COUNTERS or parts > _MOST_PARTS or nbytes > _MOST_BYTES:
            return False
        if isinstance(found, np.ndarray) and found.dtype.hasobject and found.size > _MOST_PARTS:
            return False
        todo += list(_inside(found))
    return True


def _shape(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        plain = value.view(np.ndarray)
        shown = None if value.dtype.hasobject else (plain.reshape(-1)[:4].tolist(), repr(value))
        return value.shape, value.strides, value.flags, repr(value.dtype), shown
    return type(value)


def _compare(value: Any) -> Any:
    return value == value, value != copy.copy(value), value < value  # noqa: PLR0124


def _sort(value: Any) -> Any:
    return sorted([value, copy.copy(value), value]), sorted(value)


def _pickle(value: Any) -> Any:
    return pickle.dumps(value, min(5, pickle.HIGHEST_PROTOCOL))


def _iterate(value: Any) -> Any:
    return [item for item, _ in zip(value, range(100))]


def _dtype_uses(dtype: np.dtype[Any]) -> None:
    uses: list[Callable[[], Any]] = [
        lambda: dtype == np.dtype("f8"),
        lambda: dtype == pickle.loads(pickle.dumps(dtype)),
        lambda: (dtype.descr, dtype.str, dtype.fields, dtype.names, dtype.isalignedstruct, dtype.metadata),
        dtype.newbyteorder,
        lambda: np.promote_types(dtype, dtype),
        lambda: np.can_cast(dtype, "U10"),
    ]
    if dtype.itemsize <= _MOST_BYTES:
        uses += [lambda: handle(np.zeros(2, dtype)), lambda: repr(np.zeros((), dtype)[()])]
    _each(uses)


def _casts(array: np.ndarray) -> None:
    kinds = ["?", "i1", "u8", "f4", "f8", "c16", "S", "U", "O", "V", "M8[ns]", "m8[s]", array.dtype.newbyteorder()]
    if hasattr(np, "dtypes") and hasattr(np.dtypes, "StringDType"):
        kinds.append(np.dtypes.StringDType())
    _each([lambda kind=kind: array.astype(kind) for kind in kinds])


_ARRAY_STEPS: list[Callable[[Any], Any]] = [
    lambda array: array.tolist(),
    lambda array: array.tobytes(),
    lambda array: np.sort(array, axis=None),
    lambda array: np.sort(array, axis=None, kind="stable"),
    lambda array: np.argsort(array, axis=None),
    lambda array: np.partition(array.ravel(), 0),
    lambda array: np.unique(array),
    lambda array: np.lexsort((array.ravel(), array.ravel())),
    lambda array: np.searchsorted(array.ravel(), array.ravel()[:1]),
    lambda array: (array.sum(), array.min(), array.max()),
    lambda array: (array.mean(), array.argmax()),
    lambda array: (array == array[()]).all(),
    lambda array: np.array_equal(array, array.copy()),
    # NumPy 2.4 ends the process when it swaps the bytes of any array of StringDType, and of an honest one, too.
    lambda array: array.byteswap() if array.dtype.char != "T" else None,
    lambda array: array.view("u1"),
    lambda array: array.view(np.ndarray).T.copy("F"),
    lambda array: np.concatenate([array, array]),
    lambda array: array[array.astype(bool)],
    lambda array: np.nonzero(array),
    lambda array: np.isin(array, array),
    lambda array: array.fill(array.ravel()[0]),
    lambda array: array.__setitem__(..., array.ravel()[0]),
    lambda array: array.take([0]),
    lambda array: array.repeat(2),
    lambda array: array.astype(str).tolist(),
    lambda array: [array[name] for name in array.dtype.names],
    lambda array: np.char.upper(array),
    lambda array: [repr(item) for item in array.ravel()[:4]],
    lambda array: [hash(item) for item in array.ravel()[:4]],
    lambda array: array.filled(),
    lambda array: array.compressed(),
    lambda array: (array.mask.tolist(), array.fill_value),
]
for _n, _step in enumerate(_ARRAY_STEPS):
    _step.__name__ = f"step {_n}"


def _draw(generator: Any) -> None:
    uses: list[Callable[[], Any]] = [
        lambda: generator.random(5),
        lambda: generator.integers(0, 1 << 40, 5),
        lambda: generator.randint(0, 1 << 20, 5),
        lambda: generator.standard_normal(5, np.float32),
        lambda: generator.permutation(10),
        lambda: generator.bit_generator.state,
        lambda: generator.spawn(2),
        lambda: generator.get_state(),
        lambda: np.random.Generator(generator).random(3),
        lambda: generator.jumped().random_raw(3),
        lambda: generator.seed_seq.spawn(1),
    ]
    _each(uses)


def _each(uses: list[Callable[[], Any]]) -> None:
    for use in uses:
        try:
            use()
        except Exception:
            continue


_MORE: dict[Any, list[Callable[[Any], Any]]] = {
    (np.random.Generator, np.random.RandomState, np.random.BitGenerator): [_draw],
    np.random.SeedSequence: [lambda seed: seed.generate_state(4), lambda seed: seed.spawn(2)],
    (datetime.date, datetime.time): [
        lambda when: when.isoformat(),
        lambda when: when.strftime("%c"),
        lambda when: when + datetime.timedelta(1),
        lambda when: when.utcoffset(),
        lambda when: when.timestamp(),
        lambda when: when.astimezone(datetime.timezone.utc),
    ],
    datetime.tzinfo: [lambda zone: datetime.datetime.now(zone), lambda zone: zone.utcoffset(None)],
    fractions.Fraction: [lambda number: number + 1, lambda number: number * number, round],
    decimal.Decimal: [lambda number: number + 1, lambda number: number.normalize()],
    pathlib.PurePath: [lambda path: (path.name, path.suffix, path.parts, path.parent / "a")],
    np.generic: [lambda scalar: scalar.item(), lambda scalar: scalar.tobytes(), lambda scalar: scalar + scalar],
    deque: [lambda items: items.rotate(1), lambda items: items.append(1)],
    dict: [lambda items: items[0], lambda items: items.update(items), lambda items: items | items],
}
