"""Makes one hostile stream: remembered objects first, then what uses them again and again.

Rule: all that a stream is follows from the random generator. `shrink` halves every number of things so many times, so
that a stream that broke something has smaller ones of the same kind.
"""

from __future__ import annotations

import random
from typing import Any, Callable, NamedTuple, Sequence

from assembler import frame, get, keep, stream

__all__ = ["Hostile", "Maker", "Piece"]

_FRAME, _LARGEST_FRAME = 60 << 10, 1 << 20
# Powers of two: how many bytes a stream has, roughly. Small ones try more things in the same time.
_SIZES = [7, 8, 8, 9, 9, 10, 10, 10, 11, 11, 12, 12, 14, 14, 16, 16, 18, 20, 22, 24]


class Hostile(NamedTuple):
    """A stream, its buffers, and what it is made of.

    Attributes:
        stream: the pickle stream.
        buffers: the out-of-band buffers.
        listed: how often the index lists each buffer.
        kinds: the words that the grammar used, for reports.
    """

    stream: bytes
    buffers: tuple[bytes, ...]
    listed: int
    kinds: tuple[str, ...]


class Maker:
    """The stream so far.

    Args:
        dice: chooses.
        shrink: how often to halve each number of things.

    Attributes:
        most: how many bytes the stream has at most, roughly.
    """

    def __init__(self, dice: random.Random, shrink: int = 0):
        self.dice = dice
        self.most = 1 << dice.choice(_SIZES)
        self.buffers: list[bytes] = []
        self.listed = 1
        self._shrink = shrink
        self._units: list[bytes] = []
        self._kept: list[bytes] = []
        self._words: list[str] = []

    def word(self, name: str) -> None:
        """Note what the stream has."""
        if name not in self._words:
            self._words.append(name)

    def chance(self, share: float) -> bool:
        """Return true in this share of cases."""
        return self.dice.random() < share

    def pick(self, choices: Sequence[Any]) -> Any:
        """Choose."""
        return self.dice.choice(choices)

    def many(self, most: int, least: int = 1) -> int:
        """Return a number of things: small ones as often as large ones of each size."""
        bits = self.dice.uniform(0, max(1, most).bit_length())
        return max(least, min(most, int(2**bits)) >> self._shrink)

    def keep(self, piece: bytes) -> bytes:
        """Remember an object before all else, and return what pushes it."""
        self._units.append(keep(piece))
        self._kept.append(get(len(self._kept)))
        return self._kept[-1]

    def giant(self, name: str, piece: Piece) -> bytes:
        """Remember a giant, and return what pushes it. Each next one is smaller, so that the stream stays small."""
        self.word(name)
        made = self.keep(piece(self))
        self.most = max(64, self.most // 2)
        return made

    def kept(self) -> bytes | None:
        """Return what pushes something that the stream remembers, if it does remember anything."""
        return self.dice.choice(self._kept) if self._kept else None

    def short(self, piece: bytes) -> bytes:
        """Return what pushes a piece, in few bytes more often than not."""
        return self.keep(piece) if len(piece) > 5 and self.chance(0.7) else piece

    def finish(self, units: list[bytes]) -> Hostile:
        """Return the stream: what is remembered, then these units, in frames or without."""
        units = self._units + units
        body = _framed(units) if self.chance(0.8) else b"".join(units)
        return Hostile(stream(body), tuple(self.buffers), self.listed, tuple(self._words))


Piece = Callable[[Maker], bytes]
"""Makes the bytes that push one object."""


def _framed(units: list[bytes]) -> bytes:
    """Return units in frames, but for units that are larger than a frame may be."""
    parts, inside, size = [], [], 0
    for unit in units:
        if size + len(unit) > _FRAME and inside:
            parts.append(frame(*inside))
            inside, size = [], 0
        if len(unit) > _FRAME:
            parts.append(frame(unit) if len(unit) <= _LARGEST_FRAME else unit)
        else:
            inside.append(unit)
            size += len(unit)
    if inside:
        parts.append(frame(*inside))
    return b"".join(parts)
