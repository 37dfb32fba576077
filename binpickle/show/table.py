"""The buffers of a file as a table of text, for interactive use.

Rule: the table is short whatever the number of buffers, and safe to show whatever the file says.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Iterator, Sequence

from .facts import BUFFER_COLUMNS, NUMBERS, buffer_row
from .text import count_text, nbytes_text, printable, shorten

if TYPE_CHECKING:
    from ..reading.description import Buffer

__all__ = ["buffers_text"]

_MOST_ROWS = 10
_LONGEST_CELL = 32


def buffers_text(buffers: Sequence[Buffer], nbytes: int) -> str:
    """Return a table of the first buffers.

    Args:
        buffers: all buffers.
        nbytes: the sum of their decoded lengths.
    """
    title = f"{count_text(len(buffers), 'buffer')}, {nbytes_text(nbytes)}"
    if not len(buffers):
        return title
    rows = [BUFFER_COLUMNS, *(buffer_row(n, buffer) for n, buffer in enumerate(islice(buffers, _MOST_ROWS)))]
    # To tell names takes as long as reading the pickle stream, which nobody expects of a `repr`.
    shown = [[cell for cell, title in zip(row, BUFFER_COLUMNS) if title != "name"] for row in rows]
    lines = _aligned([[printable(shorten(cell, _LONGEST_CELL)) for cell in row] for row in shown])
    return "\n".join([title, *lines, *(["..."] if len(buffers) > _MOST_ROWS else [])])


def _aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield rows as lines, in columns that are as wide as their widest cell; numbers are aligned to the right."""
    widths = [max(map(len, column)) for column in zip(*rows)]
    for row in rows:
        cells = [
            cell.rjust(width) if title in NUMBERS else cell.ljust(width)
            for cell, width, title in zip(row, widths, rows[0])
        ]
        yield "  ".join(cells).rstrip()
