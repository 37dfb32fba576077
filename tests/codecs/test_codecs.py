"""Codec chains: what callers may give, what files may name, and what happens to chunks on both ways."""

from __future__ import annotations

import contextlib
import gzip
import io
import lzma
import struct
import tracemalloc
import zlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable, Iterator

import msgpack
import numcodecs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from internals import (
    RAW,
    chain_for,
    chain_from_specs,
    decode,
    encode,
    parse_codecs,
    register_codec,
    shuffle,
    stream_chain,
    unshuffle,
)
from numcodecs.abc import Codec

from binpickle.errors import CodecError, FormatError, UnknownCodecError

HALVES = np.arange(3000) % 700 * 0.5
LZMA_RAW = {"id": "lzma", "format": lzma.FORMAT_RAW, "filters": [{"id": lzma.FILTER_LZMA2, "preset": 1}]}
SHUFFLE = {"id": "shuffle", "elementsize": 8}
SCALED = {"id": "fixedscaleoffset", "offset": 0, "scale": 2, "dtype": "<f8", "astype": "<i2"}

COMPRESSORS = ["zstd", "lz4", "zlib", "gzip", "bz2", "lzma", {"id": "lzma", "format": lzma.FORMAT_ALONE}, LZMA_RAW]
# Those that give back HALVES exactly.
LOSSLESS = [
    *([codec] for codec in COMPRESSORS),
    ["blosc"],
    ["base64"],
    ["crc32"],
    ["adler32"],
    ["fletcher32"],
    ["jenkins_lookup3"],
    ["msgpack2"],
    [SHUFFLE, "zstd"],
    [{"id": "delta", "dtype": "<f8"}, "lz4"],
    [{"id": "astype", "encode_dtype": "<f4", "decode_dtype": "<f8"}],
    [{"id": "bitround", "keepbits": 20}, "zstd"],
    [{"id": "quantize", "digits": 3, "dtype": "<f8"}],
    [SCALED, "blosc", "crc32"],
    ["zlib", "msgpack2", "bz2", "base64"],
    ["zstd", "zlib", "lz4", "gzip", "crc32", "bz2", "base64", "adler32"],
]


def installed(codec: Any) -> bool:
    """Whether this release of numcodecs has a codec."""
    return (codec if isinstance(codec, str) else codec["id"]) in numcodecs.registry.codec_registry


def name(codecs: Any) -> str:
    codecs = codecs if isinstance(codecs, list) else [codecs]
    return "-".join(codec if isinstance(codec, str) else codec["id"] for codec in codecs)


def chains(choices: list[Any]) -> pytest.MarkDecorator:
    """Run a test for each list of codecs that this release of numcodecs has."""
    return pytest.mark.parametrize("codecs", [c for c in choices if all(map(installed, c))], ids=name)


def in_helper(function: Callable[..., Any], *args: Any, **options: Any) -> Any:
    """Call a function outside the main thread, where Blosc has to run."""
    with ThreadPoolExecutor(1) as helper:
        return helper.submit(function, *args, **options).result()


def chain_of(*codecs: Any) -> Any:
    return chain_for(parse_codecs(list(codecs)), memoryview(b""))


def spec_of(codec: Any) -> Any:
    return chain_of(codec)[0].spec


def bytes_in(data: Any) -> bytes:
    return np.asarray(data).tobytes()


# ------------------------------------------------------------------------------------ both ways


@chains(LOSSLESS)
def test_round_trip(codecs: Any) -> None:
    """What a caller's codecs encode, the specs in the file decode."""
    chain = chain_of(*codecs)
    stored = in_helper(encode, chain, HALVES)
    from_file = chain_from_specs([step.spec for step in chain])
    assert from_file == chain
    assert stored.format == "B"
    assert stored.contiguous
    assert bytes_in(in_helper(decode, from_file, stored, HALVES.nbytes)) == HALVES.tobytes()


@chains(LOSSLESS)
def test_decode_into(codecs: Any) -> None:
    """Given an array, `decode` fills it and returns it."""
    chain = chain_of(*codecs)
    stored = in_helper(encode, chain, HALVES)
    room = np.full(HALVES.nbytes + 2, 7, np.uint8)
    out = room[1:-1]
    assert in_helper(decode, chain, stored, HALVES.nbytes, out) is out
    assert out.tobytes() == HALVES.tobytes()
    assert room[0] == room[-1] == 7


@chains(LOSSLESS)
def test_encode_by_file(codecs: Any) -> None:
    """A chain made from specs encodes as the caller's codecs do."""
    chain = chain_of(*codecs)
    from_file = chain_from_specs([step.spec for step in chain])
    assert in_helper(encode, from_file, HALVES) == in_helper(encode, chain, HALVES)


