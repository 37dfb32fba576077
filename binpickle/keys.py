"""Keys and their tags: HMAC-SHA-256 (RFC 2104) over bytes, for one purpose and in one context.

Rule: keys never appear in messages, reprs, logs or pickles. This module knows no file format: `Trailer.sealed_bytes`
says which bytes of a file a seal covers, and `binpickle_dask` seals its small files with the same code.
"""

from __future__ import annotations

import hmac
from typing import Any, Sequence

from .errors import AuthenticationError

__all__ = ["Keys", "MIN_KEY_BYTES", "read_key"]

# As long as the tag, so that guessing a key is no faster than guessing a tag.
MIN_KEY_BYTES = 32
# Far more than any key. A longer file is not a key file, and a device may never end.
_MOST_BYTES = 1 << 16


class Keys:
    """The keys and the context of one call.

    Args:
        keys: the keys; the first key seals, and any of them verifies.
        context: the purpose of the file, bound into the tag: a file sealed for one purpose is refused for another.
    """

    __slots__ = ("_context", "_keys")

    def __init__(self, keys: Sequence[bytes], context: bytes = b""):
        self._keys = tuple(bytes(key) for key in keys)
        self._context = bytes(context)

    @classmethod
    def of(cls, key: Any, context: Any = b"") -> Keys | None:
        """Return the keys of the arguments `key` and `context`, or `None` if there is no key.

        Args:
            key: bytes, a list or tuple of bytes, or a function that returns either; called in this thread.
            context: bytes.

        Raises:
            TypeError: the key or the context is not bytes.
            ValueError: a key is too short, the list of keys is empty, or there is a context but no key.
        """
        if not isinstance(context, (bytes, bytearray, memoryview)):
            raise TypeError(f"context must be bytes, not {type(context).__name__}")
        if key is None:
            if len(context):
                raise ValueError("a context is bound into a seal, and means nothing without a key: give key=, too")
            return None
        if callable(key):  # a function that returns None is a mistake, and no way to load without a key
            key = key()
        keys = [key] if isinstance(key, (bytes, bytearray, memoryview)) else key
        if isinstance(keys, str) or not isinstance(keys, (list, tuple)):
            raise TypeError(
                f"key must be bytes, a list of bytes, or a function that returns them, not {type(key).__name__}"
            )
        for one in keys:
            if not isinstance(one, (bytes, bytearray, memoryview)):
                raise TypeError(f"a key must be bytes, not {type(one).__name__}")
            if memoryview(one).nbytes < MIN_KEY_BYTES:
                raise ValueError(f"a key must have at least {MIN_KEY_BYTES} bytes: take them from secrets.token_bytes")
        if not keys:
            raise ValueError("the list of keys is empty")
        return cls(keys, bytes(context))

    def __repr__(self) -> str:
        return f"<{len(self._keys)} keys>"

    def __reduce__(self) -> Any:
        raise TypeError("keys cannot be pickled: pass them again where they are needed")

    def sign(self, domain: bytes, data: bytes) -> bytes:
        """Return the tag of some bytes in this context, 32 bytes long.

        Args:
            domain: the sort of the bytes, ended by a zero byte: a tag for one sort is wrong for every other.
            data: the bytes.
        """
        return self._tag(self._keys[0], domain, data)

    def check(self, domain: bytes, data: bytes, tag: bytes) -> None:
        """Check that `tag` is the tag of some bytes by any of the keys.

        Args:
            domain: see `sign`.
            data: see `sign`.
            tag: the tag to check.

        Raises:
            AuthenticationError: no key makes this tag.
        """
        # All keys are tried, so that the time taken does not tell which key fits.
        fits = [hmac.compare_digest(self._tag(key, domain, data), tag) for key in self._keys]
        if not any(fits):
            raise AuthenticationError("the seal is not by this key in this context, or the file was changed")

    def _tag(self, key: bytes, domain: bytes, data: bytes) -> bytes:
        parts = (domain, len(self._context).to_bytes(8, "big"), self._context, data)
        return hmac.new(key, b"".join(parts), "sha256").digest()


def read_key(path: str) -> bytes:
    """Return all bytes of a key file.

    Raises:
        ValueError: the file is too large for a key.
        OSError: the file cannot be read.
    """
    with open(path, "rb") as file:
        key = file.read(_MOST_BYTES + 1)
    if len(key) > _MOST_BYTES:
        raise ValueError(f"{path}: it is no key file, which has {_MOST_BYTES} bytes at most")
    return key
