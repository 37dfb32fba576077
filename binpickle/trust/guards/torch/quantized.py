"""Checks of the call that makes a quantised tensor: integers, and the scales and zero points that they stand with."""

from __future__ import annotations

from math import isfinite
from typing import Any, Callable

from ....errors import FormatError
from ....format.shapes import element_count
from ...budget import Budget
from ...rules.checks import expect, expect_int, shown
from ...tokens import Args, Global
from .parts import QUANTIZED, check_extent, expect_hooks, expect_storage, owned_numbers
from .tensors import check_shape

__all__ = ["ARGUMENTS"]

# What the call takes at least, in units of work, and what the numbers of each channel take.
_CALL, _CHANNELS = 110, 140
_SCALES = ("float32", "float64")
_ZEROS = ("int32", "int64", "float32", "float64")


def _tensor(
    budget: Budget, storage: Any, offset: Any, size: Any, strides: Any, parameters: Any, requires_grad: Any, hooks: Any
) -> tuple[Any, ...]:
    """Check the arguments of `_rebuild_qtensor`."""
    budget.pay(_CALL)
    size, strides = check_shape(offset, size, strides, requires_grad)
    hooks = expect_hooks(hooks)
    parameters = _parameters(budget, parameters, size)
    untyped, name = expect_storage(storage, typed=True)
    if name not in QUANTIZED:
        raise FormatError(f"a quantised tensor of torch has the dtype {shown(name)}")
    if name == "qint32" and len(parameters) == 4 and parameters[2].is_floating_point():  # torch has no code for it
        raise FormatError("a quantised tensor of torch has 32 bits and zero points that are floats")
    room, nbytes = untyped.nbytes(), QUANTIZED[name] * element_count(size)
    if nbytes > room:  # torch makes one of this size before it takes the storage
        raise FormatError(f"a quantised tensor of torch has {nbytes} bytes and a storage of {room}")
    check_extent(budget, offset, size, strides, QUANTIZED[name], room)
    return storage, offset, size, strides, parameters, requires_grad, hooks


def _parameters(budget: Budget, parameters: Any, size: tuple[int, ...]) -> Args:
    """Return the parameters of a quantiser, if they fit a tensor of this size."""
    scheme, *rest = expect(parameters, "the parameters of a quantised tensor of torch", Args)
    name = scheme.name if type(scheme) is Global else ()
    if name == ("torch", "per_tensor_affine") and len(rest) == 2:
        if not isfinite(expect(rest[0], "the scale of a quantised tensor of torch", float)):
            raise FormatError("the scale of a quantised tensor of torch is not finite")
        expect_int(rest[1], "the zero point of a quantised tensor of torch", -(1 << 31), (1 << 31) - 1)
        return parameters  # type: ignore[no-any-return]
    if name != ("torch", "per_channel_affine") or len(rest) != 3:
        raise FormatError("a quantised tensor of torch has neither a scale and zero point, nor some for each channel")
    budget.pay(_CHANNELS)
    axis = expect_int(rest[2], "the axis of the channels of a quantised tensor of torch", 0, len(size) - 1)
    scales, _ = owned_numbers(budget, rest[0], "scales of a quantised tensor of torch", _SCALES, 1)
    zeros, _ = owned_numbers(budget, rest[1], "zero points of a quantised tensor of torch", _ZEROS, 1)
    for numbers in (scales, zeros):
        if len(numbers) != size[axis]:
            raise FormatError(f"a quantised tensor of torch has {len(numbers)} scales for {size[axis]} channels")
    return Args((scheme, scales, zeros, axis))


ARGUMENTS: dict[tuple[str, str], Callable[..., Any]] = {("torch._utils", "_rebuild_qtensor"): _tensor}
"""See `guards.ARGUMENTS`."""
