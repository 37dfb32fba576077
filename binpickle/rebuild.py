"""The functions of BinPickle that pickle streams name: frozen, since files of today must load for ever.

Rule: a function stands here only if no public function of NumPy or of the object's own library can rebuild the object.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np

__all__ = ["torch_bytes", "torch_storage", "torch_typed_storage"]


def torch_bytes(storage: Any) -> np.ndarray:
    """Return the memory of a torch CPU storage as a uint8 array, without a copy."""
    torch = import_module("torch")
    array: np.ndarray = torch.tensor([], dtype=torch.uint8).set_(storage).numpy()
    return array


def torch_storage(data: np.ndarray) -> Any:
    """Return a torch CPU storage over the memory of an array, or over a copy of it if the array is read-only.

    torch has no read-only tensors, and writing to a read-only mapping would end the process.

    Args:
        data: uint8, 1-d.
    """
    torch = import_module("torch")
    return torch.from_numpy(data if data.flags.writeable else data.copy()).untyped_storage()


def torch_typed_storage(storage: Any, dtype: Any) -> Any:
    """Return a storage in the form in which the pickles of torch's tensors refer to it."""
    torch = import_module("torch")
    return torch.storage.TypedStorage(wrap_storage=storage, dtype=dtype, _internal=True)
