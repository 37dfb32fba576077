"""Writing an object: `dump`, `dumps`, and the class `BinPickler`."""

from __future__ import annotations

import warnings
from typing import Any, Mapping

from .files.sink import BytesSink
from .remote.opening import open_sink
from .threads.cpus import check_threads
from .threads.crew import Crew, exhaust
from .types import CodecLike, CodecsLike, KeyLike, PathOrWritable, PicklerClass, Progress
from .writing.filewriter import write_steps
from .writing.options import DumpOptions, explaining

__all__ = ["BinPickler", "dump", "dumps"]


@explaining
def dump(
    obj: Any,
    file: PathOrWritable,
    *,
    storage_options: Mapping[str, Any] | None = None,
    mappable: bool = False,
    codecs: CodecsLike = "auto",
    threads: int | None = None,
    metadata: Mapping[str, str] | None = None,
    digests: bool = False,
    key: KeyLike | None = None,
    context: bytes = b"",
    durable: bool | None = None,
    exclusive: bool = False,
    pickler: PicklerClass | None = None,
    progress: Progress | None = None,
    codec: Any = ...,
) -> None:
    """Write an object to a file.

    A new file takes the place of an old one only when it is complete. Any failure or interruption, including Ctrl-C,
    leaves either the old file as it was or the complete new file, and no other file. A failure while writing to a file
    object leaves a partial file there, which `load` refuses.

    Args:
        obj: the object to write: any object that pickle can write. Do not change it until this function returns. Or
            what `stage` made of an object, which may then change.
        file: a path, or a binary file object, which needs `write` and nothing else. Writing begins at its position. Or
            an address such as `s3://bucket/model.bpk`, an `ObjectPath` or a `UPath`: the object is uploaded while it is
            encoded, and appears when it is complete.
        storage_options: see `load`.
        mappable: store every buffer raw and aligned, so that `load(mmap_mode=...)` can map it; `codecs` is ignored.
        codecs: `"auto"` chooses codecs for each buffer. A list of codecs is applied to every buffer in its order; a
            single codec needs no list. A codec is a numcodecs codec, its config dict, its id, or a function, which is
            called with each whole buffer (a `memoryview` whose `obj` is the array of the buffer) and returns codecs or
            `None`.
        threads: how many threads encode at the same time; by default as many as there are usable CPUs.
        metadata: strings by name, which can be read without unpickling.
        digests: store SHA-256 digests instead of checksums; the file then has a `root_digest`.
        key: the key that seals the file: bytes (at least 32), a list of keys of which the first seals, or a function
            that returns either. `load` with this key refuses any file that somebody without the key wrote or changed.
        context: bytes that name the purpose of the file; the seal is good only for the same context.
        durable: `True` syncs the new file and its folder to the disk; `None` syncs the file only if it replaces another
            file; `False` syncs nothing.
        exclusive: refuse to replace a file. Object stores promise that up to 64 MiB.
        pickler: the pickler class to build on, such as `cloudpickle.Pickler`.
        progress: called in this thread with the bytes done and the bytes in total (`None` until pickling has ended), at
            most some 20 times a second and at the end. If it raises, the dump ends with its error.
        codec: deprecated: one codec, as in releases before 0.4.

    Raises:
        TypeError: an argument is of the wrong type.
        ValueError: `load` would refuse a codec, or a codec cannot encode a buffer.
        FileExistsError: the path exists, and `exclusive` is given.
        StoreError: `exclusive` is given, and the store cannot promise it.
        OSError: from the operating system. What is known to fail, such as a file in a folder that takes no new file, is
            refused before the object is pickled, and the message says what to do.
        Exception: from the classes of the object when they are pickled.
    """
    if codec is not ...:
        codecs = _codecs_from(codec)
    options = DumpOptions.of(locals())
    crew = Crew(check_threads(threads))
    with open_sink(file, durable, exclusive, storage_options) as sink, crew:
        exhaust(write_steps(obj, sink, crew, options, progress))


