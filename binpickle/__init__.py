"""One file for any Python object of scientific computing: compressed, memory-mapped, checked.

`dump` and `load` write and read an object; `BinPickleFile` opens a file and looks into it without unpickling.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .codecs.chain import register_codec
from .errors import (
    AuthenticationError,
    BinPickleError,
    CodecError,
    FormatError,
    FormatWarning,
    IntegrityError,
    LimitError,
    ObjectChangedError,
    RemoteError,
    StoreError,
    UnknownCodecError,
    UntrustedError,
)
from .file import BinPickleFile, _reopen
from .limits import Limits
from .read import BPKInfo, FileStatus, file_info, load, loads
from .reading.description import Buffer, Summary, Total
from .reading.entries import Entry
from .remote.objects import ObjectPath
from .repacking import SAME, repack
from .write import BinPickler, dump, dumps
from .writing.staged import Staged, stage

if TYPE_CHECKING:
    from . import trust
    from .aio import adump, adump_iter, aload
    from .aio.staging import astage
    from .inspection import Inspection, inspect

__version__ = "1.0.0.dev0"

__all__ = [
    "AuthenticationError",
    "BPKInfo",
    "BinPickleError",
    "BinPickleFile",
    "BinPickler",
    "CodecError",
    "FileStatus",
    "FormatError",
    "FormatWarning",
    "Inspection",
    "IntegrityError",
    "LimitError",
    "Limits",
    "ObjectChangedError",
    "ObjectPath",
    "RemoteError",
    "SAME",
    "Staged",
    "StoreError",
    "UnknownCodecError",
    "UntrustedError",
    "adump",
    "adump_iter",
    "aload",
    "astage",
    "dump",
    "dumps",
    "file_info",
    "inspect",
    "load",
    "loads",
    "register_codec",
    "repack",
    "stage",
    "trust",
]


def _adopt(*objects: Any) -> None:
    """Name this package as the module of objects, so that pickles of them survive any change of the inner layout."""
    for obj in objects:
        obj.__module__ = __name__


_adopt(BPKInfo, BinPickleFile, BinPickler, FileStatus, Limits, ObjectPath, Staged, _reopen)
_adopt(Buffer, Entry, Summary, Total)  # open files and inspections return them; nobody has to name them
_adopt(dump, dumps, file_info, load, loads, register_codec, repack, stage)

# Most programs never use these names. Their modules import anyio or the strict machine, so they are imported on demand.
_LAZY = {
    "adump": ".aio",
    "adump_iter": ".aio",
    "aload": ".aio",
    "astage": ".aio.staging",
    "Inspection": ".inspection",
    "inspect": ".inspection",
    "trust": ".trust",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = import_module(_LAZY[name], __name__)
    found = module if name == "trust" else getattr(module, name)
    if name != "trust":
        _adopt(found)
    globals()[name] = found
    return found
