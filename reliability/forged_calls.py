"""Calls of each name that a stream may call under the curated sets, with forged arguments of every kind.

Rule: whatever the arguments are, a call is refused by an error of BinPickle, or its result can be shown and compared.
Nothing ends the process. Calls run in forked children, many in each.
"""

from __future__ import annotations

import copyreg
import datetime
import importlib
import io
import os
import random
import signal
import sys
import warnings
from typing import Any, Collection, Iterator

import numpy as np

from binpickle import BinPickleError, trust
from binpickle.limits import RESTRICTED_LIMITS
from binpickle.pickling.renames import canonical
from binpickle.pickling.storages import Storages
from binpickle.trust.sets import uses

from .changed import reduce

if sys.version_info >= (3, 8):
    import pickle
else:
    import pickle5 as pickle

__all__ = ["callable_names", "forge_calls"]

_BATCH = 500
_LARGE = 1 << 20


class _Forged:
    def __init__(self, function: Any, arguments: tuple[Any, ...]):
        self._reduced = function, arguments

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self._reduced


def callable_names(trusted: Collection[str]) -> list[str]:
    """Return those names of a curated set that a stream may call and that the installed release has."""
    table = uses()
    return sorted(name for name in trusted if "called" in table[canonical(*_pair(name))] and _found(name) is not None)


def _pair(name: str) -> tuple[str, str]:
    module, _, qualname = name.partition(":")
    return module, qualname


def _found(name: str) -> Any:
    module, qualname = _pair(name)
    try:
        return getattr(importlib.import_module(module), qualname)
    except (ImportError, AttributeError):
        return None


def forge_calls(trusted: Collection[str], honest: Collection[Any], seed: int, count: int) -> list[str]:
    """Make calls, and say which of them ended a process.

    Args:
        trusted: a curated set.
        honest: objects that need the set; their own arguments are mixed with wrong ones.
        seed: the seed of all arguments.
        count: how many calls there are.
    """
    names = callable_names(trusted)
    known, pool = _arguments(honest)
    finds: list[str] = []
    number = 0
    reader, writer = os.pipe()
    while number < count:
        pid = os.fork()
        if not pid:
            _run(names, known, pool, trusted, seed, range(number, min(number + _BATCH, count)), writer)
        _, status = os.waitpid(pid, 0)
        last = int(os.read(reader, 1 << 20).split()[-1])
        if os.WIFSIGNALED(status):
            finds.append(f"{names[last % len(names)]}, number {last}: {signal.Signals(os.WTERMSIG(status)).name}")
        elif os.WEXITSTATUS(status):
            finds.append(f"{names[last % len(names)]}, number {last}: exit status {os.WEXITSTATUS(status)}")
        number = last + 1
    os.close(reader)
    os.close(writer)
    return finds


def _run(
    names: list[str],
    known: dict[Any, list[tuple[Any, ...]]],
    pool: list[Any],
    trusted: Collection[str],
    seed: int,
    numbers: range,
    writer: int,
) -> None:
    code = 3
    warnings.simplefilter("ignore")
    try:
        for number in numbers:
            os.write(writer, b"%d\n" % number)
            dice = random.Random(f"{seed}/{number}")
            function = _found(names[number % len(names)])
            signal.alarm(20)
            _call(function, _forged(known.get(function, []), pool, dice), trusted)
        code = 0
    finally:
        os._exit(code)


class _Pickler(pickle.Pickler):
    """A pickler that writes the storages of torch as BinPickle does."""

    def __init__(self, stream: Any):
        super().__init__(stream, 5)
        self._storages = Storages()

    def reducer_override(self, obj: Any) -> Any:
        own = self._storages.reducer_for(type(obj))
        return NotImplemented if own is None else own(obj)


def _dumps(obj: Any) -> bytes:
    stream = io.BytesIO()
    _Pickler(stream).dump(obj)
    return stream.getvalue()


def _call(function: Any, arguments: tuple[Any, ...], trusted: Collection[str]) -> None:
    try:
        stream = _dumps(_Forged(function, arguments))
    except Exception:  # a view that pickle cannot write
        return
    limits = RESTRICTED_LIMITS.of_file(len(stream), 0)
    try:
        loaded = trust.load(io.BytesIO(stream).read, (), 0, trusted, limits)
    except BinPickleError:
        return
    size = loaded.numel() if hasattr(loaded, "numel") else getattr(loaded, "size", 0)
    if isinstance(size, int) and size > _LARGE:  # a range may stand for many rows
        return
    for use in (repr, hash, len, lambda x: x == x, lambda x: x + x):
        try:
            use(loaded)
        except Exception:  # an answer to a wrong question
            continue


