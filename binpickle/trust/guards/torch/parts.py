"""What the guards of torch's calls have in common: dtypes, sizes, storages, and the numbers that a tensor holds.

Rule: what has the attributes of a tensor or of a storage and is none is refused. What a tensor says of itself is true,
because a call that was checked has made it.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import numpy as np

from ....errors import FormatError
from ....rebuild import torch_bytes
from ...budget import Budget
from ...rules.checks import expect, expect_ints, shown
from ...tokens import Global
from ..parts import lineage

__all__ = [
    "QUANTIZED",
    "check_extent",
    "expect_dtype",
    "expect_hooks",
    "expect_plain",
    "expect_size",
    "expect_storage",
    "is_a",
    "memory_of",
    "owned_numbers",
    "plain_itemsize",
]

_MOST = (1 << 63) - 1

_SIZES = {
    **dict.fromkeys(["bool", "uint8", "int8", "bits8", "bits1x8", "bits2x4", "bits4x2", "float4_e2m1fn_x2"], 1),
    **dict.fromkeys([f"{sign}int{bits}" for sign in ("", "u") for bits in range(1, 8)], 1),
    **dict.fromkeys([f"float8_{kind}" for kind in ("e4m3fn", "e4m3fnuz", "e5m2", "e5m2fnuz", "e8m0fnu")], 1),
    **dict.fromkeys(["int16", "uint16", "float16", "bfloat16", "bits16"], 2),
    **dict.fromkeys(["int32", "uint32", "float32", "complex32"], 4),
    **dict.fromkeys(["int64", "uint64", "float64", "complex64"], 8),
    "complex128": 16,
}
"""The size of an element, by the name of its dtype. Two dtypes are not here nor in `QUANTIZED`, because torch itself
miscounts them: `quint4x2` and `quint2x4` have several elements in a byte."""

QUANTIZED = {"qint8": 1, "quint8": 1, "qint32": 4}
"""The same for the dtypes that only quantised tensors have."""


def is_a(value: Any, module: str, name: str) -> bool:
    """Whether the class of an object is exactly this one of torch."""
    cls: Any = type(value)
    return lineage(cls)[0] == (module, name)


def expect_dtype(value: Any) -> str:
    """Return the name of a dtype that a stream names.

    Raises:
        FormatError: it is no dtype, or not one that tensors of the set can have.
    """
    if type(value) is not Global or value.name[0] != "torch":
        raise FormatError(f"the dtype of a tensor of torch is {shown(value)}")
    name = value.name[1]
    if name not in _SIZES and name not in QUANTIZED:
        raise FormatError(f"the dtype of a tensor of torch is {shown(name)}, which restricted loading does not know")
    return name


def plain_itemsize(name: str) -> int:
    """Return the size of an element in bytes, for a dtype that ordinary tensors can have.

    Raises:
        FormatError: they cannot.
    """
    if name not in _SIZES:
        raise FormatError(f"a tensor of torch that is not quantised has the dtype {shown(name)}")
    return _SIZES[name]


def expect_size(value: Any, what: str) -> tuple[int, ...]:
    """Return a size as a tuple of integers.

    Raises:
        FormatError: it is neither a tuple of these nor a `torch.Size`, or has more than 64 numbers.
    """
    return expect_ints(tuple(value) if is_a(value, "torch", "Size") else value, what)


def expect_hooks(value: Any) -> OrderedDict[Any, Any]:
    """Return new hooks of a tensor for those of a stream, which could still put something into its own.

    Raises:
        FormatError: there are hooks.
    """
    if len(expect(value, "the hooks of a tensor of torch", OrderedDict)):
        raise FormatError("a tensor of torch has hooks, which would run when it is used")
    return OrderedDict()


def expect_storage(value: Any, typed: bool) -> tuple[Any, str]:
    """Return the storage that a call is given, as an untyped one, and the name of its dtype, empty if it has none.

    Raises:
        FormatError: it is no storage, or not of this kind.
    """
    if typed and is_a(value, "torch.storage", "TypedStorage"):
        return value._untyped_storage, str(value.dtype).rpartition(".")[2]
    if not typed and is_a(value, "torch.storage", "UntypedStorage"):
        return value, ""
    raise FormatError(f"the storage of a tensor of torch is {shown(value)}")


def memory_of(untyped: Any) -> np.ndarray:
    """Return the bytes of a storage."""
    return torch_bytes(untyped)


def check_extent(
    budget: Budget, offset: int, size: tuple[int, ...], strides: tuple[int, ...], itemsize: int, room: int | None
) -> None:
    """Check that all elements of a tensor lie inside of its storage, and that torch can count them in 64 bits.

    Args:
        budget: pays for elements that no byte of the storage stands for, which take time and memory to use.
        offset: where the first element lies, in elements.
        size: how many elements there are along each dimension.
        strides: how far they are apart, in elements.
        itemsize: bytes of an element.
        room: bytes of the storage; `None` for a tensor without memory.

    Raises:
        FormatError: one does not, or torch could not.
    """
    if len(size) != len(strides):
        raise FormatError(f"a tensor of torch has {len(size)} dimensions and {len(strides)} strides")
    seen = itemsize
    for length in size:
        seen *= max(length, 1)  # a sum along a dimension without elements has all the others
    spread = (offset + sum(max(length, 1) * stride for length, stride in zip(size, strides)) + 1) * itemsize
    if max(seen, spread) > _MOST:
        raise FormatError("a tensor of torch has more elements than can be counted")
    if room is None:
        return
    last = sum((length - 1) * stride for length, stride in zip(size, strides)) + 1 if all(size) else 0
    if (offset + last) * itemsize > room:
        raise FormatError(
            f"a tensor of torch reaches to byte {(offset + last) * itemsize} of a storage of {room} bytes"
        )
    budget.pay_look(max(seen - room, 0))


def expect_plain(value: Any, what: str) -> Any:
    """Return a tensor, if it is an ordinary one in memory: neither of a subclass nor sparse, quantised or nested.

    Raises:
        FormatError: it is something else.
    """
    if not is_a(value, "torch", "Tensor"):
        raise FormatError(f"{what} is {shown(value)}")
    if str(value.layout) != "torch.strided" or value.device.type != "cpu" or value.is_quantized or value.is_nested:
        raise FormatError(f"{what} is not an ordinary tensor on the CPU")
    return value


def owned_numbers(
    budget: Budget, value: Any, what: str, dtypes: tuple[str, ...], ndim: int | None = None
) -> tuple[Any, np.ndarray]:
    """Return a copy of a tensor that nothing else can write to, and its numbers.

    Args:
        budget: pays for the copy and for looking at each number.
        value: what should be a tensor of integers.
        what: its name, for the message.
        dtypes: the names of the dtypes that it may have.
        ndim: how many dimensions it has; `None` for any.

    Raises:
        FormatError: it is something else.
    """
    name = str(expect_plain(value, what).dtype).rpartition(".")[2]
    if name not in dtypes:
        raise FormatError(f"{what} has the dtype {shown(name)}")
    if ndim is not None and value.dim() != ndim:
        raise FormatError(f"{what} has {value.dim()} dimensions, not {ndim}")
    budget.pay(1 + value.numel())
    owned = value.detach().clone()
    return owned, owned.numpy()
