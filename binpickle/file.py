"""An open file, `BinPickleFile`: its object, its buffers one by one, and its facts.

Rule: opening a file checks its structure and its index. Only `load` unpickles anything.
"""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Generator, Iterable, Iterator, Mapping

from .errors import BinPickleError, FormatError, IntegrityError
from .files.pagecache import MOST_THREADS
from .files.source import Source
from .format.contents import Spec
from .format.header import Header
from .keys import Keys
from .limits import Limits
from .reading.arrays import OpenArrays
from .reading.description import Summary, summarize
from .reading.entries import Entry, list_entries
from .reading.environment import trusted_here
from .reading.filereader import FileReader
from .reading.jobs import check_chunks
from .reading.limiting import check_limits, decoded_nbytes, require_limits
from .reading.loading import Loading, LoadSettings, require_end
from .reading.names import Names, names_for_messages
from .reading.stream import StreamReader
from .remote.opening import open_source
from .threads.cpus import check_threads
from .threads.crew import Crew, exhaust
from .threads.meter import Meter
from .types import KeyLike, MmapMode, PathOrReadable, Prefetch, Progress, Trusted

if TYPE_CHECKING:
    from .reading.prefetching import Prefetching
    from .show.tree import Tree
    from .trust import GlobalUse

__all__ = ["BinPickleFile", "check_prefetch", "check_settings", "load_steps", "scan_globals"]


