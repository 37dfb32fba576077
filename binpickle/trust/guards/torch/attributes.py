"""Checks of what is put around a tensor: parameters, attributes of Python, and the metadata of a state dict.

Rule: a file sets only attributes that torch knows nothing of, so that no setter of torch runs, and no method is hidden.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, Callable

from ....errors import FormatError
from ...budget import Budget
from ...memory import refuse_memory
from ...rules.checks import expect, shown
from ...tokens import Args, Global
from ..parts import is_kind
from . import nested, quantized, sparse, tensors
from .parts import expect_hooks

__all__ = ["ARGUMENTS", "expect_metadata"]

_TENSORS = {
    **tensors.TENSORS,
    **quantized.ARGUMENTS,
    **sparse.ARGUMENTS,
    **nested.ARGUMENTS,
}
_MOST_ATTRIBUTES = 1000
# What it takes at least to make a parameter, and to give a tensor attributes, in units of work.
_PARAMETER, _STATE = 45, 150


def _parameter(budget: Budget, data: Any, requires_grad: Any, hooks: Any) -> tuple[Any, ...]:
    """Check the arguments of `_rebuild_parameter`."""
    budget.pay(_PARAMETER)
    if not is_kind(data, "torch", "Tensor"):
        raise FormatError(f"the data of a parameter of torch is {shown(data)}")
    expect(requires_grad, "whether a parameter of torch requires a gradient", bool)
    return data, requires_grad, expect_hooks(hooks)


def _parameter_with_state(budget: Budget, data: Any, requires_grad: Any, hooks: Any, state: Any) -> tuple[Any, ...]:
    """Check the arguments of `_rebuild_parameter_with_state`."""
    arguments = _parameter(budget, data, requires_grad, hooks)
    _check_state(budget, type(data), state)
    return (*arguments, state)


def _with_attributes(budget: Budget, function: Any, cls: Any, arguments: Any, state: Any) -> tuple[Any, ...]:
    """Check the arguments of `_rebuild_from_type_v2`: a call that makes a tensor, and what becomes of the tensor."""
    if type(function) is not Global or function.name not in _TENSORS or function.load is None:
        raise FormatError(f"a tensor of torch is made by {shown(function)}")
    if type(cls) is not Global or cls.load is None:
        raise FormatError(f"the class of a tensor of torch is {shown(cls)}")
    if cls.allowed is not None and cls.name != ("torch", "Tensor"):
        raise FormatError(f"the class of a tensor of torch is {cls}")
    expect(arguments, f"the arguments of {function}", tuple, Args)
    instead = _TENSORS[function.name](budget, *arguments)
    _check_state(budget, cls.load(), state)
    return function, cls, Args(arguments if instead is None else instead), state


def _check_state(budget: Budget, cls: Any, state: Any) -> None:
    """Check the attributes of a tensor, and those of slots, if its class has these.

    Raises:
        FormatError: torch has an attribute of this name itself.
    """
    budget.pay(_STATE)
    parts = state if type(state) is tuple and len(state) == 2 else (state,)
    known = [vars(base) for base in cls.__mro__ if base.__module__.partition(".")[0] in ("torch", "builtins")]
    for part in parts:
        names = expect(part, "the attributes of a tensor of torch", dict, type(None)) or {}
        if len(names) > _MOST_ATTRIBUTES:
            raise FormatError(f"a tensor of torch has more than {_MOST_ATTRIBUTES} attributes")
        refuse_memory(names)
        for name in names:
            expect(name, "the name of an attribute", str)
            budget.pay(1 + (len(name) >> 8))
            if any(name in base for base in known) or (name.startswith("__") and name.endswith("__")):
                raise FormatError(f"a tensor of torch is given the attribute {shown(name)}, which torch has itself")


def expect_metadata(budget: Budget, instance: Any, state: Any) -> None:
    """Check the state of an ordered dict: the dict of a module of torch tells there which versions wrote its parts.

    Raises:
        FormatError: it has another attribute.
    """
    if type(instance) is not OrderedDict:
        return  # a class that the caller named has its own attributes
    if type(state) is not dict or list(state) != ["_metadata"]:
        raise FormatError("an OrderedDict is given other attributes than _metadata")
    expect(state["_metadata"], "the metadata of a state dict of torch", dict, OrderedDict)


ARGUMENTS: dict[tuple[str, str], Callable[..., Any]] = {
    ("torch._utils", "_rebuild_parameter"): _parameter,
    ("torch._utils", "_rebuild_parameter_with_state"): _parameter_with_state,
    ("torch._tensor", "_rebuild_from_type_v2"): _with_attributes,
}
"""See `guards.ARGUMENTS`."""
