"""The same on a terminal with rich: colours, tables that fit its width, bars.

Rule: rich is given `Text`, never markup, so that a name like `[red]` in a file stays what it is.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import Callable, Iterator, Sequence, TextIO

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from ..show.facts import NUMBERS, Piece
from ..show.text import printable
from .plain_screen import BETWEEN, Screen, blocks, cell_text, fact_text, legend

__all__ = ["RichScreen", "rich_bar"]

# Bright ones, since black letters stand on them.
_COLOURS = {"s": "bright_yellow", "+": "white", ".": "bright_white"}
_BUFFER_COLOURS = ["bright_cyan", "bright_magenta", "bright_green", "bright_blue", "bright_red"]
# Rich takes about a millisecond a row, too much for the tens of thousands that `--all` may show.
_MOST_ROWS = 1000


class RichScreen(Screen):
    """Writes to a terminal, in colour.

    Args:
        stream: the terminal.
    """

    def __init__(self, stream: TextIO):
        self._console = Console(file=stream, highlight=False)
        super().__init__(stream, self._console.width)

    def line(self, text: str = "") -> None:
        """Write one line."""
        self._console.print(Text(printable(text)))

    def facts(self, pairs: Sequence[tuple[str, str]]) -> None:
        """Write names with a text each."""
        grid = Table.grid(padding=(0, 2))
        grid.add_column(style="bold", no_wrap=True)
        grid.add_column(overflow="fold")
        for name, text in pairs:
            grid.add_row(Text(printable(name)), Text(fact_text(text)))
        self._console.print(grid)

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Write a table; the titles say which columns hold numbers (`NUMBERS`)."""
        if len(rows) > _MOST_ROWS:
            return super().table(columns, rows)
        cells = [[cell_text(cell) for cell in row] for row in rows]
        widths = [max(map(cell_len, column)) for column in zip(columns, *cells)]
        gap = 1 if sum(widths) + 2 * len(columns) <= self.width else 0
        table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, gap, 0, 0), header_style="bold")
        for title in columns:
            # Where room lacks, the columns of text give way, which show that something was cut off.
            table.add_column(title, justify="right" if title in NUMBERS else "left", no_wrap=title in NUMBERS)
        for row in cells:
            table.add_row(*(Text(cell, no_wrap=True, overflow="ellipsis") for cell in row))
        return self._console.print("", table, sep="\n")

    def drawing(self, pieces: Sequence[Piece]) -> None:
        """Write one line of blocks, each as long as its piece takes room, and below it what they stand for."""
        drawn = Text("\n")
        for piece, length in zip(pieces, blocks(pieces, self.width)):
            drawn.append(piece.mark, _on(piece.mark))
            # The other letters are for who sees no colours, or copies the line.
            drawn.append(piece.mark * (length - 1), f"{_colour(piece.mark)} on {_colour(piece.mark)}")
        for texts in legend(pieces, self.width):
            drawn.append("\n")
            for text in texts:
                drawn.append(text[0], _on(text[0]))
                drawn.append(text[1:] + BETWEEN)
        self._console.print(drawn)


@contextmanager
def rich_bar(stream: TextIO, title: str) -> Iterator[Callable[[int, int | None], None]]:
    """Show a bar on a terminal for as long as this context lasts; yields what to call with bytes done and in total."""
    name = TextColumn("{task.description}", markup=False)
    columns = [name, BarColumn(), DownloadColumn(), TimeRemainingColumn()]
    # No thread refreshes it: whoever reports progress does, often enough.
    with Progress(*columns, console=Console(file=stream), transient=True, auto_refresh=False) as progress:
        task = progress.add_task(cell_text(title), total=None)

        def advance(done: int, total: int | None) -> None:
            progress.update(task, completed=done, total=total, refresh=True)

        yield advance


def _colour(mark: str) -> str:
    return _COLOURS.get(mark) or _BUFFER_COLOURS[(ord(mark) - ord("A")) % len(_BUFFER_COLOURS)]


def _on(mark: str) -> str:
    return f"black on {_colour(mark)}"
