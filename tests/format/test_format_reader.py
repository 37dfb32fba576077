"""The reader written from the specification, `format_reader.py`, makes of files what BinPickle makes of them."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import struct
import sys
import zlib
from typing import Any

import format_reader
import msgpack
import numcodecs
import numpy as np
import pytest
from common import assert_same, each, small_chunks
from format_parts import Parts
from format_reader import read
from hypothesis import given
from hypothesis import strategies as st
from internals import table

import binpickle
from binpickle.format import header as format

if sys.version_info >= (3, 8):
    import pickle
else:
    import pickle5 as pickle

FLOATS = np.random.default_rng(0).normal(size=600).round(2)
HALVES = np.arange(3000) % 700 * 0.5
STRUCTURED = [("a", "<i4"), ("b", "<f8", (2, 2)), ("c", "S3"), ("d", "<M8[ns]")]
DEEP = np.dtype("f8")
for _ in range(12):  # deeper than the index allows
    DEEP = np.dtype([("a", DEEP)])
OBJECTS: dict[str, Any] = {
    "no buffer": {"words": ["a", "b"], "number": 1 << 70},
    "one array": FLOATS,
    "several dtypes": [np.arange(n).astype(t) for n in range(500, 540) for t in ("u1", ">i2", "f4", "c16", "M8[s]")],
    "orders": [
        FLOATS.reshape(20, 30).T,
        FLOATS.reshape(2, 3, 4, 25).transpose(2, 0, 3, 1),
        FLOATS[::2],
        FLOATS[::-1],
        np.broadcast_to(FLOATS, (3, 600)),
        FLOATS.reshape(600, 1, 1),
    ],
    "element types": [
        FLOATS.astype("m8[25us]"),
        np.zeros(300, STRUCTURED),
        np.zeros(300, np.dtype([("a", "i1"), ("b", [("c", "f8")])], align=True)),
        FLOATS.astype("U7"),
        FLOATS.astype("longdouble"),
        np.zeros(9, "V100"),
        np.zeros(99, DEEP),
    ],
    "subclasses": [np.ma.masked_array(FLOATS, FLOATS > 0), np.zeros(90, [("a", "f8")]).view(np.recarray)],
    "views": [HALVES, HALVES[3:500], HALVES[:], HALVES[400:2800], HALVES[400:2800]],
    "empty buffers": [pickle.PickleBuffer(bytearray()), FLOATS, pickle.PickleBuffer(bytearray()), np.zeros((0, 3))],
    "plain buffers": [pickle.PickleBuffer(bytearray(range(n))) for n in (1, 200, 33, 64)],
    "gaps": [np.ones(n, "u1") for n in (513, 4097, 5000, 10_003, 3)],
    "long stream": ["x" * 20_000, [bytes([n]) * 5000 for n in range(5)], FLOATS],
}
OPTIONS: dict[str, Any] = {
    "auto": {},
    "raw": {"codecs": []},
    "mappable": {"mappable": True},
    "digests": {"digests": True, "metadata": {"a": "b"}},
    "sealed": {"key": b"k" * 32, "context": b"tests"},
    "zstd": {"codecs": ["zstd"]},
    "zlib-crc32": {"codecs": ["zlib", "crc32"]},
}
CHAINS: dict[str, Any] = {
    **{name: [name] for name in ("zstd", "lz4", "zlib", "gzip", "bz2", "lzma", "blosc", "shuffle", "base64")},
    **{name: [name] for name in ("crc32", "adler32", "crc32c", "fletcher32", "jenkins_lookup3", "msgpack2")},
    "crc32 at the end": [{"id": "crc32", "location": "end"}],
    "lzma alone": [{"id": "lzma", "format": lzma.FORMAT_ALONE}],
    "lzma raw": [{"id": "lzma", "format": lzma.FORMAT_RAW, "filters": [{"id": lzma.FILTER_LZMA2, "preset": 1}]}],
    "delta": [{"id": "delta", "dtype": "<f8"}, "lz4"],
    "astype": [{"id": "astype", "encode_dtype": "<f4", "decode_dtype": "<f8"}],
    "quantize": [{"id": "quantize", "digits": 3, "dtype": "<f8"}],
    "fixedscaleoffset": [{"id": "fixedscaleoffset", "offset": 0, "scale": 2, "dtype": "<f8", "astype": "<i2"}, "bz2"],
    "bitround": [{"id": "bitround", "keepbits": 20}, "zstd"],
    "packbits": [{"id": "packbits"}],
    "eight": ["zstd", "zlib", "lz4", "gzip", "crc32", "bz2", "base64", "adler32"],
}


def data_for(name: str) -> np.ndarray:
    """Return what a chain gives back exactly."""
    return HALVES > 3 if name == "packbits" else HALVES


def installed(chain: list[Any]) -> bool:
    """Whether this release of numcodecs has all codecs of a chain."""
    try:
        return all(numcodecs.get_codec({"id": spec} if isinstance(spec, str) else spec) is not None for spec in chain)
    except (TypeError, ValueError):  # an older release has fewer codecs, and fewer parameters
        return False


def secrets(options: dict[str, Any]) -> dict[str, Any]:
    return {name: options[name] for name in ("key", "context") if name in options}


def as_bytes(obj: Any) -> Any:
    """Return an object with bytes in place of memory that is no array."""
    if isinstance(obj, list):
        return [as_bytes(item) for item in obj]
    return bytes(obj) if isinstance(obj, (pickle.PickleBuffer, memoryview, bytearray)) else obj


@pytest.mark.parametrize("chunks", ["as usual", "small"])
@pytest.mark.parametrize("options", OPTIONS.values(), ids=list(OPTIONS))
@each(OBJECTS)
def test_same_object(row: Any, options: dict[str, Any], chunks: str) -> None:
    """What the page's reader makes of a file is what `load` makes of it, and what was dumped."""
    with small_chunks(4096 if chunks == "small" else format.CHUNK_BYTES):
        file = binpickle.dumps(row, **options)
    got = as_bytes(read(file, **secrets(options)))
    assert_same(got, as_bytes(binpickle.loads(file, **secrets(options))))
    assert_same(got, as_bytes(row))


