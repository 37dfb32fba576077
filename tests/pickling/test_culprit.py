"""The error of an object that cannot be pickled says where in the object its cause is."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
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
    "a slot": ([slotted()], r"\[0\]\[1\]\['held'\]"),
    "an array of objects": ({"a": np.array([1, LOCK])}, r"\['a'\].*\[1\]"),
    "a function": ({"f": [lambda: 1]}, r"\['f'\]\[0\]"),
    "arguments": ({"a": Reduced()}, r"\['a'\]\[0\]\[0\]"),
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
