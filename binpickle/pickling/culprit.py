"""Where in an object the part is that cannot be pickled.

Strategy: the C pickler does not say. So after its error Python's own pickler runs over the object once more, with the
same reducers, and remembers what it is in. It writes nothing, and gives up after two seconds: it is some thirty times
slower, and the error has waited for it.
"""

from __future__ import annotations

import time
from typing import Any, Callable, Mapping

from .protocol import pickle

__all__ = ["name_culprit"]

_SECONDS = 2.0
_MOST_PARTS = 20
_MOST_SHOWN = 60
_ERRORS = (TypeError, AttributeError, pickle.PicklingError)


class _TooLongError(Exception):
    """The search was given up."""


class _Nothing:
    """Takes a stream, and keeps none of it."""

    def write(self, data: Any) -> int:
        return len(data)


class _Tracer(pickle._Pickler):
    """Python's pickler, which remembers the objects that it is in.

    Attributes:
        within: the object that it pickles now, after all that hold it.
    """

    def __init__(self, reduce: Callable[[Any], Any]):
        super().__init__(_Nothing(), protocol=5, buffer_callback=lambda buffer: None)
        self.within: list[Any] = []
        self._reduce = reduce
        self._end = time.monotonic() + _SECONDS

    def reducer_override(self, obj: Any) -> Any:
        return self._reduce(obj)

    def save(self, obj: Any, save_persistent_id: bool = True) -> None:
        if time.monotonic() > self._end:
            raise _TooLongError
        self.within.append(obj)
        super().save(obj, save_persistent_id)  # type: ignore[misc] # typeshed has no such method
        self.within.pop()


def name_culprit(error: Exception, obj: Any, reduce: Callable[[Any], Any]) -> None:
    """Add to the message of an error of a pickler where in the object its cause is, if that can be found.

    Args:
        error: what the pickler raised. Kinds that do not mean that an object cannot be pickled stay as they are.
        obj: what it pickled.
        reduce: its `reducer_override`.
    """
    if not isinstance(error, _ERRORS) or len(error.args) != 1 or not isinstance(error.args[0], str):
        return
    tracer = _Tracer(reduce)
    try:
        tracer.dump(obj)
    except Exception as again:  # whatever the classes of the object raise
        path = _path(tracer.within) if isinstance(again, _ERRORS) else ""
        if path:
            error.args = (f"{error.args[0]} (in the object: {path})",)


def _path(within: list[Any]) -> str:
    """Return how each object is reached from the one before it, as in Python code."""
    found: list[str] = []
    for level, (parent, child) in enumerate(zip(within, within[1:])):
        attributes = level > 0 and _is_state(within[level - 1], parent)
        found.append(_step(parent, child, attributes))
    parts = [part for part in found if part]
    left_out = len(parts) - _MOST_PARTS
    return "".join(parts[:_MOST_PARTS]) + (f" and {left_out} levels more" if left_out > 0 else "")


def _is_state(owner: Any, state: Any) -> bool:
    """Whether an object is the dict of the attributes of another one."""
    return isinstance(state, dict) and getattr(owner, "__dict__", None) is state


def _step(parent: Any, child: Any, attributes: bool) -> str:
    """Return how `child` is reached from `parent`; an empty string if that is not known."""
    if isinstance(parent, Mapping):
        for key, value in parent.items():
            if value is child or key is child:
                return f".{key}" if attributes and isinstance(key, str) else f"[{_shown(key)}]"
    if isinstance(parent, (list, tuple)):
        return next((f"[{i}]" for i, item in enumerate(parent) if item is child), "")
    return ""


def _shown(key: Any) -> str:
    text = repr(key) if isinstance(key, (str, bytes, int, float, bool, type(None))) else f"a {type(key).__name__}"
    return text if len(text) <= _MOST_SHOWN else text[:_MOST_SHOWN] + "..."