@pytest.mark.parametrize("name", [name for name, chain in CHAINS.items() if installed(chain)])
def test_same_codecs(name: str) -> None:
    """The page's reader decodes what each codec that files may name encodes."""
    with small_chunks():
        file = binpickle.dumps(data_for(name), codecs=CHAINS[name])
    assert_same(read(file), binpickle.loads(file))
    assert_same(read(file), data_for(name))


def test_codecs_complete() -> None:
    """Every codec that files may name is among those that are tried."""
    named = {spec if isinstance(spec, str) else spec["id"] for chain in CHAINS.values() for spec in chain}
    assert named == format_reader.CODECS == set(table.CODECS) - table.LEGACY


@given(st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 3000)), max_size=12), st.sampled_from(list(OPTIONS)))
def test_nested(slices: list[tuple[int, int]], name: str) -> None:
    """Buffers that lie inside each other in any way, overlaps in part included, come back as they were."""
    views = [HALVES[min(pair) : max(pair)] for pair in slices]
    with small_chunks():
        file = binpickle.dumps(views, **OPTIONS[name])
    assert_same(read(file, **secrets(OPTIONS[name])), views)


def test_root_digest() -> None:
    """The root digest is made of header and trailer, and a seal does not change it."""
    plain, sealed = binpickle.dumps(FLOATS, digests=True), binpickle.dumps(FLOATS, key=b"k" * 32)
    with binpickle.BinPickleFile(io.BytesIO(plain)) as opened:
        assert opened.root_digest == format_reader.root_digest(plain) == format_reader.root_digest(sealed)


STORED: dict[str, Any] = {
    "zstd": lambda stored: stored[:4] == b"\x28\xb5\x2f\xfd",
    "lz4": lambda stored: int.from_bytes(stored[:4], "little") == HALVES.nbytes,
    "zlib": lambda stored: zlib.decompress(stored) == HALVES.tobytes(),
    "gzip": lambda stored: gzip.decompress(stored) == HALVES.tobytes() and stored[4:8] == bytes(4),
    "bz2": lambda stored: bz2.decompress(stored) == HALVES.tobytes(),
    "lzma": lambda stored: lzma.decompress(stored, lzma.FORMAT_XZ) == HALVES.tobytes(),
    "lzma alone": lambda stored: lzma.decompress(stored, lzma.FORMAT_ALONE) == HALVES.tobytes(),
    "shuffle": lambda stored: stored[: HALVES.nbytes // 4] == HALVES.tobytes()[::4],
    "crc32": lambda stored: stored == struct.pack("<I", zlib.crc32(HALVES.tobytes())) + HALVES.tobytes(),
    "crc32 at the end": lambda stored: stored == HALVES.tobytes() + struct.pack("<I", zlib.crc32(HALVES.tobytes())),
    "adler32": lambda stored: stored == struct.pack("<I", zlib.adler32(HALVES.tobytes())) + HALVES.tobytes(),
    "fletcher32": lambda stored: stored[:-4] == HALVES.tobytes(),
    "jenkins_lookup3": lambda stored: stored[:-4] == HALVES.tobytes(),
    "msgpack2": lambda stored: msgpack.unpackb(stored) == [*HALVES.tobytes(), "|u1", [HALVES.nbytes]],
    "astype": lambda stored: stored == HALVES.astype("<f4").tobytes(),
    "packbits": lambda stored: stored == b"\0" + np.packbits(HALVES > 3).tobytes(),
}


@pytest.mark.parametrize("name", [name for name in STORED if installed(CHAINS[name])])
def test_stored(name: str) -> None:
    """A codec stores what the page says."""
    assert STORED[name](Parts(binpickle.dumps(data_for(name), codecs=CHAINS[name])).chunks[-1])
