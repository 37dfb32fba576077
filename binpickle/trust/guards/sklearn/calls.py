"""Checks of the arguments with which a stream calls what is in the set of scikit-learn.

Rule: a stream calls only what makes an empty tree, a metric or a loss; the classes among the arguments are of the same
module, and everything else is a number of a range, or an array of exactly the right kind.
"""

from __future__ import annotations

from typing import Any, Callable

import numpy as np

from ....errors import FormatError
from ...budget import Budget
from ...sets import uses
from ...tokens import Global
from ..guard import Guard, accept
from ..parts import FLOATS, expect_array, expect_number, expect_range

__all__ = ["ARGUMENTS", "STATES"]

_MOST = 1 << 31
_EXACT = 1 << 53  # the largest integers that a double holds
_WITH_NUMBER = frozenset(
    {"CyPinballLoss", "CyHuberLoss", "CyHalfTweedieLoss", "CyHalfTweedieLossIdentity"}
    | {"Hinge", "SquaredHinge", "EpsilonInsensitive", "SquaredEpsilonInsensitive", "Huber"}
)
_LOSSES = "sklearn._loss._loss"
_SGD = "sklearn.linear_model._sgd_fast"


def _tree(budget: Budget, *arguments: Any) -> None:
    """Check `Tree(n_features, n_classes, n_outputs)`."""
    n_features, n_classes, n_outputs = _exactly(3, "Tree", arguments)
    what = "an argument of Tree"
    expect_number(FormatError, what, n_features, 0, _MOST)
    expect_number(FormatError, what, n_outputs, 1, _MOST)
    expect_array(FormatError, "n_classes of Tree", n_classes, (np.dtype(np.intp),), (int(n_outputs),))
    expect_range(budget, FormatError, "n_classes of Tree", n_classes, 1, _MOST)
    if not n_classes.flags.c_contiguous:
        raise FormatError("n_classes of Tree is not contiguous")


def _empty(module: str) -> Callable[..., None]:
    """Return the check of a module's function `newObj(cls)`."""

    def check(budget: Budget, *arguments: Any) -> None:
        (cls,) = _exactly(1, "newObj", arguments)
        _class_of(module, cls)

    return check


def _loss(name: str) -> Callable[..., None]:
    """Return the check of a loss: it takes one number, or nothing."""

    def check(budget: Budget, *arguments: Any) -> None:
        if len(arguments) > 1:
            raise FormatError(f"{name} is called with {len(arguments)} arguments")
        _numbers(name, arguments)

    return check


def _unpickled(module: str, name: str) -> Callable[..., None]:
    """Return the check of Cython's `__pyx_unpickle_X(cls, checksum, state)`."""

    def check(budget: Budget, *arguments: Any) -> None:
        cls, checksum, state = _exactly(3, name, arguments)
        made = _class_of(module, cls)
        expect_number(FormatError, f"the checksum of {name}", checksum, -_MOST, 2 * _MOST)
        if state is not None:
            _loss_state(made, state)

    return check


def _before(budget: Budget, instance: Any, state: Any) -> None:
    """Check the state of a loss before it gets it."""
    _loss_state(type(instance).__name__, state)


def _loss_state(name: str, state: Any) -> None:
    if type(state) is not tuple or len(state) != (name in _WITH_NUMBER):
        raise FormatError(f"the state of {name} is not a tuple of {int(name in _WITH_NUMBER)} numbers")
    _numbers(name, state)


def _exactly(count: int, name: str, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    if len(arguments) != count:
        raise FormatError(f"{name} is called with {len(arguments)} arguments, not {count}")
    return arguments


def _class_of(module: str, cls: Any) -> str:
    """Return the name of a class of this module that a stream may instantiate."""
    if type(cls) is not Global or cls.name[0] != module or not uses().get(cls.name, frozenset()) & _MAKES:
        raise FormatError(f"{cls!s:.80} stands where a class of {module} should that files make instances of")
    return cls.name[1]


_MAKES = {"instantiated", "called"}


def _numbers(name: str, values: tuple[Any, ...]) -> None:
    for value in values:
        if type(value) is not float:
            expect_number(FormatError, f"the number of {name}", value, -_EXACT, _EXACT)


def _triplet(budget: Budget, *arguments: Any) -> None:
    """Check the three items of a named tuple of the iterative imputer."""
    _exactly(3, "_ImputerTriplet", arguments)


def _boundary(budget: Budget, *arguments: Any) -> None:
    """Check `DistributionBoundary(value, inclusive)`, of scikit-learn before 1.1."""
    value, inclusive = _exactly(2, "DistributionBoundary", arguments)
    _numbers("DistributionBoundary", (value,))
    if type(inclusive) is not bool:
        raise FormatError("DistributionBoundary is called with a flag that is none")


def _hyperparameter(budget: Budget, *arguments: Any) -> None:
    """Check `Hyperparameter(name, value_type, bounds, n_elements, fixed)`, which repeats bounds for each element."""
    name, value_type, bounds, n_elements, fixed = _exactly(5, "Hyperparameter", arguments)
    if type(name) is not str or type(value_type) is not str or type(fixed) is not bool:
        raise FormatError("Hyperparameter is called with a name, a type or a flag that is none")
    elements = expect_number(FormatError, "n_elements of Hyperparameter", n_elements, 1, 1 << 16)
    if type(bounds) is not str:
        expect_array(FormatError, "bounds of Hyperparameter", bounds, FLOATS, (None, 2))
        budget.pay(elements)


def _arguments() -> dict[tuple[str, str], Callable[..., None]]:
    found: dict[tuple[str, str], Callable[..., None]] = {}
    for (module, name), allowed in uses().items():
        if "called" not in allowed or not module.startswith("sklearn."):
            continue
        if name == "Tree":
            found[module, name] = _tree
        elif name == "newObj":
            found[module, name] = _empty(module)
        elif name.startswith("__pyx_unpickle_"):
            found[module, name] = _unpickled(module, name)
        elif module in (_LOSSES, _SGD):
            found[module, name] = _loss(name)
    return found


ARGUMENTS = {
    **_arguments(),
    ("sklearn._loss.glm_distribution", "DistributionBoundary"): _boundary,
    ("sklearn.impute._iterative", "_ImputerTriplet"): _triplet,
    ("sklearn.gaussian_process.kernels", "Hyperparameter"): _hyperparameter,
}
"""See `guards.ARGUMENTS`."""

_LOSS = Guard(accept, needs_state=False, before=_before)

STATES: dict[tuple[str, str], Guard] = {(_LOSSES, "CyLossFunction"): _LOSS, (_SGD, "LossFunction"): _LOSS}
"""See `guards.STATES`."""
