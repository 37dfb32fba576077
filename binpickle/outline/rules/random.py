"""The forms of NumPy's random generators, and of scikit-learn's trees of neighbours: arrays in states that are tuples.

Rule: the parts have the names that the attributes of the loaded object have, where it has them.
"""

from __future__ import annotations

from typing import Any

from ...errors import FormatError
from ...pickling.renames import Name
from ..form import Context, Form, Rule
from ..held import state_of
from ..instances import attributes
from ..items import Made
from ..short import name_of

__all__ = ["RULES"]

_PICKLE = "numpy.random._pickle"
_NEIGHBORS = ("data", "idx_array", "node_data", "node_bounds")


def _state(made: Made) -> Any:
    state = state_of(made)
    if state is None:
        raise FormatError("it has no state")
    return state


def _generator(context: Context, made: Made) -> Form:
    """Return the form of a generator: its bit generator, and what older generators have besides."""
    texts, children = attributes(context, made)
    new = made.function.name[1] == "__generator_ctor"
    name, part = ("Generator", "bit_generator") if new else ("RandomState", "_bit_generator")
    if type(made.arguments[0]) is Made:
        texts, children = [*texts, part], [*children, made.arguments[0]]
    return Form(f"numpy.random:{name}", texts, children)


def _bit_generator(context: Context, made: Made) -> Form:
    cls = made.arguments[0]
    state = _state(made)
    name = f"numpy.random:{cls}" if type(cls) is str else name_of(cls)
    if type(state) is dict:
        return Form(name, ["state"], [state])
    inner, seeds = state
    return Form(name, ["state", "seed_seq"], [inner, seeds])


def _neighbors(context: Context, made: Made) -> Form:
    state = _state(made)
    if type(state) is not tuple or len(state) < len(_NEIGHBORS):
        raise FormatError("a tree of neighbours has no state")
    context.budget.pay(len(state))
    names = [*_NEIGHBORS, *(f"state {i}" for i in range(len(_NEIGHBORS), len(state)))]
    return Form(name_of(made.arguments[0]), names, state)


RULES: dict[Name, Rule] = {
    (_PICKLE, "__generator_ctor"): _generator,
    (_PICKLE, "__randomstate_ctor"): _generator,
    (_PICKLE, "__bit_generator_ctor"): _bit_generator,
    ("sklearn.neighbors._kd_tree", "newObj"): _neighbors,
    ("sklearn.neighbors._ball_tree", "newObj"): _neighbors,
}
"""The rules of these, by canonical name."""
