"""Format versions 1 and 2: the tables of files that old releases wrote, and of files that lie."""

from __future__ import annotations

import json
import re
import struct
import tracemalloc
from pathlib import Path
from typing import Any, Callable

import msgpack
import numpy as np
import pytest
from common import ROOT
from hypothesis import given
from hypothesis import strategies as st
from internals import ALGORITHMS, Contents, Header, Limits
from internals import parse_of_legacy as parse
from legacy_files import Entry, build_v1, build_v2, edit_index, join, numpy_info, unpack_index

from binpickle.errors import BinPickleError, FormatError, IntegrityError, LimitError

DATA = ROOT / "tests" / "data"
RECORDS = [
    (folder / record["file"], record)
    for folder in (DATA / "golden", DATA / "v1-more")
    for record in json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
]
BUILD: dict[int, Callable[..., bytes]] = {1: build_v1, 2: build_v2}
GZIP: dict[int, Any] = {1: ["gz", {"level": 9}], 2: [{"id": "gzip", "level": 1}]}


def contents_of(data: bytes, limits: Limits | None = None) -> Contents:
    """Parse a file as whoever opens one does; reading anything that is not there fails the test."""
    header = Header.unpack(data)
    if header.length > len(data):
        raise FormatError("truncated")

    def read(offset: int, nbytes: int) -> bytes:
        assert offset >= 0
        assert nbytes >= 0
        assert offset + nbytes <= len(data)
        return data[offset : offset + nbytes]

    return parse(header.version, header.flags, header.length, read, limits or Limits())


def two_entries(version: int, edit: Callable[[Any], Any] | None = None) -> bytes:
    """A file with one raw buffer of 24 bytes and an encoded pickle stream of 5, stored in 8."""
    buffer = Entry(bytes(range(24)), info=["ndarray", "float64", [3]])
    return BUILD[version](buffer, Entry(b"encoded!", 5, GZIP[version]), edit=edit)


def stored_bytes(data: bytes, contents: Contents, chunk: int) -> bytes:
    start = int(contents.chunk_offsets[chunk])
    return data[start : start + int(contents.chunk_stored[chunk])]


class TestWrittenByOldReleases:
    """Every file that an old release wrote is understood."""

    @pytest.mark.parametrize(("path", "record"), RECORDS, ids=lambda value: getattr(value, "stem", ""))
    def test_tables(self, path: Path, record: dict[str, Any]) -> None:
        """Lengths, chains and checksums are those that the writer recorded."""
        data = path.read_bytes()
        contents = contents_of(data)
        assert (contents.version, contents.flags, contents.length) == (record["version"], record["flags"], len(data))
        assert np.diff(contents.chunk_starts).tolist() == record["buffer_bytes"]
        assert contents.buffer_nbytes.tolist() == record["buffer_bytes"][:-1]
        assert (contents.stream is None) == record["no_object"]
        assert not (record["no_codec_anywhere"] and any(contents.chains))
        check = ALGORITHMS[contents.checksum.name].of
        for chunk in range(record["entries"]):
            assert check(stored_bytes(data, contents, chunk)) == contents.checksum[chunk]

    @pytest.mark.parametrize(
        ("path", "record"),
        [row for row in RECORDS if row[1]["version"] == 2],
        ids=lambda value: getattr(value, "stem", ""),
    )
    def test_chains_of_version_2(self, path: Path, record: dict[str, Any]) -> None:
        """The chains of version 2 are the configs that stand in the file."""
        chains = {json.dumps(chain) if chain else "null" for chain in contents_of(path.read_bytes()).chains}
        assert chains == set(record["codecs_used"])

    def test_arrays(self) -> None:
        """Element type and shape come from `info`, for Fortran order as the shape of the transpose."""
        contents = contents_of((DATA / "golden" / "v2" / "gzip-layouts.bpk").read_bytes())
        shapes = [contents.kinds[i].shape for i in contents.buffer_kinds]
        assert shapes == [(6, 10), (10, 6), (5, 4, 3), (3, 2, 5, 2), (), (5, 12), (6, 1), (1,)]
        assert {(kind.dtype, kind.order) for kind in contents.kinds} == {(np.dtype("<f8"), "C")}
        assert contents.entry_info[1] == ["ndarray", "float64", [10, 6]]
        assert contents.entry_info[-1] is None


