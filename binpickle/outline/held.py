"""What a stream gives an object by name: the attributes in its state, and the entries of a dict with strings as keys.

Rule: the same dict may be given to many objects, so whoever looks at it pays for each of its entries, each time. Only
strings become keys of a dict here: integers could be chosen so that their hashes collide.
"""

from __future__ import annotations

from typing import Any, Sequence

from .form import Context
from .items import Made, pairs_of

__all__ = ["attribute_pairs", "attributes_of", "named", "state_of"]


def state_of(made: Any) -> Any:
    """Return the state of an object; `None` if it has none, or is no object that a call makes."""
    return made.more.state if type(made) is Made and made.more is not None else None


def named(context: Context, item: Any) -> dict[str, Any]:
    """Return the entries of a dict of the stream that have strings as keys; an empty dict for any other item."""
    return _by_name(context, pairs_of(item)) if type(item) is dict else {}


def attribute_pairs(context: Context, made: Made) -> Sequence[Any] | None:
    """Return the names and values of the attributes in a state, by turns; `None` if the state is none of attributes."""
    state = state_of(made)
    if state is None:
        return ()
    if type(state) is dict:
        found = pairs_of(state)
    elif type(state) is tuple and len(state) == 2 and type(state[1]) is dict and type(state[0]) in (dict, type(None)):
        found = [*(() if state[0] is None else pairs_of(state[0])), *pairs_of(state[1])]  # the second are of slots
    else:
        return None
    context.budget.pay(len(found))
    return found


def attributes_of(context: Context, made: Made) -> dict[str, Any]:
    """Return the attributes in the state of an object by their names; an empty dict if there are none."""
    return _by_name(context, attribute_pairs(context, made) or ())


def _by_name(context: Context, pairs: Sequence[Any]) -> dict[str, Any]:
    context.budget.pay(len(pairs))
    return {key: value for key, value in zip(pairs[::2], pairs[1::2]) if type(key) is str}
