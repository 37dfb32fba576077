"""The pickle stream of an open file, decoded while the unpickler reads it.

Rule: only a few chunks are decoded ahead of the reader, so that memory stays bounded whatever the length of the stream.
Raw chunks are read where they are wanted: a long `bytes` object is filled in place, and its bytes are copied once.
"""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import Any

import numpy as np

from ..threads.crew import Crew, Job
from .filereader import Advance, FileReader
from .jobs import read_job
from .pages import allocate, use_huge_pages

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
        planned: whether the source has been told that the stream will be read.
    """

    def __init__(
        self,
        reader: FileReader,
        crew: Crew,
        check: bool,
        advance: Advance,
        hostile: bool = False,
        planned: bool = False,
    ):
        self._reader = reader
        self._crew = crew
        self._check = check
        self._hostile = hostile
        self._advance = advance
        self._chunks = reader.stream_chunks
        self._begun = 0  # how many of the chunks have a job
        self._ahead: deque[Job[np.ndarray]] = deque()
        self._view = memoryview(b"")
        self._left = reader.stream_nbytes
        if not planned:
            reader.plan(self._chunks)

    def read(self, nbytes: int = -1) -> bytes | memoryview:
        """Return that many bytes, or the rest if it is shorter; the rest if the number is negative."""
        if 0 <= nbytes <= len(self._view):
            self._left -= nbytes
            piece, self._view = self._view[:nbytes], self._view[nbytes:]
            return piece
        out = allocate(self._left if nbytes < 0 else min(nbytes, self._left))
        self._fill(out)
        return out.data

    def read_bytes(self, nbytes: int) -> bytes:
        """Return at most that many bytes, and no bytes only at the end."""
        if not self._view:
            self._fetch()
        return bytes(self.read(min(nbytes, len(self._view))))

    def readinto(self, out: Any) -> int:
        """Fill a writable buffer; return how many bytes were left to fill it."""
        nbytes = min(memoryview(out).nbytes, self._left)
        if nbytes:
            target = np.frombuffer(out, np.uint8, nbytes)
            use_huge_pages(target)
            self._fill(target)
        return nbytes

    def readline(self) -> bytes:
        """Return the bytes up to and including a newline, or the rest; the arguments of old opcodes end with one."""
        line = bytearray()
        for piece in iter(partial(self.read, 1), b""):
            line += piece
            if piece == b"\n":
                break
        return bytes(line)

    def _fill(self, out: np.ndarray) -> None:
        """Fill memory with the next bytes; there are enough.

        All of it happens in this thread: the memory may belong to an object that is freed as soon as this raises.
        """
        self._left -= len(out)
        while len(out):
            if not self._view:
                out = out[self._read_in_place(out) :]
                if not len(out):
                    break
                self._fetch()
            piece = self._view[: len(out)]
            out[: len(piece)] = piece
            self._view, out = self._view[len(piece) :], out[len(piece) :]

    def _read_in_place(self, out: np.ndarray) -> int:
        """Read the next chunks straight into memory: the raw ones that it can hold as a whole. Return their length."""
        filled = 0
        while True:
            i = self._next_raw()
            nbytes = 0 if i is None else self._reader.chunk_nbytes(i)
            if i is None or nbytes > len(out) - filled:
                return filled
            self._crew.check()
            self._reader.read_chunk(i, out[filled : filled + nbytes], self._check, self._hostile)
            self._advance(nbytes)
            filled += nbytes
            if self._ahead:
                self._ahead.popleft()
            else:
                self._begun += 1

    def _next_raw(self) -> int | None:
        """Return the number of the next chunk if it is stored raw; its job, if it has one, has not run."""
        i = self._begun - len(self._ahead)
        if i == len(self._chunks) or (self._ahead and not self._ahead[0].light) or self._reader.chain(self._chunks[i]):
            return None
        return self._chunks[i]

    def _fetch(self) -> bool:
        """Make the next chunk the current one; return whether there was one."""
        while len(self._ahead) < 1 + self._crew.threads and self._begun < len(self._chunks):
            job = read_job(self._reader, self._chunks[self._begun], None, self._check, self._hostile)
            self._begun += 1
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
