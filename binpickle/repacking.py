"""Changing how a file is stored: compressed for shipping, mappable for serving.

Rule: nothing is unpickled. The chunks of the target ask for the data, and the chunks of the source are decoded one by
one, so that memory stays bounded whatever the size of the file.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Any, Mapping

import numpy as np

from .errors import AuthenticationError, BinPickleError
from .files.sink import Sink
from .format.header import VERSION, Header
from .keys import Keys
from .limits import Limits
from .pickling.out_of_band import OutOfBand
from .reading.filereader import FileReader
from .reading.limiting import UNKNOWN_ORIGIN, require_limits
from .remote.opening import open_sink, open_source
from .remote.resolving import is_remote
from .threads.cpus import check_threads
from .threads.crew import Crew, exhaust
from .types import CodecsLike, KeyLike, PathOrReadable, PathOrWritable, Progress
from .writing.filewriter import FileWriter
from .writing.options import DumpOptions, explaining

__all__ = ["SAME", "repack"]


class _Same:
    """The type of `SAME`."""

    def __repr__(self) -> str:
        return "SAME"


SAME: Any = _Same()
"""Given to `repack` as new key or new context: keep the key or the context of the source."""


@explaining
def repack(
    source: PathOrReadable,
    target: PathOrWritable,
    *,
    storage_options: Mapping[str, Any] | None = None,
    mappable: bool = False,
    codecs: CodecsLike = "auto",
    key: KeyLike | None = None,
    context: bytes = b"",
    new_key: KeyLike | None = SAME,
    new_context: bytes = SAME,
    limits: Limits | None = None,
    threads: int | None = None,
    progress: Progress | None = None,
) -> None:
    """Write the object of one file to another file that stores it differently, in the current format version.

    The source may be of unknown origin: nothing is unpickled, and only codecs that are memory-safe on any input decode.
    The target keeps the metadata and the library versions of the source, and has digests if the source has them.

    Args:
        source: a path, or a binary file object with `read`.
        target: a path, perhaps that of the source, or a binary file object with `write`. Source and target may be
            addresses, too.
        storage_options: see `load`; for each of source and target that is an address.
        mappable: see `dump`.
        codecs: see `dump`.
        key: the key that sealed the source, required for a sealed source; see `load`.
        context: the context for which the source was sealed.
        new_key: the key that seals the target: by default `key`, or the first key of a list; `None` removes the seal.
        new_context: the context for which the target is sealed: by default `context`.
        limits: how much the source may ask for. By default large files pass, and a file that would take very much
            decoding for each of its bytes does not (`Limits.decoded_per_byte`), unless a key is given.
        threads: see `dump`.
        progress: see `dump`.

    Raises:
        LimitError: the source asks for more than `limits` allow.
        FormatError: the source is not a BinPickle file, is truncated or inconsistent, or holds no object.
        AuthenticationError: the source is sealed and no key is given; or a key is given, and the seal is missing or
            wrong.
        IntegrityError: a chunk of the source is damaged.
        CodecError: a chunk of the source does not decode, or its codec is not allowed here (Blosc: load the source and
            dump its object instead).
        OSError: from the operating system, unchanged.
    """
    require_limits(limits)
    crew = Crew(check_threads(threads))
    keys = Keys.of(key, context)
    limits = limits or (UNKNOWN_ORIGIN if keys is None else Limits())
    opened = open_source(source, limits.stored_bytes, Header.unpack, _options_for(source, storage_options))
    try:
        reader = FileReader(opened, limits, keys)
        reader.require_object()
        if reader.contents.sealed and keys is None:
            raise AuthenticationError("the file is sealed: give its key, and new_key=None to remove the seal")
        target_key = key if new_key is SAME else new_key
        same_context = context if target_key is not None else b""
        options = DumpOptions(
            mappable=mappable,
            codecs=codecs,
            metadata=reader.contents.metadata,
            key=target_key,
            context=same_context if new_context is SAME else new_context,
            digests=reader.contents.version == VERSION and reader.contents.root_digest is not None,
        )
        with open_sink(target, storage_options=_options_for(target, storage_options)) as sink, crew:
            _copy(reader, sink, crew, options, progress)
    except BinPickleError as error:
        error.file = error.file or opened.name
        raise
    finally:
        opened.close()


def _copy(reader: FileReader, sink: Sink, crew: Crew, options: DumpOptions, progress: Progress | None) -> None:
    writer = FileWriter(sink, crew, options, progress)
    stream = reader.stream_chunks
    # The target asks for the buffers about in the order in which they lie.
    reader.plan([*stream, *(i for i in range(len(reader.contents.chunk_stored)) if i not in stream)])
    for i in stream:
        writer.write_stream(reader.read_chunk(i, hostile=True))
    contents, placement = reader.contents, reader.placement
    starts, stops = contents.buffer_starts.tolist(), placement.stops.tolist()
    found = OutOfBand(
        buffers=[_Range(start, stop) for start, stop in zip(starts, stops)],
        kinds=contents.kinds,
        kind_ids=contents.buffer_kinds.tolist(),
        within={i: (root, starts[i] - starts[root]) for i, root in enumerate(placement.roots.tolist()) if i != root},
        fetch=_Fetcher(reader, 2 * crew.threads),
        sampled=False,
    )
    plan = writer.plan(found)
    exhaust(writer.write_chunks(plan))
    writer.finish(plan, found, contents.libraries)


def _options_for(file: Any, storage_options: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    return storage_options if is_remote(file) else None


class _Range:
    """A range of the decoded bytes of the source, in place of the memory of a buffer. A slice of it is a range, too."""

    __slots__ = ("start", "stop")

    def __init__(self, start: int, stop: int):
        self.start = start
        self.stop = stop

    def __len__(self) -> int:
        return self.stop - self.start

    def __getitem__(self, part: slice) -> _Range:
        start, stop, _ = part.indices(len(self))
        return _Range(self.start + start, self.start + stop)

    def raw(self) -> _Range:
        """Return the bytes of a buffer, as `PickleBuffer.raw` does."""
        return self


class _Fetcher:
    """Reads ranges of the source, in any thread.

    The chunks that were decoded last are kept, since the next range mostly lies in one of them.

    Args:
        reader: the source.
        keep: how many chunks to keep.
    """

    def __init__(self, reader: FileReader, keep: int):
        self._reader = reader
        self._keep = keep
        self._chunks: OrderedDict[int, np.ndarray] = OrderedDict()
        self._lock = threading.Lock()

    def __call__(self, wanted: _Range) -> np.ndarray:
        starts = self._reader.contents.chunk_starts
        first = int(np.searchsorted(starts, wanted.start, "right")) - 1
        pieces = []
        for i in range(first, int(np.searchsorted(starts, wanted.stop, "left"))):
            begin = int(starts[i])
            pieces.append(self._chunk(i)[max(wanted.start - begin, 0) : wanted.stop - begin])
        return pieces[0] if len(pieces) == 1 else np.concatenate([np.empty(0, np.uint8), *pieces])

    def _chunk(self, i: int) -> np.ndarray:
        with self._lock:
            data = self._chunks.get(i)
        if data is None:  # two threads may decode the same chunk here, which only costs time
            data = self._reader.read_chunk(i, hostile=True)
        with self._lock:
            self._chunks[i] = data
            self._chunks.move_to_end(i)
            while len(self._chunks) > self._keep:
                self._chunks.popitem(last=False)
        return data
