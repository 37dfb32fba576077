"""The client of the standard library, against a server that does what servers do wrong."""

from __future__ import annotations

import time
from typing import Any, Iterator

import numpy as np
import pytest
from internals import retrying
from servers import Fault, Handler, Request, Server, serving

import binpickle
from binpickle import BinPickleFile, FormatError, LimitError, Limits, ObjectChangedError, RemoteError

OBJ = [np.random.default_rng(i).integers(0, 256, 1_200_000, np.uint8) for i in range(10)]
FILE = binpickle.dumps(OBJ)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for nothing between attempts."""
    monkeypatch.setattr(retrying, "FIRST_WAIT", 0.0)
    monkeypatch.setattr(retrying, "MOST_WAIT", 0.0)


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as running:
        running.objects["/file.bpk"] = FILE
        yield running


def same(loaded: Any) -> bool:
    return len(loaded) == len(OBJ) and all((a == b).all() for a, b in zip(loaded, OBJ))


def nth(number: int, act: Any) -> Fault:
    """Do something wrong with one request."""

    def fault(handler: Handler, request: Request) -> bool:
        if request.number == number:
            act(handler)
        return request.number == number

    return fault


def always(act: Any) -> Fault:
    """Do something wrong with all requests but the first two."""

    def fault(handler: Handler, request: Request) -> bool:
        if request.number > 2:
            act(handler)
        return request.number > 2

    return fault


PASSING = {
    "503": lambda handler: handler.status(503),
    "429": lambda handler: handler.status(429, Retry_After="1"),
    "500": lambda handler: handler.status(500),
    "reset": lambda handler: handler.reset(),
    "short body": lambda handler: handler.answer(cut=100),
}


@pytest.mark.parametrize("number", [1, 2, 3, 6])
@pytest.mark.parametrize("act", PASSING)
def test_passing_faults(server: Server, act: str, number: int) -> None:
    """A fault of one answer is overcome by one more request."""
    server.fault = nth(number, PASSING[act])
    assert same(binpickle.load(server.url("/file.bpk")))
    assert len(server.requests) in (13, 14)  # a reset of a connection that was idle costs no attempt


@pytest.mark.parametrize("act", PASSING)
def test_lasting_faults(server: Server, act: str) -> None:
    """A fault that stays is an error with the address, the status and the number of attempts."""
    server.fault = always(PASSING[act])
    with BinPickleFile(server.url("/file.bpk?sig=canary")) as file, pytest.raises(RemoteError) as raised:
        file.array(5)
    assert raised.value.attempts == 6
    assert server.url("/file.bpk") in str(raised.value)
    assert "canary" not in str(raised.value)
    if act.isdigit():
        assert raised.value.status == int(act)
    assert len(server.requests) >= 2 + 6


WRONG = {
    "longer than asked": (lambda handler: handler.answer(extra=b"x"), RemoteError),
    "longer, of unknown length": (lambda handler: handler.answer(extra=b"x", Content_Length=""), RemoteError),
    "another range": (lambda handler: handler.answer(Content_Range=f"bytes 0-9/{len(FILE)}"), RemoteError),
    "no range": (lambda handler: handler.answer(Content_Range=""), RemoteError),
    "another size": (lambda handler: handler.answer(Content_Range="bytes 0-9/10"), ObjectChangedError),
    "encoded": (lambda handler: handler.answer(Content_Encoding="gzip"), RemoteError),
    "another tag": (lambda handler: handler.answer(ETag='"other"'), ObjectChangedError),
    "whole": (lambda handler: handler.whole(), OSError),
    "403": (lambda handler: handler.status(403), PermissionError),
    "404": (lambda handler: handler.status(404), FileNotFoundError),
    "412": (lambda handler: handler.status(412), ObjectChangedError),
    "416": (lambda handler: handler.status(416), RemoteError),
    "418": (lambda handler: handler.status(418), RemoteError),
    "endless redirects": (lambda handler: handler.status(302, Location=handler.path), RemoteError),
}


@pytest.mark.parametrize("act", WRONG)
def test_wrong_answers(server: Server, act: str) -> None:
    """An answer that is not what was asked for is refused at once."""
    wrong, kind = WRONG[act]
    server.fault = always(wrong)
    with BinPickleFile(server.url("/file.bpk")) as file, pytest.raises(kind) as raised:
        file.array(5)
    assert server.url("/file.bpk") in str(raised.value)
    assert len(server.requests) == (8 if "redirects" in act else 3)


def test_requests(server: Server) -> None:
    """A load takes the same requests as from any store, with `If-Match` and no encoding."""
    assert same(binpickle.load(server.url("/file.bpk")))
    assert len(server.requests) == 2 + 10
    assert {request.headers["Accept-Encoding"] for request in server.requests} == {"identity"}
    assert {request.headers["If-Match"] for request in server.requests[2:]} == {server.etag_of(FILE)}
    assert {request.range for request in server.requests[:2]} == {"bytes=0-65535", "bytes=-65536"}


def test_replaced(server: Server) -> None:
    """An object that is replaced between two requests is noticed."""
    with BinPickleFile(server.url("/file.bpk")) as file:
        server.objects["/file.bpk"] = binpickle.dumps(OBJ[::-1])
        with pytest.raises(ObjectChangedError):
            file.load()


def test_weak_tags(server: Server) -> None:
    """A weak entity tag is never sent as a condition."""
    server.weak = True
    assert same(binpickle.load(server.url("/file.bpk")))
    assert {request.headers["If-Match"] for request in server.requests} == {None}


def test_server_without_ranges(server: Server) -> None:
    """A server that sends only whole objects is read once, from the beginning to the end, within the limits."""
    server.fault = lambda handler, request: handler.whole() is None
    assert same(binpickle.load(server.url("/file.bpk")))
    with pytest.raises(LimitError):
        binpickle.load(server.url("/file.bpk"), limits=Limits(stored_bytes=1 << 20))
    server.objects["/file.bpk"] = b"<!DOCTYPE html>" * 100
    with pytest.raises(FormatError, match="HTML page"):
        binpickle.load(server.url("/file.bpk"))


def test_redirects(server: Server) -> None:
    """Redirects are followed, and another server gets no header of the caller's."""
    with serving() as other:
        other.objects["/there"] = FILE
        server.fault = lambda handler, request: handler.status(302, Location=other.url("/there?sig=1")) is None
        loaded = binpickle.load(server.url("/file.bpk"), storage_options={"headers": {"Authorization": "canary"}})
        assert same(loaded)
        assert {request.headers["Authorization"] for request in server.requests} == {"canary"}
        assert {request.headers["Authorization"] for request in other.requests} == {None}


