"""Writing one file: from the pickle stream and the buffers to a sink, for `dump`, `adump` and `repack`.

Strategy: the pickler pushes its stream, which is cut into chunks. When the stream has ended, the buffers are cut into
chunks. A job encodes each chunk (`encode_chunk`) in any thread, and the owner of the crew writes the chunks in order.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any, Callable, Iterator, Mapping

from ..codecs.auto import choose
from ..codecs.chain import RAW, Chain, chain_for
from ..files.sink import Sink
from ..format.checksums import ALGORITHMS
from ..format.header import SEAL_DOMAIN
from ..format.write_index import IndexBuilder
from ..pickling.out_of_band import OutOfBand
from ..pickling.pickler import Pickling
from ..threads.cpus import has_idle_cpu
from ..threads.crew import Crew, Job, Pipeline, exhaust
from ..threads.meter import Meter
from ..types import BytesLike, Progress
from .chunk import AUTO, ChunkPlan, EncodedChunk, check_ahead, encode_chunk
from .options import DumpOptions
from .plan import Plan, element_type, is_large, plan_buffers
from .playback import Recording, in_band_below
from .staged import Staged, held
from .stream import GatheredStream, RawStream, StreamCut

__all__ = ["CHECK_AHEAD_FROM", "FileWriter", "write_steps"]

CHECK_AHEAD_FROM = 64 << 20
"""Checksums of fewer raw bytes are computed by the thread that writes: a helper would come too late."""

# With header, index and trailer so much data mostly fits in one block of a disk, which is what the file takes anyway.
_FITS_A_BLOCK = 3584
# The codecs that a caller chooses may be many times as slow as those of "auto".
_SLOW = 16


class FileWriter:
    """Writes one file to a sink.

    Args:
        sink: takes the bytes.
        crew: does the jobs.
        options: the options of the dump.
        progress: see `dump`.
    """

    def __init__(self, sink: Sink, crew: Crew, options: DumpOptions, progress: Progress | None = None):
        self._sink = sink
        self._crew = crew
        self._options = options
        self._index = IndexBuilder(options.algorithm)
        self._meter = Meter(progress)
        # Neither object refers to this writer: a cycle would keep all memory until the garbage collector comes.
        self._chunks = _Chunks(crew, options, partial(_write_chunk, sink, self._index, self._meter))
        self._stream = self._open_stream()
        sink.write(options.header.pack())

    def write_stream(self, piece: BytesLike) -> None:
        """Take the next piece of the pickle stream, of any length. It may be kept, so it must not change."""
        self._crew.check()
        self._stream.write(piece)

    def plan(self, found: OutOfBand) -> Plan:
        """Cut the buffers into chunks, after the end of the stream."""
        nbytes = self._stream.nbytes
        if self._options.auto and nbytes <= _FITS_A_BLOCK and nbytes + sum(found.nbytes) <= _FITS_A_BLOCK:
            self._chunks.auto = RAW
        self._stream.end()
        plan = plan_buffers(found, *self._chains(found), self._options.align)
        self._meter.total = self._stream.nbytes + sum(chunk.nbytes for chunk in plan.chunks)
        self._sink.expect(sum(chunk.nbytes for chunk in plan.chunks if chunk.chain == RAW))
        return plan

    def write_chunks(self, plan: Plan) -> Iterator[None]:
        """Write all chunks of the buffers; yields after each chunk."""
        self._check_ahead(plan)
        for chunk in plan.chunks:
            self._chunks.push(chunk)
            yield
        yield from self._chunks.drain()

    def _check_ahead(self, plan: Plan) -> None:
        """Let a helper compute the checksums of the chunks that this thread will do little but write."""
        algorithm = self._options.algorithm
        plain = [chunk for chunk in plan.chunks if chunk.is_plain]
        worth_it = self._crew.threads > 1 and sum(chunk.nbytes for chunk in plain) >= CHECK_AHEAD_FROM
        if worth_it and ALGORITHMS[algorithm].cheap and has_idle_cpu():  # a digest is a job of its own
            self._crew.submit(Job(partial(check_ahead, plain, algorithm, self._crew.goes_on)), later=True)

    def finish(self, plan: Plan, found: OutOfBand, libraries: Mapping[str, str]) -> None:
        """Write the index and the trailer."""
        starts = [start + self._stream.nbytes for start in plan.starts]
        index, trailer = self._index.finish(
            self._stream.nbytes, starts, found.kinds, found.kind_ids, self._options.metadata, libraries
        )
        if self._options.keys is not None:
            seal = self._options.keys.sign(SEAL_DOMAIN, trailer.sealed_bytes(self._options.header))
            trailer = replace(trailer, seal=seal)
        self._sink.write(index)
        self._sink.write(trailer.pack())
        self._meter.finish()

    def _open_stream(self) -> StreamCut:
        options = self._options
        if options.stream_chain == RAW and ALGORITHMS[options.algorithm].cheap:
            return RawStream(self._sink, options.algorithm, partial(_place_stream, self._index, self._meter))
        return GatheredStream(self._chunks.push_stream)

    def _chains(self, found: OutOfBand) -> tuple[list[Chain | None], list[int]]:
        """Return the codec chains in use, and for each buffer an index into them."""
        table = _ChainTable()
        if self._options.auto:
            return table.chains, self._choose_for_large(found, table)
        elements = self._options.elements
        if not any(map(callable, elements)):
            table.id_of(chain_for(elements, memoryview(b"")))
            return table.chains, [0] * len(found.buffers)
        fetch = found.fetch or (lambda buffer: buffer)
        ids = [
            table.id_of(chain_for(elements, memoryview(fetch(buffer))) if i not in found.within and nbytes else RAW)
            for i, (buffer, nbytes) in enumerate(zip(found.buffers, found.nbytes))
        ]
        return table.chains, ids

    def _choose_for_large(self, found: OutOfBand, table: _ChainTable) -> list[int]:
        """Choose one chain for each buffer with chunks of its own; buffers that share chunks get what those get."""
        ids = [table.id_of(self._chunks.auto)] * len(found.buffers)
        larges = [is_large(kind.nbytes) for kind in found.kinds]
        if not found.sampled or not any(larges):
            return ids
        chosen: list[Chain] = []
        choosing: Pipeline[Chain] = Pipeline(self._crew, chosen.append)
        large = [i for i, kind_id in enumerate(found.kind_ids) if larges[kind_id] and i not in found.within]
        for i in large:
            itemsize = element_type(found.kinds[found.kind_ids[i]]).itemsize
            choosing.push(Job(partial(choose, found.buffers[i].raw(), itemsize, found.fetch)))
        exhaust(choosing.drain())
        for i, chain in zip(large, chosen):
            ids[i] = table.id_of(chain)
        return ids


class _Chunks:
    """Encodes chunks, and passes them to `write` in order.

    Attributes:
        auto: the chain of chunks for which `"auto"` chooses: `AUTO`, or `RAW` in a file that is small anyway.
    """

    def __init__(self, crew: Crew, options: DumpOptions, write: Callable[[EncodedChunk], None]):
        self.auto: Chain | None = AUTO
        self._options = options
        self._pipeline: Pipeline[EncodedChunk] = Pipeline(crew, write)

    def push(self, chunk: ChunkPlan) -> None:
        """Add the next chunk; chunks that are done may be written meanwhile."""
        algorithm = self._options.algorithm
        self._pipeline.push(
            Job(
                partial(encode_chunk, chunk, algorithm, self._options.auto),
                off_main=any(step.needs_helper for step in chunk.chain or RAW),
                light=chunk.chain == RAW and ALGORITHMS[algorithm].cheap,
                cost=chunk.nbytes * (1 if self._options.auto else _SLOW),
            )
        )

    def push_stream(self, data: bytearray) -> None:
        """Add the next chunk of the pickle stream."""
        chain = self.auto if self._options.auto else self._options.stream_chain
        self.push(ChunkPlan([data], len(data), chain))

    def drain(self) -> Iterator[None]:
        """Write all chunks that are left; yields after each chunk."""
        return self._pipeline.drain()


def _write_chunk(sink: Sink, index: IndexBuilder, meter: Meter, chunk: EncodedChunk) -> None:
    """Write an encoded chunk at its place in the file, and note it in the index."""
    specs = tuple(step.spec for step in chunk.chain)
    padding = index.place(chunk.nbytes, chunk.stored, specs, chunk.checksum, chunk.alignment)
    if padding:
        sink.write(bytes(padding))
    sink.write_all(chunk.pieces)
    meter.advance(chunk.nbytes)


def _place_stream(index: IndexBuilder, meter: Meter, nbytes: int, checksum: bytes) -> None:
    """Note a raw chunk of the stream, which has been written, in the index."""
    index.place(nbytes, nbytes, (), checksum)
    meter.advance(nbytes)


class _ChainTable:
    """The distinct codec chains of one file."""

    def __init__(self) -> None:
        self.chains: list[Chain | None] = []
        self._ids: dict[Chain | None, int] = {}

    def id_of(self, chain: Chain | None) -> int:
        """Return the number of a chain, which is added if it is new."""
        if chain not in self._ids:
            self._ids[chain] = len(self.chains)
            self.chains.append(chain)
        return self._ids[chain]


def write_steps(
    obj: Any, sink: Sink, crew: Crew, options: DumpOptions, progress: Progress | None = None
) -> Iterator[None]:
    """Write one object to an open sink, for `dump` and `adump`.

    Yields when pickling has ended, and after each further chunk. Each step may run in another thread.

    Args:
        obj: the object, a staged object, or what `held` gives of one.
        sink: takes the bytes.
        crew: does the jobs.
        options: the options of the dump.
        progress: see `dump`.
    """
    if isinstance(obj, Staged):
        with held(obj) as recording:
            yield from write_steps(recording, sink, crew, options, progress)
        return
    recorded = isinstance(obj, Recording)
    pickler = obj.player(options.mappable, options.pickler) if recorded else Pickling
    writer = FileWriter(sink, crew, options, progress)
    pickling = pickler(writer.write_stream, options.pickler, in_band_below(options.mappable))
    pickling.dump(obj)
    found = pickling.out_of_band()
    plan = writer.plan(found)
    yield
    yield from writer.write_chunks(plan)
    writer.finish(plan, found, pickling.libraries())
