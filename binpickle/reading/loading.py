"""Loading the object of an open file: mapping, decoding, unpickling.

Rule: the buffers are there before unpickling begins; the stream is decoded while the unpickler reads it.
"""

from __future__ import annotations

import io
import sys
import warnings
from typing import Any, Generator, Iterable, Iterator, Mapping, NamedTuple

import numpy as np

from ..errors import BinPickleError, FormatError, FormatWarning, LimitError
from ..format.contents import Contents
from ..limits import RESTRICTED_LIMITS, Limits
from ..pickling.pickler import installed_versions, pickle, unpickler
from ..progress import Meter, Progress
from ..threads.crew import Crew, exhaust
from .buffers import load_buffers, map_buffers
from .filereader import FileReader, check_chunks
from .stream import StreamReader

__all__ = ["LoadSettings", "Loading", "check_limits"]


def check_limits(contents: Contents, limits: Limits) -> None:
    """Refuse contents that were accepted under more generous limits.

    Raises:
        LimitError: they are more than `limits` allow.
    """
    start, stop = contents.stream or (0, 0)
    nbytes = contents.buffer_nbytes
    for limit, found in (
        ("decoded_bytes", stop - start + sum(nbytes.tolist())),
        ("stored_bytes", contents.length),
        ("buffers", len(nbytes)),
    ):
        allowed = getattr(limits, limit)
        if found > allowed:
            raise LimitError(f"the file has {found} {limit}, restricted loading allows {allowed}", limit)


_SHORT_STREAM = 1 << 16


class LoadSettings(NamedTuple):
    """How a file is opened.

    Attributes:
        mmap_mode: `None`, `"r"` or `"c"`.
        verify: see `load`.
        limits: what to accept, if the caller says so.
        warn: if mapping is asked for, but nothing can be mapped.
    """

    mmap_mode: str | None
    verify: bool | None
    limits: Limits | None
    warn: bool = True

    @property
    def checks(self) -> bool:
        """Whether checksums are compared when chunks are read."""
        return self.verify is not False


