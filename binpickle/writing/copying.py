"""Copies of the out-of-band buffers of an object, in one piece of memory: what `stage` keeps.

Strategy: `Copies` first takes all buffers and gives each its place. Then it is told which memory to use, copies in
pieces that any thread may copy, and describes the copies as `OutOfBand` does the originals.

Rule: memory that several buffers share is copied once. Arrays with gaps are copied without them. The memory of `bytes`
objects cannot change, so it is kept as it is.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Callable, Hashable, Iterator, Sequence

import numpy as np

from ..pickling.out_of_band import OutOfBand
from ..pickling.protocol import PickleBuffer
from ..pickling.strided import Strided, pickle_buffer

__all__ = ["Copies"]

# A thread copies at least so many bytes at a time, a few milliseconds.
_PIECE = 8 << 20
# The C library copies very large pieces past the caches of the processor, which takes 0.6 of the time. What is very
# large depends on the machine: 192 MiB where this was measured. Few threads gain less than that by sharing an array.
_LARGEST_PIECE = 256 << 20
_FEW_THREADS = 3
# Buffers below this size are joined, which costs less than copying each by itself.
_JOINED_BELOW = 16 << 10
_MOST_JOINED = 1 << 20
# What the allocators of Python and NumPy give, too.
_ALIGNMENT = 16


class Copies:
    """The places of copies, which are to be made.

    Attributes:
        nbytes: how much memory the copies take.
    """

    def __init__(self) -> None:
        self.nbytes = 0
        self._places: list[_Place] = []
        self._sets: list[tuple[OutOfBand, list[_Place]]] = []

    def add(self, found: OutOfBand) -> None:
        """Give each buffer a place. A buffer over memory that an earlier call gave a place gets that place."""
        known = {_key(place.buffer, place.nbytes): place for place in self._places}
        places = [_NOWHERE] * len(found.buffers)
        for i, (nbytes, buffer) in enumerate(zip(found.nbytes, found.buffers)):
            if nbytes and i not in found.within:
                place = known.get(_key(buffer, nbytes)) if known else None
                places[i] = self._new_place(buffer, nbytes) if place is None else place
        for i, (root, _) in found.within.items():
            places[i] = places[root]
        self._sets.append((found, places))

    def jobs(self, memory: np.ndarray, threads: int | None = None) -> Iterator[Callable[[], object]]:
        """Yield functions that make all copies; any thread may call them, at the same time.

        Args:
            memory: uint8, 1-d, `nbytes` or more.
            threads: how many threads are to get a share each; `None` for small shares, so that all can soon stop.
        """
        share = piece = _PIECE
        if threads is not None:
            share = min(max(self.nbytes // threads, _PIECE), _LARGEST_PIECE)
            piece = share if threads > _FEW_THREADS else _LARGEST_PIECE
        batch: list[Callable[[], object]] = []
        nbytes = 0
        for function, size in self._calls(memory, piece):
            batch.append(function)
            nbytes += size
            if nbytes >= share:
                yield partial(_call_all, batch)
                batch, nbytes = [], 0
        if batch:
            yield partial(_call_all, batch)

    def described(self, memory: np.ndarray) -> list[OutOfBand]:
        """Return what each `add` took, with the copies in place of the buffers.

        Args:
            memory: what the copies were made in.
        """
        return [_described(found, places, memory) for found, places in self._sets]

    def _calls(self, memory: np.ndarray, piece: int) -> Iterator[tuple[Callable[[], object], int]]:
        """Yield functions that copy at most a piece each, and how much each copies."""
        joined: list[_Place] = []
        for place in self._places:
            if joined and (joined[0].start + _MOST_JOINED < place.end or joined[-1].end != place.start):
                yield _joining(memory, joined)
                joined = []
            if place.home is not None:
                continue
            if place.nbytes < _JOINED_BELOW and not isinstance(place.buffer, Strided):
                joined.append(place)
            else:
                yield from place.copying(memory, piece)
        if joined:
            yield _joining(memory, joined)

    def _new_place(self, buffer: Any, nbytes: int) -> _Place:
        unchanging = not isinstance(buffer, Strided) and _is_unchanging(memoryview(buffer))
        home = np.frombuffer(buffer.raw(), np.uint8) if unchanging else None
        place = _Place(buffer, nbytes, self.nbytes, home)
        self._places.append(place)
        if home is None:
            self.nbytes = place.end
        return place


class _Place:
    """Where the copy of a buffer is to lie.

    Args:
        buffer: see the attribute.
        nbytes: see the attribute.
        start: see the attribute.
        home: see the attribute.

    Attributes:
        buffer: the buffer, or what stands for it.
        nbytes: its length.
        start: the position of the copy in the memory of the copies.
        end: the position of the next one.
        home: the bytes of a buffer that needs no copy, uint8.
    """

    __slots__ = ("buffer", "end", "home", "nbytes", "start")

    def __init__(self, buffer: Any, nbytes: int, start: int, home: np.ndarray | None = None):
        self.buffer = buffer
        self.nbytes = nbytes
        self.start = start
        self.end = start - (-nbytes // _ALIGNMENT * _ALIGNMENT)
        self.home = home

    def copying(self, memory: np.ndarray, piece: int) -> Iterator[tuple[Callable[[], object], int]]:
        """Yield functions that copy a piece each, of at most `piece` bytes if possible, and its length."""
        target = self.within(memory)
        items = self.buffer.items if isinstance(self.buffer, Strided) else np.frombuffer(self.buffer.raw(), np.uint8)
        for to, source in _pieces(np.ndarray(items.shape, items.dtype, target), items, piece):
            yield partial(np.copyto, to, source), source.nbytes

    def within(self, memory: np.ndarray) -> np.ndarray:
        """Return the bytes of the copy."""
        return memory[self.start : self.start + self.nbytes] if self.home is None else self.home


_NOWHERE = _Place(None, 0, 0)


def _key(buffer: Any, nbytes: int) -> Hashable:
    """Return what tells the memory of a buffer from that of all others, as long as these buffers exist."""
    if isinstance(buffer, Strided):
        items = buffer.items
        return items.__array_interface__["data"][0], items.shape, items.strides, items.itemsize
    obj: Any = memoryview(buffer).obj
    array = obj if type(obj) is np.ndarray and obj.nbytes == nbytes else np.frombuffer(buffer.raw(), np.uint8)
    return array.__array_interface__["data"][0], nbytes


def _is_unchanging(view: memoryview) -> bool:
    """Whether memory is that of a `bytes` object, and no array over it may be written to."""
    owner: Any = view.obj
    while isinstance(owner, np.ndarray) and not owner.flags.writeable:
        owner = owner.base
    return type(owner) is bytes


def _pieces(target: np.ndarray, source: np.ndarray, piece: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Cut two arrays of one shape into pairs of pieces, along their slowest axes."""
    axis = next((axis for axis, n in enumerate(source.shape) if n > 1), None)
    if source.nbytes <= piece or axis is None:
        yield target, source
        return
    n = source.shape[axis]
    step = max(1, n * piece // source.nbytes)
    for start in range(0, n, step):
        part = (slice(None),) * axis + (slice(start, start + step),)
        yield from _pieces(target[part], source[part], piece)


def _call_all(functions: Sequence[Callable[[], object]]) -> None:
    for function in functions:
        function()


def _joining(memory: np.ndarray, places: Sequence[_Place]) -> tuple[Callable[[], object], int]:
    return partial(_join, memory, places), places[-1].end - places[0].start


def _join(memory: np.ndarray, places: Sequence[_Place]) -> None:
    """Copy small buffers whose copies lie one behind the other."""
    parts: list[Any] = []
    for place in places:
        parts.append(place.buffer)
        gap = place.end - place.start - place.nbytes
        if gap:
            parts.append(bytes(gap))
    data = b"".join(parts)
    memory[places[0].start : places[-1].end] = np.frombuffer(data, np.uint8)


def _described(found: OutOfBand, places: Sequence[_Place], memory: np.ndarray) -> OutOfBand:
    copies = [
        _copy_of(buffer, place.within(memory), found.within.get(i, (i, 0))[1])
        for i, (buffer, place) in enumerate(zip(found.buffers, places))
    ]
    return found._replace(buffers=copies, fetch=None)


def _copy_of(buffer: Any, root: np.ndarray, shift: int) -> Any:
    """Return the `PickleBuffer` of a copy, which looks like the original: of its dtype and shape, read-only if it is.

    Args:
        buffer: the original.
        root: the bytes of the copy of its root.
        shift: its position in its root.
    """
    if isinstance(buffer, Strided):
        return pickle_buffer(np.ndarray(buffer.items.shape, buffer.dtype, root, shift))
    view = memoryview(buffer)
    shape, dtype = _shape_and_dtype(view)
    copy = np.ndarray(shape, dtype, root, shift)
    if view.readonly:
        copy.flags.writeable = False
    return PickleBuffer(copy)


def _shape_and_dtype(view: memoryview) -> tuple[tuple[int, ...], np.dtype]:
    array: Any = view.obj
    if isinstance(array, np.ndarray) and array.nbytes == view.nbytes and array.flags.c_contiguous:
        return array.shape, array.dtype
    try:
        array = np.asarray(view)
        return array.shape, array.dtype
    except (ValueError, RuntimeError, NotImplementedError):  # items of a format that NumPy does not know
        return (view.nbytes,), np.dtype(np.uint8)
