"""Checksums and digests of stored chunks, by the names that the index uses.

A checksum tells accidents; a digest also tells forgery, once something vouches for the digest itself.
"""

from __future__ import annotations

import hashlib
import zlib
from typing import Any, Callable, NamedTuple, Sequence

import xxhash

__all__ = ["ALGORITHMS", "CHECKSUM", "DIGEST", "Algorithm", "checksum_of", "start_checksum"]


class Algorithm(NamedTuple):
    """How stored bytes are checked.

    Attributes:
        size: bytes of a value.
        cheap: costs next to nothing beside moving the bytes, so that a helper thread for it does not pay.
        of: from contiguous bytes to the value, in canonical (big-endian) form.
    """

    size: int
    cheap: bool
    of: Callable[[Any], bytes]


def _sha256(data: Any) -> bytes:
    return hashlib.sha256(data).digest()


def _adler32(data: Any) -> bytes:
    return zlib.adler32(data).to_bytes(4, "big")


# XXH3-128 runs at memory speed; SHA-256 at some 1.8 GB/s a core. Version 1 has Adler-32.
ALGORITHMS: dict[str, Algorithm] = {
    "xxh3-128": Algorithm(16, True, xxhash.xxh3_128_digest),
    "sha256": Algorithm(32, False, _sha256),
    "adler32": Algorithm(4, False, _adler32),
}
CHECKSUM = "xxh3-128"
DIGEST = "sha256"

_STARTED: dict[str, Callable[[], Any]] = {CHECKSUM: xxhash.xxh3_128, DIGEST: hashlib.sha256}


def checksum_of(pieces: Sequence[Any], name: str) -> bytes:
    """Return the checksum or digest of bytes that lie in several places, without joining them."""
    if len(pieces) == 1:
        return ALGORITHMS[name].of(pieces[0])
    running = start_checksum(name)
    for piece in pieces:
        running.update(piece)
    return bytes(running.digest())


def start_checksum(name: str) -> Any:
    """Return a checksum or digest of nothing yet, with `update` and `digest`; one of those that are written."""
    return _STARTED[name]()