def test_user_in_the_address(server: Server) -> None:
    """User and password of an address are sent as a header, and stand in no name."""
    url = server.url("/file.bpk").replace("://", "://user:canary@")
    with BinPickleFile(url) as file:
        assert "canary" not in repr(file)
        assert same(file.load())
    assert {request.headers["Authorization"] for request in server.requests} == {"Basic dXNlcjpjYW5hcnk="}


def test_stall(server: Server) -> None:
    """A server that does not answer in time ends in `TimeoutError`, with the address as its file name."""
    server.fault = always(lambda handler: time.sleep(0.3))
    options = {"timeout": 0.02}
    with BinPickleFile(server.url("/file.bpk?q=1"), storage_options=options) as file, pytest.raises(
        TimeoutError
    ) as raised:
        file.array(5)
    assert raised.value.filename == server.url("/file.bpk")


def test_nobody_listens() -> None:
    """A server that is not there is an error that tells how often it was tried."""
    with serving() as gone:
        url = gone.url("/file.bpk")
    with pytest.raises(RemoteError, match="6 attempts"):
        binpickle.load(url)


def test_writing_is_refused(server: Server) -> None:
    """Files at http addresses cannot be written."""
    with pytest.raises(OSError, match="only be read"):
        binpickle.dump(1, server.url("/file.bpk"))


def test_empty(server: Server) -> None:
    """An empty object is no BinPickle file."""
    server.objects["/file.bpk"] = b""
    with pytest.raises(FormatError):
        binpickle.load(server.url("/file.bpk"))
    assert len(server.requests) == 2


def test_pickled_open_file(server: Server) -> None:
    """An open file of a plain address can be pickled; one whose address or options may hold secrets cannot."""
    import pickle

    with BinPickleFile(server.url("/file.bpk")) as file, pickle.loads(pickle.dumps(file)) as again:
        assert same(again.load())
    with BinPickleFile(server.url("/file.bpk?sig=1")) as file, pytest.raises(TypeError):
        pickle.dumps(file)
