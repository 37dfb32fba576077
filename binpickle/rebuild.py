"""The functions of BinPickle that pickle streams name: frozen, since files of today must load for ever.

Rule: a function stands here only if no public function of NumPy or of the object's own library can rebuild the object.
"""

from __future__ import annotations

import warnings
from importlib import import_module
from typing import Any

import numpy as np

__all__ = [
    "array_of_class",
    "torch_bytes",
    "torch_on_device",
    "torch_sparse_tensor",
    "torch_storage",
    "torch_tensor_v3",
    "torch_typed_storage",
]


def array_of_class(cls: Any, *arguments: Any) -> Any:
    """Return an array of a subclass of `numpy.ndarray`, over the memory of a buffer.

    Args:
        cls: the class. Its `__new__` is not called, and it finishes new arrays as `numpy.ndarray` does.
        *arguments: those of `numpy.ndarray`.
    """
    return np.ndarray.__new__(cls, *arguments)


def torch_bytes(storage: Any) -> np.ndarray:
    """Return the memory of a torch CPU storage as a uint8 array, without a copy."""
    torch = import_module("torch")
    array: np.ndarray = torch.tensor([], dtype=torch.uint8, device="cpu").set_(storage).numpy()
    return array


def torch_on_device(data: bytes) -> Any:
    """Return a storage of another device than the CPU: what `torch.storage._load_from_bytes` does.

    That function advises to use arguments of `torch.load`, which nobody called.

    Args:
        data: what `torch.save` wrote.

    Raises:
        RuntimeError: this machine lacks the device, or torch cannot use it.
    """
    try:
        return import_module("torch.storage")._load_from_bytes(data)
    except RuntimeError as error:
        advice = "load the file on a machine that has the device, or dump tensor.cpu()"
        raise RuntimeError(f"a tensor of torch cannot be put on its device: {advice}") from error


def torch_sparse_tensor(layout: Any, data: Any) -> Any:
    """Return a sparse tensor: what `torch._utils._rebuild_sparse_tensor` does.

    That function also keeps each tensor until the next call of `torch.load`, which would check it.

    Args:
        layout: a layout of torch.
        data: indices, values and size, in the order of the layout.
    """
    utils = import_module("torch._utils")
    made = utils._rebuild_sparse_tensor(layout, data)
    waiting = getattr(utils, "_sparse_tensors_to_validate", [])
    waiting[:] = [tensor for tensor in waiting if tensor is not made]
    return made


def torch_storage(data: np.ndarray) -> Any:
    """Return a torch CPU storage over the memory of an array, or over a copy of it if the array is read-only.

    torch has no read-only tensors, and writing to a read-only mapping would end the process.

    Args:
        data: C-contiguous, of any dtype and shape; files of before 1.0 have uint8, 1-d.

    Warns:
        UserWarning: the array is read-only, as those of `load(mmap_mode="r")` are.
    """
    torch = import_module("torch")
    flat = data.reshape(-1).view(np.uint8)
    if not flat.flags.writeable:
        text = 'torch has no read-only tensors, so they are copied; mmap_mode="c" maps them, if they come from a file'
        warnings.warn(text, stacklevel=2)
        flat = flat.copy()
    return torch.from_numpy(flat).untyped_storage()


def torch_tensor_v3(storage: Any, *arguments: Any) -> Any:
    """Return a tensor of one of torch's newer dtypes: what `torch._utils._rebuild_tensor_v3` does.

    That function takes a storage in the form that `torch.load` gives it, and not the one that torch pickles.

    Args:
        storage: in either form.
        *arguments: those of the function.
    """
    torch = import_module("torch")
    if not hasattr(storage, "_untyped_storage"):
        storage = torch_typed_storage(storage, torch.uint8)
    return import_module("torch._utils")._rebuild_tensor_v3(storage, *arguments)


def torch_typed_storage(storage: Any, dtype: Any) -> Any:
    """Return a storage in the form in which the pickles of torch's tensors refer to it."""
    torch = import_module("torch")
    return torch.storage.TypedStorage(wrap_storage=storage, dtype=dtype, _internal=True)