class BinPickleFile(OpenArrays):
    """An open file: its object, its arrays by name, its buffers one by one, and its facts.

    Opening a file checks its structure and its index, and unpickles nothing. An open file is a read-only mapping from
    names to arrays: `file["model/coef_"]` reads this array and nothing else, and `file.tree()` shows all names.

    You may close it at any time: arrays that were loaded or mapped live on. You may pickle an open file that was opened
    by its path and without a key. Unpickling opens the file again, and refuses it if it has changed.

    Args:
        file: see `load`.
        storage_options: see `load`.
        mmap_mode: see `load`.
        direct: the name of `mmap_mode="r"` in releases before 1.0; `"nowarn"` does not warn if nothing can be mapped.
        verify: see `load`.
        key: see `load`.
        context: see `load`.
        limits: see `load`.

    Raises:
        FormatError: the file is not a BinPickle file, is truncated or inconsistent.
        LimitError: the file asks for more than `limits` allow.
        IntegrityError: the index is damaged.
        AuthenticationError: a key is given, and the seal is missing or wrong.
        OSError: from the operating system, unchanged.
    """

    def __init__(
        self,
        file: PathOrReadable,
        *,
        storage_options: Mapping[str, Any] | None = None,
        mmap_mode: MmapMode = None,
        direct: bool | str = False,
        verify: bool | None = None,
        key: KeyLike | None = None,
        context: bytes = b"",
        limits: Limits | None = None,
    ):
        if direct not in (False, True, "nowarn"):
            raise ValueError(f"direct must be False, True or 'nowarn', not {direct!r}")
        check_settings(mmap_mode, verify, limits)
        mmap_mode = mmap_mode or ("r" if direct else None)
        keys = Keys.of(key, context)
        if keys is not None and verify is False:
            raise ValueError("verify=False with a key: nothing would be authenticated")
        self._settings = LoadSettings(mmap_mode, verify, limits, warn=direct != "nowarn")
        self._closed = False
        limits = limits or Limits()
        self._source = (
            file if isinstance(file, Source) else open_source(file, limits.stored_bytes, Header.unpack, storage_options)
        )
        try:
            with self._naming():
                self._reader = FileReader(self._source, limits, keys)
                self._names = Names(self._reader, self._settings.checks, self._settings.limits)
                self._reader.tell_names = partial(
                    names_for_messages, check=self._settings.checks, limits=self._settings.limits
                )
                self._mapped = self._source.map(mmap_mode == "c") if mmap_mode else None
        except BaseException:
            self._source.close()
            raise

    def __enter__(self) -> BinPickleFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        contents = self._reader.contents
        of = f"{len(self.buffers)} buffers, {contents.length} bytes, version {contents.version}"
        return f"<BinPickleFile {self._source.name or 'bytes'!r}: {of}>"

    def _repr_html_(self) -> str:
        from .show.html import file_html

        if self._closed and not self._names.are_known:  # the stream cannot be read any more
            return file_html(self.summary, self.buffers, [""] * len(self.buffers))
        return file_html(self.summary, self.buffers, self.names, self.names_problem)

    def __reduce__(self) -> Any:
        if self._source.path is None or self._reader.authenticated:
            raise TypeError("only a BinPickleFile that was opened by its path, and without a key, can be pickled")
        digest = self._reader.contents.index_digest
        return _reopen, (self._source.path, digest, self._settings)

    def close(self) -> None:
        """Close the file; closing it twice is fine. Its arrays live on; reading more of it raises `ValueError`."""
        self._closed = True
        self._source.close()

    @property
    def header(self) -> Header:
        """The header of the file."""
        return self._reader.header

    @property
    def version(self) -> int:
        """The format version, 1 to 3."""
        return self._reader.contents.version

    @property
    def nbytes(self) -> int:
        """The size of the file."""
        return self._reader.contents.length

    @property
    def codecs(self) -> tuple[tuple[Spec, ...], ...]:
        """The distinct codec chains of the chunks, as specs in encode order; an empty chain means stored raw."""
        return self._reader.contents.chains

    @property
    def metadata(self) -> Mapping[str, str]:
        """The writer's `metadata`."""
        return MappingProxyType(dict(self._reader.contents.metadata))

    @property
    def libraries(self) -> Mapping[str, str]:
        """The writer's versions of Python, BinPickle and the libraries whose classes the object needs."""
        return MappingProxyType(dict(self._reader.contents.libraries))

    @property
    def root_digest(self) -> bytes | None:
        """32 bytes that identify everything in the file; `None` if it was written without digests."""
        return self._reader.contents.root_digest

    @property
    def is_sealed(self) -> bool:
        """Whether the file has a seal; only opening it with a key tells whether the seal is good."""
        return self._reader.contents.sealed

    @property
    def is_mappable(self) -> bool:
        """Whether every buffer is stored raw, so that all can be mapped."""
        return self._reader.is_mappable

    @property
    def summary(self) -> Summary:
        """The facts of the file, and the sizes of its parts added up."""
        return summarize(self._reader)

    def tree(self) -> Tree:
        """Return the outline of the object: its parts, their names and sizes; text by `str()`, HTML in notebooks.

        Raises:
            FormatError: there is none, as `names_problem` says.
        """
        outline = self._outline
        with self._naming():
            if outline.problem is not None:
                raise FormatError(f"the file has no outline: {outline.problem}")
        from .show.tree import Tree  # most programs never need it

        nbytes, stored = self._reader.contents.buffer_nbytes.tolist(), self.summary.stored.tolist()
        return Tree(self._source.name or "bytes", outline.root, self.buffers, nbytes, stored)

    @property
    def entries(self) -> list[Entry]:
        """The stored pieces in the order of the file, the pickle stream last, as releases before 1.0 listed them."""
        return list_entries(self._reader, self.buffers)

    def load(
        self,
        *,
        trusted: Trusted | None = None,
        threads: int | None = None,
        progress: Progress | None = None,
        prefetch: Prefetch = None,
    ) -> Any:
        """Load the object.

        Args:
            trusted: see `load`; `BINPICKLE_TRUST` holds here too.
            threads: see `load`.
            progress: see `load`.
            prefetch: see `load`. Closing the file does not end the fetching: it ends with the arrays.

        Raises:
            Exception: see `load`.
        """
        prefetch = check_prefetch(prefetch, self._settings.mmap_mode)
        with Crew(check_threads(threads)) as crew:
            return exhaust(load_steps(self, crew, progress, trusted, prefetch))

    def warm(
        self,
        which: Iterable[int | str] | None = None,
        *,
        threads: int | None = None,
        progress: Progress | None = None,
    ) -> tuple[int, int]:
        """Read what is stored of the file, or of some buffers, so that it is in the page cache of the system.

        This is what `load(prefetch=...)` does in the background, for all processes that will read or map the file. It
        reads no more than there is room for in memory: three quarters of what is available.

        Args:
            which: numbers and names, as `array` takes them; a name above arrays stands for all of these. By default
                everything in the file. A buffer that is stored encoded takes whole chunks, which may hold others, too.
            threads: how many threads read at the same time, by default four.
            progress: see `load`; called with numbers of stored bytes.

        Returns:
            How many bytes have been read, and how many there were to read.

        Raises:
            IndexError, KeyError: there is no such buffer.
            FormatError: the file has been cut.
            OSError: the file cannot be read.
        """
        from .reading import ranges, warming  # most programs never need them

        chosen = None if which is None else self._numbers_of(which)
        crew = Crew(MOST_THREADS if threads is None else check_threads(threads))
        with self._naming(), crew:
            wanted = ranges.stored_ranges(self._reader, chosen)
            meter = Meter(progress, ranges.ranges_nbytes(wanted))
            exhaust(warming.warm_steps(self._source, wanted, crew, meter))
        meter.finish()
        return meter.done, ranges.ranges_nbytes(wanted)

    def stream(self) -> bytes:
        """Return the pickle stream, for scanners; empty if the file holds no object.

        Raises:
            LimitError: a few bytes of the file would take very much decoding (see `array`).
            IntegrityError: a chunk of the stream is damaged.
            CodecError: a chunk of the stream does not decode, or its codec is not allowed here (see `array`).
        """
        chunks = self._reader.stream_chunks
        with self._naming(), Crew(1) as crew:
            self._limit_decoding(slice(chunks.start, chunks.stop))
            stream = StreamReader(self._reader, crew, self._settings.checks, _ignore, hostile=True)
            return bytes(stream.read())

    def find_errors(
        self, *, decode: bool = False, threads: int | None = None, progress: Progress | None = None
    ) -> list[str]:
        """Compare all stored bytes with their checksums; return a message for each damaged chunk.

        Safe on files of unknown origin: see `array`.

        Args:
            decode: decode each chunk, too. That finds data that was wrong before it was stored, as in some files of
                versions 1 and 2. No more than one chunk for each thread is in memory. Chunks whose codec is not
                memory-safe on any input, such as Blosc, are not decoded and get a message, unless the file was opened
                with a key.
            threads: see `load`.
            progress: see `load`; called with numbers of stored bytes.

        Raises:
            LimitError: `decode` is given, and a few bytes of the file would take very much decoding (see `array`).
        """
        errors: list[str] = []
        stored = self._reader.contents.chunk_stored.tolist()
        meter = Meter(progress, sum(stored))

        def report(i: int, error: BinPickleError | None) -> None:
            if error is not None:
                errors.append(str(error))
            meter.advance(stored[i])

        with self._naming(), Crew(check_threads(threads)) as crew:
            if decode:
                self._limit_decoding(slice(None))
            exhaust(check_chunks(self._reader, range(len(stored)), crew, report, brief=True, decode=decode))
        meter.finish()
        return errors

    def _start_prefetch(self, which: Prefetch) -> Prefetching | None:
        """Begin to fetch mapped buffers in the background; `None` if nothing is to be fetched."""
        if self._mapped is None or which is False or which is None and not self._source.is_networked:
            return None
        from .reading import prefetching, ranges  # most programs never need them

        numbers = None if which is True or which is None else self._numbers_of(which)
        fetcher = self._source.fetcher()
        wanted = ranges.mapped_ranges(self._reader, numbers)
        return None if fetcher is None else prefetching.start_prefetch(fetcher, wanted)

    @contextmanager
    def _naming(self) -> Iterator[None]:
        """Add the name of the file to errors; refuse to read a closed file."""
        if self._closed:
            raise ValueError("the file is closed")
        try:
            yield
        except BinPickleError as error:
            error.file = error.file or self._source.name
            raise


