"""The client for S3, Google Cloud Storage and Azure by obstore.

Rule: only this module imports obstore. After a fork obstore hangs if it was used before, so that a child refuses to use
it then.
"""

from __future__ import annotations

import os
from functools import lru_cache, partial
from typing import Any, Callable, Iterator, Mapping, TypeVar
from urllib.parse import urlsplit

from ..files.reader import Piece
from .failures import secrets_in, translating
from .objects import ObjectInfo, redacted

__all__ = ["SCHEMES", "ObstoreStore", "inherited", "open_obstore", "translated_options"]

T = TypeVar("T")

SCHEMES = {"s3": "S3Store", "s3a": "S3Store", "gs": "GCSStore", "gcs": "GCSStore", "az": "AzureStore"}
"""The schemes of URLs, and the classes of obstore for them."""

_S3 = {"key": "access_key_id", "secret": "secret_access_key", "token": "session_token", "region": "region"}
_S3_CLIENT = {
    "aws_access_key_id": "access_key_id",
    "aws_secret_access_key": "secret_access_key",
    "aws_session_token": "session_token",
    "endpoint_url": "endpoint",
    "region_name": "region",
}
_AZURE = {"account_name": "account_name", "account_key": "account_key", "sas_token": "sas_key"}
_UPLOADS = 4

_used = _inherited = False


class ObstoreStore:
    """A store of obstore.

    Args:
        store: the store.
        prefix: the address before the key, for messages.
        secrets: see `redacted_text`.
    """

    can_create = True

    def __init__(self, store: Any, prefix: str, secrets: tuple[str, ...] = ()):
        self._store = store
        self._prefix = prefix
        self._secrets = secrets
        self._suffixes = type(store).__name__ != "AzureStore"  # which has no ranges that count from the end

    def url(self, key: str) -> str:
        """See `ObjectStore`."""
        return redacted(self._prefix + key)

    def head(self, key: str, nbytes: int) -> tuple[Piece, ObjectInfo]:
        """See `ObjectStore`."""
        return self._call(key, partial(self._get, key, (0, nbytes)))

    def tail(self, key: str, nbytes: int) -> tuple[Piece, ObjectInfo]:
        """See `ObjectStore`."""
        if self._suffixes:
            return self._call(key, partial(self._get, key, {"suffix": nbytes}))
        size = self._call(key, lambda: self._store.head(key)["size"])
        return self._call(key, partial(self._get, key, (max(size - nbytes, 0), size)))

    def read(self, key: str, start: int, stop: int, info: ObjectInfo) -> Piece:
        """See `ObjectStore`."""
        return self._call(key, partial(self._get, key, (start, stop), info))[0]

    def put(self, key: str, data: Piece, create: bool = False) -> None:
        """See `ObjectStore`."""
        mode = "create" if create else "overwrite"
        self._call(key, lambda: self._store.put(key, data, mode=mode, use_multipart=False))

    def put_stream(self, key: str, pieces: Iterator[Piece], part: int) -> None:
        """See `ObjectStore`."""
        self._call(key, lambda: self._store.put(key, pieces, chunk_size=part, max_concurrency=_UPLOADS))

    def _get(self, key: str, wanted: Any, info: ObjectInfo | None = None) -> tuple[Piece, ObjectInfo]:
        options = {"range": wanted}
        if info is not None and info.etag:
            options["if_match"] = info.etag
        got = self._store.get(key, options=options)
        meta = got.meta
        etag = meta.get("e_tag")
        strong = etag if etag and not etag.startswith("W/") else None
        return memoryview(got.bytes()), ObjectInfo(meta["size"], strong, meta.get("last_modified"))

    def _call(self, key: str, function: Callable[[], T]) -> T:
        global _used
        if _inherited:
            raise RuntimeError(
                "this process was forked from one that had used obstore, which would hang here: start processes with "
                "the method 'spawn' or 'forkserver', or give storage_options={'client': 'fsspec'}"
            )
        _used = True
        return translating(function, self.url(key), self._secrets)


def inherited() -> bool:
    """Whether this process was forked from one that had used obstore."""
    return _inherited


def open_obstore(url: str, options: Mapping[str, Any]) -> tuple[ObstoreStore, str]:
    """Return the store of a URL, and the key of its object.

    Args:
        url: the URL.
        options: what `translated_options` returned.

    Raises:
        ImportError: obstore is not installed.
    """
    parts = urlsplit(url, allow_fragments=False)
    key = parts.path[1:] + (f"?{parts.query}" if parts.query else "")
    secrets = secrets_in(options)
    items = tuple(
        (name, tuple(value.items()) if name == "client_options" else value) for name, value in sorted(options.items())
    )
    store = translating(partial(_store, SCHEMES[parts.scheme], parts.netloc, items), redacted(url), secrets)
    return ObstoreStore(store, f"{parts.scheme}://{parts.netloc}/", secrets), key


def translated_options(scheme: str, options: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the words of fsspec in obstore's; `None` if obstore lacks one.

    Args:
        scheme: of the URL.
        options: fsspec's words for this scheme.
    """
    kind = SCHEMES[scheme]
    found: dict[str, Any] = {}
    words = {"S3Store": _S3, "AzureStore": _AZURE}.get(kind, {})
    for word, value in options.items():
        if word == "anon" or (kind, word, value) == ("GCSStore", "token", "anon"):
            found["skip_signature"] = bool(value)
        elif kind == "S3Store" and word in ("endpoint_url", "client_kwargs"):
            inner = value if word == "client_kwargs" else {word: value}
            if not set(inner) <= set(_S3_CLIENT):
                return None
            found.update((_S3_CLIENT[name], each) for name, each in inner.items())
        elif word in words:
            found[words[word]] = value
        else:
            return None
    if str(found.get("endpoint", "")).startswith("http://"):
        found["client_options"] = {"allow_http": True}
    return {name: value for name, value in found.items() if value is not None}


@lru_cache(maxsize=16)
def _store(kind: str, bucket: str, items: tuple[Any, ...]) -> Any:
    """Return a store; the same one for the same options, so that its connections are used again."""
    import obstore.store as stores

    options = {name: dict(value) if name == "client_options" else value for name, value in items}
    return getattr(stores, kind)(bucket, **options)


def _note_fork() -> None:
    global _inherited
    _inherited = _used


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_note_fork)
