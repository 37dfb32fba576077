"""The check of what NumPy believes of the data of an array."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from internals import MAX_EMPTY_ITEMS, check_text

from binpickle import FormatError

LAST = 0x10FFFF
NESTED = np.dtype({"names": ["a", "b"], "formats": ["u1", [("t", ">U2", (3,))]], "offsets": [0, 1], "itemsize": 30})


def codes(count: int, last: int, order: str = "<") -> np.ndarray:
    """Return text of `count` code points, of which the last is `last`."""
    values = np.full(count, ord("x"), f"{order}u4")
    values[-1] = last
    return values.view(f"{order}U{count}")


def nested(byte: int) -> np.ndarray:
    """Return items whose text is not aligned, and put a byte in the place of the highest of one code point."""
    array = np.zeros(5, NESTED)
    array.view(np.uint8)[30 * 4 + 1 + 20] = byte
    return array


def among_objects(last: int) -> np.ndarray:
    array = np.zeros(3, [("o", "O"), ("t", "U2")])
    array["t"].view([("codes", "<u4", (2,))])["codes"][1, 1] = last
    return array


def levels(dtype: Any, count: int, width: int = 1) -> np.dtype:
    """Return a structure of structures, each of which has the next one `width` times."""
    for _ in range(count):
        dtype = np.dtype([(f"f{n}", dtype) for n in range(width)])
    return dtype


FINE = {
    "text": np.array(["ab", "c"]),
    "the last code point": codes(4, LAST),
    "the last code point, big-endian": codes(4, LAST, ">"),
    "one text": np.array("x"),
    "no text": np.zeros((0, 3), "U5"),
    "numbers": np.full(4, -1),
    "objects": np.array(["a", None], object),
    "text beside objects": among_objects(LAST),
    "nested": nested(0),
    "an array of a subclass": np.rec.array([("a", 1)], "U1,i4"),
    "items of no bytes": np.zeros(MAX_EMPTY_ITEMS, "S0"),
    "a union": np.zeros(3, {"names": ["a", "b"], "formats": ["U4", [("c", "U2"), ("d", "U2")]], "offsets": [0, 0]}),
    "levels": np.zeros(2, levels("U1", 60)),
}
REFUSED = {
    "beyond the last": (codes(4, LAST + 1), "holds code point 0x110000"),
    "big-endian": (codes(4, LAST + 1, ">"), "holds code point 0x110000"),
    "the highest bit": (codes(20, 1 << 31), "holds code point 0x80000000"),
    "strides": (np.repeat(codes(4, LAST + 1), 6).reshape(2, 3)[::-1, ::2], "beyond Unicode"),
    "strides of long text": (np.repeat(codes(40, LAST + 1), 6)[::2], "beyond Unicode"),
    "0-d": (codes(4, LAST + 1).reshape(()), "beyond Unicode"),
    "nested": (nested(0x80), "beyond Unicode"),
    "beside objects": (among_objects(LAST + 1), "beyond Unicode"),
    "very many items of no bytes": (np.zeros(MAX_EMPTY_ITEMS + 1, "V0"), "items of no bytes"),
    "items of no bytes in a field": (
        np.zeros(2, [("a", "u1"), ("b", np.dtype([("c", "S0")]), (MAX_EMPTY_ITEMS,))]),
        "items of no bytes",
    ),
    "overlapping": (
        np.zeros(2, {"names": list("abcdefghij"), "formats": [f"U{n}" for n in range(20, 30)], "offsets": [0] * 10}),
        "very many fields with text, or they overlap",
    ),
    "very many fields": (np.zeros(1, levels("U1", 7, width=5)), "very many fields with text"),
    "deep": (np.zeros(2, levels("U1", 70)), "more than 64 levels"),
}


@pytest.mark.parametrize("name", FINE)
def test_fine(name: str) -> None:
    """Arrays of all kinds pass, text up to the last code point too."""
    check_text(FINE[name])


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    """Text that is none is refused wherever it lies, and so is a dtype whose check would take long."""
    array, message = REFUSED[name]
    with pytest.raises(FormatError, match=message):
        check_text(array)
