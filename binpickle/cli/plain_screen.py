"""Text on a terminal or in a pipe: aligned columns, a drawing of letters, and one way out for all of it.

Rule: a `Screen` escapes every text that it is given, and nothing else prints. `open_screen` and `progress_bar` take
rich where there is a terminal and it is installed; without it, all is plain text.
"""

from __future__ import annotations

import unicodedata
from typing import Sequence, TextIO

from ..show.facts import NUMBERS, Piece
from ..show.text import printable, share_text, shorten

__all__ = ["BETWEEN", "PLAIN_WIDTH", "Screen", "blocks", "cell_text", "fact_text", "legend"]

# What is piped has no width; this one makes it the same everywhere.
PLAIN_WIDTH = 80

# A longer text of a file is cut off, so that one of them cannot fill the screen.
_LONGEST_CELL = 32

_LONGEST_FACT = 1000

# Between the texts of a legend.
BETWEEN = "   "


class Screen:
    """Writes plain text to a stream.

    Args:
        stream: where to.
        width: how many columns it has.
    """

    def __init__(self, stream: TextIO, width: int = PLAIN_WIDTH):
        self.stream = stream
        self.width = width

    def line(self, text: str = "") -> None:
        """Write one line."""
        print(printable(text), file=self.stream)

    def facts(self, pairs: Sequence[tuple[str, str]]) -> None:
        """Write names with a text each."""
        rows = [(printable(name), fact_text(text)) for name, text in pairs]
        indent = max((_width(name) for name, _ in rows), default=0) + 2
        for name, text in rows:
            print(_pad(name, indent) + text, file=self.stream)

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Write a table; the titles say which columns hold numbers (`NUMBERS`)."""
        cells = [[cell_text(cell) for cell in row] for row in [columns, *rows]]
        widths = [max(map(_width, column)) for column in zip(*cells)]
        print(file=self.stream)
        for row in cells:
            padded = [_pad(cell, width, title in NUMBERS) for cell, width, title in zip(row, widths, columns)]
            print("  ".join(padded).rstrip(), file=self.stream)

    def drawing(self, pieces: Sequence[Piece]) -> None:
        """Write one line of blocks, each as long as its piece takes room, and below it what they stand for."""
        drawn = "".join(piece.mark * length for piece, length in zip(pieces, blocks(pieces, self.width - 2)))
        print(f"\n[{drawn}]", file=self.stream)
        for texts in legend(pieces, self.width):
            print(BETWEEN.join(texts), file=self.stream)


def blocks(pieces: Sequence[Piece], width: int) -> list[int]:
    """Return how many of `width` blocks each piece gets: in proportion to what it takes in the file, at least one."""
    total = sum(piece.stored_nbytes for piece in pieces)
    exact = [piece.stored_nbytes * width / total for piece in pieces]
    lengths = [max(1, int(length)) for length in exact]
    while sum(lengths) != width and width > len(pieces):
        step = 1 if sum(lengths) < width else -1
        may_change = [n for n, length in enumerate(lengths) if length + step > 0]
        furthest = max(may_change, key=lambda n: (exact[n] - lengths[n]) * step)
        lengths[furthest] += step
    return lengths


def legend(pieces: Sequence[Piece], width: int) -> list[list[str]]:
    """Return lines of texts, one a piece: its mark, what it is, and which part of the file it takes."""
    total = sum(piece.stored_nbytes for piece in pieces)
    lines: list[list[str]] = [[]]
    for piece in pieces:
        text = f"{piece.mark} {piece.label} {share_text(piece.stored_nbytes, total)}"
        if lines[-1] and len(BETWEEN.join([*lines[-1], text])) > width:
            lines.append([])
        lines[-1].append(text)
    return lines


def cell_text(text: str) -> str:
    """Return text as a cell of a table may show it."""
    return printable(shorten(text, _LONGEST_CELL))


def fact_text(text: str) -> str:
    """Return text as it may stand beside its name."""
    return printable(shorten(text, _LONGEST_FACT))


def _width(text: str) -> int:
    """Return how many columns printable text takes: East Asian wide characters take two, accents none."""
    if text.isascii():
        return len(text)
    return sum(0 if unicodedata.combining(c) else 1 + (unicodedata.east_asian_width(c) in "WF") for c in text)


def _pad(text: str, width: int, right: bool = False) -> str:
    spaces = " " * (width - _width(text))
    return spaces + text if right else text + spaces
