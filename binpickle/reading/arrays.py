"""The arrays of an open file, by number and by name, whole and in part: what makes `BinPickleFile` a mapping.

Rule: arrays are read when somebody asks for them. All arrays of one question are read in one plan.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import ItemsView, KeysView, Mapping, ValuesView
from operator import index
from typing import TYPE_CHECKING, Any, ContextManager, Iterable, Iterator, Sequence, TypeVar, Union, overload

import numpy as np

from ..threads.cpus import check_threads
from ..threads.crew import Crew, exhaust
from ..types import Rows
from .below import Below
from .filereader import FileReader
from .limiting import UNKNOWN_ORIGIN, check_decoding, chunks_nbytes
from .listing import Buffers
from .loading import LoadSettings
from .names import Names
from .partial import PartialRead, Place, view_of_place

if TYPE_CHECKING:
    from ..outline import Outline

_Which = TypeVar("_Which", int, str, Union[int, str])

__all__ = ["OpenArrays"]


class OpenArrays(ABC):
    """A read-only mapping from names to arrays; registered as a `Mapping`, and true even without names."""

    _reader: FileReader
    _settings: LoadSettings
    _mapped: np.ndarray | None
    _names: Names

    @abstractmethod
    def _naming(self) -> ContextManager[None]:
        """Add the name of the file to errors; refuse to read a closed file."""

    @property
    def names(self) -> tuple[str, ...]:
        """For each buffer its name: how the object reaches it, as a JSON Pointer (RFC 6901) without the first slash.

        Names come from the pickle stream, nothing is imported for them, and nothing runs. They are read when they are
        asked for first. All names are empty if the stream is damaged, or so long that to read it takes more than a
        second or two: 2 million opcodes, and 32 for each buffer. Open the file with `limits` to read a longer one.
        """
        return self._outline.names

    @property
    def names_problem(self) -> str | None:
        """Why no buffer has a name, in words; `None` if the names could be told."""
        return self._outline.problem

    @property
    def buffers(self) -> Buffers:
        """The out-of-band buffers, in the order in which the pickle stream asks for them."""
        return Buffers(
            self._reader.contents, self._reader.placement, self._mapped is not None, self.array, self._buffer_number
        )

    def array(self, i: int | str, rows: Rows | None = None, axis: int = 0) -> np.ndarray:
        """Return one array, or some rows of it. Nothing is unpickled.

        Only the chunks are decoded that hold something of the result, on all cores if there are many; and of the last
        codec only what is needed, if it can give less than a chunk. So rows along the slowest axis of the buffer cost
        as much as the chunks that they lie in (see `Buffer.slowest_axis`), and rows along another axis may cost as much
        as the whole buffer.

        Safe on files of unknown origin: it uses only codecs that are memory-safe on any input, and checks text in the
        array. If the file was opened with neither limits nor a key, the buffer may take as much decoding for each byte
        of the file as in restricted loading (`Limits.decoded_per_byte`).

        Args:
            i: the number of a buffer, as in `buffers`, or the name of an array; negative numbers count from the end.
            rows: an integer, which drops the axis, or a slice of step 1; by default everything.
            axis: the axis that `rows` are counted along.

        Returns:
            The array as it was dumped, or what NumPy's indexing makes of it; for plain bytes uint8, 1-d. Mapped if the
            file is mapped and stores the buffer raw, else in fresh, writable memory of the result's size, where the
            elements lie in the order in which the buffer has them.

        Raises:
            IndexError: there is no such buffer, row or axis.
            KeyError: no array has the name.
            TypeError, ValueError: `rows` is neither an integer nor a slice of step 1.
            LimitError: a few bytes of the file would take very much decoding.
            FormatError: text of the array has a code point beyond Unicode, or very many items have no bytes.
            IntegrityError: a chunk is damaged.
            CodecError: a chunk does not decode, or its codec is not allowed here (`load` decodes Blosc).
        """
        return self._read([self._place(i, rows, axis)])[0]

    @overload
    def arrays(  # type: ignore[overload-overlap]
        self, wanted: Mapping[_Which, Rows | None], threads: int | None = None
    ) -> dict[_Which, np.ndarray]: ...

    @overload
    def arrays(self, wanted: Iterable[int | str], threads: int | None = None) -> list[np.ndarray]: ...

    def arrays(self, wanted: Any, threads: int | None = None) -> Any:
        """Return several arrays, or rows of them. Each chunk that they need is decoded once.

        Args:
            wanted: numbers and names, as `array` takes them; or a mapping from these to rows, `None` for all rows.
            threads: see `load`.

        Returns:
            The arrays, each as `array` returns it, in the order of `wanted`; for a mapping a dict with its keys.

        Raises:
            Exception: see `array`.
        """
        if isinstance(wanted, Mapping):
            places = [self._place(i, rows) for i, rows in wanted.items()]
            return dict(zip(wanted, self._read(places, threads)))
        if isinstance(wanted, str):
            raise TypeError(f"wanted must be a list of names or numbers, not {wanted!r:.80}")
        return self._read([self._place(i) for i in wanted], threads)

    def keys(self) -> KeysView[str]:
        """Return the names of the buffers that have one, in the order of the buffers."""
        return KeysView(self)

    def values(self) -> ValuesView[np.ndarray]:
        """Return the arrays that have a name; each is read when the view comes to it."""
        return ValuesView(self)

    def items(self) -> ItemsView[str, np.ndarray]:
        """Return the names and the arrays; each is read when the view comes to it."""
        return ItemsView(self)

    def get(self, name: str, default: Any = None) -> Any:
        """Return what `[name]` returns, or `default` if nothing has the name."""
        try:
            return self[name]
        except KeyError:
            return default

    def __iter__(self) -> Iterator[str]:
        return filter(None, self.names)

    def __len__(self) -> int:
        return sum(map(bool, self.names))

    def __bool__(self) -> bool:
        return True

    def __contains__(self, name: object) -> bool:
        node = self._outline.find(name) if isinstance(name, str) else None
        return node is not None and (node.array is not None or Below(node).holds_arrays)

    def __getitem__(self, name: str) -> Any:
        """Return the array of a name, or nested dicts of the arrays below it.

        Args:
            name: a name of `names`, any other way in which the object reaches the array, or what lies above arrays.

        Raises:
            KeyError: nothing has the name. The message has names that are like it.
            Exception: see `array`.
        """
        with self._naming():
            node = self._names.find(name)
        if node.array is not None:
            return self._read([self._names.whole(node.array)])[0]
        below = Below(node)
        if not below.holds_arrays:
            raise KeyError(f"{name!r:.200} is {node.value or node.type} and holds no array: load() gives the object")
        return below.dicts(self._read(list(map(self._names.whole, below.places))))

    @property
    def _outline(self) -> Outline:
        """The outline of the object, which stays when the file is closed."""
        if self._names.are_known:
            return self._names.outline
        with self._naming():
            return self._names.outline

    def _place(self, which: int | str, rows: Rows | None = None, axis: int = 0) -> Place:
        """Return where the array that a caller wants is."""
        if isinstance(which, str):
            with self._naming():
                source, view = self._names.place(which)
        else:
            source = _number(which, len(self._reader.contents.buffer_starts))
            view = view_of_place(self._reader, source)
        return source, view if rows is None else view.rows(rows, axis)

    def _buffer_number(self, name: str) -> int:
        """Return the number of the buffer of a name, for `buffers`."""
        source, _ = self._place(name)
        if isinstance(source, bytes):
            raise KeyError(f"{name!r:.200} has no buffer: its bytes stand in the pickle stream; array() reads them")
        return source

    def _read(self, places: Sequence[Place], threads: int | None = None) -> list[np.ndarray]:
        """Return arrays, read in one plan."""
        settings, reader = self._settings, self._reader
        with self._naming(), Crew(check_threads(threads)) as crew:
            reading = PartialRead(reader, self._mapped, places)
            self._limit_decoding(reading.decoded, reading.copied_nbytes)
            check_mapped = reader.authenticated or settings.verify is True
            arrays: list[np.ndarray] = exhaust(reading.steps(crew, settings.checks, check_mapped))
            return arrays

    def _limit_decoding(self, chunks: np.ndarray | slice, copied: int = 0) -> None:
        """Refuse to decode chunks that the size of the file does not justify, unless a key vouches for it.

        Limits that the caller gave were compared when the file was opened.

        Args:
            chunks: the numbers of the chunks.
            copied: how many bytes are copied besides.
        """
        if self._settings.limits is None and not self._reader.authenticated:
            contents = self._reader.contents
            check_decoding(chunks_nbytes(contents, chunks) + copied, contents.length, UNKNOWN_ORIGIN)

    def _numbers_of(self, which: Iterable[int | str]) -> np.ndarray:
        """Return the numbers of buffers. A name above arrays stands for all buffers below it."""
        count = len(self._reader.contents.buffer_starts)
        each = [self._names.buffers(one) if isinstance(one, str) else [_number(one, count)] for one in which]
        return np.array([number for numbers in each for number in numbers], np.int64)


Mapping.register(OpenArrays)  # type: ignore[type-abstract]


def _number(i: Any, count: int) -> int:
    try:
        return range(count)[index(i)]
    except IndexError:
        raise IndexError(f"there is no buffer {i}: the file has {count}") from None