@explaining
def dumps(
    obj: Any,
    *,
    mappable: bool = False,
    codecs: CodecsLike = "auto",
    threads: int | None = None,
    metadata: Mapping[str, str] | None = None,
    digests: bool = False,
    key: KeyLike | None = None,
    context: bytes = b"",
    pickler: PicklerClass | None = None,
    progress: Progress | None = None,
) -> bytes:
    """Return the bytes of the file that `dump` writes for the same arguments.

    Args:
        obj: see `dump`.
        mappable: see `dump`.
        codecs: see `dump`.
        threads: see `dump`.
        metadata: see `dump`.
        digests: see `dump`.
        key: see `dump`.
        context: see `dump`.
        pickler: see `dump`.
        progress: see `dump`.

    Raises:
        Exception: see `dump`.
    """
    options = DumpOptions.of(locals())
    sink = BytesSink()
    with Crew(check_threads(threads)) as crew:
        exhaust(write_steps(obj, sink, crew, options, progress))
    return sink.getvalue()


class BinPickler:
    """Writes one object to one file, as `dump` does: the interface of earlier releases.

    A subclass may not have `reducer_override`, `persistent_id` or `dispatch_table`: `pickler` takes what has these.

    Args:
        file: see `dump`.
        align: align every raw buffer, and each large buffer at a page, even if some buffers have codecs.
        codecs: see `dump`; `None`, the default, means no codecs.
        mappable: see `dump`.
        threads: see `dump`.
        metadata: see `dump`.
        digests: see `dump`.
        key: see `dump`.
        context: see `dump`.
        durable: see `dump`.
        exclusive: see `dump`.
        pickler: see `dump`.
        progress: see `dump`.
        codec: see `dump`.
    """

    @explaining
    def __init__(
        self,
        file: PathOrWritable,
        *,
        align: bool = False,
        codecs: CodecsLike = None,
        mappable: bool = False,
        threads: int | None = None,
        metadata: Mapping[str, str] | None = None,
        digests: bool = False,
        key: KeyLike | None = None,
        context: bytes = b"",
        durable: bool | None = None,
        exclusive: bool = False,
        pickler: PicklerClass | None = None,
        progress: Progress | None = None,
        codec: Any = ...,
    ):
        ignored = [name for name in ("reducer_override", "persistent_id", "dispatch_table") if hasattr(self, name)]
        if ignored:
            raise TypeError(
                f"{type(self).__name__} has {ignored[0]}, which BinPickler does not use: "
                "give pickler= a subclass of pickle.Pickler that has it"
            )
        if codec is not ...:
            codecs = _codecs_from(codec)
        self._file, self._durable, self._exclusive, self._progress = file, durable, exclusive, progress
        self._options = DumpOptions.of(locals())
        self._threads = check_threads(threads)
        self._closed = False

    @classmethod
    def mappable(cls, file: PathOrWritable) -> BinPickler:
        """Return a pickler whose file can be mapped.

        Args:
            file: see `dump`.
        """
        return cls(file, mappable=True)

    @classmethod
    def compressed(cls, file: PathOrWritable, codec: CodecLike = "gzip") -> BinPickler:
        """Return a pickler that applies one codec to every buffer.

        Args:
            file: see `dump`.
            codec: see `codecs` of `dump`.
        """
        return cls(file, codecs=[codec])

    def __enter__(self) -> BinPickler:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def dump(self, obj: Any) -> None:
        """Write the object; the file is complete when this method returns.

        Args:
            obj: see `dump`.

        Raises:
            ValueError: the pickler has written an object before, or is closed. A file holds one object.
            Exception: see `dump`.
        """
        if self._closed:
            raise ValueError("a BinPickler writes one object: put several into a list or a dict")
        self._closed = True
        crew = Crew(self._threads)
        with open_sink(self._file, self._durable, self._exclusive) as sink, crew:
            exhaust(write_steps(obj, sink, crew, self._options, self._progress))

    def close(self) -> None:
        """Refuse any further `dump`. If there was none, no file is made. Closing twice is fine."""
        self._closed = True


def _codecs_from(codec: Any) -> CodecsLike:
    """Return the `codecs` argument that means the same as the `codec` argument of releases before 0.4."""
    warnings.warn("codec= is deprecated: use codecs=[...]", DeprecationWarning, stacklevel=4)
    names: dict[str | None, CodecsLike] = {None: [], "null": [], "gz": ["zlib"]}
    if codec is None or isinstance(codec, str):
        return names.get(codec, [codec])
    return codec if isinstance(codec, (list, tuple)) else [codec]