@chains([[codec] for codec in COMPRESSORS] + [["base64"], ["crc32"], ["msgpack2"]])
@pytest.mark.parametrize(
    "dtype",
    ["?", "<i2", ">i4", "<u8", "<f2", "<c16", "S3", "<U2", "M8[ns]", "m8[s]", [("a", "i1"), ("b", "<f8")]],
    ids=str,
)
def test_any_dtype(codecs: Any, dtype: Any) -> None:
    """What takes bytes encodes arrays of every dtype."""
    data = np.zeros(50, dtype)
    chain = chain_of(*codecs)
    assert bytes_in(decode(chain, encode(chain, data), data.nbytes)) == data.tobytes()


def test_raw() -> None:
    """The empty chain stores the chunk's own memory, and checks nothing but its length."""
    stored = encode(RAW, HALVES)
    assert np.shares_memory(np.frombuffer(stored, np.uint8), HALVES)
    assert decode(RAW, stored, HALVES.nbytes) == stored
    out = np.empty(HALVES.nbytes, np.uint8)
    assert decode(RAW, stored, HALVES.nbytes, out) is out
    assert out.tobytes() == HALVES.tobytes()
    with pytest.raises(CodecError, match="instead of"):
        decode(RAW, stored, HALVES.nbytes + 1)


@chains([[], ["zstd"], ["zlib"], ["crc32"]])
def test_out_of_other_length(codecs: Any) -> None:
    """An array of another length than the data is the caller's mistake, and nothing is written to it."""
    chain = chain_of(*codecs)
    stored = encode(chain, HALVES)
    for length in (1, HALVES.nbytes + 1):
        out = np.full(length, 7, np.uint8)
        with pytest.raises(ValueError, match="out has"):
            decode(chain, stored, HALVES.nbytes, out)
        assert set(out) == {7}


@pytest.mark.parametrize(
    ("codec", "stored"),
    [
        ("zstd", numcodecs.Zstd(1).encode(b"")),
        ("lz4", numcodecs.LZ4().encode(b"")),
        ("zlib", zlib.compress(b"")),
        ("gzip", gzip.compress(b"")),
        ("base64", b""),
        ("blosc", struct.pack("<BBBBIII", 2, 1, 0x93, 1, 0, 1, 16)),
    ],
    ids=["zstd", "lz4", "zlib", "gzip", "base64", "blosc"],
)
def test_empty(codec: str, stored: bytes) -> None:
    """The encoded form of no bytes decodes, also where numcodecs cannot."""
    assert bytes_in(decode(chain_of(codec), stored, 0)) == b""
    out = np.empty(0, np.uint8)
    assert decode(chain_of(codec), stored, 0, out) is out


def test_gzip_has_no_time() -> None:
    """gzip streams hold no time, so that the same data gives the same bytes; others can read them."""
    stored = bytes(encode(chain_of({"id": "gzip", "level": 6}), HALVES))
    assert stored[4:8] == bytes(4)
    assert gzip.decompress(stored) == HALVES.tobytes()
    assert bytes(numcodecs.GZip().decode(stored)) == HALVES.tobytes()


def test_blosc_sees_items() -> None:
    """Blosc is told the item size of the buffer."""
    assert in_helper(encode, chain_of("blosc"), HALVES)[3] == 8
    assert in_helper(encode, chain_of("blosc"), HALVES.view(np.uint8))[3] == 1


def test_many_threads() -> None:
    """One chain encodes and decodes in several threads at once."""
    chain = chain_of(SHUFFLE, "zstd", "crc32")
    data = [np.arange(20_000) * i for i in range(16)]
    with ThreadPoolExecutor(4) as helpers:
        stored = list(helpers.map(lambda chunk: encode(chain, chunk), data))
        decoded = list(helpers.map(lambda pair: decode(chain, pair[0], pair[1].nbytes), zip(stored, data)))
    assert [bytes_in(chunk) for chunk in decoded] == [chunk.tobytes() for chunk in data]


def test_encode_error() -> None:
    """A codec that cannot encode the data is named, with what it said."""
    with pytest.raises(ValueError, match="'bitround' cannot encode int64 data: TypeError: Only float"):
        encode(chain_of({"id": "bitround", "keepbits": 3}), np.arange(5))
    with pytest.raises(ValueError, match="'shuffle' cannot encode int32"):
        encode(chain_of(SHUFFLE), np.arange(5, dtype=np.int32))


