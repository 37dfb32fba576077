"""The error of an object that cannot be pickled says where in the object its cause is."""

from __future__ import annotations

import copyreg
import threading
import time
import types
from collections import OrderedDict, deque
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import pytest
from common import each
from internals import pickle

import binpickle
from binpickle import dumps

LOCK: Any = threading.Lock()


class Plain:
    def __init__(self, **attributes: Any):
        self.__dict__.update(attributes)


class Slotted:
    __slots__ = ("held",)


class Reduced:
    def __reduce__(self) -> Any:
        return list, ([LOCK],)


class Stated(Plain):
    def __getstate__(self) -> Any:
        return dict(self.__dict__)


class Closed(Mapping):
    """A mapping that cannot be read any more."""

    def __init__(self) -> None:
        self.lock = LOCK

    def __getitem__(self, key: Any) -> Any:
        raise OSError("closed")

    def __iter__(self) -> Any:
        raise OSError("closed")

    def __len__(self) -> int:
        return 1


class Silent(str):
    def __repr__(self) -> str:
        raise RuntimeError("not shown")


class Hidden:
    @property
    def __dict__(self) -> Any:  # type: ignore[override]
        raise RuntimeError("hidden")

    def __reduce__(self) -> Any:
        return Hidden, (), {"lock": LOCK}


class Once:
    """An object that can be pickled once."""

    def __init__(self) -> None:
        self.times = 0

    def __reduce__(self) -> Any:
        self.times += 1
        if self.times > 1:
            raise TypeError("pickled again")
        return int, ()


class Tabled(pickle.Pickler):
    dispatch_table = {**copyreg.dispatch_table, types.ModuleType: lambda module: (str, (module.__name__,))}


class Many:
    def __reduce__(self) -> Any:
        time.sleep(0.01)
        return int, (1,)


def slotted() -> Any:
    made = Slotted()
    made.held = LOCK
    return made


def deep(levels: int) -> Any:
    made = LOCK
    for _ in range(levels):
        made = [made]
    return made


PLACES = {
    "an attribute": (Plain(lock=LOCK), r"\.lock"),
    "far within": (Plain(models=[1, {"k": Plain(lock=LOCK)}]), r"\.models\[1\]\['k'\]\.lock"),
    "a list": ([1, LOCK], r"\[1\]"),
    "a tuple": ((1, 2, (LOCK,)), r"\[2\]\[0\]"),
    "a key": ({(1, LOCK): 1}, r"\[a tuple\]\[1\]"),
    "an item of another dict": (OrderedDict(a=1, b=LOCK), r"\['b'\]"),
    "a long key": ({"k" * 100: LOCK}, r"\['k{59}\.\.\.\]"),
    "a slot": ([slotted()], r"\[0\]"),
    "an array of objects": ({"a": np.array([1, LOCK])}, r"\['a'\]"),
    "a function": ({"f": [lambda: 1]}, r"\['f'\]\[0\]"),
    "arguments": ({"a": Reduced()}, r"\['a'\]"),
    "arguments of Python's": ({"a": partial(max, LOCK)}, r"\['a'\]"),
    "a state of its own": ({"a": Stated(lock=LOCK)}, r"\['a'\]"),
    "a set": ({"a": {(1, LOCK)}}, r"\['a'\]"),
    "a mapping that raises": ({"a": Closed()}, r"\['a'\]\.lock"),
    "a key that cannot be shown": ({Silent("a"): LOCK}, r"\[a Silent\]"),
    "attributes that raise": ({"a": Hidden()}, r"\['a'\]"),
    "many levels": (deep(30), r"(\[0\]){20} and 10 levels more"),
}


@each(PLACES)
def test_place(row: Any) -> None:
    """The place is written as in Python code; attributes follow a point."""
    obj, place = row
    with pytest.raises(
        (TypeError, AttributeError, pickle.PicklingError), match=rf"[Cc]an.*\(in the object: {place}\)$"
    ):
        dumps(obj)


@each({"alone": LOCK, "in a deque": deque([LOCK]), "in a set": {deep(0)}})
def test_no_place(row: Any) -> None:
    """Where no place can be told, the error is that of pickle."""
    with pytest.raises(TypeError, match=r"_thread.lock'? objects?$"):
        dumps(row)


def test_another_error_is_no_place() -> None:
    """If the search meets another error than the pickler, the error is that of pickle."""
    with pytest.raises(TypeError, match=r"_thread.lock'? objects?$"):
        dumps({"once": Once(), "lock": LOCK})


def test_own_table() -> None:
    """The search reduces what the pickler's own table reduces."""
    with pytest.raises(TypeError, match=r"\(in the object: \['lock'\]\)"):
        dumps({"module": types, "lock": LOCK}, pickler=Tabled)


def test_long_search_is_given_up() -> None:
    """The search for the place takes no more than two seconds, and then the error is that of pickle."""
    obj = [[Many() for _ in range(250)], LOCK]
    begun = time.monotonic()
    with pytest.raises(TypeError, match=r"_thread.lock'? objects?$"):
        dumps(obj)
    assert time.monotonic() - begun < 30


def test_other_errors_stay(tmp_path: Any) -> None:
    """Errors that have another cause than the object stay as they are."""

    class Full:
        def write(self, data: Any) -> int:
            raise TypeError("this takes nothing")

    with pytest.raises(TypeError, match=r"this takes nothing$"):
        binpickle.dump({"a": [1, 2, 3]}, Full())


def test_buffers_before_are_not_doubled() -> None:
    """An object whose arrays were handed out before the error is searched without harm."""
    with pytest.raises(TypeError, match=r"\(in the object: \[1\]\)"):
        dumps([np.zeros(1000), LOCK])
