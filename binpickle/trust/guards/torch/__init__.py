"""Guards for the curated set of torch: tensors on the CPU of every kind but the ragged ones, and what holds them.

Rule: torch computes addresses from what a call tells it, and most of its functions check nothing. So the calls that
make tensors get only arguments that were checked here: everything that a tensor reaches lies inside of its storage.
Indices are copied before they are checked, since tensors of one file may share memory.
"""

from __future__ import annotations

from typing import Any, Callable

from ..guard import Guard, accept, refuse_state
from . import attributes, nested, quantized, sparse, tensors

__all__ = ["ARGUMENTS", "STATES"]

ARGUMENTS: dict[tuple[str, str], Callable[..., Any]] = {
    **tensors.ARGUMENTS,
    **quantized.ARGUMENTS,
    **sparse.ARGUMENTS,
    **nested.ARGUMENTS,
    **attributes.ARGUMENTS,
}
"""See `guards.ARGUMENTS`."""

STATES: dict[tuple[str, str], Guard] = {
    **{
        name: Guard(accept, needs_state=False, before=refuse_state)
        for name in [
            ("torch", "Tensor"),
            ("torch", "Size"),
            ("torch", "device"),
            ("torch.storage", "UntypedStorage"),
            ("torch.storage", "TypedStorage"),
        ]
    },
    ("collections", "OrderedDict"): Guard(accept, needs_state=False, before=attributes.expect_metadata),
}
"""See `guards.STATES`."""
