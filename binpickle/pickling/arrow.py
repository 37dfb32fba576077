"""The element types of the buffers of Arrow, which pyarrow puts out of band without.

Rule: nothing here imports pyarrow, and what it says of an array in passing never makes a dump fail: buffers of types
that are not known are bytes.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Callable, Iterator, Optional

import numpy as np

from .protocol import Reduced, module_of

__all__ = ["ArrowBuffers"]

_NUMBERS: dict[str, np.dtype] = {
    **{name: np.dtype(name) for name in ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")},
    **{"halffloat": np.dtype("f2"), "float": np.dtype("f4"), "double": np.dtype("f8")},
    **{"date32[day]": np.dtype("i4"), "date64[ms]": np.dtype("i8")},
}
_PREFIXES = {"timestamp[": "i8", "duration[": "i8", "time32[": "i4", "time64[": "i8"}
_OFFSETS = {"string": "i4", "binary": "i4", "large_string": "i8", "large_binary": "i8"}
_DEEPEST = 16

_Dtype = Optional[np.dtype]


class ArrowBuffers:
    """The buffers of the arrays of pyarrow that one run of a pickler met."""

    def __init__(self) -> None:
        self._dtypes: dict[tuple[int, int], np.dtype] = {}

    def reducer_for(self, cls: type) -> Callable[[Any], Reduced] | None:
        """Return the function that reduces the instances of exactly `cls`; `None` if that is no array of pyarrow."""
        is_array = any(base.__name__ == "Array" and module_of(base) == "pyarrow.lib" for base in cls.__mro__)
        return self._note if is_array else None

    def dtype_of(self, address: int, nbytes: int) -> _Dtype:
        """Return the element type of the buffer at an address; `None` if it is bytes."""
        return self._dtypes.get((address, nbytes))

    def _note(self, array: Any) -> Reduced:
        """Note what the buffers of an array hold; leave the array to pyarrow's own pickling."""
        with suppress(Exception):  # other releases of pyarrow may have other types
            for buffer, dtype in zip(array.buffers(), list(_layout(array.type, _DEEPEST))):
                if dtype is not None and buffer is not None and buffer.size % dtype.itemsize == 0:
                    self._dtypes[buffer.address, buffer.size] = dtype
            if str(array.type).startswith("dictionary<"):
                self._note(array.dictionary)
        return NotImplemented


def _layout(kind: Any, depth: int) -> Iterator[_Dtype]:
    """Yield the element types of the buffers of an array, by its type, as far as they are known.

    Source: "Arrow Columnar Format", physical memory layout. Each type has a buffer of validity bits first.
    """
    name = str(kind)
    yield None
    number = _NUMBERS.get(name) or next((np.dtype(t) for start, t in _PREFIXES.items() if name.startswith(start)), None)
    if number is not None:
        yield number
    elif name in _OFFSETS:
        yield from (np.dtype(_OFFSETS[name]), None)
    elif name.startswith("dictionary<"):
        yield _NUMBERS.get(str(kind.index_type))
    elif depth and name.startswith(("list<", "large_list<", "fixed_size_list<")):
        if not name.startswith("fixed"):
            yield np.dtype("i4" if name.startswith("list<") else "i8")
        yield from _layout(kind.value_type, depth - 1)
    elif depth and name.startswith("struct<"):
        for i in range(kind.num_fields):
            yield from _layout(kind[i].type, depth - 1)
    elif name in ("bool", "null") or name.startswith(("decimal", "fixed_size_binary[")):
        yield None
    else:
        raise TypeError(f"unknown layout: {name}")
