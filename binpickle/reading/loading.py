"""Loading the object of an open file: mapping, decoding, unpickling.

Rule: plain loading has all buffers in memory before unpickling begins, and decodes the stream while the unpickler reads
it. Restricted loading (`trusted=`) decodes no buffer before the stream asks for one.
"""

from __future__ import annotations

import io
import sys
import warnings
from typing import Any, Generator, Iterator, Mapping, NamedTuple

import numpy as np

from ..errors import BinPickleError, FormatError, FormatWarning
from ..limits import RESTRICTED_LIMITS, Limits
from ..pickling.pickler import installed_versions, unpickler
from ..pickling.protocol import pickle
from ..threads.crew import Crew, exhaust
from ..threads.meter import Meter
from ..types import MmapMode, Progress, Trusted
from .buffers import each, in_order, load_buffers, map_buffers
from .filereader import FileReader
from .jobs import check_chunks, raise_error
from .limiting import check_limits, decoded_nbytes
from .stream import StreamReader

__all__ = ["LoadSettings", "Loading", "require_end", "unpickle"]

# Up to this length the stream is read at once: see `_short_stream`.
_SHORT_STREAM = 1 << 16


class LoadSettings(NamedTuple):
    """How a file is opened.

    Attributes:
        mmap_mode: see `load`.
        verify: see `load`.
        limits: see `load`; `None` means the defaults.
        warn: whether to warn if the caller asks to map a file of which nothing can be mapped.
    """

    mmap_mode: MmapMode
    verify: bool | None
    limits: Limits | None
    warn: bool = True

    @property
    def checks(self) -> bool:
        """Whether to compare the checksum of each chunk that is read into memory."""
        return self.verify is not False


class Loading:
    """One run of `load`.

    Args:
        reader: the open file.
        mapped: uint8, the whole file as mapped memory; `None` if the file is not mapped.
        settings: how the file was opened.
        crew: does the jobs.
        progress: see `load`.
        trusted: see `load`; anything but `None` loads with the strict machine.
    """

    def __init__(
        self,
        reader: FileReader,
        mapped: np.ndarray | None,
        settings: LoadSettings,
        crew: Crew,
        progress: Progress | None,
        trusted: Trusted | None = None,
    ):
        self._reader = reader
        self._mapped = mapped
        self._settings = settings
        self._crew = crew
        self._trusted = trusted
        self._meter = Meter(progress, None if progress is None else self._to_read())

    def steps(self) -> Generator[None, None, Any]:
        """Return the object; yields after each chunk until unpickling begins. Each step may run in another thread."""
        self._reader.require_object()
        if self._settings.mmap_mode and self._settings.warn:
            self._warn_unmapped()
        if self._settings.verify or self._reader.authenticated:
            yield from check_chunks(self._reader, self._chunks(self._in_place).tolist(), self._crew, raise_error)
        if self._trusted is None:
            buffers = yield from self._buffers()
            stream = self._short_stream() or self._stream(planned=True)
            obj = unpickle(stream, buffers, self._reader.contents.libraries)
        else:
            stream = self._stream(hostile=True)
            obj = self._load_restricted(stream, self._trusted)
            require_end(stream)
        self._meter.finish()
        return obj

    def _stream(self, hostile: bool = False, planned: bool = False) -> StreamReader:
        return StreamReader(self._reader, self._crew, self._settings.checks, self._meter.advance, hostile, planned)

    def _short_stream(self) -> io.BytesIO | None:
        """Return the stream if it is one small raw chunk, which the C unpickler reads without calls of Python code."""
        reader, chunks = self._reader, self._reader.stream_chunks
        if len(chunks) != 1 or reader.stream_nbytes > _SHORT_STREAM or reader.chain(chunks[0]):
            return None
        self._meter.advance(reader.stream_nbytes)
        return io.BytesIO(reader.read_chunk(chunks[0], check=self._settings.checks).data)

    def _load_restricted(self, stream: StreamReader, trusted: Trusted) -> Any:
        from .. import trust  # most programs never need it

        contents, limits = self._reader.contents, self._settings.limits or RESTRICTED_LIMITS
        check_limits(contents, self._reader.placement, limits)
        limits = limits.of_file(contents.length, decoded_nbytes(contents))
        count = len(contents.buffer_starts)
        return trust.load(stream.read_bytes, self._buffers_on_demand(), count, trusted, limits)

    def _buffers_on_demand(self) -> Iterator[Any]:
        """Yield the buffers, decoded when the stream asks for the first one: a refused stream asks for none."""
        yield from exhaust(self._buffers())

    @property
    def _in_place(self) -> np.ndarray:
        """For each buffer whether it is mapped."""
        reader = self._reader
        return reader.placement.mappable & (reader.contents.buffer_nbytes > 0) & (self._mapped is not None)

    def _to_read(self) -> int:
        """Return the decoded length of all chunks to read, in bytes."""
        reader = self._reader
        read = ~self._in_place & (reader.contents.buffer_nbytes > 0)
        return reader.nbytes_of(self._chunks(read)) + reader.stream_nbytes

    def _chunks(self, which: np.ndarray) -> np.ndarray:
        """Return the numbers of the chunks that hold the buffers which the mask `which` selects."""
        placement = self._reader.placement
        return _spans(placement.first[which], placement.last[which])

    def _buffers(self) -> Generator[None, None, Iterator[Any]]:
        """Return the buffers for the unpickler, in the order in which it asks.

        The memory of an array is handed out as an array: unlike memoryviews, the garbage collector need not visit it.
        """
        mapped, views = self._mapped, self._reader.views
        then = self._reader.stream_chunks if self._trusted is None else ()
        if mapped is not None and views is not None:
            self._reader.plan(then)
            return (mapped[start:stop].data if plain else mapped[start:stop] for start, stop, plain in views)
        in_place = self._in_place
        loaded = yield from load_buffers(
            self._reader,
            np.flatnonzero(~in_place),
            self._crew,
            self._settings.checks,
            self._meter.advance,
            hostile=self._trusted is not None,
            then=then,
        )
        if mapped is None:
            return self._handed_out(loaded)
        return self._handed_out(in_order(in_place, map_buffers(self._reader, mapped, np.flatnonzero(in_place)), loaded))

    def _handed_out(self, buffers: Iterator[np.ndarray]) -> Iterator[Any]:
        contents = self._reader.contents
        plain = np.array([kind.dtype is None for kind in contents.kinds], bool)[contents.buffer_kinds]
        read_only = self._settings.mmap_mode == "r"
        for data, is_plain in zip(buffers, each(plain)):
            if read_only:
                data.flags.writeable = False
            yield data.data if is_plain else data

    def _warn_unmapped(self) -> None:
        """Warn if the caller asks to map a file with buffers, and none that has bytes can be mapped."""
        if self._reader.contents.buffer_nbytes.any() and not self._in_place.any():
            if self._mapped is None:
                why = "its source is not a regular file, or the file system maps no files"
            else:
                why = "its arrays are stored encoded (dump with mappable=True)"
            message = f"nothing of the file could be mapped: {why}; it is read into memory"
            warnings.warn(message, FormatWarning, stacklevel=_level_of_caller())


