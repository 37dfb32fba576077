"""From an address and its options to a client and a key.

Rule: `http` addresses get the client of the standard library, the large stores obstore, and all else fsspec. fsspec
also takes over where a client is not installed or lacks a word of `storage_options`. `client` forces one.
"""

from __future__ import annotations

import os
import re
from typing import Any, Mapping, NamedTuple
from urllib.parse import urlsplit

from .objects import ObjectPath, ObjectStore, redacted

__all__ = ["Found", "is_remote", "local_path", "resolve"]

# A drive of Windows is one letter.
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+(::[A-Za-z0-9+.:/-]*)?://")
_LOST_SLASH = re.compile(r"(s3a?|gcs?|gs|az|abfss?|https?|memory):[/\\][^/\\]")
_CLIENTS = ("fsspec", "http", "obstore")
_INSTALL = "pip install binpickle[remote]"


class Found(NamedTuple):
    """A client and the key of an object.

    Attributes:
        store: the client.
        key: the key.
        path: the address by which another process can open the object, or `None`.
        own: whether the client was made for this object alone, and must be closed.
    """

    store: ObjectStore
    key: str
    path: str | None = None
    own: bool = False


def is_remote(file: Any) -> bool:
    """Whether the file that a caller gave is an address, or an object of a store.

    Raises:
        ValueError: the path was an address before `Path` took one of its slashes.
    """
    if isinstance(file, str):
        return _URL.match(file) is not None and not file.lower().startswith("file://")
    if isinstance(file, ObjectPath):
        return True
    if _has_file_system(file):
        return not {"file", "local"} & _protocols(file.fs)
    if isinstance(file, os.PathLike) and _LOST_SLASH.match(os.fsdecode(file)):
        raise ValueError(f"{os.fsdecode(file)!r:.200}: Path took a slash out of the address: give it as a string")
    return False


def local_path(file: Any, options: Mapping[str, Any] | None) -> Any:
    """Return a file of this machine as it is, and the path of a `file://` address.

    Raises:
        TypeError: there are options, which are for stores.
    """
    if options:
        raise TypeError("storage_options are for addresses such as s3://bucket/key, not for files of this machine")
    if isinstance(file, str) and file.lower().startswith("file://"):
        from urllib.request import url2pathname  # takes as long to import as the rest of this package

        return url2pathname(urlsplit(file).path)
    if _has_file_system(file) and not isinstance(file, os.PathLike):
        return file.path
    return file


def resolve(file: Any, options: Mapping[str, Any] | None = None) -> Found:
    """Return the client and the key of a remote file.

    Args:
        file: an address, an object with `fs` and `path`, or an `ObjectPath`.
        options: see `load`.

    Raises:
        ImportError: no client for the address is installed.
        TypeError: an option is wrong.
    """
    if options is not None and not isinstance(options, Mapping):
        raise TypeError(f"storage_options must be a dict, not {type(options).__name__}")
    options = dict(options or {})
    if isinstance(file, str):
        return _resolve_url(file, options)
    if options:
        raise TypeError("storage_options are for addresses: this file has a store already")
    if isinstance(file, ObjectPath):
        return Found(_client_of(file.store), file.key)
    from .fsspec import FsspecStore

    return Found(FsspecStore(file.fs), file.path)


def _resolve_url(url: str, options: dict[str, Any]) -> Found:
    path = url if not options and redacted(url) == url else None
    client = options.pop("client", None)
    if client not in (None, *_CLIENTS):
        raise ValueError(f"client must be one of {', '.join(_CLIENTS)}, not {client!r:.80}")
    scheme = url.partition("://")[0].lower()
    http = client == "http" or client is None and scheme in ("http", "https")
    if http:
        found = _http(url, options)
    else:
        found = None if client == "fsspec" else _obstore(url, scheme, options, forced=client == "obstore")
    if found is None and client in ("http", "obstore"):
        raise TypeError(f"{client} does not know one of these storage_options: {', '.join(sorted(options))}")
    return (found or _fsspec(url, scheme, options))._replace(path=path)


def _http(url: str, options: dict[str, Any]) -> Found | None:
    from .http import WORDS, HttpStore, without_user

    if not set(options) <= WORDS:
        return None
    url, header = without_user(url)
    options["headers"] = {**header, **(options.get("headers") or {})}
    return Found(HttpStore(**options), url.partition("#")[0], own=True)


def _obstore(url: str, scheme: str, options: dict[str, Any], forced: bool) -> Found | None:
    from .obstore import SCHEMES, inherited, open_obstore, translated_options

    translated = translated_options(scheme, options) if scheme in SCHEMES else None
    if translated is None or inherited() and not forced and _is_installed("fsspec"):
        return None
    try:
        return Found(*open_obstore(url, translated))
    except ImportError:
        if forced:
            raise ImportError(f"{redacted(url)}: obstore is not installed: {_INSTALL}") from None
        return None


def _fsspec(url: str, scheme: str, options: dict[str, Any]) -> Found:
    from .fsspec import open_fsspec

    try:
        return Found(*open_fsspec(url, options))
    except ImportError as error:
        missing = error.name or "a client"
    hint = "or open the object yourself, and give the binary file object"
    raise ImportError(f"{redacted(url)}: {missing} is not installed, which {scheme}:// needs: {_INSTALL}, {hint}")


def _client_of(store: Any) -> ObjectStore:
    """Return the client over a store that a caller gave.

    Raises:
        TypeError: it is no store.
    """
    if type(store).__module__.partition(".")[0] == "obstore":
        from .obstore import ObstoreStore

        return ObstoreStore(store, f"{type(store).__name__}/")
    if all(callable(getattr(store, name, None)) for name in ("head", "tail", "read", "url")):
        return store  # type: ignore[no-any-return]
    raise TypeError(
        f"store must be a store of obstore, or have the methods of one of BinPickle, not {type(store)!r:.80}"
    )


def _has_file_system(file: Any) -> bool:
    return hasattr(type(file), "fs") and hasattr(type(file), "path")


def _protocols(fs: Any) -> set[str]:
    return {fs.protocol} if isinstance(fs.protocol, str) else set(fs.protocol)


def _is_installed(name: str) -> bool:
    from importlib.util import find_spec

    return find_spec(name) is not None
