"""Which files are remote, which client reads them, and what errors show."""

from __future__ import annotations

import pickle
import sys
import traceback
from pathlib import Path
from typing import Any

import pytest
from internals import redacted, redacted_text, translated_options
from stores import MemoryStore

import binpickle
from binpickle import BinPickleFile, FileStatus, ObjectPath, StoreError

REDACTED = [
    ("s3://bucket/key.bpk", "s3://bucket/key.bpk"),
    ("https://user:pass@host/x?sig=1#a", "https://host/x"),
    ("https://host?sig=1", "https://host"),
    ("simplecache::s3://key:secret@bucket/x", "simplecache::s3://bucket/x"),
]


@pytest.mark.parametrize(("url", "shown"), REDACTED)
def test_redacted(url: str, shown: str) -> None:
    """Addresses are shown without user, password, query and fragment, in a text, too."""
    assert redacted(url) == shown
    assert redacted_text(f"GET {url} failed") == f"GET {shown} failed"


TEXTS = [
    ("request /x?X-Amz-Signature=canary failed", "request /x failed"),
    ("key canary is wrong", "key *** is wrong"),
    ("http://h/a%3FX-Sig%3Dcanary in 2 s", "http://h/a in 2 s"),
]


@pytest.mark.parametrize(("text", "shown"), TEXTS)
def test_redacted_text(text: str, shown: str) -> None:
    """The text of a client's error is shown without queries and secrets."""
    assert redacted_text(text, ("canary",)) == shown


OPTIONS: list[tuple[str, dict[str, Any], dict[str, Any] | None]] = [
    ("s3", {}, {}),
    ("s3", {"key": "a", "secret": "b"}, {"access_key_id": "a", "secret_access_key": "b"}),
    ("s3", {"anon": True}, {"skip_signature": True}),
    ("s3", {"endpoint_url": "https://h"}, {"endpoint": "https://h"}),
    (
        "s3",
        {"client_kwargs": {"endpoint_url": "http://h", "region_name": "r"}},
        {"endpoint": "http://h", "region": "r", "client_options": {"allow_http": True}},
    ),
    ("s3", {"profile": "p"}, None),
    ("s3", {"client_kwargs": {"verify": False}}, None),
    ("gs", {"token": "anon"}, {"skip_signature": True}),
    ("gs", {"project": "p"}, None),
    ("az", {"account_name": "a", "account_key": "k"}, {"account_name": "a", "account_key": "k"}),
]


@pytest.mark.parametrize(("scheme", "options", "translated"), OPTIONS)
def test_options_of_obstore(scheme: str, options: dict[str, Any], translated: dict[str, Any] | None) -> None:
    """fsspec's words become obstore's, unless obstore lacks one."""
    assert translated_options(scheme, options) == translated


def test_memory() -> None:
    """`memory://` is the store of fsspec that the whole process shares."""
    fsspec = pytest.importorskip("fsspec")
    url = "memory://binpickle/test.bpk"
    try:
        binpickle.dump([1, 2], url)
        assert binpickle.load(fsspec.filesystem("memory").open(url)) == [1, 2]
        assert binpickle.load(url) == [1, 2]
        with pytest.raises(FileExistsError):
            binpickle.dump(3, url, exclusive=True)
        binpickle.repack(url, "memory://binpickle/new.bpk")
        assert binpickle.load("memory://binpickle/new.bpk", trusted=()) == [1, 2]
        assert binpickle.file_info("memory://binpickle/none").status is FileStatus.MISSING
        with BinPickleFile(url) as file, pickle.loads(pickle.dumps(file)) as again:
            assert again.load() == [1, 2]
    finally:
        fsspec.filesystem("memory").rm("/binpickle", recursive=True)


def test_large_in_memory() -> None:
    """A large object of fsspec appears at the end, and not at all if the dump fails."""
    fs = pytest.importorskip("fsspec").filesystem("memory")
    data = [bytes(20 << 20), lambda: None]
    with pytest.raises((pickle.PicklingError, AttributeError)):
        binpickle.dump(data, "memory://binpickle/large.bpk", codecs=None)
    assert not fs.exists("/binpickle/large.bpk")
    binpickle.dump(data[:1], "memory://binpickle/large.bpk", codecs=None)
    assert binpickle.load("memory://binpickle/large.bpk") == data[:1]
    fs.rm("/binpickle", recursive=True)


def test_file_addresses(tmp_path: Path) -> None:
    """A `file://` address is a file of this machine."""
    url = (tmp_path / "a b.bpk").as_uri()
    binpickle.dump("here", url)
    assert binpickle.load(tmp_path / "a b.bpk") == binpickle.load(url) == "here"
    assert binpickle.file_info(url).is_valid


