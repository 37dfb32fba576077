"""The jobs of reading and of checking chunks, for a crew.

Rule: a job tells its crew what it needs to know beforehand: whether it may run in the main thread, and whether it is
worth another thread.
"""

from __future__ import annotations

from functools import partial
from typing import Callable, Iterator, Optional, Sequence, Tuple

import numpy as np

from ..errors import BinPickleError
from ..format.runs import Piece
from ..threads.crew import Crew, Job, Pipeline
from .filereader import FileReader

__all__ = ["Report", "check_chunks", "pieces_job", "raise_error", "read_job"]

Report = Callable[[int, Optional[BinPickleError]], None]
"""Called with the number of a checked chunk and its error, `None` if the chunk is intact."""

_Checked = Tuple[int, Optional[BinPickleError]]

# Chunks are decoded faster than zstd encodes, and raw ones are only copied and summed.
_DECODING, _COPYING = 4, 16


def read_job(reader: FileReader, i: int, out: np.ndarray | None, check: bool, hostile: bool) -> Job[np.ndarray]:
    """Return the job of reading one chunk; see `FileReader.read_chunk` for the arguments."""
    chain = reader.chain(i)
    return Job(
        partial(reader.read_chunk, i, out, check, hostile),
        off_main=any(step.needs_helper for step in chain),
        light=out is None and not chain,
    )


def pieces_job(reader: FileReader, i: int, pieces: Sequence[Piece], check: bool, hostile: bool) -> Job[None]:
    """Return the job of reading pieces of one chunk; see `FileReader.read_pieces` for the arguments."""
    chain = reader.chain(i)
    return Job(
        partial(reader.read_pieces, i, pieces, check, hostile),
        off_main=any(step.needs_helper for step in chain),
        cost=reader.chunk_nbytes(i) // (_DECODING if chain else _COPYING),
    )


def check_chunks(
    reader: FileReader, chunks: Sequence[int], crew: Crew, report: Report, brief: bool = False, decode: bool = False
) -> Iterator[None]:
    """Check chunks; yields after each chunk.

    Args:
        reader: the open file.
        chunks: the numbers of the chunks.
        crew: does the jobs.
        report: called for each chunk, in their order.
        brief: see `FileReader.check_chunk`.
        decode: see `FileReader.check_chunk`.
    """

    def check(i: int) -> _Checked:
        try:
            reader.check_chunk(i, brief, decode)
        except BinPickleError as error:
            return i, error
        return i, None

    reader.plan(chunks)
    pipeline: Pipeline[_Checked] = Pipeline(crew, lambda checked: report(*checked))
    for i in chunks:
        pipeline.push(Job(partial(check, i), off_main=decode and reader.needs_helper(i)))
        yield
    yield from pipeline.drain()


def raise_error(_: int, error: BinPickleError | None) -> None:
    """Raise the error of a chunk, if it has one: a `Report` that ends the checking."""
    if error is not None:
        raise error
