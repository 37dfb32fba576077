"""A terminal with rich: colours, tables that fit its width, a drawing, bars.

Rule: rich is given `Text`, never markup, so that a name like `[red]` in a file stays what it is.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import Iterator, Sequence, TextIO

from rich import box
from rich.columns import Columns
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from rich.table import Column, Table
from rich.text import Text

from ..show.facts import COLOURS, NUMBERS, Piece
from ..show.text import printable, shorten
from ..types import Progress
from .plain_screen import Screen, cell_text

__all__ = ["RichScreen", "rich_bar"]

# Longer tables are plain text: rich takes about a millisecond a row, and `--all` may show tens of thousands.
_MOST_ROWS = 1000
# On a narrow terminal the name of a buffer tells more than its codecs.
_LEAST_NAME = 10


class RichScreen(Screen):
    """Writes to a terminal, in colour.

    Args:
        stream: the terminal.
    """

    def __init__(self, stream: TextIO):
        super().__init__(stream)
        self._console = Console(file=stream, highlight=False)

    def line(self, text: str = "") -> None:
        """Write one line."""
        self._console.print(Text(printable(text)))

    def clipped(self, text: str) -> None:
        """Write one line, cut off at the edge of the terminal."""
        self._console.print(Text(printable(text)), no_wrap=True, overflow="ellipsis")

    def facts(self, pairs: Sequence[tuple[str, str]]) -> None:
        """Write facts, each a name and a text."""
        grid = Table.grid(padding=(0, 2))
        grid.add_column(style="bold", no_wrap=True)
        grid.add_column(overflow="fold")
        for name, text in pairs:
            grid.add_row(Text(printable(name)), Text(printable(text)))
        self._console.print(grid)

    def drawing(self, pieces: Sequence[Piece]) -> None:
        """Draw one line of blocks, each as long as its piece takes room in the file, and a legend below it."""
        bar, cells, legend = Table.grid(expand=True), [], []
        for piece in pieces:
            colour = COLOURS[piece.mark]
            # The letters after the first show without colours, and when the line is copied.
            cell = Text(piece.mark * self._console.width, f"{colour} on {colour}", no_wrap=True, overflow="crop")
            cell.stylize(f"black on {colour}", 0, 1)
            cells.append(cell)
            bar.add_column(ratio=piece.stored_nbytes)
            legend.append(Text.assemble((piece.mark, f"black on {colour}"), f" {printable(piece.label)} {piece.share}"))
        bar.add_row(*cells)
        self._console.print("", bar, Columns(legend, padding=(0, 3)), sep="\n")

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Write an empty line and a table; the titles say which columns hold numbers (`NUMBERS`)."""
        if len(rows) > _MOST_ROWS:
            return super().table(columns, rows)
        table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=0, header_style="bold")
        for title in columns:
            # On a narrow terminal the columns of text give way; an ellipsis shows where a text is cut off.
            least = _LEAST_NAME if title == "name" else None
            table.add_column(
                title, justify="right" if title in NUMBERS else "left", no_wrap=title in NUMBERS, min_width=least
            )
        for row in rows:
            table.add_row(*(Text(cell_text(cell), no_wrap=True, overflow="ellipsis") for cell in row))
        return self._console.print("", table, sep="\n")


@contextmanager
def rich_bar(stream: TextIO, title: str) -> Iterator[Progress]:
    """Show a bar on a terminal for as long as the context lasts.

    Yields:
        A `progress` for the functions of BinPickle.
    """
    name, whole = TextColumn("{task.description}", markup=False), Column(no_wrap=True)  # only the bar gets shorter
    columns = [name, BarColumn(), DownloadColumn(table_column=whole), TimeRemainingColumn(table_column=whole)]
    # No thread refreshes the bar: whoever reports progress does, often enough.
    console = Console(file=stream)
    with Bar(*columns, console=console, transient=True, auto_refresh=False) as bar:
        # The rest of the line is for the bar and the numbers.
        task = bar.add_task(cell_text(shorten(title, console.width // 3)), total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total, refresh=True)
