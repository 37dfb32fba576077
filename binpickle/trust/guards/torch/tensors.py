"""Checks of the calls that make storages, ordinary tensors, tensors without memory, and torch's small objects."""

from __future__ import annotations

from typing import Any, Callable

import numpy as np

from ....errors import FormatError
from ...budget import Budget
from ...rules.checks import expect, expect_int, expect_ints, expect_one_of
from ..parts import ARRAYS
from .parts import check_extent, expect_dtype, expect_hooks, expect_size, expect_storage, memory_of, plain_itemsize

__all__ = ["ARGUMENTS", "TENSORS", "check_shape"]

_MOST = (1 << 63) - 1
_KINDS = "biufc"
# torch believes that an element lies where the machine can load it at once.
_ALIGNMENT = 16
_LAYOUTS = ("strided", "sparse_coo", "sparse_csr", "sparse_csc", "sparse_bsr", "sparse_bsc")
_METADATA = {"conj": ("complex",), "neg": ("complex", "float", "bfloat")}
_DEVICES = ("cpu", "meta")
# What each call takes at least, in units of work.
_TENSOR, _STORAGE, _META, _TYPED, _SMALL = 100, 40, 25, 24, 16


def _storage(budget: Budget, array: Any) -> tuple[Any, ...] | None:
    """Check the argument of `torch_storage`: an array of numbers, which the storage will lie over."""
    budget.pay(_STORAGE)
    expect(array, "the memory of a storage of torch", *ARRAYS)
    if array.dtype.kind not in _KINDS or not array.flags.c_contiguous:
        raise FormatError("the memory of a storage of torch is not a contiguous array of numbers")
    aligned = array.__array_interface__["data"][0] % _ALIGNMENT == 0
    if not (aligned and array.flags.writeable):  # then it is copied, here or there
        budget.pay_bytes(array.nbytes)
    return None if aligned else (np.array(array),)


def _typed_storage(budget: Budget, storage: Any, dtype: Any) -> None:
    """Check the arguments of `torch_typed_storage`."""
    budget.pay(_TYPED)
    expect_dtype(dtype)
    expect_storage(storage, typed=False)


def check_shape(offset: Any, size: Any, strides: Any, requires_grad: Any) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return size and strides of a tensor, if they and what else a call says of it are of the right types.

    Raises:
        FormatError: one is not.
    """
    expect_int(offset, "the offset of a tensor of torch", 0, _MOST)
    expect(requires_grad, "whether a tensor of torch requires a gradient", bool)
    return expect_size(size, "the size of a tensor of torch"), expect_ints(strides, "the strides of a tensor of torch")


def _tensor_v2(
    budget: Budget,
    storage: Any,
    offset: Any,
    size: Any,
    strides: Any,
    requires_grad: Any,
    hooks: Any,
    metadata: Any = None,
) -> tuple[Any, ...]:
    """Check the arguments of `_rebuild_tensor_v2`, whose storage has the dtype."""
    size, strides = check_shape(offset, size, strides, requires_grad)
    hooks = expect_hooks(hooks)
    untyped, name = expect_storage(storage, typed=True)
    _check_tensor(budget, untyped, offset, size, strides, name, metadata)
    return storage, offset, size, strides, requires_grad, hooks, metadata


def _tensor_v3(
    budget: Budget,
    storage: Any,
    offset: Any,
    size: Any,
    strides: Any,
    requires_grad: Any,
    hooks: Any,
    dtype: Any,
    metadata: Any = None,
) -> tuple[Any, ...]:
    """Check the arguments of `_rebuild_tensor_v3`, for newer dtypes and a storage without one."""
    size, strides = check_shape(offset, size, strides, requires_grad)
    hooks = expect_hooks(hooks)
    name = expect_dtype(dtype)
    untyped, _ = expect_storage(storage, typed=False)
    _check_tensor(budget, untyped, offset, size, strides, name, metadata)
    return storage, offset, size, strides, requires_grad, hooks, dtype, metadata


def _check_tensor(
    budget: Budget, untyped: Any, offset: int, size: tuple[int, ...], strides: tuple[int, ...], name: str, metadata: Any
) -> None:
    """Check where an ordinary tensor lies, and what its dtype allows."""
    budget.pay(_TENSOR)
    check_extent(budget, offset, size, strides, plain_itemsize(name), untyped.nbytes())
    for key, value in (expect(metadata, "the metadata of a tensor of torch", dict, type(None)) or {}).items():
        kinds = _METADATA[expect_one_of(key, "a key in the metadata of a tensor of torch", *_METADATA)]
        if expect(value, f"the metadata {key} of a tensor of torch", bool) and not name.startswith(kinds):
            raise FormatError(f"a tensor of torch of the dtype {name} has the metadata {key}")
    if name == "bool" and all(size):  # compiled code counts with them
        bools = np.ndarray(size, np.uint8, memory_of(untyped), offset, strides)
        budget.pay_look(bools.size)
        if bools.max() > 1:
            raise FormatError("a tensor of torch of the dtype bool has other bytes than 0 and 1")


def _meta(budget: Budget, dtype: Any, size: Any, strides: Any, requires_grad: Any) -> None:
    """Check the arguments of what makes a tensor that has no memory."""
    budget.pay(_META)
    size, strides = check_shape(0, size, strides, requires_grad)
    check_extent(budget, 0, size, strides, plain_itemsize(expect_dtype(dtype)), None)


def _size(budget: Budget, numbers: Any = ()) -> None:
    """Check the argument of `torch.Size`."""
    budget.pay(_SMALL)
    expect_size(numbers, "torch.Size")


def _device(budget: Budget, kind: Any, index: Any = 0) -> None:
    """Check the arguments of `torch.device`: other devices than these two have code of their own to start."""
    budget.pay(_SMALL)
    expect_one_of(kind, "the kind of a device of torch", *_DEVICES)
    expect_int(index, "the number of a device of torch", 0, 127)


def _layout(budget: Budget, name: Any) -> None:
    """Check the argument of `_get_layout`."""
    budget.pay(_SMALL)
    expect_one_of(name, "a layout of torch", *(f"torch.{layout}" for layout in _LAYOUTS))


TENSORS: dict[tuple[str, str], Callable[..., Any]] = {
    ("binpickle.rebuild", "torch_tensor_v3"): _tensor_v3,
    ("torch._utils", "_rebuild_tensor_v2"): _tensor_v2,
    ("torch._utils", "_rebuild_meta_tensor_no_storage"): _meta,
}
"""Those of the calls that make a tensor."""

ARGUMENTS: dict[tuple[str, str], Callable[..., Any]] = {
    **TENSORS,
    ("binpickle.rebuild", "torch_storage"): _storage,
    ("binpickle.rebuild", "torch_typed_storage"): _typed_storage,
    ("torch", "Size"): _size,
    ("torch", "device"): _device,
    ("torch.serialization", "_get_layout"): _layout,
}
"""See `guards.ARGUMENTS`."""
