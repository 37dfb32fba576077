"""Looking into a file of unknown origin: what it would import, and what that would be used for.

Rule: nothing is imported and nothing runs; the stream goes through the machine that restricted loading uses, with inert
stand-ins, so that what is reported here is what would happen there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Iterable, Mapping

from . import trust
from .file import BinPickleFile, scan_globals
from .limits import RESTRICTED_LIMITS, Limits
from .reading.description import Buffer
from .trust import GlobalUse

__all__ = ["Inspection", "inspect"]


@dataclass(frozen=True)
class Inspection:
    """What a file holds and what it would do.

    Attributes:
        version: format version.
        size: bytes of the file.
        stream_nbytes: length of the pickle stream.
        globals: what the stream names, each once, in the order of the stream; harmless built-in ones too.
        codecs: ids of the codecs that decode it, sorted.
        buffers: the out-of-band buffers.
        metadata: the writer's.
        libraries: the writer's versions.
        sealed: whether the file has a seal.
        authenticated: whether it was made with the key that was given.
    """

    version: int
    size: int
    stream_nbytes: int
    globals: tuple[GlobalUse, ...]
    codecs: tuple[str, ...]
    buffers: tuple[Buffer, ...]
    metadata: Mapping[str, str]
    libraries: Mapping[str, str]
    sealed: bool
    authenticated: bool

    def untrusted(self, trusted: Iterable[Any] = ()) -> list[GlobalUse]:
        """Return what `load(file, trusted=trusted)` would refuse: with `UntrustedError`, just when this is not empty.

        Args:
            trusted: as for `load`.
        """
        return trust.untrusted(self.globals, trusted)


def inspect(file: Any, *, key: Any = None, context: bytes = b"", limits: Limits | None = None) -> Inspection:
    """Say what is in a file and what it would import. Runs and imports nothing.

    Args:
        file: see `load`.
        key: see `load`.
        context: see `load`.
        limits: what to accept; finite by default.

    Raises:
        FormatError: not a BinPickle file, truncated, inconsistent; a malformed pickle stream.
        LimitError: it asks for more than `limits` allow.
        IntegrityError: index or pickle stream are damaged.
        AuthenticationError: a key is given, and the seal is missing or wrong.
        OSError: from the operating system, unchanged.
    """
    limits = RESTRICTED_LIMITS if limits is None else limits
    with BinPickleFile(file, key=key, context=context, limits=limits) as opened:
        used = scan_globals(opened, limits)
        buffers = tuple(opened.buffers)
        entries = opened.entries
        return Inspection(
            version=opened.version,
            size=opened.nbytes,
            stream_nbytes=entries[-1].dec_length if entries else 0,
            globals=tuple(used),
            codecs=tuple(sorted({str(spec["id"]) for chain in opened.codecs for spec in chain})),
            buffers=buffers,
            metadata=dict(opened.metadata),  # unlike the read-only views of an open file, dicts can be pickled
            libraries=dict(opened.libraries),
            sealed=opened.is_sealed,
            authenticated=key is not None,
        )
