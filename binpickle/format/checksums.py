"""Checksums and digests of stored chunks, by the names that the index uses.

A checksum detects accidents. A digest also detects forgery, once something vouches for the digest itself.
"""

from __future__ import annotations

import hashlib
import zlib
from typing import Any, Callable, NamedTuple, Sequence

import xxhash

__all__ = ["ALGORITHMS", "CHECKSUM", "DIGEST", "Algorithm", "checksum_of", "start_checksum"]


class Algorithm(NamedTuple):
    """One algorithm that checks stored bytes.

    Attributes:
        size: length of a value in bytes.
        cheap: whether it costs next to nothing beside moving the bytes, so that a helper thread for it does not pay.
        of: computes the value of contiguous bytes, in canonical (big-endian) form.
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
    """Return the checksum or digest of the bytes of several pieces, in order, without joining the pieces."""
    if len(pieces) == 1:
        return ALGORITHMS[name].of(pieces[0])
    running = start_checksum(name)
    for piece in pieces:
        running.update(piece)
    return bytes(running.digest())


def start_checksum(name: str) -> Any:
    """Return a running checksum or digest of no bytes yet, with `update` and `digest`. Version 3 writes these two."""
    return _STARTED[name]()