class TestWellFormed:
    """What the tables of a well-formed file say."""

    @pytest.mark.parametrize("version", [1, 2])
    def test_tables(self, version: int) -> None:
        """Entries are chunks in index order; the last is the pickle stream, the others are the buffers."""
        data = two_entries(version)
        contents = contents_of(data)
        assert contents.chunk_offsets.tolist() == [16, 40]
        assert contents.chunk_stored.tolist() == [24, 8]
        assert contents.chunk_starts.tolist() == [0, 24, 29]
        assert [contents.chains[i] for i in contents.chunk_chains] == [
            (),
            ({1: {"id": "zlib"}, 2: GZIP[2][0]}[version],),
        ]
        assert contents.stream == (24, 29)
        assert contents.buffer_starts.tolist() == [0]
        assert contents.buffer_nbytes.tolist() == [24]
        assert all(a.dtype == np.int64 for a in (contents.chunk_starts, contents.chunk_chains, contents.buffer_kinds))

    @pytest.mark.parametrize(("version", "trailer"), [(1, 16), (2, 44), (2, 76)])
    def test_digests(self, version: int, trailer: int) -> None:
        """The index digest is SHA-256 in all versions; it identifies the file where entries have digests."""
        data = edit_index(two_entries(version), lambda index: index)
        index = msgpack.packb(unpack_index(data))
        contents = contents_of(join(version, data[16:48], index, trailer=trailer))
        assert contents.index_digest == ALGORITHMS["sha256"].of(index)
        assert contents.root_digest == (contents.index_digest if version == 2 else None)

    @pytest.mark.parametrize("data", [build_v1(), build_v2(), build_v2(trailer=44)], ids=["v1", "v2", "v2-short"])
    def test_no_entries(self, data: bytes) -> None:
        """A file without entries is valid and holds no object."""
        contents = contents_of(data)
        assert contents.stream is None
        assert contents.chunk_starts.tolist() == [0]
        assert len(contents.buffer_starts) == len(contents.chunk_offsets) == len(contents.chains) == 0

    @pytest.mark.parametrize("version", [1, 2])
    def test_only_the_stream(self, version: int) -> None:
        """A file of one entry has no buffers."""
        contents = contents_of(BUILD[version](Entry(b"N.")))
        assert contents.stream == (0, 2)
        assert contents.kinds == ()

    @pytest.mark.parametrize("version", [1, 2])
    def test_padding(self, version: int) -> None:
        """Entries of an aligned file lie at multiples of the page size, those of no bytes where the next one does."""
        data = BUILD[version](Entry(b"abc"), Entry(b""), Entry(b"N."), align=4096)
        assert contents_of(data).chunk_offsets.tolist() == [4096, 8192, 8192]

    def test_index_apart_from_trailer(self) -> None:
        """Version 1 may leave room between index and trailer, as nothing but the offset says where it lies."""
        data = build_v1(Entry(b"N."))
        data = data[:-16] + bytes(3) + data[-16:]
        data = Header(1, 0, len(data)).pack() + data[16:]
        assert contents_of(data).stream == (0, 2)

    def test_bytes_after_the_end(self) -> None:
        """What follows the length in the header is not looked at."""
        assert contents_of(two_entries(2) + b"garbage").stream == (24, 29)

    def test_equal_chains_once(self) -> None:
        """Chains that mean the same are one, however the index spells them."""
        spelled = [None, ["null", {}], ["chain", {"codecs": []}], ["chain", {"codecs": [[None, {}]]}]]
        contents = contents_of(build_v1(*[Entry(b"N.", codecs=codec) for codec in spelled]))
        assert contents.chains == ((),)
        assert contents.chunk_chains.tolist() == [0, 0, 0, 0]

    def test_large_index(self) -> None:
        """An index of many pieces is read whole, whatever entry lies across their borders."""
        lengths = [i % 7 for i in range(20_000)]
        contents = contents_of(build_v2(*[Entry(bytes(n), info=["ndarray", "uint8", [n]]) for n in lengths]))
        assert contents.buffer_nbytes.tolist() == lengths[:-1]
        assert len(contents.kinds) == 7