class Loading:
    """One run of `load`.

    Args:
        reader: the open file.
        mapped: uint8, the file's memory, if it is to be mapped and can be.
        settings: how it was opened.
        crew: does the jobs.
        progress: see `load`.
        trusted: see `load`; not `None` loads with the strict machine.
    """

    def __init__(
        self,
        reader: FileReader,
        mapped: np.ndarray | None,
        settings: LoadSettings,
        crew: Crew,
        progress: Progress | None,
        trusted: Iterable[Any] | None = None,
    ):
        self._reader = reader
        self._mapped = mapped
        self._settings = settings
        self._crew = crew
        self._trusted = trusted
        self._meter = Meter(progress, None if progress is None else self._to_read())

    def steps(self) -> Generator[None, None, Any]:
        """Return the object; yields after each chunk until unpickling begins. May be continued in another thread."""
        self._reader.require_object()
        if self._settings.mmap_mode and self._settings.warn:
            self._warn_unmapped()
        if self._settings.verify or self._reader.authenticated:
            yield from check_chunks(self._reader, self._chunks(self._in_place).tolist(), self._crew, _raise)
        stream: Any
        if self._trusted is None:
            buffers = yield from self._buffers()
            stream = self._short_stream() or self._stream()
            obj = _unpickle(stream, buffers, self._reader.contents.libraries)
        else:
            stream = self._stream(hostile=True)
            obj = self._load_restricted(stream, self._trusted)
        if stream.read(1):
            raise FormatError("something follows the end of the pickle stream: the file is damaged or forged")
        self._meter.finish()
        return obj

    def _stream(self, hostile: bool = False) -> StreamReader:
        return StreamReader(self._reader, self._crew, self._settings.checks, self._meter.advance, hostile)

    def _short_stream(self) -> io.BytesIO | None:
        """Return the stream if it is one small raw chunk: the unpickler then need not call Python for its pieces."""
        reader, chunks = self._reader, self._reader.stream_chunks
        if len(chunks) != 1 or reader.stream_nbytes > _SHORT_STREAM or reader.chain(chunks[0]):
            return None
        self._meter.advance(reader.stream_nbytes)
        return io.BytesIO(reader.read_chunk(chunks[0], check=self._settings.checks).data)

    def _load_restricted(self, stream: StreamReader, trusted: Iterable[Any]) -> Any:
        from .. import trust  # most processes never need it

        limits = self._settings.limits or RESTRICTED_LIMITS
        check_limits(self._reader.contents, limits)
        count = len(self._reader.contents.buffer_starts)
        return trust.load(stream.read_bytes, self._when_asked(), count, trusted, limits)

    def _when_asked(self) -> Iterator[Any]:
        """Decode nothing before the stream asks for it, which it does not after it was refused."""
        yield from exhaust(self._buffers())

    @property
    def _in_place(self) -> np.ndarray:
        """Which buffers are mapped."""
        reader = self._reader
        return reader.placement.mappable & (reader.contents.buffer_nbytes > 0) & (self._mapped is not None)

    def _to_read(self) -> int:
        reader = self._reader
        read = ~self._in_place & (reader.contents.buffer_nbytes > 0)
        return reader.nbytes_of(self._chunks(read)) + reader.stream_nbytes

    def _chunks(self, which: np.ndarray) -> np.ndarray:
        """Return the numbers of the chunks that hold the buffers of a mask."""
        placement = self._reader.placement
        return _spans(placement.first[which], placement.last[which])

    def _buffers(self) -> Generator[None, None, list[Any]]:
        """Return what to hand to the unpickler, in the order in which it asks.

        Arrays are handed out as arrays, which the garbage collector need not visit, unlike memoryviews.
        """
        mapped, views = self._mapped, self._reader.views
        if mapped is not None and views is not None:
            return [mapped[start:stop].data if plain else mapped[start:stop] for start, stop, plain in views]
        in_place = self._in_place
        loaded = yield from load_buffers(
            self._reader,
            np.flatnonzero(~in_place),
            self._crew,
            self._settings.checks,
            self._meter.advance,
            hostile=self._trusted is not None,
        )
        if self._settings.mmap_mode == "r":
            for data in loaded.values():
                data.flags.writeable = False
        if mapped is not None:
            loaded.update(map_buffers(self._reader, mapped, np.flatnonzero(in_place)))
        contents = self._reader.contents
        plain = np.array([kind.dtype is None for kind in contents.kinds], bool)[contents.buffer_kinds].tolist()
        return [loaded[i].data if plain[i] else loaded[i] for i in range(len(plain))]

    def _warn_unmapped(self) -> None:
        if len(self._reader.contents.buffer_starts) and not self._in_place.any():
            if self._mapped is None:
                why = "its source is not a regular file"
            else:
                why = "its arrays are stored encoded (dump with mappable=True)"
            message = f"nothing of the file could be mapped: {why}; it is read into memory"
            warnings.warn(message, FormatWarning, stacklevel=_level_of_caller())


def _level_of_caller() -> int:
    """Return the stack level of whoever called into this package, seen from the function that asks."""
    frame, level = sys._getframe(1), 1
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("binpickle."):
        frame, level = frame.f_back, level + 1
    return level


def _raise(_: int, error: BinPickleError | None) -> None:
    if error is not None:
        raise error


def _spans(first: np.ndarray, last: np.ndarray) -> np.ndarray:
    """Return all numbers from each of `first` to its `last`, each once, ascending."""
    if not len(first):
        return first
    edges = np.zeros(int(last.max()) + 2, np.int64)
    np.add.at(edges, first, 1)
    np.add.at(edges, last + 1, -1)
    return np.flatnonzero(edges.cumsum()[:-1])


def _unpickle(stream: StreamReader, buffers: list[Any], libraries: Mapping[str, str]) -> Any:
    try:
        return unpickler(stream, buffers).load()
    except (pickle.UnpicklingError, EOFError) as error:
        raise FormatError(f"the pickle stream is malformed: {error}") from error
    except BinPickleError:
        raise
    except Exception as error:
        _tell_versions(error, libraries)
        raise


def _tell_versions(error: Exception, libraries: Mapping[str, str]) -> None:
    """Say beside an error which libraries have another version than the writer's: mostly its reason."""
    here: dict[str, str] = installed_versions(libraries)
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
