"""The `pickle` module with protocol 5: the standard library's, or its backport `pickle5` on Python 3.7."""

from __future__ import annotations

import sys
from typing import Any

if sys.version_info >= (3, 8):
    import pickle
else:
    import pickle5 as pickle

__all__ = ["PickleBuffer", "Reduced", "module_of", "pickle"]

PickleBuffer: Any = pickle.PickleBuffer
"""The class of out-of-band buffers; untyped, since type checkers know arrays as buffers from Python 3.12 on only."""

Reduced = Any
"""What a `__reduce_ex__` method may return: `NotImplemented` leaves the object to pickle itself."""

_MODULE = type.__dict__["__module__"]


def module_of(cls: type) -> str:
    """Return the module that a class says it is from, or an empty string. No code of its metaclass is run."""
    try:
        module = _MODULE.__get__(cls, type(cls))
    except AttributeError:
        return ""
    return module if isinstance(module, str) else ""
