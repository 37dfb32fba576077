"""The exceptions and warnings of BinPickle, grouped by what a caller would do about them.

::

    BinPickleError(Exception)
    ├── FormatError (ValueError)          not a .bpk, truncated, out of bounds, inconsistent: get the file again
    │   ├── LimitError                    more than `limits` allow: raise them, if the file is known
    │   └── CodecError                    a chunk does not decode
    │       └── UnknownCodecError (LookupError)   install or register the codec
    ├── IntegrityError                    a checksum or digest differs: the file was damaged
    │   ├── AuthenticationError           a key was given, but the seal is missing or wrong: do not use the file
    │   └── ObjectChangedError            the object of a store was replaced while it was read: open it again
    ├── RemoteError (OSError)             a server or store failed: its status and the attempts say how
    ├── UntrustedError                    restricted loading met a global that is not trusted: trust it, or do not load
    └── StoreError                        folders of binpickle_dask, and stores that cannot do what was asked
        ├── NotCommittedError             no save into the folder has ended: wait for it, or resume it
        ├── SnapshotGoneError             the snapshot was vacuumed, or never was: open the folder again
        ├── NotSharedError                a worker does not see the folder: save where all workers do
        └── PartError                     a part is missing, changed or damaged: save it again
    FormatWarning(UserWarning)            the file loads, but not in the way that was asked for

Code that knows no file raises these errors without a file name; the code that opened the file adds the name
(`BinPickleError.file`).
"""

from __future__ import annotations

from typing import Sequence

__all__ = [
    "AuthenticationError",
    "BinPickleError",
    "CodecError",
    "FormatError",
    "FormatWarning",
    "IntegrityError",
    "LimitError",
    "NotCommittedError",
    "NotSharedError",
    "ObjectChangedError",
    "PartError",
    "RemoteError",
    "SnapshotGoneError",
    "StoreError",
    "UnknownCodecError",
    "UntrustedError",
]


class BinPickleError(Exception):
    """Base of all errors that BinPickle raises about a file.

    Attributes:
        file: name of the file, or `None` if it has none (bytes, a stream) or is not known yet.
    """

    file: str | None = None

    def __str__(self) -> str:
        message = super().__str__()
        return f"{self.file}: {message}" if self.file else message


class FormatError(BinPickleError, ValueError):
    """The bytes are not a whole and consistent BinPickle file."""


class LimitError(FormatError):
    """The file asks for more than `Limits` allow.

    Attributes:
        limit: name of the `Limits` field that was exceeded.
    """

    def __init__(self, message: str, limit: str | None = None):
        super().__init__(message)
        self.limit = limit


class CodecError(FormatError):
    """A chunk does not decode to the bytes that the index describes.

    Attributes:
        chunk: number of the chunk, or `None` if it is not known.
        codec_id: the numcodecs id of the codec that failed.
    """

    def __init__(self, message: str, codec_id: str | None = None, chunk: int | None = None):
        super().__init__(message)
        self.codec_id = codec_id
        self.chunk = chunk


class UnknownCodecError(CodecError, LookupError):
    """A codec that the file names is not installed, or files may not name it."""


class IntegrityError(BinPickleError):
    """Stored bytes do not match their checksum or digest.

    Attributes:
        chunk: number of the damaged chunk, or `None` if another part, such as the index, is damaged.
        buffers: numbers of the buffers in the chunk; empty for the pickle stream.
    """

    def __init__(self, message: str, chunk: int | None = None, buffers: Sequence[int] = ()):
        super().__init__(message)
        self.chunk = chunk
        self.buffers = tuple(buffers)


class AuthenticationError(IntegrityError):
    """A key was given, but the file has no seal, or no seal by this key."""


class ObjectChangedError(IntegrityError):
    """The object of a store was replaced while it was open."""


class RemoteError(BinPickleError, OSError):
    """A server or a store failed, or answered what it must not.

    Attributes:
        status: the status of the last answer of HTTP, or `None` if it is not known.
        attempts: how many requests were made before BinPickle gave up; 0 if the client does not say.
    """

    def __init__(self, message: str, status: int | None = None, attempts: int = 0):
        super().__init__(message)
        self.status = status
        self.attempts = attempts


class UntrustedError(BinPickleError):
    """Restricted loading met a class or function that the caller does not trust.

    Attributes:
        module: module of the first refused global, as the pickle stream names it.
        qualname: qualified name of that global.
        offset: position of the opcode that looks the global up, in bytes from the start of the pickle stream.
        refused: all refused globals of the stream as `(module, qualname, offset)`, in stream order.
    """

    def __init__(self, message: str, refused: Sequence[tuple[str, str, int]] = ()):
        super().__init__(message)
        self.refused = list(refused)
        self.module, self.qualname, self.offset = self.refused[0] if self.refused else ("", "", 0)


class StoreError(BinPickleError):
    """A folder that `binpickle_dask` writes, or an object store, cannot be used as asked.

    Attributes:
        path: path of the folder, or of the file in it that has the fault.
        host: name of the machine that found the fault; a worker seldom runs on the machine of the caller.
    """

    def __init__(self, message: str, path: str | None = None, host: str | None = None):
        super().__init__(message)
        self.path = path
        self.host = host


class NotCommittedError(StoreError):
    """The folder holds no snapshot: nothing was saved there, or no save has ended."""


class SnapshotGoneError(StoreError):
    """The folder does not hold this snapshot: it was removed, or never saved there."""


class NotSharedError(StoreError):
    """A worker does not see the folder that its client sees."""


class PartError(StoreError):
    """A part of a snapshot is missing, or differs from the part that was saved."""


class FormatWarning(UserWarning):
    """The file can be read, but not in the way that the caller asked for."""
