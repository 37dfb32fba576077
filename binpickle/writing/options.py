"""The arguments of a dump, checked once, for all functions that write."""

from __future__ import annotations

from typing import Any, Callable, Mapping, Sequence, Union

import numpy as np
from numcodecs.abc import Codec

from ..codecs.chain import Chain, parse_codecs, stream_chain
from ..format.checksums import CHECKSUM, DIGEST
from ..format.header import NATIVE_ORDER, VERSION, Flags, Header
from ..keys import Keys
from ..pickling.pickler import check_pickler, pickle
from .chunk import AUTO

__all__ = ["Codecs", "DumpOptions"]

Codecs = Union[str, Mapping[str, Any], Codec, Callable[[memoryview], Any], Sequence[Any], None]
"""The `codecs` argument: `"auto"`, one codec, or a list of them; `None` is an empty one."""


class DumpOptions:
    """The arguments of a dump, checked.

    Raises:
        TypeError: an argument is of the wrong type.
        ValueError: a codec that `load` would refuse, or a pickler that it could not undo.
    """

    def __init__(
        self,
        *,
        mappable: bool = False,
        codecs: Codecs = "auto",
        metadata: Mapping[str, str] | None = None,
        digests: bool = False,
        key: Any = None,
        context: bytes = b"",
        pickler: type[Any] | None = None,
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
        self.pickler = pickle.Pickler if pickler is None else pickler
        check_pickler(self.pickler)

    @property
    def header(self) -> Header:
        """The header of the file."""
        return Header(VERSION, NATIVE_ORDER | (Flags.MAPPABLE if self.mappable else Flags(0)))

    @property
    def stream_chain(self) -> Chain | None:
        """The codecs of the pickle stream, or `AUTO`."""
        return AUTO if self.auto else stream_chain(self.elements)


def _checked_metadata(metadata: Mapping[str, str] | None) -> dict[str, str]:
    if not isinstance(metadata or {}, Mapping):
        raise TypeError(f"metadata must map strings to strings, not {metadata!r:.80}")
    checked = dict(metadata or {})
    if not all(isinstance(text, str) for pair in checked.items() for text in pair):
        raise TypeError("metadata must map strings to strings")
    for text in (*checked, *checked.values()):
        text.encode()  # a lone surrogate would be met at the end only
    return checked
