"""Whether the data of an array is such that NumPy can use it: the text in it, and items of no bytes.

Rule: NumPy makes strings of text data without looking at it, and a code point beyond Unicode ends the process. So the
data of a file of unknown origin is checked before anything can use the array. The cost follows from the bytes of the
array, whatever its dtype: a structure whose fields would make it grow faster is refused.
"""

from __future__ import annotations

from typing import Any, Iterator, NamedTuple

import numpy as np

from ..errors import FormatError
from .shapes import element_count

__all__ = ["MAX_EMPTY_ITEMS", "check_text", "text_of"]

MAX_EMPTY_ITEMS = 1 << 20
"""The most items of no bytes in an array. They take no room in a file, but time and memory whenever they are used."""

_LAST_CODE_POINT = 0x10FFFF
_NUMBERS = "biufcmMO"
# A union has a few ways to read its bytes. Nobody has more than this, and each one is looked at.
_MOST_OVERLAP = 8
# Each field with text takes some 30 microseconds, however few items there are.
_MOST_FIELDS = 1 << 14
_MOST_LEVELS = 64
# NumPy takes a few numbers at a time more slowly than columns of them.
_FEW_COLUMNS = 16


def check_text(array: np.ndarray) -> None:
    """Check what NumPy believes of the data of an array, in the fields of structured arrays too.

    Args:
        array: of any dtype, strides, alignment and byte order. Objects in it are not looked at.

    Raises:
        FormatError: text has a code point beyond Unicode, there are very many items of no bytes, or very many fields
            with text, or fields with text overlap many times, or structures are nested very deeply.
    """
    dtype = array.dtype
    if dtype.kind in _NUMBERS:  # most arrays, whose check should cost nothing
        return
    survey = _Survey()
    found = survey.of(dtype)
    if array.size * found.empty > MAX_EMPTY_ITEMS:
        raise FormatError(f"an array has more than {MAX_EMPTY_ITEMS} items of no bytes: no honest file has them")
    if found.fields > _MOST_FIELDS or found.nbytes > _MOST_OVERLAP * dtype.itemsize:
        raise FormatError("a structured array has very many fields with text, or they overlap: no honest file has it")
    if not array.size:
        return
    for codes in survey.text_in(np.asarray(array)):
        if int(codes.max()) > _LAST_CODE_POINT:
            raise FormatError(f"text of an array holds code point {int(codes.max()):#x}, beyond Unicode")


def text_of(dtype: np.dtype) -> tuple[int, int]:
    """Return what `check_text` looks at: the fields with text and those that hold these, and their bytes in one item.

    Raises:
        FormatError: structures are nested very deeply.
    """
    found = _Survey().of(dtype)
    return found.fields, found.nbytes


class _Found(NamedTuple):
    """What one item of a dtype holds.

    Attributes:
        nbytes: the bytes of text, those of each field added up.
        fields: the fields with text, and those that hold these.
        empty: the items of no bytes, the item itself included.
        names: the names of the fields with text.
        dtype: the dtype, which is kept so that no other one gets its id.
    """

    nbytes: int
    fields: int
    empty: int
    names: list[str]
    dtype: np.dtype


class _Survey:
    """What some dtypes hold. Each is looked at once: in a stream, fields can share dtypes many times over."""

    def __init__(self) -> None:
        self._known: dict[int, _Found] = {}

    def of(self, dtype: np.dtype, level: int = 0) -> _Found:
        """Return what an item of a dtype holds."""
        found = self._known.get(id(dtype))
        if found is None:
            if level > _MOST_LEVELS:
                raise FormatError(f"a structured array has more than {_MOST_LEVELS} levels of structures")
            found = self._known[id(dtype)] = self._look(dtype, level + 1)
        return found

    def text_in(self, array: np.ndarray) -> Iterator[np.ndarray]:
        """Yield the code points of all text in an array."""
        found = self.of(array.dtype)
        if array.dtype.kind == "U" and found.nbytes and array.size:
            yield from _codes(array)
        for name in found.names:
            yield from self.text_in(array[name])

    def _look(self, dtype: np.dtype, level: int) -> _Found:
        if dtype.subdtype:
            base, count = self.of(dtype.subdtype[0], level), element_count(dtype.subdtype[1])
            return base._replace(nbytes=count * base.nbytes, empty=count * base.empty, dtype=dtype)
        if dtype.names is None:
            nbytes = dtype.itemsize if dtype.kind == "U" else 0
            return _Found(nbytes, int(nbytes > 0), int(not dtype.itemsize), [], dtype)
        inner = [(name, self.of(field, level)) for name, field in _distinct_fields(dtype)]
        names = [name for name, found in inner if found.nbytes]
        fields = sum(found.fields for _, found in inner) + bool(names)
        empty = max(sum(found.empty for _, found in inner), int(not dtype.itemsize))
        return _Found(sum(found.nbytes for _, found in inner), fields, empty, names, dtype)


def _distinct_fields(dtype: np.dtype) -> list[tuple[str, np.dtype]]:
    """Return name and dtype of each field, and of fields that show the same bytes in the same way only one."""
    found: dict[Any, tuple[str, np.dtype]] = {}
    for name in dtype.names or ():
        field, offset = dtype.fields[name][:2]  # type: ignore[index]
        found.setdefault((offset, id(field)), (name, field))
    return list(found.values())


def _codes(array: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the code points of an array of text. A view of items of the same size works with all strides."""
    count = array.dtype.itemsize // 4
    order = ">" if array.dtype.str[0] == ">" else "<"
    codes = array.view([("codes", f"{order}u4", (count,))])["codes"]
    if codes.flags.c_contiguous:
        yield codes.reshape(-1)
    elif count <= _FEW_COLUMNS:
        yield from (codes[..., n] for n in range(count))
    else:
        yield codes
