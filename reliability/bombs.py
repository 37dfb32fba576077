"""Small files that would decode to very large objects, and the memory and time that it takes to refuse them.

Rule: a child process opens each bomb, with a limit in bytes, in an address space that is little larger than that limit.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import resource
import struct
import zlib
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Callable, Iterator, NamedTuple

import msgpack
from numcodecs.zstd import Zstd

from binpickle import BinPickleError, BinPickleFile, Limits, inspect

from .packed import EMPTY, file_of

__all__ = ["LIMITS", "Cost", "bombs", "defuse"]

LIMITS = Limits(decoded_bytes=16 << 20, index_bytes=1 << 20, buffers=1 << 18)
_MIB = 1 << 20
_MANY = 20_000  # opcodes, each of which costs microseconds
_ROOM = 512 * _MIB
_LARGE = 256 * _MIB
_HALF = LIMITS.decoded_bytes // 2


Bomb = Callable[[], bytes]
"""Makes the bytes of a file."""


class Cost(NamedTuple):
    """The cost of refusing a file: the peak of the added resident memory, and the processor time of the slowest way."""

    nbytes: int
    seconds: float


def bombs() -> Iterator[tuple[str, Bomb]]:
    """Yield each bomb as its name and a function that makes the bytes of the file, which may take seconds."""
    yield from _codec_bombs()
    yield from _index_bombs()
    yield from _stream_bombs()


def defuse(file: bytes) -> Cost:
    """Read a file in every safe way in a small address space. Call this in a child process.

    Raises:
        ValueError: the file was not refused.
    """
    size = _status("VmSize")
    resource.setrlimit(resource.RLIMIT_AS, (size + _ROOM, size + _ROOM))
    Path("/proc/self/clear_refs").write_text("5")  # resets the peak
    before, refused, longest = _status("VmRSS"), 0, 0.0
    for look in (_load, _inspect, _arrays):
        start = _cpu()
        try:
            look(file)
        except BinPickleError:
            refused += 1
        longest = max(longest, _cpu() - start)
    if not refused:
        raise ValueError("it was not refused")
    return Cost(_status("VmHWM") - before, longest)


def _load(file: bytes) -> None:
    with BinPickleFile(io.BytesIO(file), limits=LIMITS) as opened:
        opened.load(trusted=(), threads=1)


def _inspect(file: bytes) -> None:
    inspect(io.BytesIO(file), limits=LIMITS)


def _arrays(file: bytes) -> None:
    with BinPickleFile(io.BytesIO(file), limits=LIMITS) as opened:
        for i in range(min(len(opened.buffers), 4)):
            opened.array(i)


def _lz4(zeros: bytes) -> bytes:
    return (1 << 30).to_bytes(4, "little") + b"\x1f\0\1\0" + b"\xff" * 2000 + b"\0"


_ENCODERS: dict[str, Callable[[bytes], bytes]] = {
    "zlib": lambda zeros: zlib.compress(zeros, 9),
    "gzip": gzip.compress,
    "bz2": bz2.compress,
    "lzma": partial(lzma.compress, preset=1),
    "zstd": lambda zeros: bytes(Zstd(3).encode(zeros)),
    "lz4": _lz4,
}


@lru_cache(maxsize=None)
def _frame(codec: str) -> bytes:
    return _ENCODERS[codec](bytes(_LARGE))


def _codec_bomb(codec: str, size: int, twice: bool = False) -> bytes:
    """Return a file with a frame that decodes to far more bytes than `size`, which the index claims."""
    frame = _ENCODERS[codec](_frame(codec)) if twice else _frame(codec)
    return file_of([frame], [size], [({"id": codec},) * (2 if twice else 1)])


def _codec_bombs() -> Iterator[tuple[str, Bomb]]:
    """Yield chunks that decode to far more than the index says, for each codec, applied once and twice."""
    for codec in _ENCODERS:
        yield f"{codec}, a frame of more", partial(_codec_bomb, codec, 1000)
        yield f"{codec}, at the limit", partial(_codec_bomb, codec, _HALF)
        if codec not in ("zstd", "lz4"):
            yield f"{codec} twice", partial(_codec_bomb, codec, 1000, twice=True)
    window = struct.pack("<IBB", 0xFD2FB528, 0, 0xF8) + b"\1\0\0"  # a window of 4 TiB, no size
    yield "zstd, a large window", partial(file_of, [window], [1000], [({"id": "zstd"},)])
    claim = b"\x28\xb5\x2f\xfd\xe0" + (1 << 62).to_bytes(8, "little") + b"\1\0\0"
    yield "zstd, 2**62 declared", partial(file_of, [claim], [1000], [({"id": "zstd"},)])
    header = b"\x5d" + (0xFFFFFFFF).to_bytes(4, "little") + b"\xff" * 8 + bytes(16)
    yield "lzma, a dictionary of 4 GiB", partial(file_of, [header], [1000], [({"id": "lzma", "format": 2},)])


def _index_bombs() -> Iterator[tuple[str, Bomb]]:
    """Yield indexes that need more memory than they have bytes, or that claim more bytes than the file has."""
    for name, index in (
        ("a list in a list", b"\x91" * (1 << 19)),
        ("empty maps", b"\xdd" + (1 << 18).to_bytes(4, "big") + b"\x80" * (1 << 18)),
        ("a length of 2**32", b"\xdd\xff\xff\xff\xff"),
        ("a map of 2**32", b"\xdf\xff\xff\xff\xff"),
    ):
        yield f"index: {name}", partial(_around, index)
    empty: dict[str, Any] = {"requires": [], "metadata": {}, "libraries": {}, "chains": [[]], "kinds": [0]}
    column = {"length": 1, "stored": 1, "padding": 0, "chain": 0, "checksum": "sha256", "values": b""}
    chunks = {**column, "count": 1 << 40}
    buffers = {"count": 1 << 22, "first": 1, "kind": 0, "gap": 0}
    one = {**column, "count": 1, "length": len(EMPTY), "stored": len(EMPTY), "values": bytes(32)}
    for name, tables in (
        ("2**40 chunks", {"stream": 1, "chunks": chunks, "buffers": {**buffers, "count": 0}}),
        ("four million buffers", {"stream": len(EMPTY), "chunks": one, "buffers": buffers}),
        ("2**60 buffers", {"stream": len(EMPTY), "chunks": one, "buffers": {**buffers, "count": 1 << 60}}),
    ):
        yield f"index: {name}", partial(_around, msgpack.packb({**empty, **tables}))
    yield "one range, 4096 times", partial(file_of, [bytes(_MIB)], [_MIB], [()], listed=1 << 12)


def _stream_bombs() -> Iterator[tuple[str, Bomb]]:
    for name, stream in (
        ("tuples in tuples", b")" + b"\x85" * _MANY),
        ("lists in lists", b"]" * _MANY + b"a" * (_MANY - 1)),
        ("an integer of a megabyte", b"\x8b" + struct.pack("<I", _MIB) + b"\x01" * _MIB),
        ("a string of 2**62 bytes", b"\x8e" + struct.pack("<Q", 1 << 62)),
        ("a frame of 2**62 bytes", b"\x95" + struct.pack("<Q", 1 << 62)),
        ("a memo that grows", b"N" + b"\x94" * _MANY + b"\x94q"),
        ("doubled tuples", b"}" + b")" + b"".join(b"\x94h%c\x86" % i for i in range(60)) + b"Ns"),
    ):
        yield f"stream: {name}", partial(file_of, [], [], [], stream=b"\x80\x05" + stream + b".")


def _around(index: bytes) -> bytes:
    """Return a file with these bytes as its index and the stream as its only chunk."""
    from .mutation import mend

    whole = file_of([], [], [])
    start = 16 + len(EMPTY)
    trailer = whole[-96:]
    sized = trailer[:8] + len(index).to_bytes(8, "big") + trailer[16:]
    return mend(whole[:start] + index + sized)


def _status(name: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) << 10
    raise ValueError(name)


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
