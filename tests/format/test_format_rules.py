"""The rules of the specification: whatever breaks one is refused, by BinPickle and by the page's own reader.

`MALFORMED` has files for each rule of `docs/format.md` (**H1** and so on); that none is left out is tested.
"""

from __future__ import annotations

import re
import struct
import sys
import zlib
from functools import lru_cache
from typing import Any, Callable

import msgpack
import numpy as np
import pytest
from common import ROOT, small_chunks
from format_parts import Parts, as_packed, flip
from format_reader import Malformed, read
from internals import NEVER

import binpickle
from binpickle.errors import AuthenticationError, BinPickleError

KEY = b"k" * 32
TRAILER = 96
BIG = 1 << 62
OBJECTS: dict[str, Any] = {
    "mapped": ({"a": np.arange(100.0), "b": np.arange(50.0), "c": np.arange(3.0)}, {"mappable": True}),
    "encoded": (np.arange(3000) % 700 * 0.5, {"codecs": ["zlib"]}),
    "several": (np.arange(2000.0), {"codecs": []}),  # chunks of one buffer
    "sealed": (np.arange(70.0), {"key": KEY}),
    "no buffer": (["nothing"], {"codecs": []}),
}

Edit = Callable[[Parts], Any]
"""Changes parts, or returns the bytes of a file."""


@lru_cache(maxsize=None)
def base(name: str) -> bytes:
    """Return a sound file."""
    obj, options = OBJECTS[name]
    with small_chunks():
        return binpickle.dumps(obj, **options)


def put(*path: Any) -> Edit:
    """Return an edit that puts the last argument where the others lead in the index; `...` removes what is there."""
    *way, last, value = path

    def edit(parts: Parts) -> None:
        place = parts.index
        for step in way:
            place = place[step]
        place[last] = value
        if value is ...:
            del place[last]

    return edit


def add(by: int, *path: Any) -> Edit:
    """Return an edit that adds to a number in the index."""
    *way, last = path

    def edit(parts: Parts) -> None:
        place = parts.index
        for step in way:
            place = place[step]
        place[last] += by

    return edit


def kind(value: Any) -> Edit:
    """Return an edit that adds a kind, which no buffer has."""
    return lambda parts: parts.index["kinds"].append(value)


def typed(spec: Any) -> Edit:
    """Return an edit that adds a kind of an element type."""
    return kind([spec, [1], "C"])


def fields(*rows: Any, size: Any = 16) -> Any:
    return {"fields": list(rows), "itemsize": size}


def nested(depth: int) -> Any:
    spec: Any = "<f8"
    for _ in range(depth):
        spec = fields(["a", spec, 0], size=8)
    return spec


def header(at: int, data: bytes) -> Edit:
    """Return an edit that writes over the header."""

    def edit(parts: Parts) -> None:
        parts.header = parts.header[:at] + data + parts.header[at + len(data) :]

    return edit


def file(change: Callable[[bytes], bytes]) -> Edit:
    """Return an edit of the whole file."""
    return lambda parts: change(parts.join())


def packed(change: Callable[[bytes], bytes]) -> Edit:
    """Return an edit of the bytes of the index."""
    return lambda parts: parts.join(change(msgpack.packb(as_packed(parts.index))))


def stored(i: int, change: Callable[[bytes], bytes]) -> Edit:
    """Return an edit of a chunk's stored bytes; its checksum fits."""
    return lambda parts: parts.replace(i, change(parts.chunks[i]))


def in_list(which: str, i: int, change: Callable[[bytes], bytes]) -> Edit:
    """Return an edit of stored bytes, or of padding, that no checksum is made for."""

    def edit(parts: Parts) -> None:
        found = getattr(parts, which)
        found[i] = change(found[i])

    return edit


def several(*edits: Edit) -> Edit:
    def edit(parts: Parts) -> None:
        for one in edits:
            one(parts)

    return edit


def hidden(parts: Parts) -> None:
    """Store bytes that no table tells of."""
    parts.chunks.append(b"hidden")
    parts.zeros.append(b"")


