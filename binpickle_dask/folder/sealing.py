"""Seals of a folder: where its keys come from, and which bytes each seal covers.

Rule: graphs carry the path of a key file, or the name of a function that returns keys, and never a key. Every file is
sealed for its place, that is its run (or `_snapshots`) and its name, so that no file can stand in for another.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, replace
from importlib import import_module
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Callable, Sequence, Union, cast

from binpickle.errors import AuthenticationError
from binpickle.keys import Keys, read_key

from .hosts import HOST, about, naming_host

if TYPE_CHECKING:
    from binpickle.types import KeyLike

__all__ = ["SEAL", "UNSEALED", "KeySource", "PathLike", "Sealing", "seal_path"]

PathLike = Union[str, bytes, "os.PathLike[str]", "os.PathLike[bytes]"]
KeySource = Union[str, "os.PathLike[str]", Sequence[Union[str, "os.PathLike[str]"]], Callable[[], "KeyLike"], None]

# A tag is made for one sort of file, and is valid for no other use of the same key.
_JSON = b"binpickle_dask file 1\0"
_PART = b"binpickle_dask part 1\0"
_TAG_BYTES = 32
SEAL = ".seal"


@dataclass(frozen=True)
class Sealing:
    """Where to get the folder's keys. Falsy when there are none; then files are neither sealed nor checked.

    Attributes:
        files: paths of key files: the first key seals, any key verifies.
        function: `module:qualname` of a function that returns the keys; used instead of `files`.
        context: bytes that are bound into all seals; they are no secret.
    """

    files: tuple[str, ...] = ()
    function: str = ""
    context: bytes = b""

    @classmethod
    def of(cls, key: KeySource, context: bytes = b"") -> Sealing:
        """Return the sealing for a caller's `key` and `context`. Fetches the keys once, to find mistakes early.

        Raises:
            TypeError: the key is neither a path, a list of paths nor a function, or it would travel by value; the
                context is not bytes.
            ValueError: a key is too short; there is a context, but no key.
            OSError: a key file cannot be read.
        """
        if key is None:
            Keys.of(None, context)  # raises if there is a context, which would have no effect
            return UNSEALED
        if callable(key):
            sealing = cls(function=_name_of(key), context=context)
        else:
            paths = key if isinstance(key, (list, tuple)) and key else [key]
            sealing = cls(files=tuple(map(_path_of, paths)), context=context)
        sealing._keys()
        return replace(sealing, context=bytes(context))

    def __bool__(self) -> bool:
        return bool(self.files or self.function)

    def keys(self) -> KeyLike:
        """Fetch the keys anew, in the form that functions of `binpickle` take as `key`.

        Raises:
            TypeError: the function returned `None`, which must not switch the seals off.
            OSError: a key file cannot be read; the message names the host.
        """
        if self.function:
            found = _function(self.function)()
            if found is None:
                raise TypeError(f"{self.function} gives no key (host {HOST})")
            return cast("KeyLike", found)
        with naming_host():
            return [read_key(path) for path in self.files]

    def arguments(self, path: str) -> dict[str, Any]:
        """Return the arguments `key` and `context` with which `binpickle` writes or reads the `.bpk` file `path`."""
        if not self:
            return {}
        context = b"".join((_PART, len(self.context).to_bytes(8, "big"), self.context, _place(path)))
        return {"key": self.keys(), "context": context}

    def tag(self, path: str, raw: bytes) -> bytes:
        """Return the seal of a JSON file: the tag of its place and its bytes."""
        return self._keys().sign(_JSON, _place(path) + b"\0" + raw)

    def check(self, path: str, raw: bytes) -> None:
        """Check the seal of a JSON file. Call this before anything else is done with its bytes.

        Raises:
            AuthenticationError: the seal is missing, or was made with another key, for another context or other bytes.
            OSError: the seal or a key file cannot be read; the message names the host.
        """
        if not self:
            return
        keys = self._keys()
        try:
            with naming_host(), open(seal_path(path), "rb") as file:
                found = file.read(_TAG_BYTES + 1)
        except FileNotFoundError:
            if not os.path.lexists(path):  # `vacuum` has just removed the file together with its seal
                raise
            message = f"the file is not sealed, but a key was given: do not use it, or open it without (host {HOST})"
            raise about(AuthenticationError(message), path) from None
        try:
            keys.check(_JSON, _place(path) + b"\0" + raw, found)
        except AuthenticationError as error:
            raise about(error, path) from None

    def _keys(self) -> Keys:
        return cast(Keys, Keys.of(self.keys(), self.context))


UNSEALED = Sealing()


def seal_path(path: str) -> str:
    """Return the path of the seal of a JSON file."""
    return os.path.splitext(path)[0] + SEAL


def _place(path: str) -> bytes:
    """Return the run and the name of a file, which no other file of any folder shares; neither contains a slash."""
    folder, name = os.path.split(path)
    return f"{os.path.basename(folder)}/{name}".encode()


def _path_of(key: Any) -> str:
    if isinstance(key, (str, os.PathLike)):
        return os.path.abspath(os.fsdecode(key))
    raise TypeError(
        f"key must be the path of a key file, a list of paths, or a function, not {type(key).__name__}: a key itself "
        "would travel in the graph, where the scheduler's memory and the network show it"
    )


def _name_of(function: Callable[..., Any]) -> str:
    """Return the name by which every process can import a function.

    Raises:
        TypeError: there is no such name; the function would travel by value, with all that it holds.
    """
    module = getattr(function, "__module__", None)
    name = f"{module}:{getattr(function, '__qualname__', type(function).__qualname__)}"
    if module not in sys.modules or module == "__main__" or _found(name) is not function:
        raise TypeError(
            f"key must be a function of a module that workers can import, not {name}: methods, lambdas, partial "
            "functions and functions that __main__ defines would travel in the graph, with the keys that they hold"
        )
    return name


def _found(name: str) -> Any:
    try:
        return _function(name)
    except AttributeError:  # the function was defined in the body of another function
        return None


def _function(name: str) -> Any:
    module, _, qualname = name.partition(":")
    return attrgetter(qualname)(import_module(module))
