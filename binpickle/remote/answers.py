"""What a server of HTTP answered, compared with what it was asked for.

Rule: neither statuses nor lengths are trusted. An answer is used only if it says which bytes of which object it has,
and has exactly these.
"""

from __future__ import annotations

import errno
import os
import re
from email.utils import parsedate_to_datetime
from typing import Any, Mapping, TypeVar

from ..errors import BinPickleError, ObjectChangedError, RemoteError
from .objects import NoRangesError, ObjectInfo

__all__ = ["CHANGED", "RETRIED", "ShortBodyError", "check_range", "named", "read_body", "refusal"]

E = TypeVar("E", bound=BinPickleError)

RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})
"""The statuses that tell of a server that may answer later."""

CHANGED = "the object was replaced while it was read: open it again"

_RANGE = re.compile(r"bytes\s+(\d+)-(\d+)/(\d+)\s*$")


class ShortBodyError(OSError):
    """The connection ended before the body did."""


def refusal(status: int, url: str, attempts: int) -> Exception:
    """Return the error for an answer that is neither a body nor worth another attempt."""
    if status in (404, 410):
        return FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), url)
    if status in (401, 403, 407):
        return PermissionError(errno.EACCES, f"{os.strerror(errno.EACCES)} (HTTP status {status})", url)
    if status == 412:
        return named(ObjectChangedError(CHANGED), url)
    if status == 416:
        text = "the server has no such bytes: the object is empty, or was replaced"
        return named(RemoteError(text, status, attempts), url)
    if status == 200:
        return NoRangesError(errno.EOPNOTSUPP, "the server sends only whole objects", url)
    text = f"the server answered with HTTP status {status}, in {attempts} attempts"
    return named(RemoteError(text, status, attempts), url)


def named(error: E, url: str) -> E:
    """Return an error with the name of its object, unless it has one."""
    error.file = error.file or url
    return error


def check_range(headers: Mapping[str, Any], wanted: tuple[int | None, int], info: ObjectInfo | None) -> ObjectInfo:
    """Return what an answer of status 206 says of its object.

    Args:
        headers: of the answer.
        wanted: start and stop of the range; without a start, the last `stop` bytes.
        info: what an earlier answer said of the object.

    Raises:
        RemoteError: the answer has another range, or is encoded.
        ObjectChangedError: the answer is of another object than the earlier one.
    """
    if headers.get("Content-Encoding", "identity").lower() != "identity":
        raise RemoteError("the server encoded the body, although it was asked not to", 206)
    found = _RANGE.match(headers.get("Content-Range", ""))
    if found is None:
        raise RemoteError("the server does not say which bytes it sends (Content-Range)", 206)
    start, last, size = map(int, found.groups())
    etag = headers.get("ETag")
    told = ObjectInfo(size, etag if etag and not etag.startswith("W/") else None, _date(headers.get("Last-Modified")))
    if info is not None and info.differs(told):
        raise ObjectChangedError(CHANGED)
    begin, end = wanted
    expected = (max(size - end, 0), size) if begin is None else (begin, min(end, size))
    if (start, last + 1) != expected:
        raise RemoteError(f"the server sends the bytes {start} to {last}, not those that were asked for", 206)
    return told


def read_body(answer: Any, nbytes: int) -> memoryview:
    """Return the body of an answer, which must have exactly so many bytes.

    Raises:
        ShortBodyError: it has fewer.
        RemoteError: it has more.
    """
    length = answer.getheader("Content-Length")
    if length is not None and length != str(nbytes):
        raise RemoteError(
            f"the body has {length[:20]} bytes, not the {nbytes} that the server announced", answer.status
        )
    out = bytearray(nbytes)
    view = memoryview(out)
    filled = 0
    while filled < nbytes:
        got = answer.readinto(view[filled:])
        if not got:
            raise ShortBodyError(f"the body ended after {filled} of {nbytes} bytes")
        filled += got
    if answer.read(1):
        raise RemoteError(f"the body has more than the {nbytes} bytes that were asked for", answer.status)
    return view


def _date(text: str | None) -> Any:
    try:
        return parsedate_to_datetime(text) if text else None
    except (TypeError, ValueError):
        return None
