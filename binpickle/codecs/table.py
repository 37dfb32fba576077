"""The table of codecs: one row for each codec that a file may name, with all that BinPickle knows of it.

Rule: a codec without a row is refused before anything is looked up or imported for it. Each parameter is checked;
`canonical` leaves out those that the row does not have, since decoding does not need them. A new codec is a new row.
"""

from __future__ import annotations

import bz2
import lzma
import zlib
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Callable, Mapping

import numpy as np

from ..errors import CodecError
from ..format.contents import Spec
from .byteshuffle import shuffle
from .decoders import (
    Decoder,
    PieceDecoder,
    checksum_decoder,
    decode_base64,
    decode_blosc,
    decode_blosc_blocks,
    decode_lz4,
    decode_unchanged,
    decode_zstd,
    lzma_decoder,
    msgpack2_decoder,
    shuffle_decoder,
    shuffle_piece_decoder,
    stream_decoder,
)
from .parameters import FLAG, INT32, Check, integer, lzma_filters, lzma_preset, number, numeric_dtype, one_of

__all__ = ["CODECS", "LEGACY", "NEVER", "THIRD_PARTY", "CodecFacts", "Encoder", "canonical"]

NEVER = frozenset(["categorize", "json2", "pickle", "vlen-array", "vlen-bytes", "vlen-utf8"])
"""The ids of codecs that give objects instead of bytes, or run code."""

LEGACY = frozenset(["blosc-blocks"])
"""The ids of codecs that only version 1 of the format had."""

Encoder = Callable[[np.ndarray], Any]
"""Takes a 1-d array and returns its encoded bytes, as any buffer."""


@dataclass(frozen=True)
class CodecFacts:
    """What is known of one codec.

    Attributes:
        size: given the spec and a number of bytes, the number of bytes that these are encoded to, at most.
        exact: whether they are encoded to exactly that number.
        parameters: the check of each parameter that specs may have, in the order in which specs have them.
        newer: the parameters that older releases of numcodecs do not know, each with its default value.
        typed: whether the codec encodes by element type; other codecs are given plain bytes.
        only: given the spec, the single dtype this codec can round-trip, or `None` if any dtype works.
        takes_bytes: whether the codec encodes any number of any bytes.
        needs_helper: whether the codec may only run outside the main thread.
        hostile_safe: whether its decoder ends in an exception, and never worse, on any bytes.
        encoder: makes an encoder for a spec; `None` if numcodecs' own encodes.
        decoder: makes a decoder for a spec; `None` if numcodecs' own decodes, which then allocates in proportion to
            the bytes it is given.
        piece_decoder: makes a decoder of pieces of a chunk for a spec; `None` if only whole chunks are decoded.
    """

    size: Callable[[Spec, int], int]
    exact: bool = True
    parameters: Mapping[str, Check] = field(default_factory=dict)
    newer: Mapping[str, Any] = field(default_factory=dict)
    typed: bool = False
    only: Callable[[Spec], np.dtype | None] = lambda spec: None
    takes_bytes: bool = True
    needs_helper: bool = False
    hostile_safe: bool = False
    encoder: Callable[[Spec], Encoder] | None = None
    decoder: Callable[[Spec], Decoder] | None = None
    piece_decoder: Callable[[Spec], PieceDecoder] | None = None


def canonical(spec: Spec, facts: CodecFacts) -> Spec:
    """Return a spec with checked parameters only, in fixed order, in the form that the oldest numcodecs understands.

    Raises:
        CodecError: a parameter is not of the type or in the range that it must have.
    """
    name = spec["id"]
    known = {"id": name}
    for key, check in facts.parameters.items():
        if key not in spec or (key in facts.newer and spec[key] == facts.newer[key]):
            continue
        if not check(spec[key]):
            raise CodecError(f"codec {name!r}: parameter {key} cannot be {spec[key]!r:.80}", name)
        known[key] = spec[key]
    return known


def _dtype_in(parameter: str) -> Callable[[Spec], np.dtype | None]:
    return lambda spec: np.dtype(spec[parameter])


def _delta_dtype(spec: Spec) -> np.dtype | None:
    # Differences of integers wrap around, so that bits of any type come back, unless they are stored in fewer.
    dtype = np.dtype(spec["dtype"])
    return dtype if dtype.kind in "fc" or np.dtype(spec.get("astype", dtype)) != dtype else None


def _same(spec: Spec, nbytes: int) -> int:
    return nbytes


def _four_more(spec: Spec, nbytes: int) -> int:
    return nbytes + 4


def _compressed(spec: Spec, nbytes: int) -> int:
    # More than the worst of them adds to data that it cannot compress: LZMA, 1.5 %.
    return nbytes + nbytes // 8 + (64 << 10)


def _retyped(decoded: str, encoded: str) -> Callable[[Spec, int], int]:
    """Return the size of a filter that changes the type of the elements from one parameter's to another's."""
    return lambda spec, nbytes: (
        nbytes // np.dtype(spec[decoded]).itemsize * np.dtype(spec.get(encoded, spec[decoded])).itemsize
    )


def _always(decode: Decoder) -> Callable[[Spec], Decoder]:
    """Return what makes the same decoder for every spec."""
    return lambda spec: decode


def _stream(start: Callable[[], Any]) -> Callable[[Spec], Decoder]:
    """Return what makes a decoder by the decompressor objects of the standard library."""
    return _always(stream_decoder(start))


