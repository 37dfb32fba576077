"""The specification, `docs/format.md`, says what the code does: its numbers, names and tables are the code's.

A change to the format is a change to the page, or a test here fails. That the page is enough to read files shows in
`test_format_reader.py`, what breaks its rules is in `test_format_rules.py`.
"""

from __future__ import annotations

import hashlib
import re
import struct
import sys
import zlib
from pathlib import Path
from typing import Any

import format_reader
import msgpack
import numpy as np
import pytest
from common import ROOT, assert_same
from format_parts import Parts
from format_reader import read
from internals import (
    RESTRICTED_LIMITS,
    Limits,
    checksums,
    dtype_from_spec,
    parameters,
    table,
)
from internals import (
    arrays as reducers,
)
from internals import (
    header as format,
)
from internals import (
    keys as seal,
)

import binpickle
from binpickle.errors import FormatError
from binpickle.rebuild import array_of_class, torch_storage, torch_typed_storage

if sys.version_info >= (3, 8):
    pass
else:
    pass

PAGE = (ROOT / "docs" / "format.md").read_text(encoding="utf-8")
SIZES = {"u16": 2, "i64": 8, "u64": 8}
UNITS = {"KiB": 10, "MiB": 20, "GiB": 30}


def tables(page: str, *columns: str) -> list[list[list[str]]]:
    """Return the tables whose first columns these are, as rows of cells."""
    found = []
    for block in re.findall(r"(?:^\|.*\|\n)+", page, re.MULTILINE):
        head, _, *rows = ([cell.strip() for cell in line.split("|")[1:-1]] for line in block.splitlines())
        if head[: len(columns)] == list(columns):
            found.append(rows)
    return found


def by_name(*columns: str) -> dict[str, list[str]]:
    """Return the rows of all such tables by their first cell, without backticks."""
    return {row[0].strip("`"): row[1:] for rows in tables(PAGE, *columns) for row in rows}


def number(cell: str) -> int:
    """Return what a cell says: 64, 4 KiB or 2^36."""
    base, power, exponent = cell.partition("^")
    if power:
        return int(base) ** int(exponent)
    n, _, unit = cell.partition(" ")
    return int(n) << UNITS.get(unit, 0)


