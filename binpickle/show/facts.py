"""What is shown of an open file, whoever shows it: facts, rows of a table, pieces of a drawing, and all of it as JSON.

Rule: text is given as the file has it; the one who shows it escapes it (see `words.printable`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Mapping

from .text import codecs_text, count_text, ids_text, nbytes_text, order_text, shape_text, share_text

if TYPE_CHECKING:
    from .. import BinPickleFile
    from ..reading.description import Buffer, Total

__all__ = [
    "BUFFER_COLUMNS",
    "NUMBERS",
    "TOTAL_COLUMNS",
    "Piece",
    "as_json",
    "buffer_row",
    "facts",
    "mapping_text",
    "pieces",
    "total_rows",
]

TOTAL_COLUMNS = ("buffers", "bytes", "stored", "ratio")
NUMBERS = frozenset(["#", "bytes", "stored", "ratio", "offset", "buffers"])
"""Titles of columns that hold numbers, and are aligned to the right."""
BUFFER_COLUMNS = ("#", "dtype", "shape", "order", "bytes", "stored", "ratio", "codecs", "offset")
# A piece of a drawing that is smaller than this part of the file cannot be told from its edges.
_SMALLEST_PIECE = 0.02
_MARKS = "ABCDEFGHIJKL"
_CHECKSUMS = {"adler32": "Adler-32 checksums", "sha256": "SHA-256 digests", "xxh3-128": "XXH3-128 checksums"}


@dataclass(frozen=True)
class Piece:
    """A piece of the drawing of a file.

    Attributes:
        mark: one character that stands for it: `s` the stream, a capital letter a large buffer, `+` all other buffers,
            `.` what else the file holds.
        label: what it is, in a few words.
        stored_nbytes: bytes in the file, more than 0.
        nbytes: what they are decoded to, or `None` where that means nothing.
    """

    mark: str
    label: str
    stored_nbytes: int
    nbytes: int | None = None


def pieces(opened: BinPickleFile) -> list[Piece]:
    """Return what takes the room: the stream, the large buffers by number, the other buffers, and what is between."""
    summary, buffers = opened.summary, opened.buffers
    enough = max(1, math.ceil(_SMALLEST_PIECE * summary.size))
    large = sorted(n for n in summary.largest(len(_MARKS)) if summary.stored[n] >= enough)
    found = [Piece("s", "pickle stream", summary.stream.stored_nbytes, summary.stream.nbytes)]
    for mark, n in zip(_MARKS, large):
        found.append(Piece(mark, f"buffer {n}", int(summary.stored[n]), buffers[n].nbytes))
    stored = summary.buffers.stored_nbytes - sum(piece.stored_nbytes for piece in found[1:])
    nbytes = summary.buffers.nbytes - sum(piece.nbytes or 0 for piece in found[1:])
    others = count_text(summary.buffers.count - len(large), "other buffer" if large else "buffer")
    found.append(Piece("+", others, stored, nbytes))
    found.append(Piece(".", "index, header, padding", summary.overhead))
    return [piece for piece in found if piece.stored_nbytes > 0]


def facts(path: str, opened: BinPickleFile, authenticated: bool = False) -> list[tuple[str, str]]:
    """Return what is to be said of a file as a whole, as names and texts.

    Args:
        path: of the file.
        opened: the file.
        authenticated: whether it was opened with a key.
    """
    summary = opened.summary
    stream, buffers = summary.stream, summary.buffers
    found = [
        ("file", path),
        ("format", f"version {summary.version}"),
        ("size", f"{nbytes_text(summary.size)}, {share_text(summary.size, summary.nbytes)} of what it holds"),
        ("stream", f"{nbytes_text(stream.nbytes)}, stored in {nbytes_text(stream.stored_nbytes)}"),
        (
            "buffers",
            f"{buffers.count:,}: {nbytes_text(buffers.nbytes)}, stored in {nbytes_text(buffers.stored_nbytes)}",
        ),
        ("mappable", mapping_text(opened)),
        ("checks", _CHECKSUMS[summary.checksum]),
    ]
    if opened.is_sealed:
        unknown = "there is one; only who has the key can tell whether it is good"
        found.append(("seal", "good" if authenticated else unknown))
    if opened.root_digest is not None:
        found.append(("digest", opened.root_digest.hex()))
    libraries = ", ".join(f"{name} {version}" for name, version in opened.libraries.items())
    return found + [("libraries", libraries)] * bool(libraries)


def mapping_text(opened: BinPickleFile) -> str:
    """Return how much of a file can be mapped into memory."""
    buffers = opened.summary.buffers
    raw = opened.summary.by_codecs.get(())
    if not buffers.nbytes:
        return "there is nothing to map"
    if opened.is_mappable:
        return "yes"
    return f"{nbytes_text(raw.nbytes)} of {nbytes_text(buffers.nbytes)}" if raw and raw.nbytes else "no"


def buffer_row(n: int, buffer: Buffer) -> tuple[str, ...]:
    """Return a buffer as a row of a table, the columns as in `BUFFER_COLUMNS`."""
    return (
        str(n),
        "bytes" if buffer.dtype is None else str(buffer.dtype),
        shape_text(buffer.shape),
        order_text(buffer.order),
        nbytes_text(buffer.nbytes),
        nbytes_text(buffer.stored_nbytes),
        share_text(buffer.stored_nbytes, buffer.nbytes),
        codecs_text(buffer.codecs),
        "" if buffer.offset is None else str(buffer.offset),
    )


def total_rows(totals: Mapping[Any, Total]) -> list[tuple[str, ...]]:
    """Return the rows of a table of totals by codecs or dtype: name, buffers, bytes, stored, ratio."""
    rows: list[tuple[str, ...]] = []
    for key, total in totals.items():
        name = ids_text(key) if isinstance(key, tuple) else key or "bytes"
        ratio = share_text(total.stored_nbytes, total.nbytes)
        rows.append((name, f"{total.count:,}", nbytes_text(total.nbytes), nbytes_text(total.stored_nbytes), ratio))
    return rows


def as_json(path: str, opened: BinPickleFile) -> dict[str, Any]:
    """Return all that `info` shows, of all buffers, as values that JSON knows."""
    summary = opened.summary
    return {
        "path": path,
        "version": summary.version,
        "size": summary.size,
        "nbytes": summary.nbytes,
        "ratio": _ratio(summary.size, summary.nbytes),
        "mappable": opened.is_mappable,
        "checksum": summary.checksum,
        "sealed": opened.is_sealed,
        "root_digest": opened.root_digest.hex() if opened.root_digest is not None else None,
        "metadata": dict(opened.metadata),
        "libraries": dict(opened.libraries),
        "stream": {"nbytes": summary.stream.nbytes, "stored_nbytes": summary.stream.stored_nbytes},
        "buffers": [_buffer_json(n, buffer) for n, buffer in enumerate(opened.buffers)],
        "by_codecs": [{"codecs": list(ids), **vars(total)} for ids, total in summary.by_codecs.items()],
        "by_dtype": [{"dtype": dtype, **vars(total)} for dtype, total in summary.by_dtype.items()],
    }


def _buffer_json(n: int, buffer: Buffer) -> dict[str, Any]:
    return {
        "number": n,
        "dtype": None if buffer.dtype is None else str(buffer.dtype),
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
    """Return a value from a codec spec as JSON can hold it: bytes, odd keys and infinities as Python writes them."""
    if isinstance(value, dict):
        return {key if isinstance(key, str) else repr(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    known = value is None or isinstance(value, (str, int)) or (isinstance(value, float) and math.isfinite(value))
    return value if known else repr(value)
