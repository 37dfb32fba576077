"""The names of the buffers of an open file, read from its pickle stream when somebody asks for the first one.

Rule: names are a convenience. A stream that has none, is too long or is damaged leaves all names empty, says why, and
raises nothing; whoever loads the object gets the error of the stream itself.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Sequence

import numpy as np

from ..errors import BinPickleError
from ..format.views import View
from ..limits import RESTRICTED_LIMITS, Limits
from ..threads.crew import Crew, exhaust
from .below import Below
from .filereader import FileReader
from .limiting import UNKNOWN_ORIGIN, check_decoding, chunks_nbytes, decoded_nbytes
from .partial import PartialRead, Place, view_of_place
from .stream import StreamReader

if TYPE_CHECKING:
    from ..outline import ArrayPlace, Node, Outline

__all__ = ["Names", "names_for_messages"]

# To compare a name with so many others takes a few milliseconds.
_MOST_COMPARED = 2000

_MOST_PARTS = 10


class Names:
    """The names of the buffers of an open file, and the outline of its object.

    Args:
        reader: the open file.
        check: compare the checksums of the stream's chunks.
        limits: those that the file was opened with, if any: a caller who gave limits may ask for a longer stream.
    """

    def __init__(self, reader: FileReader, check: bool, limits: Limits | None):
        self._reader = reader
        self._check = check
        self._limits = limits
        self._outline: Outline | None = None

    @property
    def are_known(self) -> bool:
        """Whether the outline has been read."""
        return self._outline is not None

    @property
    def outline(self) -> Outline:
        """The outline of the object; read once.

        Raises:
            OSError: from the operating system, unchanged.
        """
        if self._outline is None:  # two threads may read it here, which only costs time
            self._outline = self._read()
        return self._outline

    def find(self, name: str) -> Node:
        """Return what has a name.

        Raises:
            KeyError: nothing has it. The message has names that are like it.
        """
        node = self.outline.find(name) if isinstance(name, str) else None
        if node is None:
            raise KeyError(self._advice(name))
        return node

    def place(self, name: str) -> Place:
        """Return where the array of a name is.

        Raises:
            KeyError: nothing has the name, or what has it is no array.
        """
        node = self.find(name)
        if node.array is None:
            parts = [part for part, _ in islice(node.parts(), _MOST_PARTS)]
            below = f", but has {', '.join(parts)}" if parts else ""
            raise KeyError(f"{name!r:.200} is no array ({node.value or node.type:.200}){below}")
        return self.whole(node.array)

    def whole(self, place: ArrayPlace) -> Place:
        """Return a place with its view. The outline has none for the whole of a buffer, which the index describes."""
        if place.view is not None:
            return place.source, place.view
        assert not isinstance(place.source, bytes)  # nothing but its view describes what stands in the stream
        return place.source, view_of_place(self._reader, place.source)

    def buffers(self, name: str) -> list[int]:
        """Return the numbers of the buffers that an array needs, or all arrays below a name.

        Raises:
            KeyError: nothing has the name.
        """
        node = self.find(name)
        places = [node.array] if node.array is not None else Below(node).places
        return sorted({place.source for place in places if not isinstance(place.source, bytes)})

    def _advice(self, name: object) -> str:
        text = f"nothing is named {name!r:.200}"
        if self.outline.problem is not None:
            return f"{text}: the file has no names, since {self.outline.problem}; array(i) takes numbers"
        near = _near(name, [other for other in self.outline.names if other]) if isinstance(name, str) else []
        if near:
            return f"{text}; names like it are {', '.join(map(repr, near))}"
        return f"{text}; tree() shows what there is"

    def _read(self) -> Outline:
        from ..outline import outline, quick_limits, unknown_outline  # most programs never need them

        contents = self._reader.contents
        limits = (self._limits or RESTRICTED_LIMITS).of_file(contents.length, decoded_nbytes(contents))
        if self._limits is None:
            limits = quick_limits(limits, len(contents.buffer_starts))
        try:
            self._reader.require_object()
            chunks = self._reader.stream_chunks
            if self._limits is None and not self._reader.authenticated:
                span = slice(chunks.start, chunks.stop)
                check_decoding(chunks_nbytes(contents, span), contents.length, UNKNOWN_ORIGIN)
            with Crew(1) as crew:
                stream = StreamReader(self._reader, crew, self._check, _ignore, hostile=True)
                kinds, buffer_kinds = contents.kinds, contents.buffer_kinds.tolist()
                return outline(stream.read_bytes, kinds, buffer_kinds, limits, self._fetch)
        except BinPickleError as error:
            return unknown_outline(len(contents.buffer_starts), str(error))

    def _fetch(self, number: int) -> bytes:
        """Return the bytes of a buffer as they lie in it: the outline reads the labels of columns."""
        nbytes = self._reader.contents.kinds[int(self._reader.contents.buffer_kinds[number])].nbytes
        reading = PartialRead(self._reader, None, [(number, View(np.dtype(np.uint8), (nbytes,), (1,)))])
        with Crew(1) as crew:
            data: np.ndarray = exhaust(reading.steps(crew, self._check, check_mapped=False))[0]
        return data.tobytes()


def names_for_messages(reader: FileReader, check: bool, limits: Limits | None) -> Sequence[str]:
    """Return the names of the buffers, or empty ones: an error in the names must not hide another error.

    Args:
        reader: the open file.
        check: see `Names`.
        limits: see `Names`.
    """
    try:
        return Names(reader, check, limits).outline.names
    except Exception:
        return [""] * len(reader.contents.buffer_starts)


def _near(name: str, names: list[str]) -> list[str]:
    """Return the names that are most like a name; of very many names, those with the same last part."""
    if len(names) > _MOST_COMPARED:
        last = name.rpartition("/")[2]
        names = [other for other in names if other.rpartition("/")[2] == last][:_MOST_COMPARED]
    from difflib import get_close_matches  # only for this message

    return get_close_matches(name, names, 3, 0.5)


def _ignore(_: int) -> None:
    pass
