"""Restricted loading of a pickle stream, and the list of what it would use: one machine, two ways.

Rule: `untrusted(scan(...), trusted)` is empty just when `load(..., trusted)` does not raise `UntrustedError`.
"""

from __future__ import annotations

import json
from typing import Any, Callable, Iterable

from ..errors import BinPickleError, FormatError, UntrustedError
from ..limits import RESTRICTED_LIMITS, Limits
from ..pickling.renames import canonical
from . import sets
from .inert import Inert
from .machine import Machine
from .tokens import GlobalUse
from .trusted import Trusted
from .values import Values

__all__ = ["load", "scan", "untrusted"]

# What these do cannot be limited: they run, import or unpickle whatever they are given.
_ANYTHING = frozenset(
    [
        "_pickle:load",
        "_pickle:loads",
        "binpickle.rebuild:torch_on_device",
        "builtins:__import__",
        "builtins:eval",
        "builtins:exec",
        "builtins:getattr",
        "cloudpickle:loads",
        "dill:loads",
        "importlib:import_module",
        "joblib:load",
        "marshal:loads",
        "nt:system",
        "numpy:load",
        "os:system",
        "pandas:read_pickle",
        "pickle:load",
        "pickle:loads",
        "posix:system",
        "subprocess:Popen",
        "torch.serialization:load",
        "torch.storage:_load_from_bytes",
    ]
)


def load(
    read: Callable[[int], bytes],
    buffers: Iterable[Any],
    nbuffers: int,
    trusted: Iterable[Any] = (),
    limits: Limits = RESTRICTED_LIMITS,
) -> Any:
    """Load an object from a pickle stream whose author need not be trusted.

    Args:
        read: gives the stream: at most as many bytes as asked for, and none at the end only.
        buffers: the out-of-band buffers in their order, as 1-d uint8 arrays, `memoryview`, `bytes` or `bytearray`. Each
            is taken when the stream asks for it, and not after a global was refused.
        nbuffers: their number.
        trusted: classes and functions, or their names as `"module:qualname"`, whose code may run.
        limits: what the stream may ask for (`opcodes`, `memo`, `nesting`, `int_bytes`, `work`; of `decoded_bytes`, what
            one array may seem to have that repeats its memory).

    Raises:
        UntrustedError: the stream uses globals that are neither built-in and safe nor in `trusted`; it names them all.
        FormatError: the stream is malformed, or an object in it is, or a trusted type fails.
        LimitError: it asks for more than `limits` allow.
        TypeError, ValueError: `trusted` is not what it should be.
    """
    known = Trusted(trusted)
    machine = Machine(read, nbuffers, limits, Values(known, buffers, limits))
    loaded = machine.run()
    refused = known.refused(machine.globals())
    if refused:
        raise UntrustedError(_advice(refused, known), [(use.module, use.qualname, use.offset) for use in refused])
    if machine.failure is not None:
        _fail(machine.failure)
    return loaded


def scan(read: Callable[[int], bytes], nbuffers: int, limits: Limits = RESTRICTED_LIMITS) -> list[GlobalUse]:
    """List the globals that a pickle stream uses. Nothing is imported, called or made.

    Args:
        read: gives the stream, as for `load`.
        nbuffers: number of out-of-band buffers that belong to it.
        limits: as for `load`.

    Returns:
        Each global once, in the order of the stream, those of the built-in safe set too.

    Raises:
        FormatError: the stream is malformed.
        LimitError: it asks for more than `limits` allow.
    """
    machine = Machine(read, nbuffers, limits, Inert())
    machine.run()
    return machine.globals()


def untrusted(uses: Iterable[GlobalUse], trusted: Iterable[Any] = ()) -> list[GlobalUse]:
    """Return the globals that are neither in the built-in safe set nor in `trusted`.

    Raises:
        TypeError, ValueError: `trusted` is not what it should be.
    """
    return Trusted(trusted).refused(uses)


def _advice(refused: list[GlobalUse], known: Trusted) -> str:
    """Return what is refused, and what the caller can do about it."""
    where = ", ".join(f"{ascii(use.name)[1:-1]} at {use.offset}" for use in refused)
    misused = [use.name for use in refused if known.loader(canonical(use.module, use.qualname)) is not None]
    names = [use.name for use in refused if use.name not in misused]
    text = f"pickle stream: it uses {where}: "
    if misused:
        text += f"the curated sets do not let a file call or instantiate {', '.join(map(ascii, misused))}"
    if names:
        text += "; " if misused else ""
        text += f"pass trusted={_example(names)} if you trust its code and this file"
    anything = [name for name in names if name in _ANYTHING]
    if anything:
        text += f"; {', '.join(anything)} would do whatever the file says, so to trust that is to trust the file"
    return text


def _example(names: list[str]) -> str:
    """Return what the caller can pass as `trusted`."""
    for library in sets.LIBRARIES:
        if getattr(sets, library)().issuperset(names):
            return f"binpickle.trust.{library}()"
    return json.dumps(names)


def _fail(failure: Exception) -> None:
    if isinstance(failure, BinPickleError):
        raise failure
    # KeyError shows its key, which may be anything; other errors have a text, which may be long.
    text = type(failure.args[0]).__name__ if isinstance(failure, KeyError) and failure.args else str(failure)[:1000]
    raise FormatError(f"pickle stream: {type(failure).__name__}: {text}") from failure
