"""Errors of the clients of others, as errors of BinPickle or of a file system.

Rule: what is raised has the redacted address and a redacted text, and keeps no error of the client: its attributes and
its text may hold secrets, and a traceback would print them.
"""

from __future__ import annotations

import errno
import os
from typing import Any, Callable, Mapping, TypeVar

from ..errors import BinPickleError, ObjectChangedError, RemoteError
from .answers import CHANGED, named
from .objects import redacted_text

__all__ = ["SECRET_WORDS", "secrets_in", "translating"]

T = TypeVar("T")

SECRET_WORDS = frozenset(
    [
        "key",
        "secret",
        "token",
        "password",
        "sas_token",
        "account_key",
        "connection_string",
        "aws_access_key_id",
        "aws_secret_access_key",
        "aws_session_token",
        "access_key_id",
        "secret_access_key",
        "session_token",
        "credential",
        "headers",
    ]
)
"""The words of `storage_options` whose values are secrets."""

_PLAIN: tuple[tuple[type[OSError], int], ...] = (
    (FileNotFoundError, errno.ENOENT),
    (FileExistsError, errno.EEXIST),
    (PermissionError, errno.EACCES),
    (TimeoutError, errno.ETIMEDOUT),
)
# By their names, since the client need not be installed.
_NAMES: dict[str, tuple[type[OSError], int]] = {
    "NotFoundError": (FileNotFoundError, errno.ENOENT),
    "AlreadyExistsError": (FileExistsError, errno.EEXIST),
    "PermissionDeniedError": (PermissionError, errno.EACCES),
    "UnauthenticatedError": (PermissionError, errno.EACCES),
    "NoCredentialsError": (PermissionError, errno.EACCES),
}
_SHORTEST_SECRET = 4


def translating(function: Callable[[], T], url: str, secrets: tuple[str, ...] = ()) -> T:
    """Return what a function of a client returns.

    Args:
        function: the function.
        url: the redacted address of the object.
        secrets: see `redacted_text`.

    Raises:
        OSError: what the function raised, as an error that names `url`.
        ObjectChangedError: a condition did not hold.
    """
    try:
        return function()
    except (BinPickleError, ImportError):
        raise
    except Exception as error:
        failed = _translated(error, url, secrets)
    raise failed  # here, where it gets no context


def secrets_in(options: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the secrets among options, and among the options in them."""
    found: list[str] = []
    for word, value in options.items():
        if isinstance(value, Mapping):
            found += map(str, value.values()) if word in SECRET_WORDS else secrets_in(value)
        elif word in SECRET_WORDS and isinstance(value, str):
            found.append(value)
    return tuple(sorted((text for text in found if len(text) >= _SHORTEST_SECRET), key=len, reverse=True))


def _translated(error: Exception, url: str, secrets: tuple[str, ...]) -> Exception:
    if type(error).__name__ == "PreconditionError":
        return named(ObjectChangedError(CHANGED), url)
    found = _NAMES.get(type(error).__name__) or next((row for row in _PLAIN if isinstance(error, row[0])), None)
    if found is not None:
        kind, number = found
        return kind(number, os.strerror(number), url)
    text = redacted_text(str(error), secrets) or type(error).__name__
    return named(RemoteError(f"the store failed: {text}"), url)