def check_settings(mmap_mode: Any, verify: Any, limits: Any) -> None:
    """Check the arguments of opening a file, before anything is read.

    Raises:
        TypeError: an argument is of the wrong type.
        ValueError: there is no such `mmap_mode`.
    """
    if mmap_mode not in (None, "r", "c"):
        raise ValueError(f"mmap_mode must be None, 'r' or 'c', not {mmap_mode!r}")
    if verify not in (None, False, True):
        raise TypeError(f"verify must be None, True or False, not {verify!r}")
    require_limits(limits)


def check_prefetch(prefetch: Any, mmap_mode: Any) -> Prefetch:
    """Check the argument `prefetch` of a load, and return it; an iterable as a tuple.

    Raises:
        TypeError: it is neither a bool nor an iterable of buffers.
        ValueError: there is something to fetch, but nothing is mapped.
    """
    if prefetch is None or prefetch is False:
        return prefetch
    if isinstance(prefetch, (str, bytes)) or prefetch is not True and not isinstance(prefetch, Iterable):
        raise TypeError(f"prefetch must be True, False or a list of buffers, not {prefetch!r}")
    if mmap_mode is None:
        raise ValueError("prefetch is for mapped files: give mmap_mode='r' or 'c', too; else all is read anyway")
    return prefetch is True or tuple(prefetch)


def load_steps(
    opened: BinPickleFile,
    crew: Crew,
    progress: Progress | None,
    trusted: Trusted | None,
    prefetch: Prefetch = None,
) -> Generator[None, None, Any]:
    """Load the object of an open file, for `load` and `aload`. See `Loading.steps`."""
    with opened._naming():
        trusted = trusted_here(trusted)
        loading = Loading(opened._reader, opened._mapped, opened._settings, crew, progress, trusted)
        fetching = opened._start_prefetch(prefetch)
        try:
            return (yield from loading.steps())
        except BaseException:
            if fetching is not None:
                fetching.stop()
            raise


def scan_globals(opened: BinPickleFile, limits: Limits) -> list[GlobalUse]:
    """List the globals that the pickle stream of an open file names. Nothing is imported, nothing runs."""
    from . import trust  # most programs never need it

    with opened._naming(), Crew(1) as crew:
        reader = opened._reader
        reader.require_object()
        contents = reader.contents
        check_limits(contents, reader.placement, limits)
        limits = limits.of_file(contents.length, decoded_nbytes(contents))
        stream = StreamReader(reader, crew, opened._settings.checks, _ignore, hostile=True)
        used = trust.scan(stream.read_bytes, len(contents.buffer_starts), limits)
        require_end(stream)
    return used


def _reopen(path: str, digest: bytes, settings: LoadSettings) -> BinPickleFile:
    """Open the file of a `BinPickleFile` that was pickled."""
    direct = False if settings.warn else "nowarn"
    opened = BinPickleFile(
        path, mmap_mode=settings.mmap_mode, direct=direct, verify=settings.verify, limits=settings.limits
    )
    if opened._reader.contents.index_digest != digest:
        opened.close()
        error = IntegrityError("the file is not the one that was open when this was pickled: it has been replaced")
        error.file = path
        raise error
    return opened


def _ignore(_: int) -> None:
    pass
