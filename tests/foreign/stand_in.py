"""The functions `dump`, `dumps`, `load` and `loads` of pickle, by BinPickle.

Rule: calls that ask for what BinPickle does not do go to pickle, and are counted under the reason. The protocol is no
such reason: BinPickle has a single one, and a test of protocol 2 asks as well whether the object comes back. Options
that concern pickles of Python 2 (`fix_imports`, `encoding`, `errors`) mean nothing to a file of BinPickle.
"""

from __future__ import annotations

import io
import pickle
from collections import Counter
from typing import Any, Callable

import binpickle

PICKLE: dict[str, Callable[..., Any]] = {name: getattr(pickle, name) for name in ("dump", "dumps", "load", "loads")}
"""The functions of pickle, under their names."""

DUMP, LOAD = "dump", "load"
FALLBACKS = ("buffer_callback=", "no such protocol", "data of pickle")

calls: Counter[str] = Counter()
"""How many calls there were: of BinPickle under `DUMP` and `LOAD`, of pickle under the reason, one of `FALLBACKS`."""

_MAGIC = binpickle.dumps(None)[:4]


def dumps(obj: Any, protocol: Any = None, *, buffer_callback: Any = None, **options: Any) -> bytes:
    """Return an object as the bytes of a file."""
    reason = _why_pickle(protocol, buffer_callback)
    calls[reason or DUMP] += 1
    if reason:
        return PICKLE["dumps"](obj, protocol, buffer_callback=buffer_callback, **options)
    return binpickle.dumps(obj)


def dumps_of(library: Any) -> Callable[..., bytes]:
    """Return `dumps` for a library with a function `dumps` and a class `Pickler` of its own, such as cloudpickle."""
    own = library.dumps

    def dumps(obj: Any, protocol: Any = None, buffer_callback: Any = None) -> bytes:
        reason = _why_pickle(protocol, buffer_callback)
        calls[reason or DUMP] += 1
        return own(obj, protocol, buffer_callback) if reason else binpickle.dumps(obj, pickler=library.Pickler)

    return dumps


def dump(obj: Any, file: Any, protocol: Any = None, **options: Any) -> None:
    """Write an object to a file object, as bytes: a test may write several, one after the other."""
    file.write(dumps(obj, protocol, **options))


def loads(data: Any, **options: Any) -> Any:
    """Return the object of the bytes of a file, or of a pickle, which a library brought or another program wrote."""
    if bytes(memoryview(data)[: len(_MAGIC)]) != _MAGIC:
        calls["data of pickle"] += 1
        return PICKLE["loads"](data, **options)
    calls[LOAD] += 1
    return binpickle.loads(data)


def load(file: Any, **options: Any) -> Any:
    """Return the next object of a file object."""
    if not file.seekable():
        return loads(file.read(), **options)
    begin = file.read(len(_MAGIC))
    file.seek(-len(begin), io.SEEK_CUR)
    if begin != _MAGIC:
        calls["data of pickle"] += 1
        return PICKLE["load"](file, **options)
    calls[LOAD] += 1
    return binpickle.load(file)


def _why_pickle(protocol: Any, buffer_callback: Any) -> str:
    """Return why a call that dumps goes to pickle, or an empty string."""
    if buffer_callback is not None:
        return "buffer_callback="
    valid = protocol is None or isinstance(protocol, int) and protocol <= pickle.HIGHEST_PROTOCOL
    return "" if valid else "no such protocol"
