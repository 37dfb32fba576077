"""Inspecting a file of unknown origin: the globals it would import, and the use it would make of each.

Rule: nothing is imported and nothing runs. The stream goes through the machine of restricted loading, with inert
objects in place of the globals, so that the report agrees with what restricted loading does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Mapping, Sequence

from . import trust
from .file import BinPickleFile, scan_globals
from .limits import RESTRICTED_LIMITS, Limits
from .reading.description import Buffer
from .trust import GlobalUse
from .types import KeyLike, PathOrReadable, Trusted

__all__ = ["Inspection", "inspect"]


@dataclass(frozen=True)
class Inspection:
    """What a file holds, and what it would import.

    Attributes:
        version: format version, 1 to 3.
        size: bytes of the file.
        stream_nbytes: decoded length of the pickle stream, in bytes.
        globals: the globals that the stream names, each once, in the order of the stream; harmless ones included.
        codecs: the ids of the codecs of the file, sorted.
        buffers: the out-of-band buffers, each described on demand.
        buffers_nbytes: the sum of their decoded lengths, in bytes.
        metadata: the writer's `metadata`.
        libraries: the writer's versions of Python, BinPickle and the libraries whose classes the object needs.
        sealed: whether the file has a seal.
        authenticated: whether a key was given; the seal is then by this key.
    """

    version: int
    size: int
    stream_nbytes: int
    globals: tuple[GlobalUse, ...]
    codecs: tuple[str, ...]
    buffers: Sequence[Buffer]
    buffers_nbytes: int
    metadata: Mapping[str, str]
    libraries: Mapping[str, str]
    sealed: bool
    authenticated: bool

    def untrusted(self, trusted: Trusted = ()) -> list[GlobalUse]:
        """Return the globals that `load(file, trusted=trusted)` would refuse.

        If the list is not empty, and only then, `load` raises `UntrustedError`.

        Args:
            trusted: see `load`.
        """
        return trust.untrusted(self.globals, trusted)


def inspect(
    file: PathOrReadable,
    *,
    storage_options: Mapping[str, Any] | None = None,
    key: KeyLike | None = None,
    context: bytes = b"",
    limits: Limits | None = None,
) -> Inspection:
    """Tell what a file holds and what it would import. Nothing runs, and nothing is imported.

    Args:
        file: see `load`.
        storage_options: see `load`.
        key: see `load`.
        context: see `load`.
        limits: how much the file may ask for; by default as much as in restricted loading.

    Raises:
        FormatError: the file is not a BinPickle file, is truncated or inconsistent, or its pickle stream is malformed.
        LimitError: the file asks for more than `limits` allow.
        IntegrityError: the index or the pickle stream is damaged.
        AuthenticationError: a key is given, and the seal is missing or wrong.
        OSError: from the operating system, unchanged.
    """
    limits = RESTRICTED_LIMITS if limits is None else limits
    with BinPickleFile(file, storage_options=storage_options, key=key, context=context, limits=limits) as opened:
        used, summary = scan_globals(opened, limits), opened.summary
        return Inspection(
            version=summary.version,
            size=summary.size,
            stream_nbytes=summary.stream.nbytes,
            globals=tuple(used),
            codecs=tuple(sorted({str(spec["id"]) for chain in opened.codecs for spec in chain})),
            buffers=opened.buffers,
            buffers_nbytes=summary.buffers.nbytes,
            metadata=summary.metadata,
            libraries=summary.libraries,
            sealed=summary.is_sealed,
            authenticated=key is not None,
        )
