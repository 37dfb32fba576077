"""Where the commands write: rich on a terminal where it is installed, plain text without it or into a pipe."""

from __future__ import annotations

from contextlib import nullcontext
from importlib.util import find_spec
from typing import ContextManager, TextIO

from ..types import Progress
from .plain_screen import Screen

__all__ = ["open_screen", "progress_bar"]


def open_screen(stream: TextIO) -> Screen:
    """Return the screen that suits a stream."""
    if not _takes_rich(stream):
        return Screen(stream)
    from .rich_screen import RichScreen

    return RichScreen(stream)


def progress_bar(stream: TextIO, title: str) -> ContextManager[Progress | None]:
    """Return a context in which a stream shows a bar.

    Returns:
        A context manager. It gives a `progress` for the functions of BinPickle, or `None` where the stream takes plain
        text only, which has no bar.
    """
    if not _takes_rich(stream):
        return nullcontext()
    from .rich_screen import rich_bar

    return rich_bar(stream, title)


def _takes_rich(stream: TextIO) -> bool:
    return stream.isatty() and find_spec("rich") is not None
