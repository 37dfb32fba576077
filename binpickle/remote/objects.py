"""Objects of a store, and the protocol of the clients that read and write them.

Rule: the protocol is synchronous and safe in any thread. A client raises `OSError`s and `BinPickleError`s that name the
object by `redacted` addresses, and retries what may succeed later.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Any, Iterator, NamedTuple

from ..files.reader import Piece

if TYPE_CHECKING:
    from typing_extensions import Protocol
else:
    Protocol = object

__all__ = ["NoRangesError", "ObjectInfo", "ObjectPath", "ObjectStore", "redacted", "redacted_text"]

# Signatures stand in queries and fragments, passwords before the host. A text may hold several addresses.
_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://)([^\s/?#\"'<>]*@)?([^\s?#\"'<>]*)([?#][^\s\"'<>]*)?")
_QUERY = re.compile(r"([?&][\w.-]+=|%3[Ff])[^\s\"'<>]*")


class ObjectInfo(NamedTuple):
    """What a store says of an object.

    Attributes:
        size: its bytes.
        etag: its strong entity tag, which changes with its bytes; `None` if the store has none.
        modified: when it was written, or `None`.
    """

    size: int
    etag: str | None = None
    modified: datetime | None = None

    def differs(self, other: ObjectInfo) -> bool:
        """Whether another answer of the store tells of other bytes."""
        if self.size != other.size or (self.etag and other.etag and self.etag != other.etag):
            return True
        told = not (self.etag and other.etag) and self.modified and other.modified
        return bool(told and self.modified != other.modified)


class NoRangesError(OSError):
    """The server sends only whole objects."""


class ObjectStore(Protocol):
    """A client of a store. One that raises `NoRangesError` has the method `whole`, too, which yields all bytes.

    Attributes:
        can_create: whether `put` with `create` is atomic: of two writers the store refuses one.
    """

    can_create: bool

    def url(self, key: str) -> str:
        """Return the address of an object, without secrets, for messages."""

    def head(self, key: str, nbytes: int) -> tuple[Piece, ObjectInfo]:
        """Return the first bytes of an object: `nbytes`, or all if it has fewer."""

    def tail(self, key: str, nbytes: int) -> tuple[Piece, ObjectInfo]:
        """Return the last bytes of an object: `nbytes`, or all if it has fewer."""

    def read(self, key: str, start: int, stop: int, info: ObjectInfo) -> Piece:
        """Return a range of an object.

        Raises:
            ObjectChangedError: the object is not the one that `info` describes.
        """

    def put(self, key: str, data: Piece, create: bool = False) -> None:
        """Write an object with one request.

        Raises:
            FileExistsError: the object exists, and `create` is given.
        """

    def put_stream(self, key: str, pieces: Iterator[Piece], part: int) -> None:
        """Write an object in parts. It appears once `pieces` has ended; if that raises, nothing appears or is left."""


class ObjectPath:
    """An object of a store, for `load`, `dump` and all that take a file.

    Args:
        store: a store of obstore, or an object with the methods of BinPickle's own clients.
        key: the key of the object in the store.
    """

    __slots__ = ("key", "store")

    def __init__(self, store: Any, key: str):
        if not isinstance(key, str):
            raise TypeError(f"key must be a string, not {type(key).__name__}")
        self.store = store
        self.key = key

    def __repr__(self) -> str:
        return f"<ObjectPath {redacted_text(self.key.partition('?')[0])!r}>"

    def __reduce__(self) -> Any:
        raise TypeError("an ObjectPath cannot be pickled: its store may hold secrets; make it where it is used")


def redacted(url: str) -> str:
    """Return an address without its user, password, query and fragment."""
    return _ADDRESS.sub(r"\1\3", url)


def redacted_text(text: str, secrets: tuple[str, ...] = ()) -> str:
    """Return the text of an error in one line, with addresses redacted, and secrets replaced.

    Args:
        text: the text.
        secrets: the values of options that must not be shown.
    """
    text = _QUERY.sub("", redacted(text.partition("\n\nDebug source")[0]))
    for secret in secrets:
        text = text.replace(secret, "***")
    return " ".join(text.split())[:500]
