"""Objects with forged states, and streams of them, for the tests of guards.

Rule: a forged state never meets the class before the strict machine loads it: the pickler writes it as it is.
"""

from __future__ import annotations

import io
from typing import Any, Callable

from internals import pickle

from binpickle import trust

__all__ = ["Forged", "load", "refused", "with_state"]


class Forged:
    """Stands for an object in a pickle: the object is rebuilt from something else than it was.

    Args:
        function: what a stream calls to make it.
        arguments: the arguments.
        state: what BUILD gives it; nothing, if `None`.
    """

    def __init__(self, function: Any, arguments: tuple[Any, ...], state: Any = None):
        self._reduced = (function, arguments) if state is None else (function, arguments, state)

    @property
    def __class__(self) -> Any:
        """The class that picklers compare with the first argument of NEWOBJ."""
        arguments = self._reduced[1]
        return arguments[0] if arguments and isinstance(arguments[0], type) else Forged

    def __reduce_ex__(self, protocol: int) -> Any:
        return self._reduced


def with_state(obj: Any, change: Callable[[Any], Any]) -> Forged:
    """Return what is rebuilt as an object is, but with a changed state.

    Args:
        obj: the object.
        change: changes a copy of the state, or returns another one.
    """
    function, arguments, state = obj.__reduce_ex__(2)[:3]
    state = dict(state) if isinstance(state, dict) else list(state)
    changed = change(state)
    if changed is None:
        changed = tuple(state) if isinstance(state, list) else state
    return Forged(function, arguments, changed)


def load(obj: Any, trusted: Any = None) -> Any:
    """Pickle an object and load it restricted, under the set of scikit-learn and SciPy."""
    return trust.load(io.BytesIO(pickle.dumps(obj, 5)).read, (), 0, trust.sklearn() if trusted is None else trusted)


def refused(obj: Any) -> str:
    """Return why restricted loading refuses an object."""
    try:
        load(obj)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "it was loaded"
