"""The client for all file systems of fsspec: `memory://`, chains, and the stores for which obstore is not there.

Rule: only this module imports fsspec, and it uses what every file system has. Where `If-Match` cannot be sent, the
checksums of the file tell that an object was replaced.
"""

from __future__ import annotations

import inspect
import threading
from functools import partial
from typing import Any, Iterator, Mapping

from ..files.reader import Piece
from .failures import secrets_in, translating
from .objects import ObjectInfo, redacted

__all__ = ["FsspecStore", "open_fsspec"]

# The file systems whose `pipe_file` creates an object only if there is none: S3 decides it, or this process alone.
_CREATING = {"s3", "memory"}
_creating = threading.Lock()


class FsspecStore:
    """A file system of fsspec.

    Args:
        fs: the file system.
        secrets: see `redacted_text`.
    """

    def __init__(self, fs: Any, secrets: tuple[str, ...] = ()):
        self._fs = fs
        self._secrets = secrets
        self._protocols = {fs.protocol} if isinstance(fs.protocol, str) else set(fs.protocol)
        self.can_create = bool(self._protocols & _CREATING) and _takes_mode(fs)

    def url(self, key: str) -> str:
        """See `ObjectStore`."""
        return redacted(self._fs.unstrip_protocol(key))

    def head(self, key: str, nbytes: int) -> tuple[Piece, ObjectInfo]:
        """See `ObjectStore`."""
        info = self._info(key)
        return self._read(key, 0, min(nbytes, info.size)), info

    def tail(self, key: str, nbytes: int) -> tuple[Piece, ObjectInfo]:
        """See `ObjectStore`."""
        info = self._info(key)
        return self._read(key, max(info.size - nbytes, 0), info.size), info

    def read(self, key: str, start: int, stop: int, info: ObjectInfo) -> Piece:
        """See `ObjectStore`."""
        return self._read(key, start, stop)

    def put(self, key: str, data: Piece, create: bool = False) -> None:
        """See `ObjectStore`."""
        if not create:
            self._call(key, lambda: self._fs.pipe_file(key, bytes(data)))
            return
        with _creating:
            self._call(key, lambda: self._fs.pipe_file(key, bytes(data), mode="create"))

    def put_stream(self, key: str, pieces: Iterator[Piece], part: int) -> None:
        """See `ObjectStore`."""
        if "memory" in self._protocols:  # whose open files are visible from their first byte on
            self.put(key, b"".join(pieces))
        else:
            self._call(key, partial(self._upload, key, pieces, part))

    def _upload(self, key: str, pieces: Iterator[Piece], part: int) -> None:
        file = self._fs.open(key, "wb", block_size=part, autocommit=False)
        try:
            for piece in pieces:
                file.write(piece)
            file.close()
            file.commit()
        except BaseException:
            file.discard()
            file.closed = True  # else its finalizer would write what is in its buffer
            raise

    def _info(self, key: str) -> ObjectInfo:
        found = self._call(key, lambda: self._fs.info(key))
        if found.get("type") == "directory":
            self._call(key, partial(_raise, IsADirectoryError(key)))
        etag = found.get("ETag")
        return ObjectInfo(int(found["size"]), etag if isinstance(etag, str) and not etag.startswith("W/") else None)

    def _read(self, key: str, start: int, stop: int) -> Piece:
        if start == stop:
            return b""
        data: bytes = self._call(key, lambda: self._fs.cat_file(key, start=start, end=stop))
        return data

    def _call(self, key: str, function: Any) -> Any:
        return translating(function, self.url(key), self._secrets)


def open_fsspec(url: str, options: Mapping[str, Any]) -> tuple[FsspecStore, str]:
    """Return the file system of a URL, and the path of its object there.

    Raises:
        ImportError: fsspec, or what it needs for this URL, is not installed.
        ValueError: fsspec does not know the scheme.
    """
    from fsspec.core import url_to_fs

    fs, path = url_to_fs(url, **options)
    return FsspecStore(fs, secrets_in(options)), path


def _takes_mode(fs: Any) -> bool:
    function = getattr(fs, "_pipe_file", None) or fs.pipe_file
    return "mode" in inspect.signature(function).parameters


def _raise(error: BaseException) -> None:
    raise error
