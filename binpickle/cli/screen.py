"""Where the commands write: a screen that suits the stream."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Callable, Iterator, TextIO

from .plain_screen import Screen

__all__ = ["open_screen", "progress_bar"]


def open_screen(stream: TextIO) -> Screen:
    """Return what writes to a stream: in colour if it is a terminal and rich is installed."""
    if not stream.isatty():
        return Screen(stream)
    if find_spec("rich") is None:
        return Screen(stream, shutil.get_terminal_size().columns)
    from .rich_screen import RichScreen

    return RichScreen(stream)


@contextmanager
def progress_bar(stream: TextIO, title: str) -> Iterator[Callable[[int, int | None], None] | None]:
    """Show a bar for as long as this context lasts.

    Yields:
        What to call with the bytes done and in total; `None` if the stream is no terminal or rich is not installed.
    """
    if stream.isatty() and find_spec("rich") is not None:
        from .rich_screen import rich_bar

        with rich_bar(stream, title) as advance:
            yield advance
    else:
        yield None
