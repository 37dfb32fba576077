"""Reading an object: `load` and `loads`."""

from __future__ import annotations

import enum
import os
from dataclasses import dataclass
from typing import Any, Iterable

from .errors import BinPickleError
from .file import BinPickleFile, MmapMode
from .files.source import BytesSource, open_source
from .limits import Limits
from .progress import Progress
from .reading.filereader import FileReader
from .threads.cpus import check_threads

__all__ = ["BPKInfo", "FileStatus", "file_info", "load", "loads"]


class FileStatus(enum.Enum):
    """What `file_info` found."""

    MISSING = "missing"
    INVALID = "invalid"
    BINPICKLE = "binpickle"


@dataclass(frozen=True)
class BPKInfo:
    """What is known of a file without loading it.

    Attributes:
        status: whether it is there, and a BinPickle file.
        size: in bytes; 0 for a missing one.
        version: its format version, or `None` where it is not a BinPickle file.
    """

    status: FileStatus
    size: int
    version: int | None = None

    @property
    def is_valid(self) -> bool:
        """Whether it is a BinPickle file with a sound structure and index."""
        return self.status is FileStatus.BINPICKLE


def file_info(file: Any) -> BPKInfo:
    """Say what a file is, from its structure and index; nothing is loaded.

    Args:
        file: path, or seekable binary file object; its position is left at the end.

    Raises:
        OSError: the file is there, but cannot be read.
    """
    if isinstance(file, (str, os.PathLike)) and not os.path.exists(file):
        return BPKInfo(FileStatus.MISSING, 0)
    source = open_source(file, Limits().stored_bytes)
    try:
        reader = FileReader(source, Limits())
    except BinPickleError:
        return BPKInfo(FileStatus.INVALID, source.size)
    finally:
        source.close()
    return BPKInfo(FileStatus.BINPICKLE, source.size, reader.contents.version)


def load(
    file: Any,
    *,
    mmap_mode: MmapMode = None,
    trusted: Iterable[Any] | None = None,
    verify: bool | None = None,
    key: Any = None,
    context: bytes = b"",
    limits: Limits | None = None,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Any:
    """Load the object that a file holds.

    **Loading runs code that the file names**, as pickle does, unless `trusted` is given: load only what you trust.

    Args:
        file: path, or binary file object with `read`, read from its position to its end; unseekable ones are copied
            to memory, or from 16 MiB on to an unnamed temporary file.
        mmap_mode: `None` reads into fresh memory, where arrays are as writable as those that were dumped; `"r"` maps
            what is stored raw, all arrays beside the stream are read-only (in files that were dumped with
            `mappable=True` all but those of objects); `"c"` maps copy-on-write: arrays are writable, changes stay
            private. Mapped arrays outlive the file: it may be replaced or unlinked (POSIX), not truncated.
        trusted: `None` is plain pickle. A collection, empty or of classes or `"module:qualname"` strings, loads with a
            strict machine of our own: built-in and NumPy types, and these; nothing else is imported or runs. Of codecs
            only those that are memory-safe on any input are used.
        verify: `None` compares the checksums of what is read into memory; `True` of all; `False` of nothing.
        key: bytes (32 at least), a list of them, or a function that gives either: refuse a file that is not sealed by
            one of these. All digests are compared then, of mapped data once, when it is mapped.
        context: what the seal must have been made for.
        limits: what to accept; generous by default, finite with `trusted`.
        threads: that decode at the same time; by default as many as CPUs may be used.
        progress: called in this thread with the bytes done and in total, at most some 20 times a second and at the
            end. What it raises aborts.

    Warns:
        FormatWarning: mapping was asked for, but nothing could be mapped.

    Raises:
        FormatError: not a BinPickle file, truncated, inconsistent; a malformed pickle stream.
        LimitError: it asks for more than `limits` allow.
        IntegrityError: it is damaged.
        AuthenticationError: a key is given, and the seal is missing or wrong.
        UntrustedError: `trusted` is given, and the file uses what is not in it.
        CodecError: a chunk does not decode. `UnknownCodecError`: a codec is not installed, or not allowed from files
            (see `register_codec`).
        TypeError, ValueError: an argument is not what it should be.
        OSError: from the operating system, unchanged.
        Exception: what the object's classes raise; with a note on library versions that differ.
    """
    threads = check_threads(threads)
    with BinPickleFile(file, mmap_mode=mmap_mode, verify=verify, key=key, context=context, limits=limits) as opened:
        return opened.load(trusted=trusted, threads=threads, progress=progress)


def loads(
    data: Any,
    *,
    copy: bool = True,
    trusted: Iterable[Any] | None = None,
    verify: bool | None = None,
    key: Any = None,
    context: bytes = b"",
    limits: Limits | None = None,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Any:
    """Load the object that bytes hold. See `load`.

    Args:
        data: a contiguous bytes-like object.
        copy: `False` lets arrays that are stored raw share the memory of `data`, read-only.
        trusted: see `load`, as for the others.
    """
    threads = check_threads(threads)
    if isinstance(data, (str, os.PathLike)):
        raise TypeError("loads takes the bytes of a file: use load to read one by its path")
    source = BytesSource(data, shared=not copy)
    direct: Any = False if copy else "nowarn"
    with BinPickleFile(source, direct=direct, verify=verify, key=key, context=context, limits=limits) as opened:
        return opened.load(trusted=trusted, threads=threads, progress=progress)
