"""A store in memory that notes what is asked of it, and fails when it is told to."""

from __future__ import annotations

import threading
from typing import Any, Iterator

from internals import ObjectInfo

from binpickle import ObjectChangedError


class MemoryStore:
    """A client of objects in memory.

    Attributes:
        objects: the bytes of each key.
        calls: the name of each call, with its key and range.
        fails: raised by the call of this number, if any.
    """

    can_create = True

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.calls: list[tuple[Any, ...]] = []
        self.fails: dict[int, BaseException] = {}
        self.unfinished = 0
        self.lock = threading.Lock()

    def url(self, key: str) -> str:
        return f"test://store/{key}"

    def head(self, key: str, nbytes: int) -> tuple[bytes, ObjectInfo]:
        data = self.note("head", key)
        return data[:nbytes], self.info(data)

    def tail(self, key: str, nbytes: int) -> tuple[bytes, ObjectInfo]:
        data = self.note("tail", key)
        return data[max(len(data) - nbytes, 0) :], self.info(data)

    def read(self, key: str, start: int, stop: int, info: ObjectInfo) -> bytes:
        data = self.note("read", key, start, stop)
        if info.differs(self.info(data)):
            raise ObjectChangedError("the object was replaced")
        return data[start:stop]

    def put(self, key: str, data: Any, create: bool = False) -> None:
        self.note("put", key, found=create)
        with self.lock:
            if create and key in self.objects:
                raise FileExistsError(17, "File exists", self.url(key))
            self.objects[key] = bytes(data)

    def put_stream(self, key: str, pieces: Iterator[Any], part: int) -> None:
        self.unfinished += 1
        try:
            data = bytearray()
            for piece in pieces:
                self.note("part", key, found=False)
                data += piece
            self.objects[key] = bytes(data)
        finally:
            self.unfinished -= 1

    def note(self, name: str, key: str, *span: int, found: bool = True) -> bytes:
        with self.lock:
            self.calls.append((name, key, *span))
            error = self.fails.get(len(self.calls))
        if error is not None:
            raise error
        if found and name not in ("put",) and key not in self.objects:
            raise FileNotFoundError(2, "No such file or directory", self.url(key))
        return self.objects.get(key, b"")

    def info(self, data: bytes) -> ObjectInfo:
        return ObjectInfo(len(data), f'"{hash(data)}"')
