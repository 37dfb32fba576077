"""The example of the docs: a real server, asked by a real client, that saves its counts while it answers."""

from __future__ import annotations

import importlib
import socket
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Iterator

import numpy as np
import pytest
from common import ROOT

import binpickle

httpx = pytest.importorskip("httpx")
uvicorn = pytest.importorskip("uvicorn")
pytest.importorskip("starlette")

EXAMPLES = ROOT / "examples"
BINS = 1_000_000


@pytest.fixture(scope="module", params=["asyncio", "uvloop"])
def loop(request: pytest.FixtureRequest) -> str:
    """The event loops that the server runs on."""
    pytest.importorskip(request.param).new_event_loop().close()  # uvloop's first one opens a pipe for the whole process
    return request.param


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where the service saves."""
    return tmp_path / "counts.bpk"


@contextmanager
def served(file: Path, loop: str, monkeypatch: pytest.MonkeyPatch, seconds: float = 0.02) -> Iterator[Any]:
    """Run the service on a free port of this machine; give a client of it."""
    monkeypatch.setenv("SERVICE_FILE", str(file))
    monkeypatch.setenv("SERVICE_SECONDS", str(seconds))
    monkeypatch.syspath_prepend(str(EXAMPLES))
    sys.modules.pop("service", None)
    app = importlib.import_module("service").app
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, loop=loop, http="h11", ws="none", log_level="warning"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            wait_until(lambda: server.started or not thread.is_alive())
            with httpx.Client(base_url=f"http://127.0.0.1:{listener.getsockname()[1]}", trust_env=False) as client:
                yield client
        finally:
            server.should_exit = True
            thread.join()


def wait_until(condition: Any, seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.005)


def test_saves_while_answering(file: Path, loop: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every save that is seen holds counts of one moment, later ones no fewer; the last holds all."""
    with served(file, loop, monkeypatch) as client:
        seen = []
        for _ in range(60):
            assert client.post("/bins/7").status_code == 200
            assert client.post("/bins/999999").status_code == 200
            if file.exists():
                saved = binpickle.load(file)
                seen.append(int(saved[7]))
                assert saved[7] - saved[999_999] in (0, 1)
        assert client.get("/bins/7").json() == 60
    assert seen == sorted(seen)
    assert binpickle.load(file)[7] == 60
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_goes_on_where_it_ended(file: Path, loop: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The state that was saved at the end is there after a new start."""
    with served(file, loop, monkeypatch, seconds=1000) as client:
        client.post("/bins/3")
        assert not file.exists()
    with served(file, loop, monkeypatch) as client:
        assert client.get("/bins/3").json() == 1


def pieces(data: bytes) -> Iterator[bytes]:
    for start in range(0, len(data), 50_000):
        yield data[start : start + 50_000]


def test_upload(file: Path, loop: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An upload is loaded as it comes in; what is no file, not trusted, too large or something else is refused."""
    refused = {
        b"": 400,
        b"no .bpk file at all": 400,
        binpickle.dumps(np.arange(BINS))[:-1]: 400,
        binpickle.dumps(threading.Thread): 400,
        binpickle.dumps(np.zeros(40 << 20, np.uint8), codecs=[]): 413,
        binpickle.dumps(np.zeros(40 << 20, np.uint8)): 413,
        binpickle.dumps(np.arange(5)): 422,
        binpickle.dumps({"counts": 5}): 422,
    }
    with served(file, loop, monkeypatch) as client:
        assert client.put("/counts", content=pieces(binpickle.dumps(np.arange(BINS)))).status_code == 200
        for data, status in refused.items():
            assert client.put("/counts", content=pieces(data)).status_code == status
        assert client.get("/bins/12345").json() == 12345
        client.post("/bins/12345")
    assert binpickle.load(file)[12345] == 12346