def _level_of_caller() -> int:
    """Return the stack level of the code that called into this package, as the calling function has to give it."""
    frame, level = sys._getframe(1), 1
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("binpickle."):
        frame, level = frame.f_back, level + 1
    return level


def _spans(first: np.ndarray, last: np.ndarray) -> np.ndarray:
    """Return the numbers of all ranges `first[i]` to `last[i]`, both included: ascending, each number once."""
    if not len(first):
        return first
    edges = np.zeros(int(last.max()) + 2, np.int64)
    np.add.at(edges, first, 1)
    np.add.at(edges, last + 1, -1)
    return np.flatnonzero(edges.cumsum()[:-1])


def unpickle(stream: StreamReader | io.BytesIO, buffers: Iterator[Any], libraries: Mapping[str, str]) -> Any:
    """Return the object of a pickle stream, which must end with it.

    Args:
        stream: the stream.
        buffers: its out-of-band buffers.
        libraries: the writer's versions, for a note on errors.

    Raises:
        FormatError: the stream is malformed.
        Exception: from the classes of the object, with a note on library versions that differ from the writer's.
    """
    try:
        obj = unpickler(stream, buffers).load()
    except (pickle.UnpicklingError, EOFError) as error:
        raise FormatError(f"the pickle stream is malformed: {error}") from error
    except BinPickleError:
        raise
    except Exception as error:
        _tell_versions(error, libraries)
        raise
    require_end(stream)
    return obj


def require_end(stream: StreamReader | io.BytesIO) -> None:
    """Refuse a stream that goes on behind its object.

    Raises:
        FormatError: it does.
    """
    if stream.read(1):
        raise FormatError("something follows the end of the pickle stream: the file is damaged or forged")


def _tell_versions(error: Exception, libraries: Mapping[str, str]) -> None:
    """Add a note to an error on the libraries whose version differs from the writer's, a frequent reason for errors."""
    here = installed_versions(libraries)
    differ = [
        f"{name} {version} (here {here[name]})"
        for name, version in libraries.items()
        if here.get(name, version) != version
    ]
    if not differ:
        return
    note = f"the file was written with {', '.join(differ)}, which may be why it does not load"
    if sys.version_info >= (3, 11):
        error.add_note(note)
    else:
        warnings.warn(note, FormatWarning, stacklevel=_level_of_caller())
