"""Connections of HTTP that are kept open and used again.

Rule: a connection is used by one thread at a time, and goes back only after its answer was read to the end. A forked
child never uses a connection of its parent.
"""

from __future__ import annotations

import http.client
import os
import socket
import ssl
import threading
from base64 import b64encode
from contextlib import suppress
from typing import Any
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass
from weakref import WeakSet

__all__ = ["Connections"]

# As many as there are requests at a time.
_KEPT = 16
_BLOCK = 1 << 20

_all: WeakSet[Connections] = WeakSet()


class Connections:
    """The open connections to some servers.

    Args:
        timeout: seconds to wait for a server that neither answers nor sends.
        context: how TLS is done; by default as Python does, with the system's certificates or `SSL_CERT_FILE`.

    Attributes:
        ended: set by `close`.
    """

    def __init__(self, timeout: float, context: ssl.SSLContext | None = None):
        self._timeout = timeout
        self._context = context
        self.ended = threading.Event()
        self._lock = threading.Lock()
        self._idle: dict[str, list[Any]] = {}
        self._busy: WeakSet[Any] = WeakSet()
        _all.add(self)

    def take(self, url: str) -> tuple[Any, str, bool]:
        """Return a connection to the server of a URL, what to ask it for, and whether it was used before."""
        parts = urlsplit(url)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        server = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
        proxy = _proxy(parts.scheme, parts.hostname or "")
        if proxy and parts.scheme == "http":
            target = server + target
        with self._lock:
            idle = self._idle.get(server)
            connection = idle.pop() if idle else None
        used = connection is not None
        connection = connection or self._connect(parts, proxy)
        with self._lock:
            self._busy.add(connection)
        return connection, target, used

    def give_back(self, url: str, connection: Any) -> None:
        """Keep a connection for the next request; its answer was read to the end."""
        parts = urlsplit(url)
        server = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
        with self._lock:
            idle = self._idle.setdefault(server, [])
            self._busy.discard(connection)
            if len(idle) < _KEPT and not self.ended.is_set():
                idle.append(connection)
                return
        connection.close()

    def close(self) -> None:
        """Close the connections that nobody uses, and let the requests on the others end."""
        self.ended.set()
        with self._lock:
            idle, self._idle = self._idle, {}
            busy = list(self._busy)
        for connection in busy:
            sock = connection.sock
            if sock is not None:
                with suppress(OSError):  # its thread has just closed it
                    # Not the method of TLS, which takes state away that the other thread uses.
                    socket.socket.shutdown(sock, socket.SHUT_RDWR)
        for connections in idle.values():
            for connection in connections:
                connection.close()

    def renew(self) -> None:
        """Forget all connections: in a forked child, whose parent uses them."""
        self._lock = threading.Lock()
        self._idle = {}
        self._busy = WeakSet()

    def _connect(self, parts: Any, proxy: str | None) -> Any:
        host, port = parts.hostname or "", parts.port
        if parts.scheme == "https":
            if self._context is None:
                self._context = ssl.create_default_context()
            options: dict[str, Any] = {"timeout": self._timeout, "context": self._context}
            kind: Any = http.client.HTTPSConnection
        else:
            options, kind = {"timeout": self._timeout}, http.client.HTTPConnection
        if not proxy:
            return kind(host, port, **options)
        via = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        connection = kind(via.hostname, via.port, **options)
        if parts.scheme == "https":
            connection.set_tunnel(host, port, headers=_proxy_headers(via))
        return connection


def _proxy(scheme: str, host: str) -> str | None:
    """Return the proxy that the environment names for a server, as `HTTPS_PROXY` does."""
    return None if proxy_bypass(host) else getproxies().get(scheme)


def _proxy_headers(via: Any) -> dict[str, str]:
    if via.username is None:
        return {}
    user = f"{unquote(via.username)}:{unquote(via.password or '')}"
    return {"Proxy-Authorization": f"Basic {b64encode(user.encode()).decode()}"}


def _renew_all() -> None:
    for connections in list(_all):
        connections.renew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_all)
