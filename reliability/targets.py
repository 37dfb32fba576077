"""Every safe way to read an input of unknown origin.

Rule: every way to read a file returns, or raises a `BinPickleError`. Another exception, a crash, or an input that takes
longer than seconds is a bug.
"""

from __future__ import annotations

import io
import zlib
from typing import Any, Callable

import numpy as np

import binpickle
from binpickle import BinPickleError, BinPickleFile, Limits, UntrustedError, trust

__all__ = ["FUZZ_LIMITS", "TARGETS", "Broken", "container", "stream"]

FUZZ_LIMITS = Limits(
    decoded_bytes=1 << 22, stored_bytes=1 << 22, buffers=1 << 10, index_bytes=1 << 18, opcodes=1 << 14, memo=1 << 14
)
"""Limits so small that an input takes milliseconds."""
_MOST_BUFFERS = 8


class Broken(Exception):
    """BinPickle did not keep a promise."""


def container(data: bytes) -> str:
    """Read a file in every way that promises to be safe.

    Returns:
        How far reading got: `"refused"`, `"opened"`, `"untrusted"` or `"loaded"`.
    """
    opened = _outcome(lambda: BinPickleFile(io.BytesIO(data), limits=FUZZ_LIMITS))
    if isinstance(opened, BinPickleError):
        return "refused"
    with opened:
        _look(opened)
        if _one_in_four(data):
            opened._repr_html_()
        loaded = _outcome(lambda: opened.load(trusted=(), threads=1))
    mapped = _outcome(lambda: binpickle.loads(data, copy=False, trusted=(), limits=FUZZ_LIMITS, threads=1))
    if isinstance(loaded, UntrustedError) != isinstance(mapped, UntrustedError):
        raise Broken(f"read: {loaded!r:.200}; shared: {mapped!r:.200}")
    _agree(_outcome(lambda: binpickle.inspect(io.BytesIO(data), limits=FUZZ_LIMITS)), loaded)
    if _one_in_four(data):
        _outcome(lambda: binpickle.repack(io.BytesIO(data), io.BytesIO(), codecs=["zlib"], threads=1))
    return _how_far(loaded)


def stream(data: bytes) -> str:
    """Give a pickle stream to the strict machine, and to its inert twin.

    Returns:
        As `container`.
    """
    buffers = [np.zeros(64, np.uint8), bytearray(24), b"ABCDEFGH", np.arange(40, dtype=np.uint8)]
    loaded = _outcome(lambda: trust.load(io.BytesIO(data).read, buffers, len(buffers), (), FUZZ_LIMITS))
    used = _outcome(lambda: trust.scan(io.BytesIO(data).read, len(buffers), FUZZ_LIMITS))
    if isinstance(used, BinPickleError):
        if not isinstance(loaded, BinPickleError) or isinstance(loaded, UntrustedError):
            raise Broken(f"scan refuses ({used}), load does not: {loaded!r:.200}")
    elif bool(trust.untrusted(used)) != isinstance(loaded, UntrustedError):
        raise Broken(f"scan sees {used!r:.200}, load: {loaded!r:.200}")
    return _how_far(loaded)


TARGETS: dict[str, Callable[[bytes], str]] = {"container": container, "stream": stream}
"""The targets of fuzzing by name; each is a function of the bytes of an input."""


def _look(opened: BinPickleFile) -> None:
    """Read everything of an open file that needs no unpickling."""
    repr(opened)
    _outcome(lambda: [(buffer.dtype, buffer.codecs, buffer.offset) for buffer in opened.buffers])
    _outcome(lambda: (opened.entries, opened.summary, opened.is_mappable, opened.root_digest))
    _outcome(lambda: opened.find_errors(threads=1))
    for i in range(min(len(opened.buffers), _MOST_BUFFERS)):
        _use(_outcome(lambda i=i: opened.array(i)))
    _outcome(opened.stream)


def _agree(inspection: Any, loaded: Any) -> None:
    """Check that `inspect` reports as untrusted what `load` refuses."""
    refused = isinstance(loaded, UntrustedError)
    if isinstance(inspection, BinPickleError):
        if refused or not isinstance(loaded, BinPickleError):
            raise Broken(f"inspect: {inspection}; load: {loaded!r:.200}")
    elif bool(inspection.untrusted()) != refused:
        raise Broken(f"inspect: {inspection.untrusted()}; load: {loaded!r:.200}")


def _outcome(act: Callable[[], Any]) -> Any:
    """Return the result of a call, or the `BinPickleError` that it raises."""
    try:
        return act()
    except BinPickleError as error:
        return error


def _one_in_four(data: bytes) -> bool:
    """Return true for a quarter of all inputs, which are chosen for slow checks."""
    return zlib.crc32(data) % 4 == 0


def _how_far(loaded: Any) -> str:
    if isinstance(loaded, UntrustedError):
        return "untrusted"
    if isinstance(loaded, BinPickleError):
        return "opened"
    _use(loaded)
    return "loaded"


def _use(loaded: Any) -> None:
    """Read every byte of a loaded object, so that an array that lies about its memory crashes here."""
    if isinstance(loaded, (list, tuple)):
        for item in loaded[:_MOST_BUFFERS]:
            if isinstance(item, np.ndarray):
                _use(item)
    elif isinstance(loaded, np.ndarray):
        plain = loaded.view(np.ndarray)
        repr(plain.dtype)
        if plain.nbytes <= FUZZ_LIMITS.decoded_bytes:  # an array may repeat one element many times
            plain.tobytes()
        plain.reshape(-1)[:4].tolist()