V1_CODECS = [
    (None, ()),
    ([None, {}], ()),
    (["null", {}], ()),
    (["gz", {"level": 9}], ({"id": "zlib"},)),
    (["blosc", {"name": "lz4", "level": 5, "shuffle": 1}], ({"id": "blosc-blocks"},)),
    (["numcodec", {"id": "lz4", "acceleration": 1}], ({"id": "lz4", "acceleration": 1},)),
    (["chain", {"codecs": []}], ()),
    (["chain", {"codecs": [["gz", {}], ["numcodec", {"id": "bz2"}]]}], ({"id": "zlib"}, {"id": "bz2"})),
    (["chain", {"codecs": [["chain", {"codecs": [["gz", {}], ["null", {}]]}], ["gz", {}]]}], ({"id": "zlib"},) * 2),
    (["zstd", {"level": 3}], ({"id": "v1:zstd"},)),
    (["numcodec", {"id": "nobody-has-it", "a": [1, {"b": None}]}], ({"id": "nobody-has-it", "a": [1, {"b": None}]},)),
]


@pytest.mark.parametrize(("codec", "chain"), V1_CODECS, ids=[json.dumps(row[0]) for row in V1_CODECS])
def test_codecs_of_version_1(codec: Any, chain: Any) -> None:
    """Codecs of version 1 become one flat chain of specs, and unknown ones keep no file from opening."""
    assert contents_of(build_v1(Entry(b"N.", 2, codec))).chains == (chain,)


NINE = [{"id": "zlib"}] * 9
DEEP: Any = "x"
for _ in range(10):
    DEEP = [DEEP]
BAD_CODECS = [
    (1, "gz"),
    (1, ["gz"]),
    (1, ["gz", {}, {}]),
    (1, ["gz", None]),
    (1, [1, {}]),
    (1, ["numcodec", {}]),
    (1, ["numcodec", {"id": 1}]),
    (1, ["numcodec", {"id": "x", "a": b"bytes"}]),
    (1, ["numcodec", {"id": "x", "a": DEEP}]),
    (1, ["chain", {}]),
    (1, ["chain", {"codecs": {}}]),
    (1, ["chain", {"codecs": ["gz"]}]),
    (1, ["chain", {"codecs": [["gz", {}]] * 9}]),
    (2, {"id": "zlib"}),
    (2, ["zlib"]),
    (2, [None]),
    (2, [{}]),
    (2, [{"id": b"zlib"}]),
    (2, [{"id": "zlib", "level": b"1"}]),
    (2, [{"id": "zlib", "level": DEEP}]),
    (2, NINE),
]


@pytest.mark.parametrize(
    ("version", "codecs"), BAD_CODECS, ids=[f"v{v}-{json.dumps(c, default=repr)[:40]}" for v, c in BAD_CODECS]
)
def test_malformed_codecs(version: int, codecs: Any) -> None:
    """Codecs of another form than the format has are refused."""
    with pytest.raises(FormatError, match="codec"):
        contents_of(BUILD[version](Entry(b"N.", 2, codecs)))


def test_chains_nested_too_deeply() -> None:
    """Chains in chains are followed to a depth, not for ever."""
    codec: Any = ["gz", {}]
    for _ in range(100):
        codec = ["chain", {"codecs": [codec]}]
    with pytest.raises(FormatError, match="nested"):
        contents_of(build_v1(Entry(b"N.", 2, codec)))


KINDS = [
    (np.zeros(3), np.dtype("f8"), (3,)),
    (np.zeros((2, 3), ">i2"), np.dtype(">i2"), (2, 3)),
    (np.zeros(()), np.dtype("f8"), ()),
    (np.zeros((4, 0), "c16"), np.dtype("c16"), (4, 0)),
    (np.zeros(3, "?"), np.dtype("?"), (3,)),
    (np.zeros(3, "U5"), np.dtype("U5"), (3,)),
    (np.zeros(3, ">U5"), np.dtype(">U5"), (3,)),
    (np.zeros(3, "S5"), np.dtype("S5"), (3,)),
    (np.zeros(3, "V3"), np.dtype("V3"), (3,)),
    (np.zeros(3, "M8[ns]"), np.dtype("M8[ns]"), (3,)),
    (np.zeros(3, "m8[25us]"), np.dtype("m8[25us]"), (3,)),
    (np.zeros(3, ">M8[D]"), np.dtype(">M8[D]"), (3,)),
    (np.zeros(3, "i4,f8"), None, None),
    (np.zeros(3, {"names": ["a", "b"], "formats": ["i1", "f8"], "offsets": [0, 8]}), None, None),
]


