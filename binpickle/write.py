"""Writing objects: `dump`, `dumps`, `BinPickler`."""

from __future__ import annotations

import warnings
from typing import Any, Mapping

from .files.sink import BytesSink, open_sink
from .progress import Progress
from .threads.cpus import check_threads
from .threads.crew import Crew, exhaust
from .writing.filewriter import write_steps
from .writing.options import Codecs, DumpOptions

__all__ = ["BinPickler", "dump", "dumps"]


def dump(
    obj: Any,
    file: Any,
    *,
    mappable: bool = False,
    codecs: Codecs = "auto",
    threads: int | None = None,
    metadata: Mapping[str, str] | None = None,
    digests: bool = False,
    key: Any = None,
    context: bytes = b"",
    durable: bool | None = None,
    exclusive: bool = False,
    pickler: type[Any] | None = None,
    progress: Progress | None = None,
    codec: Any = ...,
) -> None:
    """Write an object to a file.

    A path is replaced only when the new file is complete: whatever fails or interrupts, Ctrl-C included, leaves the
    old file as it was, and no other; or, when the new one has just taken its place, that one. A failure while writing
    to a file object leaves a partial file there, which `load` refuses.

    Args:
        obj: what to write: anything that pickle can. Must not be changed meanwhile.
        file: path, or binary file object with `write`; unseekable ones will do. Writing begins at its position.
        mappable: store every buffer raw and aligned, so that `load(mmap_mode=...)` can map it; `codecs` is ignored.
        codecs: `"auto"` chooses for each buffer; a list holds numcodecs codecs, config dicts, ids, or functions that
            are given a whole buffer (a `memoryview` whose `obj` is the array it came from) and return any of these or
            `None`. The list is applied to every buffer. A single one needs no list.
        threads: that encode at the same time; by default as many as CPUs may be used.
        metadata: strings by name, to be read without unpickling.
        digests: store SHA-256 digests instead of checksums; the file then has a `root_digest`.
        key: seal the file with it: bytes (32 at least), a list of which the first is used, or a function that gives
            either. `load` with the key then refuses a file that anybody else wrote or changed.
        context: bytes that are bound into the seal: what the file is for.
        durable: `True` syncs the new file and its folder to the disk, `None` the file only if an existing one is
            replaced, `False` nothing.
        exclusive: refuse to replace a file.
        pickler: pickler class to build on, such as `cloudpickle.Pickler`.
        progress: called in this thread with the bytes done and in total (`None` until pickling has ended), at most
            some 20 times a second and at the end. What it raises aborts.
        codec: deprecated: one codec, as releases before 0.4 had it.

    Raises:
        TypeError: an argument is of the wrong type.
        ValueError: a codec that `load` would refuse; a codec that cannot encode a buffer.
        FileExistsError: the path exists, and `exclusive` is given.
        OSError: from the operating system, unchanged.
        Exception: what the object's classes raise when they are pickled.
    """
    if codec is not ...:
        codecs = _codecs_from(codec)
    options = DumpOptions(
        mappable=mappable,
        codecs=codecs,
        metadata=metadata,
        digests=digests,
        key=key,
        context=context,
        pickler=pickler,
    )
    crew = Crew(check_threads(threads))
    with open_sink(file, durable, exclusive) as sink, crew:
        exhaust(write_steps(obj, sink, crew, options, progress))


def dumps(
    obj: Any,
    *,
    mappable: bool = False,
    codecs: Codecs = "auto",
    threads: int | None = None,
    metadata: Mapping[str, str] | None = None,
    digests: bool = False,
    key: Any = None,
    context: bytes = b"",
    pickler: type[Any] | None = None,
    progress: Progress | None = None,
) -> bytes:
    """Return the bytes that `dump` writes for the same arguments."""
    options = DumpOptions(
        mappable=mappable,
        codecs=codecs,
        metadata=metadata,
        digests=digests,
        key=key,
        context=context,
        pickler=pickler,
    )
    sink = BytesSink()
    with Crew(check_threads(threads)) as crew:
        exhaust(write_steps(obj, sink, crew, options, progress))
    return sink.getvalue()


class BinPickler:
    """Writes one object to one file: the class that users of earlier releases know; `dump` does the same.

    Args:
        file: see `dump`.
        align: align every buffer, large ones at a page, whatever the codecs.
        codecs: see `dump`; `None` means no codecs.
        mappable: see `dump`, as are the other arguments.
    """

    def __init__(
        self,
        file: Any,
        *,
        align: bool = False,
        codecs: Codecs = None,
        mappable: bool = False,
        threads: int | None = None,
        metadata: Mapping[str, str] | None = None,
        digests: bool = False,
        key: Any = None,
        context: bytes = b"",
        durable: bool | None = None,
        exclusive: bool = False,
        pickler: type[Any] | None = None,
        progress: Progress | None = None,
        codec: Any = ...,
    ):
        if codec is not ...:
            codecs = _codecs_from(codec)
        self._file, self._durable, self._exclusive, self._progress = file, durable, exclusive, progress
        self._options = DumpOptions(
            mappable=mappable,
            codecs=codecs,
            metadata=metadata,
            digests=digests,
            key=key,
            context=context,
            pickler=pickler,
            align=align,
        )
        self._threads = check_threads(threads)
        self._closed = False

    @classmethod
    def mappable(cls, file: Any) -> BinPickler:
        """Return a pickler whose file can be mapped."""
        return cls(file, mappable=True)

    @classmethod
    def compressed(cls, file: Any, codec: Any = "gzip") -> BinPickler:
        """Return a pickler that applies one codec to every buffer."""
        return cls(file, codecs=[codec])

    def __enter__(self) -> BinPickler:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def dump(self, obj: Any) -> None:
        """Write the object; the file is complete when this returns. See `dump` for what it raises.

        Raises:
            ValueError: an object was written before (a file holds one), or the pickler is closed.
        """
        if self._closed:
            raise ValueError("a BinPickler writes one object: put several into a list or a dict")
        self._closed = True
        crew = Crew(self._threads)
        with open_sink(self._file, self._durable, self._exclusive) as sink, crew:
            exhaust(write_steps(obj, sink, crew, self._options, self._progress))

    def close(self) -> None:
        """Allow no further `dump`; without one before, no file is made. Closing twice is fine."""
        self._closed = True


def _codecs_from(codec: Any) -> Codecs:
    """Return `codecs` for what releases before 0.4 called `codec`."""
    warnings.warn("codec= is deprecated: use codecs=[...]", DeprecationWarning, stacklevel=3)
    names: dict[Any, Codecs] = {None: [], "null": [], "gz": ["zlib"]}
    if codec is None or isinstance(codec, str):
        return names.get(codec, [codec])
    return codec if isinstance(codec, (list, tuple)) else [codec]
