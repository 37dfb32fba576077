"""Opens the source or the sink for the file that a caller gives: a file of this machine, or an object of a store.

Rule: the rest of the package opens files by these functions only. `resolving` says which files are remote, and no
client is imported before an address needs it.
"""

from __future__ import annotations

from typing import Any, Callable, Iterator, Mapping

from ..files import origin, target
from ..files.reader import Piece, Reader
from ..files.sink import Sink
from ..files.source import Source
from ..files.spool import spool_file
from .objects import NoRangesError
from .resolving import Found, is_remote, local_path, resolve

__all__ = ["open_sink", "open_source"]


def open_source(
    file: Any,
    limit: int,
    check: Callable[[bytes], object] | None = None,
    storage_options: Mapping[str, Any] | None = None,
) -> Source:
    """Return the source of the bytes of a file; see `files.origin.open_source`.

    Args:
        file: the file that the caller of `load` gave, or a `Reader` of its file object.
        limit: the largest number of bytes to accept from a file that must be spooled.
        check: see `files.origin.open_source`.
        storage_options: see `load`.

    Raises:
        ImportError: no client for the address is installed.
        TypeError: a storage option is wrong, or given for a file of this machine.
        Exception: see `files.origin.open_source`, and what the client raises.
    """
    reader = file if isinstance(file, Reader) else None
    given = file if reader is None else reader.file
    if not is_remote(given):
        return origin.open_source(local_path(given, storage_options) if reader is None else reader, limit, check)
    found = resolve(given, storage_options)
    try:
        return _open_object(found, limit, check)
    except BaseException:
        _close(found)
        raise


def open_sink(
    file: Any,
    durable: bool | None = None,
    exclusive: bool = False,
    storage_options: Mapping[str, Any] | None = None,
) -> Sink:
    """Return the sink that takes the bytes of a file; see `files.target.open_sink`.

    Args:
        file: the file that the caller of `dump` gave.
        durable: see `dump`; an object is always durable.
        exclusive: see `dump`.
        storage_options: see `dump`.

    Raises:
        ImportError: no client for the address is installed.
        TypeError: a storage option is wrong, or given for a file of this machine.
        StoreError: `exclusive` is given, and the store cannot promise it.
        Exception: see `files.target.open_sink`.
    """
    if not is_remote(file):
        return target.open_sink(local_path(file, storage_options), durable, exclusive)
    if durable not in (None, False, True):
        raise TypeError(f"durable must be None, True or False, not {durable!r:.80}")
    from .uploading import UploadSink

    found = resolve(file, storage_options)
    return UploadSink(found.store, found.key, exclusive)


def _open_object(found: Found, limit: int, check: Callable[[bytes], object] | None) -> Source:
    from .source import RemoteSource

    try:
        return RemoteSource(found.store, found.key, found.path, close=lambda: _close(found))
    except NoRangesError:  # plain servers know no ranges: such an object is read as a pipe is
        pieces = found.store.whole(found.key)  # type: ignore[attr-defined]
    try:
        return spool_file(Reader(_Pieces(pieces)), limit, b"", found.store.url(found.key), check)
    finally:
        pieces.close()
        _close(found)


def _close(found: Found) -> None:
    if found.own:
        found.store.close()  # type: ignore[attr-defined]


class _Pieces:
    """A file object over pieces."""

    def __init__(self, pieces: Iterator[Piece]):
        self._pieces = pieces

    def read(self, nbytes: int) -> Piece:
        """Return the next piece, which may have more bytes; none at the end."""
        return next(self._pieces, b"")
