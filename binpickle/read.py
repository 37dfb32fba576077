"""Reading an object, `load` and `loads`, and telling what a file is, `file_info`."""

from __future__ import annotations

import enum
import os
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Mapping

from .errors import BinPickleError
from .file import BinPickleFile, check_prefetch, check_settings
from .files.origin import is_path
from .files.source import BytesSource, Source
from .format.header import Header
from .limits import Limits
from .reading.environment import trusted_here
from .reading.filereader import FileReader
from .reading.limiting import UNKNOWN_ORIGIN, load_limits, require_limits
from .reading.small import load_small
from .remote.opening import open_source
from .remote.resolving import is_remote, local_path
from .threads.cpus import check_threads
from .types import BytesLike, KeyLike, MmapMode, PathOrReadable, Prefetch, Progress, Trusted

__all__ = ["BPKInfo", "FileStatus", "by_default", "file_info", "load", "load_quickly", "loads"]


class FileStatus(enum.Enum):
    """What `file_info` finds at a path."""

    MISSING = "missing"
    INVALID = "invalid"
    BINPICKLE = "binpickle"


@dataclass(frozen=True)
class BPKInfo:
    """What `file_info` returns: the status of a file.

    Attributes:
        status: whether the file is missing, is a BinPickle file, or another file.
        size: its bytes; 0 if it is missing.
        version: its format version, or `None` if it is not a BinPickle file.
    """

    status: FileStatus
    size: int
    version: int | None = None

    @property
    def is_valid(self) -> bool:
        """Whether the file is a BinPickle file with a sound structure and index."""
        return self.status is FileStatus.BINPICKLE


def file_info(
    file: PathOrReadable, *, storage_options: Mapping[str, Any] | None = None, limits: Limits | None = None
) -> BPKInfo:
    """Tell whether a file is a BinPickle file, from its structure and index; nothing is loaded.

    Args:
        file: a path or address, or a seekable binary file object, whose position is left at the end.
        storage_options: see `load`.
        limits: how much the file may ask for. A file that asks for more is invalid. By default large files pass, and
            small files that would take very much decoding do not.

    Raises:
        LimitError: a file object that cannot seek has more than `limits.stored_bytes` bytes.
        OSError: the file exists, but cannot be read.
    """
    require_limits(limits)
    limits = limits or UNKNOWN_ORIGIN
    remote = is_remote(file)
    if not remote and is_path(file) and not os.path.exists(local_path(file, storage_options)):
        return BPKInfo(FileStatus.MISSING, 0)
    try:
        source = open_source(file, limits.stored_bytes, storage_options=storage_options)
    except FileNotFoundError:
        if not remote:
            raise
        return BPKInfo(FileStatus.MISSING, 0)
    try:
        reader = FileReader(source, limits)
    except BinPickleError:
        return BPKInfo(FileStatus.INVALID, source.size)
    finally:
        source.close()
    return BPKInfo(FileStatus.BINPICKLE, source.size, reader.contents.version)


