"""How the storages of torch go out of band: each once, as an array of what the first tensor over it has.

Rule: nothing here imports torch, and what torch says of a tensor in passing never makes a dump fail: a tensor that does
not answer is left to its own pickling, and its storage, if it has one, goes out as bytes.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Callable

import numpy as np

from .. import rebuild
from ..format.shapes import element_count
from .protocol import Reduced, module_of

__all__ = ["Storages"]

_NUMBERS = frozenset(
    ["bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]
    + ["float16", "float32", "float64", "complex64", "complex128"]
)
# Those that NumPy has not are integers of the same size for codecs.
_OTHERS = {"qint8": "i1", "qint32": "i4"}
_BYTES = np.dtype(np.uint8)


class Storages:
    """The storages of one run of a pickler.

    Each tensor makes new Python objects for its storage. One object for each memory shows pickle which share it.
    """

    def __init__(self) -> None:
        self._untyped: dict[tuple[int, int], Any] = {}
        self._seen: dict[tuple[int, int], tuple[np.dtype, tuple[int, ...]]] = {}

    def reducer_for(self, cls: type) -> Callable[[Any], Reduced] | None:
        """Return the function that reduces the instances of exactly `cls`; `None` if that is no class of torch."""
        names = {(module_of(base), base.__name__) for base in cls.__mro__}
        if ("torch", "Tensor") in names:
            return self._note
        if ("torch.storage", "UntypedStorage") in names:
            return self._reduce
        return self._reduce_typed if ("torch.storage", "TypedStorage") in names else None

    def _note(self, tensor: Any) -> Reduced:
        """Note what the storage of a tensor holds; leave the tensor to torch's own pickling."""
        with suppress(Exception):  # torch has tensors without a storage, and releases that call these otherwise
            untyped = tensor.untyped_storage()
            dtype, shape = _dtype_of(tensor), tuple(tensor.shape)
            fills = tensor.is_contiguous() and element_count(shape) * dtype.itemsize == untyped.nbytes()
            if untyped.device.type == "cpu" and untyped.nbytes() % dtype.itemsize == 0:
                key = self._key(untyped)
                self._seen.setdefault(key, (dtype, shape if fills else (untyped.nbytes() // dtype.itemsize,)))
        return NotImplemented

    def _reduce(self, storage: Any) -> Reduced:
        if storage.device.type != "cpu":
            return NotImplemented
        dtype, shape = self._seen.get(self._key(storage), (_BYTES, (-1,)))
        return rebuild.torch_storage, (rebuild.torch_bytes(storage).view(dtype).reshape(shape),)

    def _reduce_typed(self, storage: Any) -> Reduced:
        untyped = storage._untyped_storage  # the public method warns; torch.save uses this attribute, too
        if untyped.device.type != "cpu":
            return NotImplemented
        return rebuild.torch_typed_storage, (self._untyped[self._key(untyped)], storage.dtype)

    def _key(self, untyped: Any) -> tuple[int, int]:
        """Return what tells a storage from others. The storage is kept, so that no other one comes to its place."""
        key = untyped.data_ptr() or -id(untyped), untyped.nbytes()  # those without bytes are at no address
        self._untyped.setdefault(key, untyped)
        return key


def _dtype_of(tensor: Any) -> np.dtype:
    """Return the dtype of NumPy for the elements of a tensor, or that of unsigned integers of their size."""
    name = str(tensor.dtype).rpartition(".")[2]
    return np.dtype(name if name in _NUMBERS else _OTHERS.get(name, f"u{tensor.element_size()}"))
