"""Seals of a folder: where its keys are to be had, and what each key seals.

Rule: what travels in graphs is the path of a key file, or the name of a function that gives keys, never a key. Every
file is sealed for its place, run or snapshot and name, so that none can stand in for another.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any, cast

from binpickle.errors import AuthenticationError
from binpickle.keys import Keys, read_key

from .paths import HOST, SNAPSHOTS, about, json_bytes, naming_host, put_file

__all__ = ["UNSEALED", "Sealing", "lonely_seals", "put_sealed", "seal_path"]

# Tags made with these are of no use for anything else.
_JSON = b"binpickle_dask file 1\0"
_PART = b"binpickle_dask part 1\0"
_TAG_BYTES = 32
_SEAL = ".seal"


@dataclass(frozen=True)
class Sealing:
    """Where the keys of a folder are to be had. False where there are none: then nothing is sealed, nothing checked.

    Attributes:
        files: paths of key files: the first seals, any verifies.
        function: instead of them `module:qualname` of what gives the keys.
        context: bound into all seals. No secret.
    """

    files: tuple[str, ...] = ()
    function: str = ""
    context: bytes = b""

    @classmethod
    def of(cls, key: Any, context: Any = b"") -> Sealing:
        """Return what a caller gave as `key` and `context`; the keys are fetched once, to see that they are some.

        Raises:
            TypeError: the key is neither path, list of paths nor function, or would travel by value; the context is not
                bytes.
            ValueError: a key is too short; there is a context, but no key.
            OSError: a key file cannot be read.
        """
        if key is None:
            Keys.of(None, context)  # refuses a context that would be of no use
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

    def keys(self) -> Any:
        """Fetch the keys, anew each time: what `binpickle` takes as `key`.

        Raises:
            TypeError: the function gives nothing, which must not be taken for having asked for no seal.
            OSError: a key file cannot be read, with the host.
        """
        if self.function:
            found = _function(self.function)()
            if found is None:
                raise TypeError(f"{self.function} gives no key (host {HOST})")
            return found
        with naming_host():
            return [read_key(path) for path in self.files]

    def arguments(self, path: str) -> dict[str, Any]:
        """Return `key` and `context` for a function of `binpickle` that writes or reads a part."""
        if not self:
            return {}
        context = b"".join((_PART, len(self.context).to_bytes(8, "big"), self.context, _place(path)))
        return {"key": self.keys(), "context": context}

    def tag(self, path: str, raw: bytes) -> bytes:
        """Return the seal of a JSON file."""
        return self._keys().sign(_JSON, _place(path) + b"\0" + raw)

    def check(self, path: str, raw: bytes) -> None:
        """Check the seal of a JSON file, before anything else is done with its bytes.

        Raises:
            AuthenticationError: it is missing, by another key, for another context, or for other bytes.
            OSError: from the operating system, with the host.
        """
        if not self:
            return
        keys = self._keys()
        try:
            with naming_host(), open(seal_path(path), "rb") as file:
                found = file.read(_TAG_BYTES + 1)
        except FileNotFoundError:
            if not os.path.lexists(path):  # removed by `vacuum` in between, and its seal with it
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
    """Return where the seal of a JSON file lies."""
    return os.path.splitext(path)[0] + _SEAL


def lonely_seals(root: str) -> list[str]:
    """Return the paths of seals in a folder whose manifests are not there: not yet, or never."""
    folder = os.path.join(root, SNAPSHOTS)
    seals = [os.path.join(folder, name) for name in os.listdir(folder) if name.endswith(_SEAL)]
    return [path for path in seals if not os.path.lexists(path[: -len(_SEAL)] + ".json")]


def put_sealed(path: str, data: dict[str, Any], sealing: Sealing, *, durable: bool) -> None:
    """Write a JSON file, and before it its seal, so that it is never seen without.

    Raises:
        FileExistsError: the file is there.
        OSError: from the operating system, with the host.
    """
    raw = json_bytes(data)
    if sealing:
        # One may be there of a save that ended in between.
        put_file(seal_path(path), sealing.tag(path, raw), replace=True, durable=durable)
    put_file(path, raw, durable=durable)


def _place(path: str) -> bytes:
    """Return what tells a file from all others of all folders: run and name, neither with a slash in it."""
    folder, name = os.path.split(path)
    return f"{os.path.basename(folder)}/{name}".encode()


def _path_of(key: Any) -> str:
    if isinstance(key, (str, os.PathLike)):
        return os.path.abspath(os.fsdecode(key))
    raise TypeError(
        f"key must be the path of a key file, a list of paths, or a function, not {type(key).__name__}: keys "
        "themselves would travel in the graph, to be read in the scheduler's memory and on the network"
    )


def _name_of(function: Any) -> str:
    """Return the name by which every process can import a function.

    Raises:
        TypeError: there is none: it would travel by value, and with it what it holds.
    """
    module = getattr(function, "__module__", None)
    name = f"{module}:{getattr(function, '__qualname__', type(function).__qualname__)}"
    importable = module in sys.modules and module != "__main__" and _found(name) is function
    if not importable:
        raise TypeError(
            f"key must be a function of a module that workers can import, not {name}: methods, lambdas, partial "
            "functions and what __main__ defines would travel in the graph, and with them the keys they hold"
        )
    return name


def _found(name: str) -> Any:
    try:
        return _function(name)
    except AttributeError:  # of a function's body
        return None


def _function(name: str) -> Any:
    module, _, qualname = name.partition(":")
    found: Any = import_module(module)
    for part in qualname.split("."):
        found = getattr(found, part)
    return found