@pytest.mark.parametrize(("array", "dtype", "shape"), KINDS, ids=[str(row[0].dtype) for row in KINDS])
def test_kind_of_array(array: np.ndarray, dtype: Any, shape: Any) -> None:
    """Arrays of plain types are known as such; structures are plain bytes, since only their text is in the file."""
    data = build_v2(Entry(array.tobytes(), info=numpy_info(array)), Entry(b"N."))
    (kind,) = contents_of(data).kinds
    assert (kind.nbytes, kind.dtype, kind.shape) == (array.nbytes, dtype, shape)


STRANGE_INFO = [
    ["ndarray", "float64", [2]],
    ["ndarray", "float64", [-3]],
    ["ndarray", "float64", [True, 3]],
    ["ndarray", "float64", [3.0]],
    ["ndarray", "float64", 3],
    ["ndarray", "float64", [3, 1, 1, 0, 2**63]],
    ["ndarray", "float64", [1] * 40],
    ["ndarray", "float64"],
    ["ndarray", "float64", [3], 1],
    ["ndarray", b"float64", [3]],
    ["ndarray", "object", [3]],
    ["ndarray", "O", [3]],
    ["ndarray", "|O", [3]],
    ["ndarray", "StringDType()", [3]],
    ["ndarray", "float64,", [3]],
    ["ndarray", "f8\n", [3]],
    ["ndarray", "<U999999999", [3]],
    ["ndarray", "|S0", [3]],
    ["ndarray", "datetime64[0D]", [3]],
    ["ndarray", "", [3]],
    ["array", "float64", [3]],
    {"ndarray": 1},
    "ndarray",
    24,
    [[[[]]]],
]


@pytest.mark.parametrize("info", STRANGE_INFO, ids=repr)
def test_strange_info(info: Any) -> None:
    """An `info` that is malformed, not allowed or at odds with the length keeps nothing from opening: plain bytes."""
    (kind,) = contents_of(build_v2(Entry(bytes(24), info=info), Entry(b"N."))).kinds
    assert (kind.nbytes, kind.dtype, kind.shape) == (24, None, None)


@pytest.mark.parametrize(
    "info", [["ndarray", "int8", [0, 2**62]], ["ndarray", "<U999999999", [0]], ["ndarray", "|S0", [3]]]
)
def test_strange_info_of_no_bytes(info: Any) -> None:
    """A length of no bytes does not make impossible shapes and element types possible."""
    (kind,) = contents_of(build_v2(Entry(b"", info=info), Entry(b"N."))).kinds
    assert (kind.nbytes, kind.dtype, kind.shape) == (0, None, None)


def test_strange_info_is_not_shown() -> None:
    """What is shown of entries has the documented form, whatever the file says."""
    data = build_v2(
        Entry(b"", info={"a": [b"x"]}), Entry(b"", info=["ndarray", "text of a structure", [0]]), Entry(b"N.")
    )
    assert contents_of(data).entry_info == [None, ["ndarray", "text of a structure", [0]], None]


def change(number: int, **fields: Any) -> Callable[[Any], Any]:
    """An edit that gives an entry other fields."""
    return lambda index: [{**entry, **fields} if i == number else entry for i, entry in enumerate(index)]


def without(field: str) -> Callable[[Any], Any]:
    return lambda index: [{key: value for key, value in entry.items() if key != field} for entry in index]


