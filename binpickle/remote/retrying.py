"""Which failures of a request are tried again, and how long to wait before.

Rule: an attempt reads, and so can be repeated. The error that is raised at last names the redacted address and the
number of attempts, and holds no error of a client, since its text may have secrets.
"""

from __future__ import annotations

import errno
import http.client
import random
import socket
import ssl
from typing import Callable, TypeVar

from ..errors import RemoteError
from .answers import ShortBodyError, named, refusal
from .objects import NoRangesError, redacted_text

__all__ = ["BROKEN", "FIRST_WAIT", "MOST_WAIT", "BusyError", "failure", "persist"]

T = TypeVar("T")

BROKEN = (OSError, http.client.HTTPException)
"""What a connection raises."""

# Five more after the first, in about ten seconds: a server that is restarted is back by then.
_ATTEMPTS = 6
FIRST_WAIT, MOST_WAIT = 0.1, 5.0
"""Seconds before the second attempt, and the most before any attempt."""

# Another attempt would end in the same way.
_FINAL = (
    FileNotFoundError,
    NoRangesError,
    PermissionError,
    RemoteError,
    http.client.InvalidURL,
    socket.gaierror,
    ssl.SSLCertVerificationError,
)


class BusyError(Exception):
    """A status that may be another one later.

    Args:
        status: the status.
        after: the header `Retry-After`, or no text.
    """

    def __init__(self, status: int, after: str):
        super().__init__(status)
        self.status = status
        self.seconds = float(after) if after.isdigit() else 0.0


def persist(attempt: Callable[[int], T], url: str, pause: Callable[[float], bool]) -> T:
    """Return what an attempt returns; try again, with growing pauses, what may succeed later.

    Args:
        attempt: called with the number of the attempt, from 1 on.
        url: the redacted address, for errors.
        pause: waits so many seconds, or until nobody wants the bytes any more, which it tells.

    Raises:
        OSError: the last attempt failed, too.
        Exception: what an attempt raises besides errors of the connection.
    """
    for number in range(1, _ATTEMPTS + 1):
        least, final = 0.0, number == _ATTEMPTS
        try:
            return attempt(number)
        except BusyError as busy:
            least, failed = min(busy.seconds, MOST_WAIT), refusal(busy.status, url, number)
        except BROKEN as error:
            final = final or isinstance(error, _FINAL)
            failed = failure(error, url, number)
        wait = min(FIRST_WAIT * 2.0 ** (number - 1), MOST_WAIT)
        # Without chance, all clients of a busy server would come back at once.
        if final or pause(max(least, random.uniform(wait / 2, wait))):
            break
    raise failed


def failure(error: BaseException, url: str, attempts: int) -> Exception:
    """Return what to raise for an error of a connection: nothing of it but its text, redacted."""
    if isinstance(error, RemoteError):
        error.attempts = error.attempts or attempts
        return named(error, url)
    if isinstance(error, (FileNotFoundError, NoRangesError, PermissionError)):
        return error
    if isinstance(error, (TimeoutError, socket.timeout)):
        return TimeoutError(errno.ETIMEDOUT, f"the server did not answer, in {attempts} attempts", url)
    text = redacted_text(str(error)) or type(error).__name__
    status = 206 if isinstance(error, ShortBodyError) else None
    return named(RemoteError(f"the server cannot be read, in {attempts} attempts: {text}", status, attempts), url)
