"""Numbers and text from files as words that are safe to show.

Rule: text of a file or a file name goes through `printable` before it reaches a terminal or a notebook.
"""

from __future__ import annotations

import json
from itertools import islice
from typing import Any, Iterator, Mapping, Sequence

__all__ = [
    "LONGEST_FACT",
    "codecs_text",
    "count_text",
    "ids_text",
    "json_pieces",
    "json_text",
    "name_text",
    "nbytes_text",
    "order_text",
    "printable",
    "shape_text",
    "share_text",
    "shorten",
]

_UNITS = ["kB", "MB", "GB", "TB", "PB", "EB"]
_ELLIPSIS = "..."
_AT_A_TIME = 1000
_LONGEST_NAME = 32
LONGEST_FACT = 1000
"""A longer text is cut off where a file is described, so that a single text cannot fill the screen."""


def printable(text: str) -> str:
    r"""Return text in which each character that could act on a terminal, or reorder or hide text, is escaped: `\x1b`.

    These are the characters that `str.isprintable` excludes: control characters (C0, C1, DEL), tabs and line ends,
    bidirectional overrides and isolates, zero-width and unassigned characters, and the lone surrogates of undecodable
    file names.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def shorten(text: str, width: int) -> str:
    """Return text of at most `width` characters, which ends in an ellipsis if the text was longer."""
    return text if len(text) <= width else text[: width - len(_ELLIPSIS)] + _ELLIPSIS


def name_text(name: str) -> str:
    """Return the name of a buffer, cut off at its beginning if it is long: its end tells more."""
    return name if len(name) <= _LONGEST_NAME else _ELLIPSIS + name[len(_ELLIPSIS) - _LONGEST_NAME :]


def nbytes_text(nbytes: int) -> str:
    """Return a number of bytes in decimal units, with three digits: 800 B, 4.80 MB."""
    if nbytes < 1000:
        return f"{nbytes} B"
    value = float(nbytes)
    for unit in _UNITS:
        value /= 1000
        if value < 999.5 or unit == _UNITS[-1]:
            break
    digits = 2 if value < 9.995 else 1 if value < 99.95 else 0
    return f"{value:.{digits}f} {unit}"


def count_text(count: int, noun: str) -> str:
    """Return a count with its noun: 1 buffer, 25,000 buffers."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def share_text(part: int, whole: int) -> str:
    """Return a part in percent of the whole; an empty text if the whole is 0."""
    if not whole:
        return ""
    percent = 100 * part / whole
    if part and percent < 0.1:
        return "<0.1 %"
    return f"{percent:.{1 if percent < 9.95 else 0}f} %"


def shape_text(shape: Sequence[int] | None) -> str:
    """Return a shape as Python writes it; an empty text for plain bytes."""
    return "" if shape is None else str(tuple(shape))


def json_text(value: Any) -> str:
    """Return JSON in ASCII with control characters escaped, so that it is safe to show as it is."""
    return json.dumps(value, allow_nan=False).replace("\x7f", "\\u007f")


def json_pieces(values: Mapping[str, Any]) -> Iterator[str]:
    """Yield a JSON object in pieces. A value that is an iterator becomes a list, made a few items at a time.

    A file can list a million buffers, whose JSON takes gigabytes in memory.
    """
    before = "{"
    for name, value in values.items():
        yield f"{before}{json_text(name)}: "
        before = ", "
        if not isinstance(value, Iterator):
            yield json_text(value)
            continue
        part, opening = list(islice(value, _AT_A_TIME)), "["
        while part:
            yield opening + json_text(part)[1:-1]
            part, opening = list(islice(value, _AT_A_TIME)), ", "
        yield "]" if opening == ", " else "[]"
    yield "}" if values else "{}"


def order_text(order: str | Sequence[int] | None) -> str:
    """Return `C`, `F`, or for other orders the axes, slowest first; an empty text for plain bytes."""
    if order is None or isinstance(order, str):
        return order or ""
    return ",".join(str(axis) for axis in order)


def codecs_text(codecs: Sequence[Mapping[str, Any]]) -> str:
    """Return the ids of a codec chain in encode order; `raw` for a chain without codecs."""
    return ids_text([str(spec.get("id")) for spec in codecs])


def ids_text(ids: Sequence[str]) -> str:
    """Return codec ids in encode order as one word; `raw` if there are none."""
    return "+".join(ids) or "raw"