HUGE = 2**64 - 1
LIES = [
    ("offset in the header", change(0, offset=15), "outside"),
    ("offset behind the index", change(1, offset=60), "outside"),
    ("offset huge", change(1, offset=HUGE), "outside"),
    ("offset negative", change(0, offset=-1), "outside"),
    ("offset a boolean", change(0, offset=True), "integer"),
    ("offset a float", change(0, offset=16.0), "integer"),
    ("offset a string", change(0, offset="16"), "integer"),
    ("offset nil", change(0, offset=None), "integer"),
    ("entry without bytes behind the index", change(1, offset=49, enc_length=0), "outside"),
    ("stored beyond the index", change(1, enc_length=9), "outside"),
    ("stored huge", change(1, enc_length=HUGE), "outside"),
    ("stored negative", change(1, enc_length=-1), "outside"),
    ("stored a boolean", change(1, enc_length=True), "integer"),
    ("decoded negative", change(1, dec_length=-1), "bytes"),
    ("decoded huge", change(1, dec_length=HUGE), "bytes"),
    ("decoded a boolean", change(1, dec_length=True), "integer"),
    ("decoded another number than stored raw", change(0, dec_length=23), "bytes"),
    ("entries equal", lambda index: [index[0], index[0], index[1]], "overlap"),
    (
        "entry inside another",
        lambda index: [index[0], {**index[0], "offset": 20, "enc_length": 4, "dec_length": 4}],
        "overlap",
    ),
    ("entries overlap by a byte", change(1, offset=39), "overlap"),
    ("field missing", without("dec_length"), "map of"),
    ("checksum missing", lambda index: without("hash")(without("checksum")(index)), "map of"),
    ("field unknown", change(0, extra=1), "map of"),
    ("entry a list", lambda index: [list(entry.values()) for entry in index], "map of"),
    ("entry nil", lambda index: [None], "map of"),
    ("index a map", lambda index: {"0": index[0]}, "array"),
    ("index an integer", lambda index: 7, "array"),
    ("index nil", lambda index: None, "array"),
    ("key an integer", change(0, info={1: 2}), "key"),
    ("extension type", change(1, info=msgpack.ExtType(5, b"x")), "MessagePack"),
    ("timestamp", change(1, info=msgpack.Timestamp(1)), "MessagePack"),
]


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize(("edit", "message"), [row[1:] for row in LIES], ids=[row[0] for row in LIES])
def test_lying_index(version: int, edit: Callable[[Any], Any], message: str) -> None:
    """Whatever field of the index lies, with its checksum right, the file is refused."""
    with pytest.raises(FormatError, match=message) as caught:
        contents_of(two_entries(version, edit))
    assert not isinstance(caught.value, LimitError)


BAD_CHECKSUMS = [(1, "checksum", value) for value in (-1, 2**32, True, None, bytes(4), "0000")]
BAD_CHECKSUMS += [(2, "hash", value) for value in (bytes(31), bytes(33), b"", None, 1, "0" * 32)]


@pytest.mark.parametrize(("version", "field", "value"), BAD_CHECKSUMS)
def test_malformed_checksum(version: int, field: str, value: Any) -> None:
    """Checksums of another form than the version has are refused."""
    with pytest.raises(FormatError, match="checksum"):
        contents_of(two_entries(version, change(0, **{field: value})))


def packed(version: int) -> bytes:
    return msgpack.packb(unpack_index(two_entries(version)))


NO_CODEC = re.compile(rb"(\xa5codec|\xa6codecs)(\xc0|\x90)")
MALFORMED = [
    ("a second value", lambda index: index + b"\xc0"),
    ("a second value, cut off", lambda index: index + b"\xa9abc"),
    ("cut off", lambda index: index[:-1]),
    ("one entry too few", lambda index: b"\x93" + index[1:]),
    ("one entry too many", lambda index: b"\x91" + index[1:]),
    ("far too many entries claimed", lambda index: b"\xdd\x00\x3f\x00\x00" + index[1:]),
    ("key twice", lambda index: index.replace(b"\xaadec_length", b"\xaaenc_length")),
    ("key of bytes", lambda index: index.replace(b"\xaadec_length", b"\xc4\x0adec_length")),
    ("key a list", lambda index: b"\x91\x81\x90\xc0"),
    ("not UTF-8", lambda index: index.replace(b"dec_length", b"dec_lengt\xff")),
    ("never used byte", lambda index: b"\x91\xc1"),
    ("an extension of no bytes", lambda index: b"\x91\xc7\x00\x05"),
    ("codec nested 600 deep", lambda index: NO_CODEC.sub(rb"\1" + b"\x91" * 600 + b"\xc0", index)),
    ("nested 300 deep", lambda index: b"\x91" * 300 + b"\xc0"),
    ("nested 100000 deep", lambda index: b"\x91" * 100_000 + b"\xc0"),
    ("maps nested", lambda index: b"\x91" + b"\x81\xa1a" * 100_000 + b"\xc0"),
]


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("damage", [row[1] for row in MALFORMED], ids=[row[0] for row in MALFORMED])
def test_malformed_index(version: int, damage: Callable[[bytes], bytes]) -> None:
    """An index is exactly one MessagePack array of maps without repeated keys."""
    data = two_entries(version)
    with pytest.raises(FormatError):
        contents_of(join(version, data[16:48], damage(packed(version))))


