"""A file as a notebook shows it: a drawing of what takes the room, and how far the largest buffers shrank.

Rule: values in, HTML out, which needs neither style sheets nor scripts. Text and background keep the colours of the
page, so that the HTML fits light and dark pages. Every text passes `text_html`.
"""

from __future__ import annotations

from html import escape
from itertools import islice
from typing import TYPE_CHECKING, Mapping, Sequence

from .facts import BUFFER_COLUMNS, COLOURS, NUMBERS, Piece, buffer_row, mapping_text, pieces
from .text import nbytes_text, printable, share_text, shorten

if TYPE_CHECKING:
    from ..reading.description import Buffer, Summary

__all__ = ["FAINT", "FRAME", "file_html", "text_html"]

_ROWS = 10
_MOST_PAIRS = 20
_LONGEST_TEXT = 100
# A block of a smaller part of the file is narrower than a letter.
_ROOM_FOR_MARK = 0.015

_LINE = "1px solid rgba(128,128,128,.4)"
FRAME = "max-width:60em;line-height:1.5;font-size:.9em;overflow-wrap:anywhere"
"""The style of the whole."""

FAINT = "opacity:.75"
"""The style of what matters less."""
_BLOCK = "color:#000;text-align:center;overflow:hidden"


def file_html(
    summary: Summary, buffers: Sequence[Buffer], names: Sequence[str], names_problem: str | None = None
) -> str:
    """Return HTML that shows a file.

    Args:
        summary: the summary of the file.
        buffers: all buffers of the file; only the largest are asked for.
        names: the names of the buffers.
        names_problem: why the buffers have no names, if they have none.
    """
    found = pieces(summary, buffers, names)
    parts = [_heading(summary), _bar(found), _legend(found), _table(summary, buffers, names)]
    if names_problem and summary.buffers.count:
        parts.append(_pairs("Names", {"not told:": names_problem}))
    parts += [_pairs("Metadata", summary.metadata), _pairs("Written with", summary.libraries)]
    return f'<div style="{FRAME}">{"".join(parts)}</div>'


def _heading(summary: Summary) -> str:
    share = share_text(summary.size, summary.nbytes)
    words = f"{nbytes_text(summary.size)}, {share} of what it holds · mappable: {mapping_text(summary)}"
    name = text_html(summary.name or "bytes")
    return f'<div><b>{name}</b> <span style="{FAINT}">{text_html(f"format {summary.version} · {words}")}</span></div>'


def _bar(found: Sequence[Piece]) -> str:
    style = f"display:flex;height:1.6em;margin:.4em 0;border:{_LINE};border-radius:.2em;overflow:hidden"
    total = sum(piece.stored_nbytes for piece in found)
    return f'<div style="{style}">{"".join(_block(piece, total) for piece in found)}</div>'


def _block(piece: Piece, total: int) -> str:
    words = f"{piece.label}: {nbytes_text(piece.stored_nbytes)}"
    if piece.nbytes is not None:
        words += f", decoded {nbytes_text(piece.nbytes)}"
    mark = text_html(piece.mark) if piece.stored_nbytes > _ROOM_FOR_MARK * total else ""
    style = f"flex:{piece.stored_nbytes} 0 0;min-width:2px;background:{COLOURS[piece.mark]};{_BLOCK}"
    return f'<div style="{style}" title="{text_html(words)}">{mark}</div>'


def _legend(found: Sequence[Piece]) -> str:
    key = f"display:inline-block;width:1.2em;border-radius:.2em;vertical-align:bottom;{_BLOCK}"
    items = (
        f'<span style="white-space:nowrap;margin-right:1.2em">'
        f'<span style="{key};background:{COLOURS[piece.mark]}">{text_html(piece.mark)}</span> '
        f"{text_html(piece.label)} {text_html(piece.share)}</span>"
        for piece in found
    )
    return f"<div>{' '.join(items)}</div>"


def _table(summary: Summary, buffers: Sequence[Buffer], names: Sequence[str]) -> str:
    numbers = summary.largest(_ROWS)
    if not numbers:
        return ""
    head = "".join(_cell("th", title, text_html(title)) for title in BUFFER_COLUMNS)
    rows = "".join(f"<tr>{_row(n, buffers[n], names[n])}</tr>" for n in numbers)
    more = summary.buffers.count - len(numbers)
    closing = f'<div style="{FAINT}">... and {more:,} more</div>' if more else ""
    style = "border-collapse:collapse;margin:.6em 0 .2em;font-size:1em"
    return f'<table style="{style}"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>{closing}'


def _row(n: int, buffer: Buffer, name: str) -> str:
    gauge = _gauge(buffer.stored_nbytes / buffer.nbytes) if buffer.nbytes else ""
    cells = dict(zip(BUFFER_COLUMNS, map(text_html, buffer_row(n, buffer, name))))
    cells["ratio"] = f'{gauge}<span style="display:inline-block;width:3.8em">{cells["ratio"]}</span>'
    return "".join(_cell("td", title, content) for title, content in cells.items())


def _gauge(ratio: float) -> str:
    """Return a small bar, filled by the share of a buffer's bytes that is left in the file."""
    filled = f'<span style="display:block;height:100%;width:{min(ratio, 1):.1%};background:{COLOURS["A"]}"></span>'
    style = f"display:inline-block;width:4em;height:.7em;border:{_LINE};text-align:left"
    return f'<span style="{style}">{filled}</span>'


def _cell(tag: str, title: str, content: str) -> str:
    align = "right" if title in NUMBERS else "left"
    style = f"padding:.1em .7em .1em 0;text-align:{align};white-space:nowrap;border:0;border-bottom:{_LINE}"
    return f'<{tag} style="{style}">{content}</{tag}>'


def _pairs(title: str, pairs: Mapping[str, str]) -> str:
    texts = [f"{text_html(name)} <b>{text_html(value)}</b>" for name, value in islice(pairs.items(), _MOST_PAIRS)]
    more = len(pairs) - len(texts)
    texts += [f"... and {more:,} more"] if more else []
    return f'<div><span style="{FAINT}">{title}:</span> {", ".join(texts)}</div>' if texts else ""


def text_html(text: str) -> str:
    """Return HTML that shows a text and does nothing else."""
    return escape(printable(shorten(text, _LONGEST_TEXT)))
