"""Types of the arguments that public functions take, for the annotations of users and of this package.

Rule: a type says what a function accepts; nothing here runs. Type checkers see each type in full, while old Pythons,
which lack `Literal`, `Protocol` or `Buffer`, see a wider type.
"""

from __future__ import annotations

import os
import pickle
import sys
from typing import (
    TYPE_CHECKING,
    Any,
    AsyncIterable,
    Awaitable,
    Callable,
    Iterable,
    Mapping,
    Optional,
    Sequence,
    Type,
    Union,
)

import numpy as np

if TYPE_CHECKING or sys.version_info >= (3, 9):
    from typing import Literal, Protocol

    _Path = Union[str, bytes, os.PathLike[str], os.PathLike[bytes]]
    _MappingMode = Literal["r", "c"]
else:
    Protocol = object
    _Path = Union[str, bytes, os.PathLike]
    _MappingMode = str

if TYPE_CHECKING:
    from typing_extensions import Buffer
elif sys.version_info >= (3, 12):
    from collections.abc import Buffer
else:
    Buffer = Any

__all__ = [
    "AsyncReadable",
    "AsyncWritable",
    "BytesLike",
    "CodecLike",
    "CodecObject",
    "CodecsLike",
    "KeyLike",
    "MmapMode",
    "PathOrAsyncReadable",
    "PathOrAsyncWritable",
    "PathOrReadable",
    "PathOrWritable",
    "PicklerClass",
    "Prefetch",
    "Progress",
    "Readable",
    "Receivable",
    "Rows",
    "Sendable",
    "Trusted",
    "Writable",
]

BytesLike = Union[Buffer, np.ndarray]
"""A contiguous object with the buffer protocol: `bytes`, `bytearray`, `memoryview`, `mmap`, an array."""


class Readable(Protocol):
    """A binary file object that can be read."""

    def read(self, *args: Any, **kwargs: Any) -> bytes:
        """Return at most the requested number of bytes, and no bytes at the end of the file."""


class Writable(Protocol):
    """A binary file object that can be written."""

    def write(self, __data: bytes) -> Any:
        """Write bytes."""


class AsyncReadable(Protocol):
    """A file or stream whose coroutine `read` returns bytes."""

    def read(self, *args: Any, **kwargs: Any) -> Awaitable[Any]:
        """Return at most the requested number of bytes, and no bytes at the end."""


class Receivable(Protocol):
    """A stream whose coroutine `receive` returns bytes, such as `anyio.abc.ByteReceiveStream`."""

    def receive(self, *args: Any, **kwargs: Any) -> Awaitable[Any]:
        """Return some bytes. At the end raise `anyio.EndOfStream`, or return no bytes."""


class AsyncWritable(Protocol):
    """A file or stream whose coroutine `write` takes bytes."""

    def write(self, __data: bytes) -> Awaitable[Any]:
        """Write bytes."""


class Sendable(Protocol):
    """A stream whose coroutine `send` takes bytes, such as `anyio.abc.ByteSendStream`."""

    def send(self, __data: bytes) -> Awaitable[Any]:
        """Send bytes."""


PathOrReadable = Union[_Path, Readable]
"""What `load` reads: the path of a file, or a binary file object."""

PathOrWritable = Union[_Path, Writable]
"""What `dump` writes: the path of a file, or a binary file object."""

PathOrAsyncReadable = Union[PathOrReadable, AsyncReadable, Receivable, AsyncIterable[BytesLike]]
"""What `aload` reads: all that `load` reads, and streams of an event loop."""

PathOrAsyncWritable = Union[PathOrWritable, AsyncWritable, Sendable]
"""What `adump` writes: all that `dump` writes, and streams of an event loop."""


class CodecObject(Protocol):
    """A codec of numcodecs, by the methods that BinPickle calls."""

    codec_id: Any

    def encode(self, buf: Any) -> Any:
        """Return the encoded bytes of a buffer."""

    def decode(self, buf: Any, out: Any = None) -> Any:
        """Return the decoded bytes of a buffer."""

    def get_config(self) -> Any:
        """Return the spec of the codec: its id and its parameters."""


_Codec = Union[str, Mapping[str, Any], CodecObject]

CodecLike = Union[_Codec, Callable[[memoryview], Union[_Codec, Sequence[Optional[_Codec]], None]]]
"""A codec: its id, its spec, the codec itself, or a function that chooses codecs for each buffer."""

CodecsLike = Union[CodecLike, Sequence[Optional[CodecLike]], None]
"""The `codecs` argument: `"auto"`, one codec, or a list of codecs; `None` is an empty list."""

_Key = Union[bytes, bytearray, memoryview]

KeyLike = Union[_Key, Sequence[_Key], Callable[[], Union[_Key, Sequence[_Key]]]]
"""The `key` argument: a key of at least 32 bytes, a list of keys, or a function that returns either."""

MmapMode = Optional[_MappingMode]
"""The `mmap_mode` argument: `None` reads, `"r"` maps read-only, `"c"` maps copy-on-write."""

PicklerClass = Type[pickle.Pickler]
"""The `pickler` argument: a class to build on, such as `cloudpickle.Pickler`."""

Prefetch = Union[bool, Iterable[Union[int, str]], None]
"""The `prefetch` argument: whether to fetch all mapped buffers in the background, or which of them."""

Progress = Callable[[int, Optional[int]], Any]
"""The `progress` argument: called with the bytes done and the bytes in total, `None` until the total is known."""

Rows = Union[int, np.integer, slice]
"""The `rows` argument: the number of a row, or a slice of step 1."""

Trusted = Iterable[Union[str, Callable[..., Any]]]
"""The `trusted` argument: classes and functions, or their names as `"module:qualname"`."""
