"""A stand-in for a chunk whose file cannot be mapped. The task that uses the chunk gets the error.

Rule: a deserializer never raises, since distributed would retry for ever, or hang (dask/distributed#7060). It returns
an `Unreachable` instead.
"""

from __future__ import annotations

from typing import Any

from binpickle.errors import PartError

from ..folder.hosts import HOST

__all__ = ["Unreachable"]


class Unreachable:
    """A chunk whose file cannot be mapped on this machine. Every use of it raises `PartError`.

    Args:
        path: path of the file.
        reason: why the file cannot be mapped.
        host: name of the machine that could not map it.
    """

    def __init__(self, path: str, reason: str, host: str = HOST):
        self.__dict__.update(_facts=(path, reason, host))

    def __reduce__(self) -> Any:
        return Unreachable, self.__dict__["_facts"]

    def __repr__(self) -> str:
        return f"<{self._error()}>"

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # distributed itself asks for these, and must not meet a PartError
            raise AttributeError(name)
        raise self._error()

    def _error(self) -> PartError:
        path, reason, host = self.__dict__["_facts"]
        return PartError(
            f"{path}: a chunk was sent as a piece of this file, which host {host} cannot map: {reason}", path, host
        )

    def _fail(self, *_: Any, **__: Any) -> Any:
        raise self._error()


# The special methods that fail, which Python looks up on the class, not on the object.
_USES = """
    abs add and array array_function array_ufunc bool bytes call complex contains delitem divmod enter eq float
    floordiv format ge getitem gt iadd index int invert isub iter le len length_hint lshift lt matmul mod mul ne neg
    next or pos pow radd rand rdivmod rfloordiv rlshift rmatmul rmod rmul ror round rpow rrshift rshift rsub rtruediv
    rxor setitem sub truediv xor
"""
for _name in _USES.split():
    setattr(Unreachable, f"__{_name}__", Unreachable._fail)
