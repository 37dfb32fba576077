"""What an open file asks of its reader, compared with limits.

Rule: the index alone says it. Nothing is decoded, and no memory is taken, before a claim was compared with its limit.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ..errors import LimitError
from ..format.contents import Contents
from ..format.placement import Placement
from ..limits import RESTRICTED_LIMITS, Limits
from ..types import Trusted

__all__ = [
    "UNKNOWN_ORIGIN",
    "buffers_nbytes",
    "check_decoding",
    "check_limits",
    "chunks_nbytes",
    "decoded_nbytes",
    "decoding_nbytes",
    "load_limits",
    "require_limits",
]

UNKNOWN_ORIGIN = replace(Limits(), decoded_per_byte=RESTRICTED_LIMITS.decoded_per_byte)
"""The limits of looking into a file of unknown origin piece by piece. Large files pass, small ones that grow do not."""


def require_limits(limits: Any) -> None:
    """Check the argument `limits` of a public function.

    Raises:
        TypeError: it is neither `Limits` nor `None`.
    """
    if limits is not None and not isinstance(limits, Limits):
        raise TypeError(f"limits must be binpickle.Limits(...), not {limits!r:.80}")


def load_limits(limits: Limits | None, trusted: Trusted | None) -> Limits | None:
    """Return the limits that hold for a load from its first byte on, the spooling of a pipe included.

    Args:
        limits: what the caller gave.
        trusted: what the load may use; `None` if it loads as pickle does.
    """
    return RESTRICTED_LIMITS if limits is None and trusted is not None else limits


def check_limits(contents: Contents, placement: Placement, limits: Limits) -> None:
    """Refuse a file that was opened under more generous limits.

    Raises:
        LimitError: the file asks for more than `limits` allow.
    """
    for limit, found in (
        ("decoded_bytes", decoded_nbytes(contents)),
        ("stored_bytes", contents.length),
        ("buffers", len(contents.buffer_starts)),
    ):
        allowed = limits.buffers_in(contents.length) if limit == "buffers" else getattr(limits, limit)
        if found > allowed:
            raise LimitError(f"the file has {found} {limit}, restricted loading allows {allowed}", limit)
    check_decoding(decoding_nbytes(contents, placement), contents.length, limits)


def check_decoding(found: int, length: int, limits: Limits) -> None:
    """Refuse decoding that a file of `length` bytes does not justify.

    Args:
        found: the bytes that are decoded and copied, each counted for every codec of its chain.
        length: the size of the file in bytes.
        limits: `decoded_per_byte` of these counts.

    Raises:
        LimitError: it is more than `limits` allow.
    """
    allowed = limits.decoded_in(length)
    if found > allowed:
        raise LimitError(
            f"{found} bytes are decoded of a file of {length} bytes, each counted for every codec of its chain, more "
            f"than {allowed}; Limits(decoded_per_byte={-(-found // max(length, 1))}) allow it, if you know the file",
            "decoded_per_byte",
        )


def decoded_nbytes(contents: Contents) -> int:
    """Return the sum of the lengths of the pickle stream and of all buffers."""
    start, stop = contents.stream or (0, 0)
    return stop - start + buffers_nbytes(contents)


def decoding_nbytes(contents: Contents, placement: Placement) -> int:
    """Return the bytes that loading decodes and copies: all chunks, and the views, of which each gets a copy."""
    views = placement.roots != np.arange(len(placement.roots))
    return chunks_nbytes(contents, slice(None)) + buffers_nbytes(contents, views)


def chunks_nbytes(contents: Contents, which: np.ndarray | slice) -> int:
    """Return the decoded lengths of some chunks, each counted for every codec of its chain, at least once."""
    codecs = np.array([max(len(chain), 1) for chain in contents.chains], np.int64)
    factors, lengths = codecs[contents.chunk_chains[which]], np.diff(contents.chunk_starts)[which]
    # The sum of all lengths fits int64, and a multiple of it might not: Python's integers are exact.
    return sum(n * int(lengths[factors == n].sum()) for n in np.unique(factors).tolist())


def buffers_nbytes(contents: Contents, which: np.ndarray | slice = slice(None)) -> int:  # noqa: B008 - never changes
    """Return the sum of the lengths of some buffers, or of all."""
    counts = np.bincount(contents.buffer_kinds[which], minlength=1)
    # The sum may not fit int64: Python's integers are exact.
    return sum(int(counts[kind]) * contents.kinds[kind].nbytes for kind in np.flatnonzero(counts).tolist())
