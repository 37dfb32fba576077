"""One file for any Python object of scientific computing: compressed, memory-mapped, checked.

`dump` and `load` write and read an object; `BinPickleFile` opens a file and looks into it without unpickling.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .codecs import register_codec
from .contents import Limits
from .errors import (
    BinPickleError,
    CodecError,
    FormatError,
    FormatWarning,
    IntegrityError,
    LimitError,
    UnknownCodecError,
)
from .info import BPKInfo, FileStatus, file_info
from .read import BinPickleFile, load, loads
from .repack import repack
from .write import BinPickler, dump, dumps

if TYPE_CHECKING:
    from .aio import adump, aload

__version__ = "1.0.0.dev0"

__all__ = [
    "BPKInfo",
    "BinPickleError",
    "BinPickleFile",
    "BinPickler",
    "CodecError",
    "FileStatus",
    "FormatError",
    "FormatWarning",
    "IntegrityError",
    "LimitError",
    "Limits",
    "UnknownCodecError",
    "adump",
    "aload",
    "dump",
    "dumps",
    "file_info",
    "load",
    "loads",
    "register_codec",
    "repack",
]


def __getattr__(name: str) -> Any:
    """Import the async functions, and with them anyio, when they are first used."""
    if name not in ("adump", "aload"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from . import aio

    globals()[name] = function = getattr(aio, name)
    return function