def load(
    file: PathOrReadable,
    *,
    storage_options: Mapping[str, Any] | None = None,
    mmap_mode: MmapMode = None,
    prefetch: Prefetch = None,
    trusted: Trusted | None = None,
    verify: bool | None = None,
    key: KeyLike | None = None,
    context: bytes = b"",
    limits: Limits | None = None,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Any:
    """Load the object that a file holds.

    **Loading runs code that the file names**, as pickle does, unless `trusted` is given. Load only files you trust.

    Args:
        file: a path, or a binary file object, which is read from its position to its end. It needs `read` and nothing
            else. If it cannot seek, or decodes what it reads, it is read once and copied: to memory, or from 16 MiB on
            to an unnamed temporary file if there is room for one. Or an address such as `s3://bucket/model.bpk` or
            `https://host/model.bpk`, an `ObjectPath`, or a `UPath`: only what the load needs is fetched, ahead of it.
        storage_options: how to reach the store of an address, in the words of fsspec: `key`, `secret`, `token`, `anon`,
            `endpoint_url`. `client` chooses `"obstore"`, `"fsspec"` or `"http"`.
        mmap_mode: `None` reads into fresh memory; arrays are as writable as the dumped ones. `"r"` maps the buffers
            that are stored raw; all out-of-band arrays are read-only (in a file that was dumped with `mappable=True`
            these are all arrays but those of objects). `"c"` maps copy-on-write: arrays are writable, and changes stay
            private. Mapped arrays outlive the file: you may replace or unlink it (POSIX), but not truncate it.
        prefetch: brings mapped buffers into the page cache in the background, so that whoever touches the arrays need
            not wait for the disk: `True` all of them, a list of names or numbers (see `BinPickleFile.array`) only
            these. `load` does not wait for it. It ends when all mapped arrays are dropped, and takes at most three
            quarters of the memory that is available. By default this is done on file systems of a network (NFS,
            Lustre, FUSE and others), and not elsewhere; `False` never does it.
        trusted: `None` loads as pickle does. A collection of classes or `"module:qualname"` strings, perhaps empty,
            loads with a strict machine, which makes built-in and NumPy types and those in the collection. It imports
            and runs nothing else, and decodes only with codecs that are memory-safe on any input. If the environment
            has `BINPICKLE_TRUST`, `None` is what this variable lists, separated by commas: sets of `binpickle.trust`,
            such as `sklearn`, and names as `module:qualname`; an empty variable trusts nothing.
        verify: `None` compares the checksums of the data that is read into memory, `True` the checksums of all data,
            `False` none.
        key: bytes (at least 32), a list of such keys, or a function that returns either. The file is refused unless
            one of the keys sealed it. All digests are compared; those of mapped data once, when it is mapped.
        context: the context for which the file was sealed.
        limits: how much the file may ask for. The default is generous without `trusted`, and tighter with it.
        threads: how many threads decode at the same time; by default as many as there are usable CPUs.
        progress: called in this thread with the bytes done and the bytes in total, at most some 20 times a second and
            at the end. If it raises, loading ends with its error.

    Warns:
        FormatWarning: the caller asked to map the file, but nothing of it could be mapped.

    Raises:
        FormatError: the file is not a BinPickle file, is truncated or inconsistent, or its pickle stream is malformed.
        LimitError: the file asks for more than `limits` allow.
        IntegrityError: the file is damaged.
        AuthenticationError: a key is given, and the seal is missing or wrong.
        UntrustedError: `trusted` is given, and the file uses something that is not in it.
        CodecError: a chunk does not decode.
        UnknownCodecError: a codec is not installed, or files may not name it (see `register_codec`).
        TypeError: an argument is of the wrong type.
        IndexError, KeyError: `prefetch` names a buffer that there is not.
        ValueError: an argument has a wrong value, `BINPICKLE_TRUST` lists what is neither a set nor a name, or `seek`
            and `tell` of a file object contradict what it reads.
        OSError: from the operating system, unchanged.
        Exception: from the classes of the object, with a note on library versions that differ from the writer's.
    """
    if threads is not None:
        check_threads(threads)
    trusted = trusted_here(trusted)
    limits = load_limits(limits, trusted)
    check_settings(mmap_mode, verify, limits)
    prefetch = check_prefetch(prefetch, mmap_mode)
    if mmap_mode is None and by_default(trusted, verify, key, context, limits, progress):
        return _load(open_source(file, Limits.stored_bytes, Header.unpack, storage_options), threads)
    with BinPickleFile(
        file,
        storage_options=storage_options,
        mmap_mode=mmap_mode,
        verify=verify,
        key=key,
        context=context,
        limits=limits,
    ) as opened:
        return opened.load(trusted=trusted, threads=threads, progress=progress, prefetch=prefetch)


def loads(
    data: BytesLike,
    *,
    copy: bool = True,
    trusted: Trusted | None = None,
    verify: bool | None = None,
    key: KeyLike | None = None,
    context: bytes = b"",
    limits: Limits | None = None,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Any:
    """Load the object that the bytes of a file hold.

    Args:
        data: a contiguous bytes-like object.
        copy: `False` lets arrays that are stored raw share the memory of `data`; these arrays are read-only.
        trusted: see `load`.
        verify: see `load`.
        key: see `load`.
        context: see `load`.
        limits: see `load`.
        threads: see `load`.
        progress: see `load`.

    Raises:
        Exception: see `load`.
    """
    if threads is not None:
        check_threads(threads)
    trusted = trusted_here(trusted)
    limits = load_limits(limits, trusted)
    if isinstance(data, (str, os.PathLike)):
        raise TypeError("loads takes the bytes of a file: use load to read a file by its path")
    source = BytesSource(data, shared=not copy)
    check_settings(None, verify, limits)
    if copy and by_default(trusted, verify, key, context, limits, progress):
        return _load(source, threads)
    direct = False if copy else "nowarn"
    with BinPickleFile(source, direct=direct, verify=verify, key=key, context=context, limits=limits) as opened:
        return opened.load(trusted=trusted, threads=threads, progress=progress)


def by_default(trusted: Any, verify: Any, key: Any, context: Any, limits: Any, progress: Any) -> bool:
    """Return whether these options of a load are those for which `load_quickly` is made."""
    no_context = isinstance(context, bytes) and not context
    return trusted is key is limits is progress is None and verify is not False and no_context


def load_quickly(source: Source) -> tuple[Any] | None:
    """Return the object of a file by default options, in a tuple, if the file is small and simple; else `None`."""
    try:
        return load_small(source)
    except BinPickleError as error:
        error.file = error.file or source.name
        raise


def _load(source: Source, threads: int | None) -> Any:
    """Load by default options."""
    with closing(source):
        loaded = load_quickly(source)
        if loaded is not None:
            return loaded[0]
        with BinPickleFile(source) as opened:
            return opened.load(threads=threads)
