"""Arrays within what other classes reduce themselves to: the bytes of an array there become an out-of-band buffer.

NumPy reduces an array that it does not put out of band to a state of version, shape, dtype, order and bytes. Subclasses
and other libraries add to that state, or hold it in one of their own. Their classes rebuild it from `bytes`, so the
stream makes `bytes` of the buffer: a load copies the array once more.

Rule: a buffer replaces only bytes that are equal to the memory of the array.
"""

from __future__ import annotations

from typing import Any, Callable

import numpy as np

from .protocol import Reduced
from .strided import Strided

__all__ = ["BytesOfBuffer", "inherits_pickling", "replace_state"]

_PICKLING = ("__reduce__", "__reduce_ex__", "__setstate__", "__array_finalize__")
# A state lies in what an array of jax reduces to three tuples deep.
_DEEPEST = 4
_BLOCK = 1 << 20


class BytesOfBuffer:
    """Stands in a reduced object for bytes that are out of band.

    Args:
        buffer: the `PickleBuffer`.
    """

    __slots__ = ("_buffer",)

    def __init__(self, buffer: Any):
        self._buffer = buffer

    def __reduce__(self) -> tuple[Any, ...]:
        return bytes, (self._buffer,)


def inherits_pickling(cls: type) -> bool:
    """Whether a subclass of `numpy.ndarray` leaves pickling to NumPy, which then keeps no attributes of it.

    A class that finishes new arrays by code of its own does not: pickle makes its arrays empty, and then fills them.
    No code of the class is run.
    """
    return all(_found(cls, name) is _found(np.ndarray, name) for name in _PICKLING)


def replace_state(
    reduced: Reduced, array: np.ndarray, put: Callable[[np.ndarray, bool], Any], deepest: int = _DEEPEST
) -> Reduced:
    """Return what an object reduces to, with the bytes of an array in it out of band; as it is if they are not found.

    Args:
        reduced: what its `__reduce_ex__` returned.
        array: the array, over the memory of the object.
        put: puts an array out of band, in Fortran order if so told, and returns what stands for its bytes.
        deepest: how many tuples deep the bytes may be.
    """
    if type(reduced) is not tuple or not deepest:
        return reduced
    at = _find(reduced, array)
    if at is not None:
        data = put(array, bool(reduced[at - 1]))
        return (*reduced[:at], data, *reduced[at + 1 :])
    parts = [replace_state(part, array, put, deepest - 1) for part in reduced]
    return tuple(parts) if any(new is not old for new, old in zip(parts, reduced)) else reduced


def _find(state: tuple[Any, ...], array: np.ndarray) -> int | None:
    """Return where in a tuple the bytes of an array are: behind its shape, dtype and order."""
    for at in range(3, len(state)):
        data, (shape, dtype, fortran) = state[at], state[at - 3 : at]
        if type(data) is not bytes or len(data) != array.nbytes or type(fortran) not in (bool, int):
            continue
        if type(shape) is tuple and shape == array.shape and isinstance(dtype, np.dtype) and dtype == array.dtype:
            return at if _holds(array.T if fortran else array, data) else None
    return None


def _holds(array: np.ndarray, data: bytes) -> bool:
    """Whether the items of an array in C order are equal to some bytes; neither is copied as a whole."""
    own, given = Strided(array).raw(), np.frombuffer(data, np.uint8)
    starts = range(0, len(data), _BLOCK)
    return all(np.array_equal(own[at : at + _BLOCK].copy(), given[at : at + _BLOCK]) for at in starts)


def _found(cls: type, name: str) -> Any:
    """Return what a class or the first of its bases that has it defines under a name."""
    return next((vars(base)[name] for base in type.mro(cls) if name in vars(base)), None)