def second_key(data: bytes) -> bytes:
    """Append the key `stream` once more."""
    return bytes([data[0] + 1]) + data[1:] + msgpack.packb("stream") + b"\1"


def adler32(parts: Parts) -> None:
    """Check chunks by Adler-32, as only version 1 does; the values fit."""
    sums = [zlib.adler32(chunk).to_bytes(4, "big") for chunk in parts.chunks]
    parts.index["chunks"].update(checksum="adler32", values=b"".join(sums))


COLUMNS = ("length", "stored", "padding", "chain")
INDEX = ("stream", "chains", "chunks", "kinds", "buffers", "metadata", "libraries", "requires")

# For each rule: of which file what edits break it, and nothing that is checked before.
MALFORMED: dict[str, list[tuple[str, list[Edit]]]] = {
    "H1": [
        ("mapped", [header(3, b"X"), *(file(f) for f in (lambda f: f[:15], lambda f: b"", b"\0".__add__))]),
    ],
    "H2": [("mapped", [header(4, bytes(pair)) for pair in ((0, 0), (0, 4), (3, 0))])],
    "H3": [("mapped", [header(6, bytes(pair)) for pair in ((0, 4), (128, 2))])],
    "H4": [("mapped", [header(7, bytes([3 - (sys.byteorder == "big")]))])],
    "H5": [("mapped", [header(8, struct.pack(">q", n)) for n in (0, 1, -2, 2000)])],
    "T1": [("mapped", [lambda parts: parts.join(offset=15, length=len(parts.join()) - TRAILER - 15)])],
    "T2": [("mapped", [lambda parts: parts.join(length=20), lambda parts: parts.join(offset=2**64 - 1)])],
    "T3": [("mapped", [lambda parts, n=n: parts.join(file=n) for n in (0, 1000, 2**64 - 1)])],
    "T4": [("mapped", [file(lambda f: flip(f, 24 - TRAILER)), file(lambda f: flip(f, -TRAILER - 1))])],
    "T5": [
        ("mapped", [file(f) for f in (lambda f: f[:-1], lambda f: f + b"\0", lambda f: flip(f, -1), lambda f: f[:16])]),
    ],
    "I1": [
        ("mapped", [packed(lambda _, new=new: new) for new in (b"", b"\xc0", b"\x90", b"\xc1", b"\x81")]),
        ("mapped", [packed(f) for f in (lambda data: data + b"\0", lambda data: data[:-1], lambda data: data + data)]),
    ],
    "I2": [("mapped", [packed(second_key), put("metadata", {1: "a"}), put("more", [{"a": {2: 1}}])])],
    "I3": [("mapped", [put(name, msgpack.ExtType(5, b"abc")) for name in ("more", "stream")])],
    "I4": [("mapped", [put("requires", value) for value in (["sparse"], "sparse", 1, None)])],
    "I5": [
        ("mapped", [put(name, ...) for name in INDEX]),
        ("mapped", [put("chunks", name, ...) for name in ("count", *COLUMNS, "checksum", "values")]),
        ("mapped", [put("buffers", name, ...) for name in ("count", "first", "kind", "gap")]),
        ("mapped", [put(name, None) for name in ("chunks", "kinds", "buffers", "metadata", "libraries")]),
        ("no buffer", [put("kinds", {})]),
    ],
    "I6": [("mapped", [put(name, {"a": v}) for name in ("metadata", "libraries") for v in (1, None, b"b", {})])],
    "K1": [
        ("mapped", [put("chunks", name, v) for name in COLUMNS for v in (None, "1", 1.0, True, [b""], [0, b""])]),
        ("mapped", [put("buffers", "kind", [0, v]) for v in (bytes(2), bytes(4), bytes(48), "abc", [0, 0, 0])]),
        ("mapped", [put("buffers", "gap", [0, bytes(2), 0])]),
        ("no buffer", [put("chunks", "padding", [0, b""])]),
    ],
    "K2": [
        ("mapped", [put("buffers", "gap", n) for n in (BIG, -BIG, 2**64 - 1)]),
        ("mapped", [put("buffers", "gap", v) for v in ([BIG, bytes(2)], [1, b"\xff" * 16], [BIG - 1, b"\1\1"])]),
    ],
    "N1": [
        ("mapped", [put("chains", v) for v in ([[{"id": "zlib"}] * 9], [["zlib"]], [[{}]], [[{"id": 1}]], [{}], {})]),
    ],
    "C1": [("encoded", [put("chunks", "length", n) for n in (0, -1)])],
    "C2": [("encoded", [add(-(1 << 40), "chunks", "stored", -1)])],
    "C3": [
        ("mapped", [add(-4096, "chunks", "padding", -1)]),
        ("mapped", [several(add(4096, "chunks", "padding", -1), in_list("zeros", -1, lambda z: z + bytes(4096)))]),
    ],
    "C4": [("mapped", [add(n, "chunks", "chain", -1) for n in (-1, 1)])],
    "C5": [
        ("mapped", [put("chunks", "values", v) for v in (b"", bytes(31), bytes(48), "ab")]),
        ("mapped", [put("chunks", "count", v) for v in (0, 1, 3, -2, 2.0)]),
        ("mapped", [put("chunks", "checksum", "sha256")]),
    ],
    "C6": [("mapped", [add(1, "chunks", "padding", -1), hidden])],
    "C7": [("mapped", [add(1, "chunks", "length", -1)]), ("encoded", [put("chunks", "length", (64 << 20) + 1)])],
    "C8": [("mapped", [in_list("zeros", -1, lambda zeros: flip(zeros, 0))])],
    "C9": [("mapped", [*(put("chunks", "checksum", name) for name in ("md5", "adler32", "")), adler32])],
    "S1": [("mapped", [put("stream", v) for v in (0, -1, 1, True, BIG, "a")])],
    "D1": [
        ("mapped", [typed(s) for s in ("|O", "O8", "f8", "<f3", "<i16", "|T16", "<M8[0ns]", "<M8[ns/2]", "<M8[xs]")]),
        ("mapped", [typed(s) for s in ("<M4", "<S", "|S1234567890", "", 1, None, ["|O", [2]], ["<f8"], fields())]),
        ("mapped", [typed(s) for s in (fields(["a", "|O", 0]), fields("abc"), [["<f8", [1]], [1]])]),
    ],
    "D2": [
        ("mapped", [typed(fields(["a", "<f8", offset])) for offset in (9, -1, 1 << 31, 0.0)]),
        ("mapped", [typed(fields(["a", "<f8", 0], size=size)) for size in (1 << 31, 7, -1, 8.0)]),
        ("mapped", [typed(fields(["a", "<f8", 0], ["a", "<f8", 8])), typed(fields([1, "<f8", 0]))]),
        (
            "mapped",
            [typed(fields(["a", ["<f8", shape], 0])) for shape in ([-1], [1 << 29], [0, 1 << 29], [1] * 33)],
        ),
        ("mapped", [typed(nested(9)), typed("<U999999999"), typed(fields(["a", ["<f8", ""], 0]))]),
    ],
    "D3": [
        ("mapped", [kind(["<f8", shape, "C"]) for shape in ([1] * 33, [-1], [1.0], [1 << 59], [0, 1 << 59], None)]),
        ("mapped", [kind(["|V0", [BIG], "C"]), kind([["<f8", [2]], [2], "C"])]),
    ],
    "D4": [
        ("mapped", [kind(["<f8", [2, 3], order]) for order in ("K", "", None, [0], [0, 0], [0, 2], [0.0, 1.0], 1)]),
        ("mapped", [kind(["<f8", [2, 3], [False, True]])]),
    ],
    "D5": [("mapped", [kind(v) for v in (-1, BIG, None, "a", True, ["<f8", [1]], [])])],
    "B1": [
        ("mapped", [put("buffers", "count", v) for v in (-1, 1.0, True)]),
        ("no buffer", [put("buffers", "first", v) for v in (-1, BIG, None)]),
    ],
    "B2": [("mapped", [put("buffers", "kind", n) for n in (3, -1)])],
    "B3": [
        ("mapped", [add(n, "buffers", "first") for n in (-1, 3000)]),
        ("mapped", [add(n, "buffers", "gap", 0) for n in (1 << 61, -5000)]),
    ],
    "B4": [("mapped", [add(n, "buffers", "gap", 0) for n in (-33, -40, -431)])],
    "B5": [
        ("several", [put("kinds", [15_999]), several(put("kinds", [15_992]), add(8, "buffers", "first"))]),
    ],
    "B6": [
        ("mapped", [stored(-1, lambda data: flip(data, 805)), stored(-1, lambda data: data + b"\1")]),
        ("several", [several(put("kinds", [12_288]), stored(-1, lambda data: bytes(len(data))))]),  # a chunk of a gap
    ],
    "V1": [(name, [in_list("chunks", -1, lambda data: flip(data, 5))]) for name in ("mapped", "encoded", "several")],
    "V2": [
        ("encoded", [add(n, "chunks", "length", -1) for n in (1, -1)]),
        ("encoded", [stored(-1, change) for change in (lambda data: data[:-5], lambda data: b"nonsense")]),
    ],
    "V3": [("encoded", [put("chains", [[{"id": name}]]) for name in (*sorted(NEVER), "nonsense", "blosc-blocks")])],
    "V4": [("no buffer", [several(stored(0, lambda data: data + b"."), add(1, "stream"), add(1, "buffers", "first"))])],
    "A1": [("mapped", [file(bytes)])],
    "A2": [("sealed", [lambda parts: parts.join(key=b"j" * 32), file(lambda f: f[:-40] + base("sealed")[-40:])])],
    "A3": [("mapped", [lambda parts: parts.join(key=KEY)])],
}
# For each rule the messages of BinPickle: the check that is meant refuses a file, and no other.
MESSAGES = {
    "H1": "not a BinPickle file",
    "H2": "format version .* is not known",
    "H3": "header flags .* are not known",
    "H4": "written on a (big|little)-endian machine",
    "H5": "the header of a version 3 file holds length",
    "T1": "the index lies at 15 .* does not fit",
    "T2": "the index lies at .* does not fit",
    "T3": "the file has .* bytes, its trailer says",
    "T4": "the index differs from its digest",
    "T5": "the file is truncated",
    "I1": "index: (not a MessagePack value|not a map)",
    "I2": "a key stands twice|int is not allowed for map key",
    "I3": "exceeds max_ext_len",
    "I4": "the file needs features",
    "I5": "is missing or of the wrong type|kinds is not a list|is not a map from strings|needs features .*: None",
    "I6": "(metadata|libraries) is not a map from strings to strings",
    "K1": r"column '\w+' (is neither an integer nor a base and bytes|has \d+ bytes for \d+ values)",
    "K2": "column 'gap' holds .* out of range",
    "N1": "is not a codec|a codec chain is a list of at most 8|chains is not a list",
    "C1": "is empty|column 'length' holds -1, which is negative",
    "C2": "column 'stored' holds .* negative",
    "C3": "column 'padding' holds .* negative|bytes of padding, more than any alignment needs",
    "C4": "column 'chain' holds .* negative|a chunk has codec chain .*, but there are",
    "C5": "not one checksum a chunk",
    "C6": "the chunks end at .* but the index begins",
    "C7": "is stored raw, but in another number of bytes|is encoded and larger than",
    "C8": "the padding at .* is not zero",
    "C9": "checksum .* is not known",
    "S1": "the pickle stream does not end where a chunk does",
    "D1": "is not an element type|NumPy has no element type|more or larger dimensions",
    "D2": "fields that lie outside|needs names, offsets|name already used|not the shape of a subarray"
    "|more or larger dimensions|nested too deeply|NumPy has no element type|larger than NumPy allows",
    "D3": "no array has shape|is not a shape",
    "D4": "is not an order of",
    "D5": "a part is missing or of the wrong type",
    "B1": "has no proper (count|first position)",
    "B2": "a buffer is of kind 3, but there are 3|column 'kind' holds -1, which is negative",
    "B3": "a buffer lies outside the chunks|column 'gap' adds up to something negative",
    "B4": "overlaps another one in part",
    "B5": "neither lies in one chunk nor is made of whole ones",
    "B6": "the bytes between buffers are not zero|holds nothing of any buffer",
    "V1": "is damaged: its checksum differs",
    "V2": "codec 'zlib' cannot decode|neither lies in one chunk|lies outside the chunks",
    "V3": "gives objects, not bytes|is not known",
    "V4": "something follows the end of the pickle stream",
    "A1": "the file is not sealed, but a key was given",
    "A2": "the seal is not by this key",
    "A3": "the seal vouches for nothing",
}
# Where a rule has two checks, the rows that must reach the second one.
SECOND_CHECKS = {"C3": "more than any alignment needs", "B6": "holds nothing of any buffer", "C1": "is empty"}
ROWS = [(rule, name, edit) for rule, rows in MALFORMED.items() for name, edits in rows for edit in edits]


