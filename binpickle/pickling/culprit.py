"""Where in an object the part is that cannot be pickled.

Strategy: the C pickler does not say. So after its error Python's own pickler runs over the object once more, with the
same reducers, and remembers what it is in. It writes nothing, and gives up after two seconds: it is some thirty times
slower, and the error has waited for it.
"""

from __future__ import annotations

import time
from collections import OrderedDict, defaultdict
from types import GetSetDescriptorType
from typing import Any, Callable, Mapping

from .protocol import pickle

__all__ = ["name_culprit"]

_SECONDS = 2.0
_MOST_PARTS = 20
_MOST_SHOWN = 60
_DICTS = (dict, OrderedDict, defaultdict)
_SHOWN = (str, bytes, int, float, bool, type(None))
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


def name_culprit(error: Exception, obj: Any, reduce: Callable[[Any], Any], table: Mapping[type, Any]) -> None:
    """Add to the message of an error of a pickler where in the object its cause is, if that can be found.

    Args:
        error: what the pickler raised. Kinds that do not mean that an object cannot be pickled stay as they are.
        obj: what it pickled.
        reduce: its `reducer_override`.
        table: its `dispatch_table`.
    """
    if not isinstance(error, _ERRORS) or len(error.args) != 1 or not isinstance(error.args[0], str):
        return
    tracer = _Tracer(reduce)
    tracer.dispatch_table = table
    try:
        tracer.dump(obj)
    except Exception as again:  # whatever the classes of the object raise
        path = _path(tracer.within) if _alike(error, again) else ""
        if path:
            error.args = (f"{error.args[0]} (in the object: {path})",)


def _alike(error: Exception, again: Exception) -> bool:
    """Whether two errors have one cause. The picklers use different words for functions that have no name."""
    if type(again) is type(error) and again.args == error.args:
        return True
    return isinstance(again, _ERRORS) and all(str(each).startswith("Can't pickle ") for each in (error, again))


def _path(within: list[Any]) -> str:
    """Return how each object is reached from the one before it, as in Python code.

    It ends where an object holds the next one in a way of its own: a class may make anything of its objects for pickle.
    No code of the objects is run: it could take long, or raise.
    """
    parts: list[str] = []
    is_state = False
    for parent, child in zip(within, within[1:]):
        if _attributes(parent) is child:
            is_state = True
            continue
        part = _step(parent, child, is_state)
        if not part:
            break
        parts.append(part)
        is_state = False
    left_out = len(parts) - _MOST_PARTS
    return "".join(parts[:_MOST_PARTS]) + (f" and {left_out} levels more" if left_out > 0 else "")


def _attributes(owner: Any) -> Any:
    """Return the dict of the attributes of an object, if it has one that Python keeps."""
    for base in type.mro(type(owner)) if type(owner) is not type else ():
        descriptor = vars(base).get("__dict__")
        if descriptor is not None:
            return descriptor.__get__(owner) if type(descriptor) is GetSetDescriptorType else None
    return None


def _step(parent: Any, child: Any, is_state: bool) -> str:
    """Return how `child` is reached from `parent`; an empty string if `parent` does not hold it as an item."""
    if type(parent) in _DICTS:
        for key, value in dict.items(parent):
            if value is child or key is child:
                return f".{key}" if is_state and type(key) is str else f"[{_shown(key)}]"
    elif type(parent) in (list, tuple):
        return next((f"[{i}]" for i, item in enumerate(parent) if item is child), "")
    return ""


def _shown(key: Any) -> str:
    text = repr(key) if type(key) in _SHOWN else f"a {type(key).__name__}"
    return text if len(text) <= _MOST_SHOWN else text[:_MOST_SHOWN] + "..."