@pytest.mark.parametrize("address", ["s3://bucket/key", "https://host/key", "memory://a/b"])
def test_path_of_an_address(address: str) -> None:
    """A `Path` of an address has lost a slash, and is refused."""
    for function in (binpickle.load, lambda path: binpickle.dump(1, path)):
        with pytest.raises(ValueError, match="slash"):
            function(Path(address))


def test_options_for_local_files(tmp_path: Path) -> None:
    """Options for stores are refused where there is no store."""
    with pytest.raises(TypeError, match="storage_options"):
        binpickle.dump(1, tmp_path / "a.bpk", storage_options={"anon": True})
    with pytest.raises(TypeError, match="storage_options"):
        binpickle.load(ObjectPath(MemoryStore(), "a"), storage_options={"anon": True})


@pytest.mark.parametrize(("url", "client"), [("s3://b/k", "http"), ("s3://b/k", "ftp"), ("http://h/k", "obstore")])
def test_wrong_client(url: str, client: str) -> None:
    """A client that cannot read an address, or is none, is refused."""
    with pytest.raises((TypeError, ValueError), match="client|obstore|http"):
        binpickle.load(url, storage_options={"client": client, "word": 1})


@pytest.mark.parametrize("url", ["s3://bucket/key?sig=canary", "memory://key"])
def test_no_client(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """Without a client, the error says what to install."""
    for name in ("obstore", "obstore.store", "fsspec", "fsspec.core"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match=r"binpickle\[remote\]") as raised:
        binpickle.load(url)
    assert "canary" not in shown(raised.value)


def shown(error: BaseException) -> str:
    """All that a log may have of an error."""
    return (
        "".join(traceback.format_exception(type(error), error, error.__traceback__)) + repr(error) + repr(vars(error))
    )


class Failing:
    """A store of a client of others, which puts its secrets into its errors."""

    protocol = "failing"

    def __init__(self, error: Exception):
        self.error = error

    def unstrip_protocol(self, path: str) -> str:
        return f"failing://user:canary@host/{path}?sig=canary"

    def info(self, path: str) -> Any:
        raise self.error

    def pipe_file(self, path: str, data: bytes) -> None:
        raise self.error


class Located:
    """What a `UPath` has."""

    def __init__(self, error: Exception):
        self._error = error

    @property
    def fs(self) -> Any:
        return Failing(self._error)

    @property
    def path(self) -> str:
        return "key"


ERRORS = [
    (OSError("GET https://host/key?X-Amz-Signature=canary failed"), OSError),
    (PermissionError("https://host/key?sig=canary"), PermissionError),
    (FileNotFoundError("https://user:canary@host/key"), FileNotFoundError),
    (ValueError("bad answer of http://host/?canary"), OSError),
]


@pytest.mark.parametrize(("error", "kind"), ERRORS, ids=str)
def test_secrets(error: Exception, kind: type[Exception]) -> None:
    """No secret of a client's error gets into the error of a load or a dump, its traceback or its context."""
    for function in (binpickle.load, lambda file: binpickle.dump(1, file)):
        with pytest.raises(kind) as raised:
            function(Located(error))
        assert "canary" not in shown(raised.value).replace(f"raise {error!r}", "")
        assert "failing://host/key" in str(raised.value)


def test_object_path() -> None:
    """An `ObjectPath` shows no query, is not pickled, and refuses what is no store."""
    path = ObjectPath(MemoryStore(), "key?sig=canary")
    assert "canary" not in repr(path)
    with pytest.raises(TypeError, match="secrets"):
        pickle.dumps(path)
    with pytest.raises(TypeError, match="store"):
        binpickle.load(ObjectPath(object(), "key"))
    with pytest.raises(TypeError, match="key"):
        ObjectPath(MemoryStore(), 3)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def obstore() -> Any:
    """obstore, with the descriptors that it keeps until the process ends."""
    stores = pytest.importorskip("obstore.store")
    stores.MemoryStore().put("key", b"")
    return stores


def test_obstore(obstore: Any) -> None:
    """A store of obstore is a store: it reads, writes, and refuses to replace."""
    path = ObjectPath(obstore.MemoryStore(), "key")
    obj = [bytes(20 << 20), "text"]
    binpickle.dump(obj, path, codecs=None)
    assert binpickle.load(path) == obj
    with pytest.raises(FileExistsError):
        binpickle.dump(1, path, exclusive=True)
    assert issubclass(StoreError, binpickle.BinPickleError)
