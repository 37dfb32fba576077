"""The outline of an object as a notebook shows it: a tree whose parts can be folded.

Rule: values in, HTML out, as in `html`, whose escaping is used.
"""

from __future__ import annotations

from typing import Callable

from .branches import Branch, Opened
from .html import FAINT, FRAME, text_html
from .text import nbytes_text

__all__ = ["tree_html"]

_INDENT = "padding-left:1.2em"
# The room that the mark of a folded part takes before its name.
_LEAF = "padding-left:1.1em"


def tree_html(trunk: Branch, opened: Opened, words: Callable[[Branch], str]) -> str:
    """Return HTML that shows a tree.

    Args:
        trunk: the whole tree.
        opened: the branches to open, with their parts.
        words: says what a branch is.
    """
    pieces: list[str] = []
    todo: list[Branch | str] = [trunk]
    while todo:
        branch = todo.pop()
        if isinstance(branch, str):
            pieces.append(branch)
            continue
        line, shown = _line(branch, words(branch)), opened.get(branch)
        if not shown:
            pieces.append(f'<div style="{_LEAF}">{line}</div>')
            continue
        state = " open" if branch is trunk or len(shown) == 1 else ""
        pieces.append(f'<details{state}><summary>{line}</summary><div style="{_INDENT}">')
        more = len(branch.parts) - len(shown)
        closing = f'<div style="{_LEAF};{FAINT}">... and {more:,} more</div>' if more else ""
        todo += [f"{closing}</div></details>", *reversed(shown)]
    return f'<div style="{FRAME}">{"".join(pieces)}</div>'


def _line(branch: Branch, words: str) -> str:
    sizes = nbytes_text(branch.nbytes) if branch.nbytes else ""
    if branch.nbytes and round(branch.stored_nbytes) != branch.nbytes:
        sizes += f", stored in {nbytes_text(round(branch.stored_nbytes))}"
    title = f' title="{text_html(branch.node.type)}"'
    return f'<b{title}>{text_html(branch.name)}</b> {text_html(words)} <span style="{FAINT}">{sizes}</span>'
