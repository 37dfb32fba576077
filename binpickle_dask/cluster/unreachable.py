"""What stands for a chunk that cannot be had: it says so where it is used, inside the task.

Rule: a deserializer that raises makes distributed retry for ever, or hang (dask/distributed#7060). So it never does.
"""

from __future__ import annotations

from typing import Any

from binpickle.errors import PartError

from ..folder.paths import HOST

__all__ = ["Unreachable"]


class Unreachable:
    """A chunk whose file cannot be mapped on this machine. Whatever is done with it raises `PartError`.

    Args:
        path: of the file.
        reason: why not.
        host: on which machine.
    """

    def __init__(self, path: str, reason: str, host: str = HOST):
        self.__dict__.update(_facts=(path, reason, host))

    def __reduce__(self) -> Any:
        return Unreachable, self.__dict__["_facts"]

    def __repr__(self) -> str:
        return f"<{self._error()}>"

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # the scheduler's machinery asks for these, and must go on
            raise AttributeError(name)
        raise self._error()

    def _error(self) -> PartError:
        path, reason, host = self.__dict__["_facts"]
        return PartError(
            f"{path}: a chunk that was sent as a piece of this file is lost on host {host}: {reason}", path, host
        )

    def _fail(self, *_: Any, **__: Any) -> Any:
        raise self._error()


_USES = """
    abs add and array array_function array_ufunc bool bytes call complex contains delitem divmod enter eq float
    floordiv format ge getitem gt iadd index int invert isub iter le len length_hint lshift lt matmul mod mul ne neg
    next or pos pow radd rand rdivmod rfloordiv rlshift rmatmul rmod rmul ror round rpow rrshift rshift rsub rtruediv
    rxor setitem sub truediv xor
"""
for _name in _USES.split():
    setattr(Unreachable, f"__{_name}__", Unreachable._fail)
