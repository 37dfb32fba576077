"""From the first and the last bytes of a file to its tables, all of them checked: the work of opening a file.

Rule: the header chooses the parser of the format version, and no code behind the parser depends on the version. Equal
index bytes mean equal tables, so that the tables of small raw files are kept, and found again by these bytes.
"""

from __future__ import annotations

from typing import NamedTuple, Tuple

import numpy as np

from ..errors import AuthenticationError, FormatError, LimitError
from ..files.source import Source
from ..format import legacy, read_index
from ..format.contents import Contents
from ..format.foreign import LOOK_AT
from ..format.header import HEADER, SEAL_DOMAIN, TRAILER, VERSION, Header, Trailer
from ..format.placement import Placement, find_placement
from ..keys import Keys
from ..limits import Limits
from .recent import Recent

__all__ = ["Tables", "View", "read_tables"]

# A worker of dask maps the same parts for one task after another. The tables of so many files are kept, if a file has
# few buffers and chunks and a small index, so that its tables take a few KiB.
_KEPT = 1024
_FEW = 64
_SMALL_INDEX = 4 << 10

_Known = Tuple[Header, bytes, Limits]


class View(NamedTuple):
    """The place of a buffer in the file, and whether it holds plain bytes, not an array."""

    start: int
    stop: int
    plain: bool


class Tables(NamedTuple):
    """The tables of a file, read before any of its data.

    Attributes:
        header: the header of the file.
        contents: the tables of the index.
        placement: how buffers and chunks lie to each other.
        padding: the start and the stop of each range of bytes between chunks.
        views: a view for each buffer, if there are few buffers and all can be mapped; else `None`.
    """

    header: Header
    contents: Contents
    placement: Placement
    padding: list[tuple[int, int]]
    views: list[View] | None = None


_recent: Recent[_Known, Tables] = Recent(_KEPT)


def read_tables(source: Source, limits: Limits, keys: Keys | None) -> Tables:
    """Read the tables of a file.

    Args:
        source: the bytes of the file.
        limits: how much the file may ask for.
        keys: refuse a file that none of these keys sealed, before its index is parsed.

    Raises:
        FormatError: the file is not a BinPickle file, is truncated or inconsistent.
        LimitError: the file asks for more than `limits` allow.
        IntegrityError: the index is damaged.
        AuthenticationError: the seal is missing or wrong.
    """
    if source.size > limits.stored_bytes:
        raise LimitError(f"the file has {source.size} bytes, more than {limits.stored_bytes}", "stored_bytes")
    look_at = min(LOOK_AT, source.size)
    source.plan([(0, look_at), (max(source.size - TRAILER.size, look_at), source.size)])
    start = bytes(source.read(0, look_at))
    header = Header.unpack(start)
    if header.version == VERSION:
        return _read_version_3(source, header, limits, keys)
    if keys is not None:
        raise AuthenticationError(f"a key was given, but format version {header.version} has no seal")
    contents = _read_legacy(source, header, limits)
    return Tables(header, contents, find_placement(contents), [])  # older versions may have any bytes between chunks


def _read_version_3(source: Source, header: Header, limits: Limits, keys: Keys | None) -> Tables:
    tail = min(TRAILER.size, source.size - HEADER.size)
    end = bytes(source.read(source.size - tail, tail))
    trailer = Trailer.unpack(end)
    if keys is not None:
        _check_seal(keys, header, trailer)
    read_index.check_trailer(trailer, source.size, limits)
    source.plan([(trailer.index_offset, trailer.index_offset + trailer.index_length)])
    index = bytes(source.read(trailer.index_offset, trailer.index_length))
    read_index.check_index(trailer, index)
    known = header, end, limits
    tables = _recent.get(known)
    if tables is None:
        tables = _parsed(header, trailer, index, limits)
        if len(index) <= _SMALL_INDEX and _is_simple(tables.contents):
            tables = tables._replace(views=_views(tables.contents, tables.placement))
            _recent.put(known, tables)
    contents = tables.contents
    if contents.sealed and contents.root_digest is None:
        refused = FormatError if keys is None else AuthenticationError
        raise refused("the seal vouches for nothing: the file has checksums, no digests")
    return tables


def _check_seal(keys: Keys, header: Header, trailer: Trailer) -> None:
    """Check the seal of a file, before any other part of the file is parsed.

    Raises:
        AuthenticationError: the seal is missing, or made with other keys, in another context, or for other bytes.
    """
    if not any(trailer.seal):
        raise AuthenticationError("the file is not sealed, but a key was given: do not use it, or load it without")
    keys.check(SEAL_DOMAIN, trailer.sealed_bytes(header), trailer.seal)


def _parsed(header: Header, trailer: Trailer, index: bytes, limits: Limits) -> Tables:
    contents = read_index.parse(header, trailer, index, limits)
    placement = find_placement(contents)
    placement.check_chunks_in_use(contents.chunk_starts)
    offsets = contents.chunk_offsets
    before = np.concatenate(([HEADER.size], offsets[:-1] + contents.chunk_stored[:-1]))
    padded = offsets > before
    return Tables(header, contents, placement, list(zip(before[padded].tolist(), offsets[padded].tolist())))


def _is_simple(contents: Contents) -> bool:
    """Return whether a file has few buffers and chunks, all of them raw.

    The tables of other files are not kept: decoding takes longer than parsing them, and callers could change their
    codec specs, which are dicts.
    """
    few = max(len(contents.buffer_starts), len(contents.chunk_starts)) <= _FEW
    return few and not any(contents.chains)


def _views(contents: Contents, placement: Placement) -> list[View] | None:
    nbytes = contents.buffer_nbytes
    if not (placement.mappable & (nbytes > 0)).all():
        return None
    plain = [contents.kinds[kind].dtype is None for kind in contents.buffer_kinds.tolist()]
    return list(map(View, placement.offsets.tolist(), (placement.offsets + nbytes).tolist(), plain))


def _read_legacy(source: Source, header: Header, limits: Limits) -> Contents:
    if not HEADER.size < header.length <= source.size:
        raise FormatError(
            f"the file is truncated: it has {source.size} bytes, its header says {header.length}; get it again"
        )

    def read(offset: int, nbytes: int) -> bytes:
        source.plan([(offset, offset + nbytes)])
        return bytes(source.read(offset, nbytes))

    return legacy.parse(header.version, header.flags, header.length, read, limits)