def _forged(honest: list[tuple[Any, ...]], pool: list[Any], dice: random.Random) -> tuple[Any, ...]:
    """Return arguments: honest ones with some replaced, or any."""
    if not honest or dice.random() < 0.2:
        return tuple(dice.choice(pool) for _ in range(dice.choice((0, 1, 1, 2, 2, 3, 4, 5))))
    arguments = list(dice.choice(honest))
    for _ in range(dice.choice((1, 1, 2))):
        if arguments:
            place = dice.randrange(len(arguments))
            arguments[place] = _wrong(arguments[place], pool, dice)
    if dice.random() < 0.1:
        arguments = arguments[:-1] if dice.random() < 0.5 else [*arguments, dice.choice(pool)]
    return tuple(arguments)


def _wrong(value: Any, pool: list[Any], dice: random.Random) -> Any:
    """Return something else, or the same with something else in it."""
    if isinstance(value, (list, tuple)) and value and dice.random() < 0.8:
        items = list(value)
        place = dice.randrange(len(items))
        items[place] = _wrong(items[place], pool, dice)
        return type(value)(items) if type(value) in (list, tuple) else items
    if type(value) is dict and value and dice.random() < 0.8:
        key = dice.choice(list(value))
        return {**value, key: _wrong(value[key], pool, dice)}
    return dice.choice(pool)


def _arguments(honest: Collection[Any]) -> tuple[dict[Any, list[tuple[Any, ...]]], list[Any]]:
    """Return the arguments of the calls that rebuild objects, by what is called, and a pool of all sorts of values."""
    known: dict[Any, list[tuple[Any, ...]]] = {}
    pool = list(_values())

    class Watching(pickle.Pickler):
        storages = Storages()

        def reducer_override(self, obj: Any) -> Any:
            if isinstance(obj, (type, np.ndarray, np.dtype)) or callable(obj):
                return NotImplemented
            reduced = reduce(self.storages, obj)
            if isinstance(reduced, tuple) and reduced[0] is not copyreg.__dict__["__newobj__"]:
                known.setdefault(reduced[0], []).append(reduced[1])
                if len(pool) < 2000:
                    pool.extend([obj, *reduced[1]])
            return reduced if isinstance(reduced, tuple) else NotImplemented

    for obj in honest:
        Watching(io.BytesIO(), 5).dump(obj)
    return known, pool


def _values() -> Iterator[Any]:
    """Yield values of every type that a stream can hold."""
    yield from (
        None,
        True,
        False,
        0,
        1,
        -1,
        2,
        7,
        10,
        255,
        1 << 31,
        -(1 << 31),
        1 << 62,
        (1 << 63) - 1,
        -(1 << 63),
        1 << 70,
    )
    yield from (0.0, 1.5, float("nan"), float("inf"), 1e300, 1j, "", "a", "ns", "left", "int64", "../x", "a" * 1000)
    yield from (
        b"",
        b"abc",
        bytearray(64),
        (),
        (1, 2),
        [],
        [1],
        ["a"],
        {},
        {"data": 1},
        {"a": [1]},
        set(),
        frozenset({1}),
    )
    yield from (
        datetime.date(2020, 1, 1),
        datetime.time(1),
        datetime.timedelta(1),
        datetime.timezone.utc,
        slice(0, 2, 1),
    )
    yield from (
        slice(0, 1 << 40, 1),
        slice(None, None, None),
        range(3),
        np.float64(1),
        np.datetime64("2020"),
        int,
        dict,
    )
    for shape in ((), (0,), (1,), (3,), (2, 2), (0, 5), (1, 1, 1)):
        for dtype in ("i1", "i4", "i8", "u1", "f4", "f8", "?", "M8[ns]", "m8[s]", "M8[D]", "O", "U3", "c16", ">i4"):
            yield np.zeros(shape, dtype)
    yield from (
        np.array([-1, 5, 1 << 40]),
        np.array([1, 0], "i4"),
        np.array([0, 1, 2], "i4"),
        np.dtype("i4"),
        np.dtype("O"),
    )