def _gzip_encoder(spec: Spec) -> Encoder:
    """Return an encoder that, unlike numcodecs' own, does not write the time into each stream."""

    def encode(data: np.ndarray) -> bytes:
        compressor = zlib.compressobj(spec.get("level", 1), zlib.DEFLATED, 16 + zlib.MAX_WBITS)
        return compressor.compress(data.data) + compressor.flush()

    return encode


def _shuffle_encoder(spec: Spec) -> Encoder:
    return lambda data: shuffle(data, spec.get("elementsize", 4))


_compressor = partial(CodecFacts, _compressed, exact=False, hostile_safe=True)
_filter = partial(CodecFacts, typed=True, takes_bytes=False, hostile_safe=True)
_checksum = partial(CodecFacts, _four_more)

_LEVEL = {"level": INT32}
_LOCATION = {"location": one_of("start", "end")}
_DTYPES = {"dtype": numeric_dtype, "astype": numeric_dtype}
_BLOSC = {
    "cname": one_of("blosclz", "lz4", "lz4hc", "snappy", "zlib", "zstd"),
    "clevel": integer(0, 9),
    "shuffle": integer(-1, 2),
    "blocksize": integer(0, (1 << 31) - 1),
}
_LZMA = {
    "format": one_of(lzma.FORMAT_XZ, lzma.FORMAT_ALONE, lzma.FORMAT_RAW),
    "check": one_of(-1, lzma.CHECK_NONE, lzma.CHECK_CRC32, lzma.CHECK_CRC64, lzma.CHECK_SHA256),
    "preset": lzma_preset,
    "filters": lzma_filters,
}

CODECS: dict[str, CodecFacts] = {
    "zstd": _compressor(
        parameters={**_LEVEL, "checksum": FLAG}, newer={"checksum": False}, decoder=_always(decode_zstd)
    ),
    "lz4": _compressor(parameters={"acceleration": INT32}, decoder=_always(decode_lz4)),
    "zlib": _compressor(parameters=_LEVEL, decoder=_stream(zlib.decompressobj)),
    "gzip": _compressor(
        parameters=_LEVEL,
        encoder=_gzip_encoder,
        decoder=_stream(lambda: zlib.decompressobj(16 + zlib.MAX_WBITS)),
    ),
    "bz2": _compressor(parameters=_LEVEL, decoder=_stream(bz2.BZ2Decompressor)),
    "lzma": _compressor(parameters=_LZMA, decoder=lzma_decoder),
    "blosc": _compressor(
        parameters=_BLOSC, typed=True, needs_helper=True, hostile_safe=False, decoder=_always(decode_blosc)
    ),
    # Blocks of any size, each with a header of its own: there is no bound.
    "blosc-blocks": CodecFacts(
        lambda spec, nbytes: 1 << 62, exact=False, needs_helper=True, decoder=_always(decode_blosc_blocks)
    ),
    # It takes whole elements only, so it does not work on any bytes.
    "shuffle": CodecFacts(
        _same,
        parameters={"elementsize": INT32},
        takes_bytes=False,
        hostile_safe=True,
        encoder=_shuffle_encoder,
        decoder=shuffle_decoder,
        piece_decoder=shuffle_piece_decoder,
    ),
    "delta": _filter(_retyped("dtype", "astype"), only=_delta_dtype, parameters=_DTYPES),
    "astype": _filter(
        _retyped("decode_dtype", "encode_dtype"),
        only=_dtype_in("decode_dtype"),
        parameters={"encode_dtype": numeric_dtype, "decode_dtype": numeric_dtype},
    ),
    "quantize": _filter(_retyped("dtype", "astype"), only=_dtype_in("dtype"), parameters={"digits": INT32, **_DTYPES}),
    "fixedscaleoffset": _filter(
        _retyped("dtype", "astype"),
        only=_dtype_in("dtype"),
        parameters={"scale": number, "offset": number, **_DTYPES},
    ),
    "bitround": _filter(_same, parameters={"keepbits": integer(0, 64)}, decoder=_always(decode_unchanged)),
    "packbits": _filter(lambda spec, nbytes: -(-nbytes // 8) + 1, only=lambda spec: np.dtype(bool)),
    "fletcher32": _checksum(hostile_safe=True),
    "crc32": _checksum(
        parameters=_LOCATION, newer={"location": "start"}, decoder=partial(checksum_decoder, zlib.crc32)
    ),
    "adler32": _checksum(
        parameters=_LOCATION, newer={"location": "start"}, decoder=partial(checksum_decoder, zlib.adler32)
    ),
    "crc32c": _checksum(parameters=_LOCATION),
    "jenkins_lookup3": _checksum(
        parameters={"initval": integer(0, (1 << 32) - 1), "prefix": lambda value: value is None}
    ),
    "base64": CodecFacts(lambda spec, nbytes: -(-nbytes // 3) * 4, decoder=_always(decode_base64)),
    # A number takes 9 bytes at most; an array of several dimensions repeats some of its shape.
    "msgpack2": CodecFacts(
        lambda spec, nbytes: 16 * nbytes + (64 << 10),
        exact=False,
        parameters={"raw": FLAG, "use_single_float": FLAG, "use_bin_type": FLAG},
        decoder=msgpack2_decoder,
    ),
}
"""The codecs that files may name."""

THIRD_PARTY = CodecFacts(lambda spec, nbytes: 16 * nbytes + (1 << 20), exact=False, typed=True)
"""What is assumed of a codec that `register_codec` added."""
