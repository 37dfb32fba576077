"""A server of HTTP on loopback that counts its requests, and can do all that servers do wrong."""

from __future__ import annotations

import re
import socket
import struct
import threading
import time
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from socketserver import ThreadingMixIn
from typing import Any, Callable, Iterator


class Request:
    """One request that came in.

    Attributes:
        number: from 1 on, in the order of arrival.
        path: what was asked for, with its query.
        range: the value of `Range`.
        headers: all of them.
    """

    def __init__(self, number: int, path: str, headers: Any):
        self.number = number
        self.path = path
        self.range = headers.get("Range", "")
        self.headers = headers


Fault = Callable[["Handler", Request], bool]
"""Answers a request instead of the server, and returns whether it did."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server
    timeout = 10

    def do_GET(self) -> None:  # noqa: N802 - the name that http.server calls
        server = self.server
        with server.lock:
            request = Request(len(server.requests) + 1, self.path, self.headers)
            server.requests.append(request)
        if server.latency:
            time.sleep(server.latency)
        if server.fault is None or not server.fault(self, request):
            self.answer()

    def answer(self, body: bytes | None = None, extra: bytes = b"", cut: int = 0, **headers: str) -> None:
        """Send the range that was asked for, or another body, with bytes behind it or cut off."""
        data = self.server.objects.get(self.path.partition("?")[0])
        if data is None:
            return self.status(404)
        match = self.headers.get("If-Match")
        if match is not None and match != self.server.etag_of(data):
            return self.status(412)
        start, stop = self.span(len(data))
        if start >= stop:
            return self.status(416, Content_Range=f"bytes */{len(data)}")
        body = data[start:stop] if body is None else body
        told = {
            "Content-Range": f"bytes {start}-{stop - 1}/{len(data)}",
            "Content-Length": str(len(body) + len(extra)),
            "ETag": self.server.etag_of(data),
        }
        told.update({name.replace("_", "-"): value for name, value in headers.items()})
        self.send_response(206)
        for name, value in told.items():
            if value:
                self.send_header(name, value)
        self.end_headers()
        self.wfile.write((body + extra)[: len(body) + len(extra) - cut])
        self.close_connection = cut > 0 or not told["Content-Length"]
        return None

    def status(self, status: int, **headers: str) -> None:
        """Answer with a status and no body."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def whole(self) -> None:
        """Answer as a server that knows no ranges."""
        data = self.server.objects[self.path.partition("?")[0]]
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.close_connection = True
        self.wfile.write(data)

    def reset(self) -> None:
        """Reset the connection."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()

    def span(self, size: int) -> tuple[int, int]:
        """The range that was asked for."""
        first, last = re.match(r"bytes=(\d*)-(\d*)$", self.headers.get("Range", "bytes=0-")).groups()  # type: ignore[union-attr]
        if not first:
            return max(size - int(last), 0), size
        return int(first), min(int(last) + 1 if last else size, size)

    def handle(self) -> None:
        try:
            super().handle()
        except (OSError, ValueError):  # the client went away, or a fault closed the connection
            self.close_connection = True

    def finish(self) -> None:
        with suppress(OSError, ValueError):
            super().finish()

    def log_message(self, *_: Any) -> None:
        pass


class Server(ThreadingMixIn, HTTPServer):
    """The server.

    Attributes:
        objects: the bytes at each path.
        requests: what came in.
        fault: answers instead of the server, if it likes.
        latency: seconds before each answer.
    """

    daemon_threads = True
    request_queue_size = 64
    block_on_close = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.objects: dict[str, bytes] = {}
        self.requests: list[Request] = []
        self.fault: Fault | None = None
        self.latency = 0.0
        self.lock = threading.Lock()
        self.weak = False

    def etag_of(self, data: bytes) -> str:
        """The entity tag of an object."""
        tag = f'"{hash(data) & 0xFFFFFFFF:x}"'
        return f"W/{tag}" if self.weak else tag

    def url(self, path: str) -> str:
        """The address of an object."""
        return f"http://127.0.0.1:{self.server_address[1]}{path}"


@contextmanager
def serving() -> Iterator[Server]:
    """A running server."""
    server = Server()
    server.daemon_threads = False
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
