"""What is shown of a file, whoever shows it: facts, rows of tables, the pieces of a drawing, and all of it as JSON.

Rule: values in, text out. Text from a file is returned as the file has it; whoever shows the text escapes it (see
`text.printable`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Mapping, Sequence

from ..format.dtypes import dtype_name
from .text import (
    LONGEST_FACT,
    codecs_text,
    count_text,
    ids_text,
    name_text,
    nbytes_text,
    order_text,
    shape_text,
    share_text,
    shorten,
)

if TYPE_CHECKING:
    from ..reading.description import Buffer, Summary, Total

__all__ = [
    "BUFFER_COLUMNS",
    "COLOURS",
    "NUMBERS",
    "TOTAL_COLUMNS",
    "Piece",
    "as_json",
    "buffer_row",
    "facts",
    "mapping_text",
    "pieces",
    "seal_text",
    "total_rows",
]

BUFFER_COLUMNS = ("#", "name", "dtype", "shape", "order", "bytes", "stored", "ratio", "codecs", "offset")
"""Titles of the columns that `buffer_row` fills."""
TOTAL_COLUMNS = ("buffers", "bytes", "stored", "ratio")
"""Titles of the columns that `total_rows` fills, after the first column, which has the names."""
NUMBERS = frozenset(["#", "buffers", "bytes", "stored", "ratio", "offset"])
"""Titles of the columns that hold numbers, which are aligned to the right."""

# Nobody can tell a piece that is a smaller part of the file from the edges of its neighbours.
_SMALLEST_PIECE = 0.02
_MARKS = "ABCDEFGHIJKL"
_BUFFER_COLOURS = ["#4fa3d1", "#7bb661", "#c77dba", "#e07b5a", "#4db6ac", "#8f8fd9"]
COLOURS = dict(zip("s+." + _MARKS, ["#d9a441", "#9aa5b1", "#c9cdd2", *2 * _BUFFER_COLOURS]))
"""The colour of each mark. All are of middle lightness: they stand out from white and from black, and black letters
stand out from them."""

_CHECKSUMS = {"adler32": "Adler-32 checksums", "sha256": "SHA-256 digests", "xxh3-128": "XXH3-128 checksums"}


@dataclass(frozen=True)
class Piece:
    """A piece of the drawing of a file.

    Attributes:
        mark: the character that stands for the piece: `s` for the pickle stream, a capital letter for a large buffer,
            `+` for all other buffers, `.` for the rest of the file.
        label: names the piece in a few words.
        share: the part of the file that the piece takes, in percent.
        stored_nbytes: how many bytes the piece takes in the file, more than 0.
        nbytes: how many bytes are decoded from the piece; `None` if the piece is not decoded.
    """

    mark: str
    label: str
    share: str
    stored_nbytes: int
    nbytes: int | None


def pieces(summary: Summary, buffers: Sequence[Buffer], names: Sequence[str]) -> list[Piece]:
    """Return the pieces of a file: the stream, the large buffers in their order, the other buffers, and the rest."""
    enough = max(1, math.ceil(_SMALLEST_PIECE * summary.size))
    large = sorted(n for n in summary.largest(len(_MARKS)) if summary.stored[n] >= enough)
    own = [(mark, _label(n, names[n]), int(summary.stored[n]), buffers[n].nbytes) for mark, n in zip(_MARKS, large)]
    others = count_text(summary.buffers.count - len(large), "other buffer" if large else "buffer")
    stored = summary.buffers.stored_nbytes - sum(item[2] for item in own)
    nbytes = summary.buffers.nbytes - sum(item[3] for item in own)
    found: list[tuple[str, str, int, int | None]] = [
        ("s", "pickle stream", summary.stream.stored_nbytes, summary.stream.nbytes),
        *own,
        ("+", others, stored, nbytes),
        (".", "index, header, padding", summary.overhead, None),
    ]
    return [
        Piece(mark, label, share_text(stored, summary.size), stored, nbytes)
        for mark, label, stored, nbytes in found
        if stored > 0
    ]


def _label(n: int, name: str) -> str:
    """Return what the legend of a drawing calls a buffer."""
    if name == ".":
        return "the array"
    return f"item {name}" if name.isdigit() else name_text(name) or f"buffer {n}"


def facts(
    path: str, summary: Summary, authenticated: bool = False, names_problem: str | None = None
) -> list[tuple[str, str]]:
    """Return the facts of a file as a whole, as names and texts.

    Args:
        path: the path of the file.
        summary: the summary of the file.
        authenticated: whether the file was opened with a key.
        names_problem: why the buffers have no names, if they have none.
    """
    stream, buffers = summary.stream, summary.buffers
    kept = f"{nbytes_text(buffers.nbytes)}, stored in {nbytes_text(buffers.stored_nbytes)}"
    found = [
        ("file", path),
        ("format", f"version {summary.version}"),
        ("size", f"{nbytes_text(summary.size)}, {share_text(summary.size, summary.nbytes)} of what it holds"),
        ("stream", f"{nbytes_text(stream.nbytes)}, stored in {nbytes_text(stream.stored_nbytes)}"),
        ("buffers", f"{buffers.count:,}: {kept}"),
        ("names", f"not told: {names_problem}" if names_problem and buffers.count else ""),
        ("mappable", mapping_text(summary)),
        ("checks", _CHECKSUMS[summary.checksum]),
        ("seal", seal_text(authenticated) if summary.is_sealed else ""),
        ("digest", summary.root_digest.hex() if summary.root_digest is not None else ""),
        ("libraries", ", ".join(f"{name} {version}" for name, version in summary.libraries.items())),
    ]
    return [(name, shorten(text, LONGEST_FACT)) for name, text in found if text]


def seal_text(authenticated: bool) -> str:
    """Return what is known of the seal of a file or folder that has a seal."""
    return "good" if authenticated else "there is one, which was not checked: no key was given"


def mapping_text(summary: Summary) -> str:
    """Return how much of a file can be mapped into memory."""
    buffers, raw = summary.buffers, summary.by_codecs.get(())
    if not buffers.nbytes:
        return "there is nothing to map"
    if summary.is_mappable:
        return "yes"
    return f"{nbytes_text(raw.nbytes)} of {nbytes_text(buffers.nbytes)}" if raw and raw.nbytes else "no"


def buffer_row(n: int, buffer: Buffer, name: str = "") -> tuple[str, ...]:
    """Return buffer number `n` as a row of a table with the columns `BUFFER_COLUMNS`."""
    return (
        str(n),
        name_text(name),
        "bytes" if buffer.dtype is None else dtype_name(buffer.dtype),
        shape_text(buffer.shape),
        order_text(buffer.order),
        nbytes_text(buffer.nbytes),
        nbytes_text(buffer.stored_nbytes),
        share_text(buffer.stored_nbytes, buffer.nbytes),
        codecs_text(buffer.codecs),
        "" if buffer.offset is None else str(buffer.offset),
    )


def total_rows(totals: Mapping[tuple[str, ...], Total] | Mapping[str | None, Total]) -> list[tuple[str, ...]]:
    """Return totals by codecs or by dtype as rows of a table: the name, then the columns `TOTAL_COLUMNS`."""
    return [
        (
            ids_text(key) if isinstance(key, tuple) else key or "bytes",
            f"{total.count:,}",
            nbytes_text(total.nbytes),
            nbytes_text(total.stored_nbytes),
            share_text(total.stored_nbytes, total.nbytes),
        )
        for key, total in totals.items()
    ]


def as_json(
    path: str, summary: Summary, buffers: Sequence[Buffer], names: Sequence[str], names_problem: str | None
) -> dict[str, Any]:
    """Return everything that `info` shows as values for `text.json_pieces`: an iterator gives all buffers."""
    return {
        "path": path,
        "version": summary.version,
        "size": summary.size,
        "nbytes": summary.nbytes,
        "ratio": _ratio(summary.size, summary.nbytes),
        "mappable": summary.is_mappable,
        "checksum": summary.checksum,
        "sealed": summary.is_sealed,
        "root_digest": summary.root_digest.hex() if summary.root_digest is not None else None,
        "metadata": dict(summary.metadata),
        "libraries": dict(summary.libraries),
        "stream": {"nbytes": summary.stream.nbytes, "stored_nbytes": summary.stream.stored_nbytes},
        "names_problem": names_problem,
        "buffers": (_buffer_json(n, buffer, names[n]) for n, buffer in enumerate(buffers)),
        "by_codecs": [{"codecs": list(ids), **vars(total)} for ids, total in summary.by_codecs.items()],
        "by_dtype": [{"dtype": dtype, **vars(total)} for dtype, total in summary.by_dtype.items()],
    }


def _buffer_json(n: int, buffer: Buffer, name: str) -> dict[str, Any]:
    return {
        "number": n,
        "name": name or None,
        "dtype": None if buffer.dtype is None else dtype_name(buffer.dtype),
        "shape": buffer.shape,
        "order": buffer.order,
        "nbytes": buffer.nbytes,
        "stored_nbytes": buffer.stored_nbytes,
        "ratio": _ratio(buffer.stored_nbytes, buffer.nbytes),
        "codecs": _plain(buffer.codecs),
        "offset": buffer.offset,
    }


def _ratio(stored: int, nbytes: int) -> float | None:
    return stored / nbytes if nbytes else None


def _plain(value: Any) -> Any:
    """Return a value of a codec spec as JSON can hold it: bytes, odd keys and infinities as Python writes them."""
    if isinstance(value, dict):
        return {key if isinstance(key, str) else repr(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    known = value is None or isinstance(value, (str, int)) or (isinstance(value, float) and math.isfinite(value))
    return value if known else repr(value)
