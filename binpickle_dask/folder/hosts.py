"""Errors that name the machine and the file: an error may come from any worker of a cluster.

Rule: whoever touches a file of a folder does so under `naming_host`, or raises an error that has passed `about`.
"""

from __future__ import annotations

import socket
from typing import TypeVar

from binpickle.errors import BinPickleError

__all__ = ["HOST", "about", "naming_host"]

HOST = socket.gethostname()

_Error = TypeVar("_Error", bound=BinPickleError)


class _NamingHost:  # a class, not a generator: every part that is mapped passes through it, and this is faster
    def __enter__(self) -> None:
        pass

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if isinstance(error, OSError) and error.errno is not None and "on host" not in str(error.strerror):
            raise OSError(error.errno, f"{error.strerror}, on host {HOST}", error.filename) from error


_NAMING_HOST = _NamingHost()  # has no state, so that one serves all threads


def naming_host() -> _NamingHost:
    """Return a context manager that adds the name of this machine to errors of the operating system."""
    return _NAMING_HOST


def about(error: _Error, path: str) -> _Error:
    """Set the file that an error is about, and return the error."""
    error.file = path
    return error