@pytest.mark.parametrize(
    ("codec", "dtype"),
    [
        ("packbits", "?"),
        ({"id": "astype", "encode_dtype": "<f4", "decode_dtype": "<f8"}, "<f8"),
        ({"id": "quantize", "digits": 3, "dtype": "<f8"}, "<f8"),
        ({"id": "fixedscaleoffset", "offset": 0, "scale": 2, "dtype": "<i4"}, "<i4"),
        ({"id": "delta", "dtype": "<f8"}, "<f8"),
        ({"id": "delta", "dtype": "<i8", "astype": "<i2"}, "<i8"),
    ],
    ids=repr,
)
def test_spoils_others(codec: Any, dtype: str) -> None:
    """A filter for one element type refuses others, of which it would make something else without a word."""
    chain = chain_of(codec)
    data = np.arange(9).astype(dtype)
    assert bytes_in(decode(chain, encode(chain, data), data.nbytes)) == data.tobytes()
    for other in ("<i2", ">f8", "u1"):
        with pytest.raises(ValueError, match=f"{chain[0].id!r} would spoil"):
            encode(chain, np.zeros(8, other))


def test_integer_delta() -> None:
    """Differences of integers give back data of any type, since they wrap around."""
    chain = chain_of({"id": "delta", "dtype": "<i8"})
    assert bytes_in(decode(chain, encode(chain, HALVES), HALVES.nbytes)) == HALVES.tobytes()


# ------------------------------------------------------------------------------------ the byte shuffle


@given(st.binary(max_size=200), st.integers(0, 12))
def test_shuffle_as_numcodecs(data: bytes, elementsize: int) -> None:
    """The shuffle gives numcodecs' bytes, and like it refuses what is no multiple of the element size."""
    array = np.frombuffer(data, np.uint8)
    if len(data) % max(elementsize, 1):
        with pytest.raises(ValueError, match="reshape"):
            shuffle(array, elementsize)
        return
    shuffled = shuffle(array, elementsize)
    assert shuffled.tobytes() == bytes(numcodecs.Shuffle(elementsize).encode(array))
    assert unshuffle(memoryview(shuffled), elementsize).tobytes() == data


@pytest.mark.parametrize("elementsize", [2, 8, 24, 3000, 6000])
def test_unshuffle_into(elementsize: int) -> None:
    """Elements are put back in place, few long ones as well as many short ones."""
    out = np.empty(HALVES.nbytes, np.uint8)
    assert unshuffle(memoryview(shuffle(HALVES, elementsize)), elementsize, out) is out
    assert out.tobytes() == HALVES.tobytes()


# ------------------------------------------------------------------------------------ the caller's codecs


@pytest.mark.parametrize(
    ("codec", "spec"),
    [
        (numcodecs.Zstd(level=3), {"id": "zstd", "level": 3}),
        (numcodecs.LZ4(), {"id": "lz4", "acceleration": 1}),
        (numcodecs.GZip(5), {"id": "gzip", "level": 5}),
        ({"id": "zlib"}, {"id": "zlib", "level": 1}),
        ("bz2", {"id": "bz2", "level": 1}),
        ("crc32", {"id": "crc32"}),
        (numcodecs.Shuffle(4), {"id": "shuffle", "elementsize": 4}),
        (numcodecs.Delta("i8"), {"id": "delta", "dtype": "<i8", "astype": "<i8"}),
        (
            numcodecs.FixedScaleOffset(np.float32(0.5), np.int64(2), "f8", "i2"),
            {"id": "fixedscaleoffset", "scale": 2, "offset": 0.5, "dtype": "<f8", "astype": "<i2"},
        ),
        (
            numcodecs.Blosc("zstd", 3),
            {"id": "blosc", "cname": "zstd", "clevel": 3, "shuffle": 1, "blocksize": 0},
        ),
    ],
    ids=lambda value: value["id"] if isinstance(value, dict) and len(value) > 1 else "",
)
def test_canonical_spec(codec: Any, spec: dict[str, Any]) -> None:
    """Specs have plain values in fixed order, and none of what only newer releases of numcodecs know."""
    found = spec_of(codec)
    assert list(found.items()) == list(spec.items())
    assert msgpack.unpackb(msgpack.packb(found)) == found


@pytest.mark.parametrize("codec", ["zstd", {"id": "zstd"}, numcodecs.Zstd(), len], ids=repr)
def test_without_a_list(codec: Any) -> None:
    """One codec needs no list."""
    assert parse_codecs(codec) == parse_codecs([codec])


@pytest.mark.parametrize("codec", [3, b"zstd", {"level": 1}, numcodecs.Zstd, ["zstd"]], ids=repr)
def test_not_a_codec(codec: Any) -> None:
    """What is no codec is refused, also when a function returns it; a class is no codec."""
    for codecs in (codec, [codec]):
        if codecs != ["zstd"]:
            with pytest.raises(TypeError, match="neither a numcodecs codec"):
                parse_codecs(codecs)
    with pytest.raises(TypeError, match="neither a numcodecs codec"):
        chain_for(parse_codecs([lambda buffer: [codec]]), memoryview(b""))


