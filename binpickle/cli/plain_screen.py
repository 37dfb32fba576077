"""Plain text: what is piped, and what a terminal shows without rich.

Rule: one line per fact or row, with tabs between its texts, so that `cut` and `awk` can read it. A `Screen` escapes
every text that it is given, tabs and line ends included. Only JSON and pickle streams reach stdout without a screen.
"""

from __future__ import annotations

from typing import Sequence, TextIO

from ..show.facts import Piece
from ..show.text import printable, shorten

__all__ = ["ROWS", "Screen", "cell_text"]

ROWS = 20
"""How many rows of one kind a command shows by default. Nobody reads more; `--all` and `--json` are for a search."""

# A longer text is cut off in a table, so that the table keeps its shape.
_LONGEST_CELL = 32


class Screen:
    """Writes plain text to a stream.

    Args:
        stream: the stream to write to.
    """

    def __init__(self, stream: TextIO):
        self._stream = stream

    def line(self, text: str = "") -> None:
        """Write one line."""
        print(printable(text), file=self._stream)

    def clipped(self, text: str) -> None:
        """Write one line, cut off at the edge of a terminal."""
        self.line(text)

    def facts(self, pairs: Sequence[tuple[str, str]]) -> None:
        """Write facts, each a name and a text."""
        for name, text in pairs:
            print(printable(name), printable(text), sep="\t", file=self._stream)

    def more(self, count: int, detail: str = "") -> None:
        """Say how many rows are left out, if any are; `--all` shows them."""
        if count > 0:
            self.line(f"... and {count:,} more{detail}; --all shows them")

    def drawing(self, pieces: Sequence[Piece]) -> None:
        """Draw the pieces of a file; plain text has no drawing."""

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Write an empty line and a table.

        Args:
            columns: the titles.
            rows: for each row a text per column.
        """
        self.line()
        for row in [columns, *rows]:
            print(*map(cell_text, row), sep="\t", file=self._stream)


def cell_text(text: str) -> str:
    """Return text as a cell of a table may show it."""
    return printable(shorten(text, _LONGEST_CELL))
