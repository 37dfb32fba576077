"""The pickle stream of an open file, decoded while the unpickler reads it.

Rule: only a few chunks are decoded ahead of the reader, so that memory stays bounded whatever the length of the stream.
"""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import Any, Iterator

import numpy as np

from ..threads.crew import Crew, Job
from .filereader import Advance, FileReader, read_job

__all__ = ["StreamReader"]


class StreamReader:
    """The pickle stream as a file object for unpicklers.

    It has no `peek`: the C unpickler would use it and fetch everything twice.

    Args:
        reader: the open file.
        crew: does the jobs.
        check: compare the checksums of the chunks.
        advance: called with the decoded length of each chunk.
        hostile: allow only codecs that are memory-safe on any input.
    """

    def __init__(self, reader: FileReader, crew: Crew, check: bool, advance: Advance, hostile: bool = False):
        self._reader = reader
        self._crew = crew
        self._check = check
        self._hostile = hostile
        self._advance = advance
        self._chunks = iter(reader.stream_chunks)
        self._ahead: deque[Job[np.ndarray]] = deque()
        self._view = memoryview(b"")

    def read(self, nbytes: int = -1) -> bytes | memoryview:
        """Return that many bytes, or the rest if it is shorter; the rest if the number is negative."""
        if 0 <= nbytes <= len(self._view):
            piece, self._view = self._view[:nbytes], self._view[nbytes:]
            return piece
        return b"".join(self._pieces(nbytes))

    def read_bytes(self, nbytes: int) -> bytes:
        """Return at most that many bytes, and no bytes only at the end."""
        if not self._view:
            self._fetch()
        return bytes(self.read(min(nbytes, len(self._view))))

    def readinto(self, out: Any) -> int:
        """Fill a writable buffer; return how many bytes were left to fill it."""
        target = memoryview(out).cast("B")
        filled = 0
        for piece in self._pieces(len(target)):
            target[filled : filled + len(piece)] = piece
            filled += len(piece)
        return filled

    def readline(self) -> bytes:
        """Return the bytes up to and including a newline, or the rest; the arguments of old opcodes end with one."""
        line = bytearray()
        for piece in iter(partial(self.read, 1), b""):
            line += piece
            if piece == b"\n":
                break
        return bytes(line)

    def _pieces(self, nbytes: int) -> Iterator[memoryview]:
        while nbytes and (self._view or self._fetch()):
            piece = self._view[:nbytes] if nbytes > 0 else self._view
            self._view = self._view[len(piece) :]
            nbytes -= len(piece) if nbytes > 0 else 0
            yield piece

    def _fetch(self) -> bool:
        """Make the next chunk the current one; return whether there was one."""
        while len(self._ahead) < 1 + self._crew.threads:
            i = next(self._chunks, None)
            if i is None:
                break
            job = read_job(self._reader, i, None, self._check, self._hostile)
            if not job.light:
                self._crew.submit(job, later=bool(self._ahead))
            self._ahead.append(job)
        if not self._ahead:
            return False
        job = self._ahead.popleft()
        if job.light:
            self._crew.check()
            job.run()
        data = job.take() if job.light else self._crew.finish(job)
        self._advance(len(data))
        self._view = data.data
        return True