@pytest.mark.parametrize(
    ("codec", "message"),
    [
        ("pickle", "no file may name it"),
        (numcodecs.Pickle(), "no file may name it"),
        ("json2", "no file may name it"),
        ("vlen-utf8", "no file may name it"),
        ("nonesuch", "register_codec"),
        ("zstdd", "is 'zstd' meant"),
        ("blosc-blocks", "register_codec"),
        ({"id": "zstd", "nonesuch": 1}, "no such parameters"),
        ({"id": "zstd", "level": "high"}, "level cannot be 'high'"),
        ({"id": "delta", "dtype": "M8[ns]"}, "dtype cannot be"),
        ("delta", "no such parameters"),
        ({"id": "lzma", "format": 3, "filters": [{"id": 33, "dict_size": 1 << 30}]}, "filters cannot be"),
    ],
)
def test_load_would_refuse(codec: Any, message: str) -> None:
    """A codec that `load` would refuse is a `ValueError` before anything is written."""
    with pytest.raises(ValueError, match=message) as caught:
        parse_codecs([codec])
    assert not isinstance(caught.value, FormatError)
    with pytest.raises(ValueError, match=message):
        chain_for(parse_codecs([lambda buffer: codec]), memoryview(b""))


def test_none() -> None:
    """`None` is no codec at all, and `None` in a list is left out."""
    assert parse_codecs(None) == parse_codecs([]) == parse_codecs([None, None]) == ()
    assert parse_codecs((None, "zstd")) == parse_codecs(["zstd"])


def test_too_many() -> None:
    """A chain has at most eight codecs, those that functions add included."""
    assert len(chain_of(*["crc32"] * 8)) == 8
    with pytest.raises(ValueError, match="at most 8"):
        parse_codecs(["crc32"] * 9)
    with pytest.raises(ValueError, match="at most 8"):
        chain_for(parse_codecs([lambda buffer: ["crc32"] * 5] * 2), memoryview(b""))


def test_functions() -> None:
    """A function is called once with the whole buffer, and what it returns takes its place in the chain."""
    buffer = memoryview(HALVES)
    calls = []

    def choose(given: memoryview) -> Any:
        calls.append(given)
        return choices.pop(0)

    choices: list[Any] = [None, numcodecs.Delta("f8"), [SHUFFLE, None, "zlib"]]
    elements = parse_codecs([choose, choose, "crc32", choose])
    chain = chain_for(elements, buffer)
    assert [step.id for step in chain] == ["delta", "crc32", "shuffle", "zlib"]
    assert [call is buffer for call in calls] == [True] * 3


def test_stream_chain() -> None:
    """The pickle stream gets the codecs that take any bytes; neither filters nor functions."""
    elements = parse_codecs([len, numcodecs.Delta("i8"), SHUFFLE, "zstd", "packbits", "crc32"])
    assert [step.id for step in stream_chain(elements)] == ["zstd", "crc32"]


# ------------------------------------------------------------------------------------ what files name

TYPED = ["shuffle", "delta", "astype", "quantize", "fixedscaleoffset", "bitround", "packbits"]
SAFE = ["zstd", "lz4", "zlib", "gzip", "bz2", "lzma", "fletcher32", *TYPED]
UNSAFE = ["blosc", "msgpack2", "base64", "crc32", "adler32", "jenkins_lookup3"]
MINIMAL = {
    "delta": {"dtype": "<i8"},
    "astype": {"encode_dtype": "<i2", "decode_dtype": "<i8"},
    "quantize": {"digits": 1, "dtype": "<f8"},
    "fixedscaleoffset": {"scale": 1, "offset": 0.5, "dtype": "<f8"},
    "bitround": {"keepbits": 3},
}


@pytest.mark.parametrize("codec_id", [codec_id for codec_id in SAFE + UNSAFE if installed(codec_id)])
def test_what_is_known(codec_id: str) -> None:
    """Each codec says whether it is safe on hostile files, takes any bytes, and has to run in a helper thread."""
    step = chain_from_specs([{"id": codec_id, **MINIMAL.get(codec_id, {})}])[0]
    assert step.id == codec_id
    assert step.hostile_safe == (codec_id in SAFE)
    assert step.takes_bytes == (codec_id not in TYPED)
    assert step.needs_helper == (codec_id == "blosc")