def quoted(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


@pytest.mark.parametrize(("heading", "layout"), [("## Header", format.HEADER), ("## Trailer", format.TRAILER)])
def test_structs(heading: str, layout: struct.Struct) -> None:
    """The fields of header and trailer have the places and sizes that the code packs and unpacks."""
    rows = tables(PAGE[PAGE.index(heading) :], "at", "size", "type")[0]
    sizes = [int(row[1]) for row in rows]
    assert sizes == [struct.calcsize("!" + field) for field in re.findall(r"\d*[a-zA-Z]", layout.format)]
    assert sizes == [SIZES.get(row[2], size) for row, size in zip(rows, sizes)]
    assert [int(row[0]) for row in rows] == [sum(sizes[:i]) for i in range(len(rows))]


def test_flags() -> None:
    """The header's flags have the values of the code."""
    flags = {flag.name: flag.value for flag in format.Flags}
    assert {name: int(row[0]) for name, row in by_name("flag", "value").items()} == flags


ELSEWHERE = {
    "HEADER_BYTES": format.HEADER.size,
    "TRAILER_BYTES": format.TRAILER.size,
    "MAX_TYPE_DEPTH": format_reader.MAX_TYPE_DEPTH,
    "MAX_DIMENSIONS": format_reader.MAX_DIMENSIONS,
    "IN_BAND_BELOW": reducers.IN_BAND_BELOW,
    "MIN_KEY_BYTES": seal.MIN_KEY_BYTES,
    "LZMA_DICTIONARY": parameters.LZMA_DICTIONARY,
}


def test_constants() -> None:
    """Each constant of the page has the value of the code, and each that the page uses is in its tables."""
    constants = {name: number(row[0]) for name, row in by_name("name", "value").items()}
    assert constants == {name: ELSEWHERE[name] if name in ELSEWHERE else getattr(format, name) for name in constants}
    used = set(re.findall(r"`([A-Z]+(?:_[A-Z]+)+|PAGE|ALIGNMENT|LARGE)`", PAGE)) - {"BIG_ENDIAN"}
    assert used == set(constants)


def test_type_limits() -> None:
    """Element types nest as deep, and have as many dimensions, as the page says, and no more."""
    deep: Any = "<f8"
    for _ in range(format_reader.MAX_TYPE_DEPTH):
        deep = {"fields": [["a", deep, 0]], "itemsize": 8}
    wide = ["<f8", [1] * format_reader.MAX_DIMENSIONS]
    assert dtype_from_spec(deep).itemsize == dtype_from_spec(wide).itemsize == 8
    for spec in ({"fields": [["a", deep, 0]], "itemsize": 8}, ["<f8", [1, *wide[1]]]):
        with pytest.raises(FormatError):
            dtype_from_spec(spec)


def test_limits() -> None:
    """The limits of the page are the defaults of the code."""
    rows = by_name("limit", "by default")
    assert {name: number(row[0]) for name, row in rows.items()} == vars(Limits())
    assert {name: number(row[1]) for name, row in rows.items()} == vars(RESTRICTED_LIMITS)


def test_checksums() -> None:
    """The checksums of the page are those that are written, with their sizes."""
    written = {name: checksums.ALGORITHMS[name].size for name in (checksums.CHECKSUM, checksums.DIGEST)}
    assert {name: int(row[0]) for name, row in by_name("checksum", "size").items()} == written


def test_codecs() -> None:
    """The codecs of the page have the parameters, in order, and the properties that the code knows."""
    rows = by_name("id", "parameters")
    assert set(rows) == set(table.CODECS) - table.LEGACY
    for name, (listed, any_bytes, safe, _) in rows.items():
        rule = table.CODECS[name]
        assert quoted(listed) == list(rule.parameters)
        assert [any_bytes, safe] == ["yes" if fact else "no" for fact in (rule.takes_bytes, rule.hostile_safe)]
    never = PAGE[PAGE.index("Never to be allowed") :].partition("\n\n")[0]
    assert set(quoted(never)) == table.NEVER


def test_index_keys() -> None:
    """The keys of the index and its tables are those that are written, in their order."""
    index = Parts(binpickle.dumps(np.zeros(600))).index
    pages = [[row[0].strip("`") for row in rows] for rows in tables(PAGE, "key", "type")]
    assert pages == [list(index), list(index["chunks"]), list(index["buffers"])]


def test_sealed_parts() -> None:
    """Root digest and seal cover as much of header and trailer as the page says."""
    digest, tag = tables(PAGE, "size", "bytes")
    assert [row[0] for row in digest] == [str(format.HEADER.size), str(format.SEALED_TRAILER)]
    assert [row[0] for row in tag] == ["17", "8", "any", str(format.HEADER.size), str(format.SEALED_TRAILER)]


def plain_types() -> list[str]:
    """Return a plain type for each code that the page lists, `n` filled in."""
    cells = [row[0].partition(",")[0] for row in tables(PAGE, "code", "element")[0]]
    return ["<" + code.replace("`n", "5").strip("`") for cell in cells for code in cell.split()]


@pytest.mark.parametrize("spec", plain_types())
def test_plain_types(spec: str) -> None:
    """Both readers know each element type of the page, and its size; only `long double` differs between machines."""
    try:
        dtype = dtype_from_spec(spec)
    except FormatError:
        assert spec in ("<f12", "<f16", "<c24", "<c32")
        return
    assert format_reader.type_bytes(spec) == dtype.itemsize


FROZEN = (array_of_class, torch_storage, torch_typed_storage)


def test_frozen_names() -> None:
    """The page lists the functions of BinPickle that streams may name, under the names that these have."""
    functions = {f"{function.__module__}.{function.__name__}" for function in FROZEN}
    assert set(re.findall(r"`(binpickle\.rebuild\.\w+)\(", PAGE)) == functions


def example() -> bytes:
    """Return the file that the page shows in hexadecimal."""
    lines = re.findall(r"^ *(\d+)  ((?:[0-9a-f]{2} ?)+)(?:  .*)?$", PAGE, re.MULTILINE)
    parts = [bytes.fromhex(part) for _, part in lines]
    assert [int(at) for at, _ in lines] == [sum(map(len, parts[:i])) for i in range(len(parts))]
    return b"".join(parts)


@pytest.mark.skipif(sys.byteorder == "big", reason="the example is of a little-endian machine")
def test_example() -> None:
    """The bytes that the page shows are a file that both readers read."""
    for loaded in (read(example()), binpickle.loads(example())):
        assert_same(loaded, {"x": np.array([1.0, 2.0], "<f8")})


@pytest.mark.skipif(sys.byteorder == "big", reason="the example is of a little-endian machine")
def test_example_is_written() -> None:
    """They are also what `dump` writes, but for the versions of libraries."""
    shown = Parts(example())
    written = Parts(binpickle.dumps({"x": np.array([1.0, 2.0], "<f8")}, mappable=True))
    written.index["libraries"] = shown.index["libraries"]
    assert vars(written) == vars(shown)


# ---------------------------------------------------------------------------------------------- the older formats

OLD = (ROOT / "docs" / "format-old.md").read_text(encoding="utf-8")
OLD_FILES = sorted((ROOT / "tests" / "data" / "golden").rglob("*.bpk"))
LETTERS = {"u16": "H", "u32": "L", "i64": "q", "u64": "Q"}


def old_struct(heading: str, fields: int | None = None) -> struct.Struct:
    """Return the struct that a table of the page of the older formats describes."""
    rows = tables(OLD[OLD.index(heading) :], "at", "size", "type")[0][:fields]
    layout = struct.Struct("!" + "".join(LETTERS.get(row[2], f"{row[1]}s") for row in rows))
    assert layout.size == int(rows[-1][0]) + int(rows[-1][1])
    return layout


@pytest.mark.parametrize("path", OLD_FILES, ids=[path.stem for path in OLD_FILES])
def test_old_files(path: Path) -> None:
    """Files of older releases hold what the page of the older formats says."""
    file = path.read_bytes()
    magic, version, flags, length = old_struct("### Header").unpack_from(file)
    assert (magic, flags & ~3, length) == (b"BPCK", 0, len(file))
    layouts = [old_struct(f"### Trailer of version {version}", fields) for fields in (None, 3)]
    found = [(layout.size, *layout.unpack_from(file, length - layout.size)) for layout in layouts]
    size, offset, index_length, check = next(row for row in found if row[1] + row[2] == length - row[0])[:4]
    packed = file[offset : offset + index_length]
    assert check == (zlib.adler32(packed) if version == 1 else hashlib.sha256(packed).digest())
    index = msgpack.unpackb(packed, raw=False)
    keys = tables(OLD[OLD.index(f"### Entry of version {version}") :], "key", "type")[0]
    for entry in index:
        assert list(entry) == [row[0].strip("`") for row in keys]
        piece = file[entry["offset"] : entry["offset"] + entry["enc_length"]]
        expected = zlib.adler32(piece) if version == 1 else hashlib.sha256(piece).digest()
        assert entry.get("checksum", entry.get("hash")) == expected