EMPTY_LISTS = b"\xdc\x04\x00" + b"\x90" * 1024
BOMBS = [
    ("lists of lists", b"\x91\xdc\x04\x00" + EMPTY_LISTS * 1024),
    ("a map of lists", b"\x91\xde\x04\x00" + b"".join(b"\xa3%03x" % i + EMPTY_LISTS for i in range(1024))),
    ("open lists", b"\x91" + b"\xdc\x04\x00" * (1 << 20)),
    ("a long string", b"\x91\xdb\x7f\xff\xff\xff" + b"a" * (4 << 20)),
    ("an array of empty maps", b"\xdd\x00\x40\x00\x00" + b"\x80" * (4 << 20)),
    ("an array of empty lists", b"\xdd\x00\x40\x00\x00" + b"\x90" * (4 << 20)),
]


@pytest.mark.parametrize("index", [row[1] for row in BOMBS], ids=[row[0] for row in BOMBS])
def test_bomb(index: bytes) -> None:
    """An index that would grow many times over in memory is refused before it has."""
    data = join(2, b"", index)
    tracemalloc.start()
    try:
        with pytest.raises(FormatError):
            contents_of(data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2 * len(index) + (32 << 20)


def test_many_large_configs() -> None:
    """Codec configs that differ in every entry cannot pile up."""
    configs = [[{"id": str(i), "lists": [[]] * 500}] for i in range(3000)]
    with pytest.raises(FormatError, match="configs"):
        contents_of(build_v2(*[Entry(b"", 0, config) for config in configs]))


TRAILER = {1: struct.Struct("!QL4s"), 2: struct.Struct("!QL32s32s")}


def lying_trailer(version: int, offset: int, length: int) -> bytes:
    data, layout = two_entries(version), TRAILER[version]
    return data[: -layout.size] + layout.pack(offset, length, *layout.unpack(data[-layout.size :])[2:])


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize(
    ("offset", "length"),
    [(15, 100), (0, 0), (HUGE, 1), (HUGE, 2**32 - 1), (2**63, 10), (48, 2**32 - 1), (10_000, 1), (48, 10_000)],
)
def test_lying_trailer(version: int, offset: int, length: int) -> None:
    """An index that would not lie between header and trailer is refused before it is read."""
    with pytest.raises(FormatError, match="trailer"):
        contents_of(lying_trailer(version, offset, length))


@pytest.mark.parametrize("version", [1, 2])
def test_index_of_no_bytes(version: int) -> None:
    """An index must have at least one byte: no bytes are no array in MessagePack."""
    with pytest.raises(FormatError, match="not an array in MessagePack"):
        contents_of(join(version, b"N.", b""))


@pytest.mark.parametrize("length", [0, 1, 15, 16, 17, 32, 48, 60])
@pytest.mark.parametrize("version", [1, 2])
def test_length_too_small(version: int, length: int) -> None:
    """A length in the header that has no room for index and trailer is refused."""
    data = Header(version, 0, length).pack() + two_entries(version)[16:]
    with pytest.raises(FormatError, match=f"no trailer at the end of the {length} bytes"):
        contents_of(data)


@pytest.mark.parametrize("position", [-1, -17, -32])
def test_mac_not_zero(position: int) -> None:
    """A MAC that is not zero is refused, and does not make the file one with the short trailer."""
    data = bytearray(two_entries(2))
    data[position] ^= 1
    with pytest.raises(FormatError, match="not zero"):
        contents_of(bytes(data))


@pytest.mark.parametrize("version", [1, 2])
def test_damaged_index(version: int) -> None:
    """An index that differs from its checksum is damage, found before anything of it is believed."""
    data = bytearray(two_entries(version))
    data[48 + 10] ^= 1
    with pytest.raises(IntegrityError, match="index"):
        contents_of(bytes(data))


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize(
    ("limits", "name"),
    [
        (Limits(buffers=0), "buffers"),
        (Limits(index_bytes=50), "index_bytes"),
        (Limits(decoded_bytes=28), "decoded_bytes"),
    ],
)
def test_limits(version: int, limits: Limits, name: str) -> None:
    """What asks for more than the limits allow is refused by the name of the limit."""
    with pytest.raises(LimitError) as caught:
        contents_of(two_entries(version), limits)
    assert caught.value.limit == name


@pytest.mark.parametrize("version", [1, 2])
def test_limits_met(version: int) -> None:
    """What asks for exactly what the limits allow is read."""
    limits = Limits(decoded_bytes=29, buffers=1, index_bytes=len(packed(version)))
    assert contents_of(two_entries(version), limits).stream == (24, 29)


@pytest.mark.parametrize("version", [1, 2])
def test_decoded_lengths_add_up(version: int) -> None:
    """Many entries may not claim together what one may not."""
    data = BUILD[version](*[Entry(b"", 2**61, GZIP[version])] * 8)
    with pytest.raises(FormatError):
        contents_of(data)


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 70)
    | st.sampled_from([2**31, 2**32, 2**63 - 1, 2**63, HUGE, -(2**63)])
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["ndarray", "float64", "gz", "chain", "numcodec", "id", "zlib"])
    | st.binary(max_size=33),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