@pytest.mark.parametrize("codec_id", [codec_id for codec_id in UNSAFE if installed(codec_id)])
def test_hostile(codec_id: str) -> None:
    """In a hostile file a codec is refused, by name, if its decoder is not safe there."""
    chain = chain_of("zstd", codec_id)
    stored = in_helper(encode, chain, HALVES)
    with pytest.raises(UnknownCodecError, match=codec_id) as caught:
        decode(chain, stored, HALVES.nbytes, hostile=True)
    assert caught.value.codec_id == codec_id
    safe = chain_of(SHUFFLE, "zstd")
    assert bytes_in(decode(safe, encode(safe, HALVES), HALVES.nbytes, hostile=True)) == HALVES.tobytes()


@pytest.mark.parametrize(
    "codec_id", ["pickle", "json2", "vlen-array", "vlen-bytes", "vlen-utf8", "categorize", "nonesuch"]
)
def test_not_allowed(codec_id: str) -> None:
    """Codecs that give objects, and unknown ones, are refused by name."""
    with pytest.raises(UnknownCodecError, match=codec_id) as caught:
        chain_from_specs([{"id": "zstd"}, {"id": codec_id}])
    assert caught.value.codec_id == codec_id


def test_registry_of_numcodecs(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is registered with numcodecs only, or would be imported by it, is not asked for what a file names."""
    monkeypatch.setitem(numcodecs.registry.codec_registry, "xor", Xor)
    monkeypatch.setitem(numcodecs.registry.codec_registry, "delta", Xor)
    monkeypatch.setitem(numcodecs.registry.entries, "sneaky", None)
    for codec_id in ("xor", "sneaky"):
        with pytest.raises(UnknownCodecError, match="register_codec"):
            chain_from_specs([{"id": codec_id}])
    delta = chain_from_specs([{"id": "delta", "dtype": "<i8"}])
    assert bytes_in(decode(delta, np.ones(3, np.int64), 24)) == np.arange(1, 4).tobytes()


@pytest.mark.parametrize(
    "spec",
    [
        {"id": "zstd", "level": 1.0},
        {"id": "zstd", "level": True},
        {"id": "zstd", "checksum": 1},
        {"id": "msgpack2", "raw": 0},
        {"id": "zlib", "level": 1 << 40},
        {"id": "lzma", "format": 7},
        {"id": "lzma", "format": 3, "filters": [{"id": 33, "dict_size": 1 << 31}]},
        {"id": "lzma", "format": 3, "filters": [{"id": 33, "nonesuch": 1}]},
        {"id": "lzma", "format": 3, "filters": [[33]]},
        {"id": "shuffle", "elementsize": "8"},
        {"id": "delta"},
        {"id": "delta", "dtype": 8},
        {"id": "delta", "dtype": "O"},
        {"id": "delta", "dtype": "<i8,O"},
        {"id": "delta", "dtype": "i8"},
        {"id": "delta", "dtype": "V8"},
        {"id": "astype", "encode_dtype": "<i2", "decode_dtype": "|S8"},
        {"id": "quantize", "digits": 1, "dtype": "<i8"},
        {"id": "fixedscaleoffset", "scale": "2", "offset": 0, "dtype": "<f8"},
        {"id": "fixedscaleoffset", "scale": 1 << 70, "offset": 0, "dtype": "<f8"},
        {"id": "crc32", "location": "middle"},
        {"id": "blosc", "cname": ["zstd"]},
    ],
    ids=repr,
)
def test_bad_parameters(spec: dict[str, Any]) -> None:
    """Parameters of a wrong type or out of range are refused, and the codec is named."""
    with pytest.raises(CodecError, match=spec["id"]) as caught:
        chain_from_specs([spec])
    assert caught.value.codec_id == spec["id"]


@pytest.mark.parametrize(
    ("spec", "known"),
    [
        ({"id": "zstd", "level": 0, "checksum": False}, {"id": "zstd", "level": 0}),
        ({"id": "zstd", "level": 0, "checksum": True}, {"id": "zstd", "level": 0, "checksum": True}),
        ({"id": "zstd", "newest": [1]}, {"id": "zstd"}),
        ({"level": 1, "id": "gzip"}, {"id": "gzip", "level": 1}),
        ({"id": "crc32", "location": "start"}, {"id": "crc32"}),
        ({"id": "shuffle"}, {"id": "shuffle"}),
    ],
    ids=repr,
)
def test_unneeded_parameters(spec: dict[str, Any], known: dict[str, Any]) -> None:
    """Parameters that decoding does not need may be unknown or missing."""
    assert list(chain_from_specs([spec])[0].spec.items()) == list(known.items())


@pytest.mark.parametrize("specs", [[{"id": "zstd"}] * 9, [{"level": 1}], ["zstd"], [None], [{"id": None}]], ids=str)
def test_bad_specs(specs: Any) -> None:
    """What is no list of at most eight maps with an id is a `FormatError`."""
    with pytest.raises(FormatError):
        chain_from_specs(specs)


def test_steps_compare_by_spec() -> None:
    """Chains of equal specs are one key of a dict."""
    assert {chain_of("zstd"): 1}[chain_of(numcodecs.Zstd())] == 1
    assert chain_of("zlib") != chain_of({"id": "zlib", "level": 2})


# ------------------------------------------------------------------------------------ damaged and hostile data


def variants(stored: bytes) -> Iterator[bytes]:
    yield stored[:-1]
    yield stored[: len(stored) // 2]
    yield stored + b"\0"
    yield stored + stored
    yield b""
    yield bytes(len(stored))


@chains([[codec] for codec in COMPRESSORS] + [["blosc"], ["base64"], ["crc32"], ["msgpack2"]])
def test_damaged(codecs: Any) -> None:
    """Data that is cut off, goes on, or is something else does not decode."""
    chain = chain_of(*codecs)
    out = np.empty(HALVES.nbytes, np.uint8)
    for damaged in variants(bytes(in_helper(encode, chain, HALVES))):
        for place in (None, out):
            with pytest.raises(CodecError) as caught:
                in_helper(decode, chain, damaged, HALVES.nbytes, place)
            assert caught.value.codec_id == chain[0].id


@chains(LOSSLESS)
@pytest.mark.parametrize("wrong", [-8, -1, 1, 8])
def test_wrong_length(codecs: Any, wrong: int) -> None:
    """Data that decodes to another length than the index has is refused."""
    chain = chain_of(*codecs)
    stored = in_helper(encode, chain, HALVES)
    for place in (None, np.empty(HALVES.nbytes + wrong, np.uint8)):
        with pytest.raises(CodecError):
            in_helper(decode, chain, stored, HALVES.nbytes + wrong, place)


@chains([["zlib"], ["gzip"], ["bz2"], ["lzma"], ["zstd"], ["lz4"], ["zstd", "zstd"], ["zlib", "zlib"], ["bz2", "lzma"]])
def test_bomb(codecs: Any) -> None:
    """Data that decodes to far more than it should is refused before that takes memory; a dictionary of LZMA does."""
    chain = chain_of(*codecs)
    stored = bytes(encode(chain, np.zeros(12 << 20, np.uint8)))
    tracemalloc.start()
    try:
        with pytest.raises(CodecError):
            decode(chain, stored, 1000)
        assert tracemalloc.get_traced_memory()[1] < (9 << 20 if "lzma" in codecs else 1 << 20)
    finally:
        tracemalloc.stop()


ZSTD = b"\x28\xb5\x2f\xfd"


@pytest.mark.parametrize(
    ("codec", "stored", "message"),
    [
        ("zstd", ZSTD + b"\xe0" + struct.pack("<Q", 1 << 62) + b"\x01\0\0", "4611686018427387904 bytes instead of 100"),
        ("zstd", ZSTD + b"\x00\x58\x01\0\0", "does not say its size"),
        ("zstd", numcodecs.Zstd(1).encode(bytes(60)) + numcodecs.Zstd(1).encode(bytes(40)), "does not end where"),
        ("zstd", numcodecs.Zstd(1).encode(bytes(100)) + b"\x50\x2a\x4d\x18\0\0\0\0", "does not end where"),
        ("zstd", b"\x50\x2a\x4d\x18\0\0\0\0" + numcodecs.Zstd(1).encode(bytes(100)), "not a zstd frame"),
        ("lz4", struct.pack("<I", 0x7FFFFFFF) + b"\x10\0", "2147483647 bytes instead of 100"),
        ("lz4", struct.pack("<i", -1) + b"\x10\0", "4294967295 bytes instead of 100"),
        ("gzip", gzip.compress(bytes(60)) + gzip.compress(bytes(40)), "bytes follow"),
        ("lzma", lzma.compress(bytes(60)) + lzma.compress(bytes(40)), "bytes follow"),
        ("lzma", lzma.compress(bytes(100), lzma.FORMAT_ALONE), "LZMAError"),
        ({"id": "lzma", "format": 2}, b"\x5d\xff\xff\xff\xff" + bytes(100), "limit"),
        ("base64", b"AA\n" * 44 + b"AAAA", "cannot decode"),
        ("msgpack2", msgpack.packb([1, 2, "<i8", [1 << 40]]), "bytes instead of 100"),
        ("msgpack2", msgpack.packb([None, "|O", [1]]), "not an element type"),
        ("msgpack2", msgpack.packb([1] * 25 + ["<i4", [-1, -25]]), "made of lengths"),
        ("msgpack2", b"\xdd\xff\xff\xff\xff", "max_array_len"),
        ("blosc", struct.pack("<BBBBIII", 2, 1, 0x93, 1, 100, 100, 116), "not one whole"),
        ("blosc", struct.pack("<BBBBIII", 2, 1, 0x93, 1, 1 << 31, 100, 16), "shorter than its header"),
        ("blosc", struct.pack("<BBBBIII", 2, 1, 0x93, 1, 100, 0, 16), "shorter than its header"),
        ("blosc", struct.pack("<BBBBIII", 9, 1, 0x93, 1, 100, 100, 16), "not one whole"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_lies(codec: Any, stored: bytes, message: str) -> None:
    """What the data claims of itself is compared with what is known before anything believes it."""
    with pytest.raises(CodecError, match=message):
        decode(chain_of(codec), stored, 100)


@given(data=st.data())
def test_mutated(data: st.DataObject) -> None:
    """Safe codecs give exactly the bytes that are expected, or `CodecError`, and write nowhere else."""
    codecs = data.draw(st.sampled_from(MUTATED))
    chain = chain_of(*codecs)
    stored = bytearray(encode(chain, HALVES))
    for _ in range(data.draw(st.integers(0, 4))):
        stored[data.draw(st.integers(0, len(stored) - 1))] = data.draw(st.integers(0, 255))
    del stored[data.draw(st.integers(len(stored) // 2, len(stored))) :]
    room = np.full(HALVES.nbytes + 64, 7, np.uint8)
    with contextlib.suppress(CodecError):
        decode(chain, bytes(stored), HALVES.nbytes, room[32:-32], hostile=True)
    assert set(room[:32]) == set(room[-32:]) == {7}


MUTATED = [
    codecs for codecs in LOSSLESS if all(map(installed, codecs)) and all(s.hostile_safe for s in chain_of(*codecs))
]


# ------------------------------------------------------------------------------------ older formats


@pytest.mark.parametrize("as_strings", [False, True], ids=["bin", "str"])
def test_blosc_blocks(as_strings: bool) -> None:
    """Blosc frames in a MessagePack array, as bytes or as strings, decode to their concatenation."""
    chain = chain_from_specs([{"id": "blosc-blocks", "level": 9}], legacy=True)
    blosc = numcodecs.Blosc()
    frames = [in_helper(blosc.encode, part) for part in (HALVES[:100], HALVES[100:], HALVES[:0])]
    stored = msgpack.packb(frames, use_bin_type=not as_strings)
    out = np.empty(HALVES.nbytes, np.uint8)
    assert chain[0].needs_helper
    assert in_helper(decode, chain, stored, HALVES.nbytes, out) is out
    assert out.tobytes() == HALVES.tobytes()
    assert bytes_in(in_helper(decode, chain, stored, HALVES.nbytes)) == HALVES.tobytes()


@pytest.mark.parametrize(
    "stored",
    [
        b"",
        b"\xc0",
        b"\x91\xc0",
        b"\x91\xc4\x01x",
        b"\x91\x93\x01",
        msgpack.packb([b"x" * 16] * 3),
        b"\xdd\xff\xff\xff\xff",
    ],
    ids=repr,
)
def test_blosc_blocks_damaged(stored: bytes) -> None:
    """What is no array of Blosc frames does not decode."""
    chain = chain_from_specs([{"id": "blosc-blocks"}], legacy=True)
    with pytest.raises(CodecError) as caught:
        in_helper(decode, chain, stored, 100)
    assert caught.value.codec_id == "blosc-blocks"


def test_blosc_blocks_legacy_only() -> None:
    """Only files of version 1 may name their own form of Blosc."""
    with pytest.raises(UnknownCodecError, match="blosc-blocks"):
        chain_from_specs([{"id": "blosc-blocks"}])


@pytest.mark.parametrize("raw", [False, True])
@pytest.mark.parametrize("dtype", ["<i4", ">f8", "|b1", "|S3"])
def test_msgpack2_typed(dtype: str, raw: bool) -> None:
    """Typed arrays of several dimensions, as older releases gave them to the codec, decode."""
    array = np.ones((3, 4), dtype)
    codec = numcodecs.MsgPack(raw=raw)
    out = np.empty(array.nbytes, np.uint8)
    decode(chain_of(codec), codec.encode(array), array.nbytes, out)
    assert out.tobytes() == array.tobytes()


@pytest.mark.parametrize("checksum", ["crc32", "adler32"])
@pytest.mark.parametrize("location", ["start", "end"])
def test_checksum_location(checksum: str, location: str) -> None:
    """The checksum is found before or after the data, also where numcodecs is too old to write it there."""
    value = struct.pack("<I", getattr(zlib, checksum)(b"data"))
    stored = value + b"data" if location == "start" else b"data" + value
    chain = chain_from_specs([{"id": checksum, "location": location}])
    assert bytes_in(decode(chain, stored, 4)) == b"data"
    with pytest.raises(CodecError, match="differs from its checksum"):
        decode(chain, stored.replace(b"data", b"date"), 4)


# ------------------------------------------------------------------------------------ third-party codecs


class Xor(Codec):  # type: ignore[misc]
    """A third-party codec with a parameter; `pad` makes its decoder lie."""

    codec_id = "xor"

    def __init__(self, mask: int = 90, pad: int = 0):
        if not isinstance(mask, int):
            raise TypeError("mask must be a number")
        self.mask, self.pad = mask, pad

    def encode(self, buf: Any) -> Any:
        return np.asarray(buf).view(np.uint8) ^ np.uint8(self.mask)

    def decode(self, buf: Any, out: Any = None) -> Any:
        return np.frombuffer(bytes(buf) + bytes(self.pad), np.uint8) ^ np.uint8(self.mask)


class Shy(Xor):
    """A codec that nobody registers."""

    codec_id = "shy"


class Nameless(Codec):  # type: ignore[misc]
    """A codec without an id."""

    def encode(self, buf: Any) -> Any:
        return buf

    def decode(self, buf: Any, out: Any = None) -> Any:
        return buf


@pytest.fixture
def registered() -> None:
    register_codec(Xor)


@pytest.mark.usefixtures("registered")
def test_third_party() -> None:
    """A registered codec may be named by callers and files; it takes any bytes, but is never safe."""
    chain = chain_of(Xor(17), "zlib")
    assert chain[0].takes_bytes
    assert not chain[0].hostile_safe
    stored = encode(chain, HALVES)
    from_file = chain_from_specs([{"id": "xor", "mask": 17, "pad": 0}, {"id": "zlib"}])
    assert bytes_in(decode(from_file, stored, HALVES.nbytes)) == HALVES.tobytes()
    with pytest.raises(UnknownCodecError, match="xor"):
        decode(from_file, stored, HALVES.nbytes, hostile=True)


@pytest.mark.usefixtures("registered")
def test_third_party_lies() -> None:
    """The length of what a third-party codec gives is checked as well."""
    chain = chain_from_specs([{"id": "xor", "pad": 5}])
    for out in (None, np.empty(10, np.uint8)):
        with pytest.raises(CodecError, match="15 bytes instead of 10"):
            decode(chain, bytes(10), 10, out)


@pytest.mark.usefixtures("registered")
def test_third_party_parameters() -> None:
    """Parameters that no file can hold are refused; those that the codec refuses, when it has to decode."""
    chain = chain_from_specs([{"id": "xor", "mask": "x"}])
    with pytest.raises(CodecError, match="mask must be a number"):
        decode(chain, bytes(10), 10)
    with pytest.raises(ValueError, match="mask must be a number"):
        parse_codecs([{"id": "xor", "mask": "x"}])
    with pytest.raises(ValueError, match="cannot be stored"):
        parse_codecs([Xor(pad=io.BytesIO())])  # type: ignore[arg-type]


def test_not_registered() -> None:
    """A third-party codec that was not registered is refused, whoever gives it."""
    with pytest.raises(ValueError, match="register_codec"):
        parse_codecs([Shy()])
    with pytest.raises(UnknownCodecError, match="register_codec"):
        chain_from_specs([{"id": "shy"}])


@pytest.mark.parametrize("cls", [Xor(), "xor", dict, None], ids=repr)
def test_register_no_codec(cls: Any) -> None:
    """What is no codec class cannot be registered."""
    with pytest.raises(TypeError, match="not a subclass"):
        register_codec(cls)


@pytest.mark.parametrize("cls", [numcodecs.Zstd, numcodecs.Pickle, numcodecs.JSON, Nameless])
def test_register_taken(cls: Any) -> None:
    """Neither built-in codecs can be replaced, nor those allowed that give objects; an id is needed."""
    with pytest.raises(ValueError, match="taken|no codec_id"):
        register_codec(cls)


@pytest.mark.parametrize(("flag", "width"), [(0, 0), (1, 1), (2, 2), (3, 4)])
def test_zstd_dictionary_id(flag: int, width: int) -> None:
    """A zstd frame may hold the id of no dictionary, in any width: the size behind it is still found."""
    data = np.arange(70_000, dtype="u1")
    frame = bytes(numcodecs.Zstd(1).encode(data))
    at = 5 if frame[4] & 0x20 else 6  # a frame of several segments has the size of its window first
    frame = frame[:4] + bytes([frame[4] | flag]) + frame[5:at] + bytes(width) + frame[at:]
    assert bytes(decode(chain_of("zstd"), memoryview(frame), len(data))) == data.tobytes()
