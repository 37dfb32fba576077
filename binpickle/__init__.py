"""One file for any Python object of scientific computing: compressed, memory-mapped, checked.

`dump` and `load` write and read an object; `BinPickleFile` opens a file and looks into it without unpickling.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .codecs import register_codec
from .contents import Limits
from .errors import (
    AuthenticationError,
    BinPickleError,
    CodecError,
    FormatError,
    FormatWarning,
    IntegrityError,
    LimitError,
    UnknownCodecError,
    UntrustedError,
)
from .info import BPKInfo, FileStatus, file_info
from .opened import BinPickleFile
from .read import load, loads
from .repack import SAME, repack
from .write import BinPickler, dump, dumps

if TYPE_CHECKING:
    from . import trust
    from .aio import adump, aload
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
    "SAME",
    "UnknownCodecError",
    "UntrustedError",
    "adump",
    "aload",
    "dump",
    "dumps",
    "file_info",
    "inspect",
    "load",
    "loads",
    "register_codec",
    "repack",
    "trust",
]

# What most programs never use is imported when it is: anyio, and the strict machine.
_LAZY = {
    "adump": ".aio",
    "aload": ".aio",
    "Inspection": ".inspection",
    "inspect": ".inspection",
    "trust": ".trust",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = import_module(_LAZY[name], __name__)
    found = module if name == "trust" else getattr(module, name)
    globals()[name] = found
    return found