SOURCES = [two_entries(1), two_entries(2), build_v1(), *(path.read_bytes() for path, _ in RECORDS[::4])]


def check_bounds(data: bytes, contents: Contents) -> None:
    """What everything downstream relies on without looking again."""
    stored, offsets, starts = contents.chunk_stored, contents.chunk_offsets, contents.chunk_starts
    count = len(offsets)
    assert len(stored) == len(starts) - 1 == len(contents.chunk_chains) == len(contents.entry_info) == count
    assert len(contents.checksum.values) == count * contents.checksum.size
    assert (offsets >= 16).all()
    assert (stored >= 0).all()
    assert (offsets + stored <= len(data)).all()
    assert (np.diff(starts) >= 0).all()
    assert all(0 <= i < len(contents.chains) for i in contents.chunk_chains)
    assert (contents.buffer_nbytes == np.diff(starts)[:-1]).all()
    assert all(len(chain) <= 8 for chain in contents.chains)
    for kind in contents.kinds:
        assert kind.dtype is None or np.empty(kind.shape, kind.dtype).nbytes == kind.nbytes


def mutated(draw: Callable[[Any], Any], value: Any) -> Any:
    """`value` with one random part of it replaced, removed or doubled."""
    if isinstance(value, (list, dict)) and value and draw(st.integers(0, 4)):
        keys = list(range(len(value)) if isinstance(value, list) else value)
        key = draw(st.sampled_from(keys))
        changed = value.copy()
        action = draw(st.sampled_from(["into"] * 6 + ["remove", "double"]))
        if action == "into":
            changed[key] = mutated(draw, value[key])
        elif action == "remove":
            del changed[key]
        elif isinstance(changed, list):
            changed.append(changed[key])
        return changed
    return draw(values)


@given(st.data())
def test_mutated_index(data: st.DataObject) -> None:
    """An index with any part changed and its checksum fixed up either is understood or raises BinPickleError."""
    source = data.draw(st.sampled_from(SOURCES))
    changed = edit_index(source, lambda index: mutated(data.draw, index))
    try:
        contents = contents_of(changed)
    except BinPickleError:
        return
    check_bounds(changed, contents)


@given(st.sampled_from(SOURCES), st.lists(st.tuples(st.integers(0), st.integers(0, 255)), min_size=1, max_size=4))
def test_mutated_bytes(source: bytes, changes: list[tuple[int, int]]) -> None:
    """A packed index with any bytes changed and its checksum fixed up is understood or raises BinPickleError."""
    index = bytearray(msgpack.packb(unpack_index(source)))
    for position, value in changes:
        index[position % len(index)] = value
    version = Header.unpack(source).version
    changed = join(version, bytes(100_000), bytes(index))
    try:
        contents = contents_of(changed)
    except BinPickleError:
        return
    check_bounds(changed, contents)


@given(st.sampled_from(SOURCES), st.integers(0), st.integers(1, 255))
def test_damaged_ends(source: bytes, position: int, change: int) -> None:
    """A file with any byte of its header or trailer changed either is understood or raises BinPickleError."""
    data = bytearray(source)
    place = position % 92
    data[place if place < 16 else max(16, len(data) + 15 - place)] ^= change
    try:
        contents = contents_of(bytes(data))
    except BinPickleError:
        return
    check_bounds(bytes(data), contents)