@pytest.mark.parametrize("name", OBJECTS)
def test_taken_apart(name: str) -> None:
    """A file that is taken apart and put together is sound, so that what is refused below is refused for its edit."""
    np.testing.assert_equal(read(Parts(base(name)).join()), OBJECTS[name][0])
    np.testing.assert_equal(binpickle.loads(Parts(base(name)).join()), OBJECTS[name][0])


@pytest.mark.parametrize(("rule", "name", "edit"), ROWS, ids=[f"{row[0]}-{i}" for i, row in enumerate(ROWS)])
def test_refused(rule: str, name: str, edit: Edit) -> None:
    """A file that breaks a rule is refused by both readers, and by the page's for that rule."""
    parts = Parts(base(name))
    changed = edit(parts)
    data = changed if isinstance(changed, bytes) else parts.join()
    key = KEY if rule[0] == "A" else None
    with pytest.raises(Malformed, match=f"^{rule}$"):
        read(data, key)
    with pytest.raises(AuthenticationError if key else BinPickleError, match=MESSAGES[rule]):
        binpickle.loads(data, key=key, verify=True)


@pytest.mark.parametrize("rule", SECOND_CHECKS)
def test_second_checks(rule: str) -> None:
    """A rule with two checks has a file that only the second check refuses."""
    told = []
    for name, edits in MALFORMED[rule]:
        for edit in edits:
            parts = Parts(base(name))
            edit(parts)
            with pytest.raises(BinPickleError) as caught:
                binpickle.loads(parts.join(), verify=True)
            told.append(str(caught.value))
    assert any(SECOND_CHECKS[rule] in text for text in told)


def test_every_rule() -> None:
    """Each rule of the page is broken here, and none that is not there."""
    page = (ROOT / "docs" / "format.md").read_text(encoding="utf-8")
    assert sorted(set(re.findall(r"\*\*([A-Z]\d)\*\*", page))) == sorted(MALFORMED) == sorted(MESSAGES)


@pytest.mark.parametrize(("key", "context"), [(b"j" * 32, b""), (KEY, b"x"), (KEY, b"\0")])
def test_seal_refused(key: bytes, context: bytes) -> None:
    """Neither reader takes a seal by another key, or for another context."""
    with pytest.raises(Malformed, match="A2"):
        read(base("sealed"), key, context)
    with pytest.raises(AuthenticationError, match=MESSAGES["A2"]):
        binpickle.loads(base("sealed"), key=key, context=context)


def test_any_byte() -> None:
    """Both readers refuse a sealed file, whichever of its bytes is changed, and wherever it is cut off."""
    sound = base("sealed")
    for i in range(len(sound)):
        for wrong in (flip(sound, i), sound[:i]):
            with pytest.raises(Malformed):
                read(wrong, KEY)
            with pytest.raises(BinPickleError):
                binpickle.loads(wrong, key=KEY)
