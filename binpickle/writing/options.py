"""The options of a dump, checked once, for all functions that write.

Rule: `DumpOptions` alone defines the options. Each function that writes lists them in its signature, with the same
types and defaults, and passes its arguments to `DumpOptions.of`.
"""

from __future__ import annotations

from functools import wraps
from inspect import iscoroutinefunction
from typing import Any, Callable, Mapping, TypeVar

import numpy as np

from ..codecs.chain import parse_codecs, stream_chain
from ..format.checksums import CHECKSUM, DIGEST
from ..format.header import NATIVE_ORDER, VERSION, Flags, Header
from ..keys import Keys
from ..pickling.pickler import check_pickler
from ..pickling.protocol import pickle
from ..types import CodecsLike, KeyLike, PicklerClass
from .chunk import AUTO

__all__ = ["DumpOptions", "explaining"]

# What other libraries call an option, and what to say instead.
_CODECS = "codecs=, not {}=: by default each array gets the codecs that suit it, codecs=['zstd'] gives all the same"
_OTHER_WORDS = {"compress": _CODECS, "compression": _CODECS}

F = TypeVar("F", bound=Callable[..., Any])


def explaining(function: F) -> F:
    """Let a function that writes say what it calls an option for which the caller has the word of another library.

    A call takes less than a microsecond longer.
    """
    name = function.__qualname__.partition(".")[0]

    @wraps(function)
    def call(*args: Any, **options: Any) -> Any:
        try:
            return function(*args, **options)
        except TypeError:
            for word in _OTHER_WORDS.keys() & options.keys():
                raise TypeError(f"{name}() takes {_OTHER_WORDS[word].format(word)}") from None
            raise

    @wraps(function)
    async def await_call(*args: Any, **options: Any) -> Any:
        return await call(*args, **options)

    return await_call if iscoroutinefunction(function) else call  # type: ignore[return-value]


_HEADERS = {
    mappable: Header(VERSION, NATIVE_ORDER | (Flags.MAPPABLE if mappable else Flags(0))) for mappable in (False, True)
}


class DumpOptions:
    """The options of a dump, checked.

    Args:
        mappable: see `dump`.
        codecs: see `dump`.
        metadata: see `dump`.
        digests: see `dump`.
        key: see `dump`.
        context: see `dump`.
        pickler: see `dump`.
        align: see `BinPickler`.

    Attributes:
        mappable: whether every buffer is stored raw and aligned.
        align: whether every buffer is aligned.
        auto: whether BinPickle chooses the codecs.
        elements: the caller's codecs, if `auto` is false.
        metadata: the caller's metadata.
        keys: the keys that seal the file, or `None`.
        algorithm: the name of the checksum or digest of each chunk.
        pickler: the pickler class to build on.
        header: the header of the file.
        stream_chain: the codecs of the pickle stream, or `AUTO`.

    Raises:
        TypeError: an argument is of the wrong type.
        ValueError: `load` would refuse a codec, or could not load what the pickler writes.
    """

    def __init__(
        self,
        *,
        mappable: bool = False,
        codecs: CodecsLike = "auto",
        metadata: Mapping[str, str] | None = None,
        digests: bool = False,
        key: KeyLike | None = None,
        context: bytes = b"",
        pickler: PicklerClass | None = None,
        align: bool = False,
    ):
        for name, flag in (("mappable", mappable), ("digests", digests), ("align", align)):
            if not isinstance(flag, (bool, np.bool_)):
                raise TypeError(f"{name} must be True or False, not {flag!r:.80}")
        self.mappable = mappable
        self.align = mappable or align
        self.auto = not mappable and isinstance(codecs, str) and codecs == "auto"
        self.elements = () if mappable or self.auto else parse_codecs([] if codecs is None else codecs)
        self.metadata = _checked_metadata(metadata)
        self.keys = Keys.of(key, context)
        self.algorithm = DIGEST if digests or self.keys else CHECKSUM
        self.pickler = pickle.Pickler
        if pickler is not None:
            check_pickler(pickler)
            self.pickler = pickler
        self.header = _HEADERS[bool(mappable)]
        self.stream_chain = AUTO if self.auto else stream_chain(self.elements)

    @classmethod
    def of(cls, arguments: Mapping[str, Any]) -> DumpOptions:
        """Return the options among the arguments of a function: its `locals()`."""
        options = vars(cls)["__init__"].__kwdefaults__
        return cls(**{name: arguments[name] for name in options if name in arguments})


def _checked_metadata(metadata: Mapping[str, str] | None) -> dict[str, str]:
    if metadata is None:
        return {}
    if not isinstance(metadata, Mapping):
        raise TypeError(f"metadata must map strings to strings, not {metadata!r:.80}")
    checked = dict(metadata)
    if not all(isinstance(text, str) for pair in checked.items() for text in pair):
        raise TypeError("metadata must map strings to strings")
    for text in (*checked, *checked.values()):
        text.encode()  # else a lone surrogate would raise only when the index is written, at the end of the dump
    return checked
