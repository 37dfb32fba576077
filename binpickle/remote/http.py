"""The client for `http://` and `https://`, presigned addresses included, on the standard library.

Rule: one attempt asks for one range, and either returns exactly this range or raises. `retrying` says which failures
are tried again.
"""

from __future__ import annotations

import http.client
import io
from base64 import b64encode
from typing import Any, Iterator, Mapping
from urllib.parse import unquote, urljoin, urlsplit, urlunsplit

from ..errors import RemoteError
from ..files.reader import Piece
from .answers import RETRIED, check_range, read_body, refusal
from .connections import Connections
from .objects import ObjectInfo, redacted
from .retrying import BROKEN, BusyError, failure, persist

__all__ = ["WORDS", "HttpStore", "without_user"]

WORDS = {"headers", "timeout", "context"}
"""The words of `storage_options` that this client knows."""

_REDIRECTS = 5
_MOVED = frozenset({301, 302, 303, 307, 308})
_PIECE = 1 << 20


class HttpStore:
    """Reads objects by their addresses; a key is a whole URL.

    Args:
        headers: sent with each request to the server of the URL, and to no other that it redirects to.
        timeout: seconds to wait for a server that neither answers nor sends.
        context: an `ssl.SSLContext`, for a certificate that the system does not know.
    """

    can_create = False

    def __init__(self, headers: Mapping[str, str] | None = None, timeout: float = 30.0, context: Any = None):
        self._headers = dict(headers or {})
        self._connections = Connections(timeout, context)

    def url(self, key: str) -> str:
        """See `ObjectStore`."""
        return redacted(key)

    def head(self, key: str, nbytes: int) -> tuple[Piece, ObjectInfo]:
        """See `ObjectStore`."""
        return self._get(key, (0, nbytes), None)

    def tail(self, key: str, nbytes: int) -> tuple[Piece, ObjectInfo]:
        """See `ObjectStore`."""
        return self._get(key, (None, nbytes), None)

    def read(self, key: str, start: int, stop: int, info: ObjectInfo) -> Piece:
        """See `ObjectStore`."""
        return self._get(key, (start, stop), info)[0]

    def whole(self, key: str) -> Iterator[Piece]:
        """See `ObjectStore`."""
        failed: Exception | None = None
        connection, answer, _ = self._attempt(key, {})
        try:
            if answer.status != 200:
                raise refusal(answer.status, redacted(key), 1)
            piece = answer.read(_PIECE)
            while piece:
                yield piece
                piece = answer.read(_PIECE)
        except BROKEN as error:
            failed = failure(error, redacted(key), 1)
        finally:
            _drop(connection, answer)
        if failed is not None:
            raise failed

    def put(self, key: str, data: Piece, create: bool = False) -> None:
        """Refuse to write."""
        raise io.UnsupportedOperation(f"{redacted(key)}: files at http addresses can only be read")

    def put_stream(self, key: str, pieces: Iterator[Piece], part: int) -> None:
        """Refuse to write."""
        self.put(key, b"")

    def close(self) -> None:
        """Close the connections; requests under way end at once, with an error."""
        self._connections.close()

    def _get(self, key: str, wanted: tuple[int | None, int], info: ObjectInfo | None) -> tuple[Piece, ObjectInfo]:
        start, stop = wanted
        headers = {"Range": f"bytes=-{stop}" if start is None else f"bytes={start}-{stop - 1}"}
        if info is not None and info.etag:
            headers["If-Match"] = info.etag

        def attempt(number: int) -> tuple[Piece, ObjectInfo]:
            connection, answer, url = self._attempt(key, headers)
            try:
                if (
                    answer.status == 416
                    and info is None
                    and answer.getheader("Content-Range", "").strip() == "bytes */0"
                ):
                    _drop(connection, answer)
                    return b"", ObjectInfo(0)
                if answer.status in RETRIED:
                    raise BusyError(answer.status, answer.getheader("Retry-After", ""))
                if answer.status != 206:
                    raise refusal(answer.status, redacted(key), number)
                told = check_range(answer.headers, wanted, info)
                nbytes = min(stop, told.size) if start is None else min(stop, told.size) - start
                body = read_body(answer, nbytes)
            except BaseException:
                _drop(connection, answer)
                raise
            if answer.will_close:
                _drop(connection, answer)
            else:
                self._connections.give_back(url, connection)
            return body, told

        return persist(attempt, redacted(key), self._connections.ended.wait)

    def _attempt(self, key: str, headers: Mapping[str, str]) -> tuple[Any, Any, str]:
        """Send one request, and follow redirects; return the connection, the answer, and its URL."""
        url, own = key, self._headers
        for _ in range(_REDIRECTS + 1):
            connection, answer = self._send(url, {**own, **headers, "Accept-Encoding": "identity"})
            if answer.status not in _MOVED or not answer.getheader("Location"):
                return connection, answer, url
            _drop(connection, answer)
            to = urljoin(url, answer.getheader("Location"))
            if urlsplit(to).scheme not in ("https", urlsplit(url).scheme):
                raise RemoteError("the server redirects from https to an address without TLS", answer.status, 1)
            if urlsplit(to)[:2] != urlsplit(url)[:2]:
                own = {}  # credentials are for the server that the caller named
            url = to
        raise RemoteError(f"the server redirects more than {_REDIRECTS} times", answer.status, 1)

    def _send(self, url: str, headers: Mapping[str, str]) -> tuple[Any, Any]:
        while True:
            connection, target, used = self._connections.take(url)
            try:
                connection.request("GET", target, headers=headers)
                return connection, connection.getresponse()
            except (ConnectionError, http.client.BadStatusLine):
                connection.close()
                if not used:  # else the server has closed an idle connection, which is no failure
                    raise
            except BaseException:
                connection.close()
                raise


def _drop(connection: Any, answer: Any) -> None:
    """Close a connection, and the answer, which may have taken over its socket."""
    answer.close()
    connection.close()


def without_user(url: str) -> tuple[str, dict[str, str]]:
    """Return a URL without its user and password, and the header that has them."""
    parts = urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    if not at:
        return url, {}
    header = f"Basic {b64encode(unquote(user).encode()).decode()}"
    return urlunsplit(parts._replace(netloc=host)), {"Authorization": header}
