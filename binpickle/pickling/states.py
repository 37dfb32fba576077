"""Arrays within what other classes reduce themselves to: the bytes of an array there become an out-of-band buffer.

NumPy reduces an array that it does not put out of band to a state of version, shape, dtype, order and bytes. Subclasses
and other libraries add to that state, or hold it in one of their own. Their classes rebuild it from `bytes`, so the
stream makes `bytes` of the buffer: the array is copied once on its way back, as it is by pickle.

Rule: a buffer replaces only bytes that are equal to the memory of the array.
"""

from __future__ import annotations

from typing import Any, Callable

import numpy as np

from .protocol import Reduced

__all__ = ["BytesOfBuffer", "inherits_pickling", "replace_state"]

_PICKLING = ("__reduce__", "__reduce_ex__", "__setstate__")


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
    """Whether a subclass of `numpy.ndarray` leaves its pickling to NumPy, which then keeps no attributes of it."""
    return all(getattr(cls, name) is getattr(np.ndarray, name) for name in _PICKLING)


def replace_state(reduced: Reduced, array: np.ndarray, put: Callable[[np.ndarray, bool], Any]) -> Reduced:
    """Return what an object reduces to, with the bytes of an array in it out of band; as it is if they are not found.

    Args:
        reduced: what its `__reduce_ex__` returned.
        array: the array, over the memory of the object.
        put: puts an array out of band, in Fortran order if so told, and returns what stands for its bytes.
    """
    if type(reduced) is not tuple:
        return reduced
    at = _find(reduced, array)
    if at is not None:
        data = put(array, bool(reduced[at - 1]))
        return (*reduced[:at], data, *reduced[at + 1 :])
    parts = [replace_state(part, array, put) for part in reduced]
    return tuple(parts) if any(new is not old for new, old in zip(parts, reduced)) else reduced


def _find(state: tuple[Any, ...], array: np.ndarray) -> int | None:
    """Return where in a tuple the bytes of an array are: behind its shape, dtype and order."""
    for at in range(3, len(state)):
        data, (shape, dtype, fortran) = state[at], state[at - 3 : at]
        if type(data) is not bytes or len(data) != array.nbytes or type(fortran) not in (bool, int):
            continue
        if type(shape) is tuple and shape == array.shape and isinstance(dtype, np.dtype) and dtype == array.dtype:
            return at if array.tobytes("F" if fortran else "C") == data else None
    return None
