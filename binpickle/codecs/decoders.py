"""Decoding bytes that nobody vouches for, one codec at a time.

Rule: a decoder is told how many bytes may come out (`Size`) and compares with it whatever size the data claims, before
anything is allocated for it. It raises what it or the library likes to raise: `codecs` makes `CodecError` of that.
"""

from __future__ import annotations

import base64
import lzma
import struct
from typing import Any, Callable, Iterator, Optional

import msgpack
import numpy as np
from numcodecs.abc import Codec
from numcodecs.blosc import Blosc
from numcodecs.lz4 import LZ4
from numcodecs.zstd import Zstd

from ..format.contents import Spec
from ..format.dtypes import dtype_from_spec
from ..format.runs import Piece
from ..format.shapes import element_count, is_shape
from .buffers import Buffer, Size
from .byteshuffle import unshuffle, unshuffle_piece
from .parameters import LZMA_DICTIONARY

__all__ = [
    "Decoder",
    "PieceDecoder",
    "checksum_decoder",
    "decode_base64",
    "decode_blosc",
    "decode_blosc_blocks",
    "decode_lz4",
    "decode_unchanged",
    "decode_zstd",
    "library_decoder",
    "lzma_decoder",
    "msgpack2_decoder",
    "shuffle_decoder",
    "shuffle_piece_decoder",
    "stream_decoder",
]

_LZMA_MEMORY = LZMA_DICTIONARY + (8 << 20)

# The decompressors of the standard library are fed in pieces, and what a piece decodes to goes to its place before the
# next one: no second copy of a large buffer, no result that grows and moves.
_PIECE = 256 << 10

_BLOSC_HEADER = struct.Struct("<BxBxIII")  # format, flags; sizes: decoded, of a block, of the frame

_BLOSC_FORMAT = 2

_BLOSC_STORED = 2  # the flag of a frame that holds its data as it is

Decoder = Callable[[memoryview, Size, Optional[np.ndarray]], Buffer]
"""Takes bytes, what may come out of them, and where that may be put (only if the size is exact). It returns that array
if it filled it, else the decoded bytes."""

PieceDecoder = Callable[[memoryview, Piece], None]
"""Takes the bytes of a chunk, and decodes only a piece of it into its place."""


def library_decoder(codec: Codec) -> Decoder:
    """Return the decoder that a codec of numcodecs is, if it allocates in proportion to what it is given."""

    def decode(data: memoryview, size: Size, out: np.ndarray | None) -> Buffer:
        with np.errstate(all="ignore"):  # numbers out of range are the data's affair
            decoded: Buffer = codec.decode(data)
        return decoded

    return decode


def _decode_into(codec: Codec, data: memoryview, out: np.ndarray | None) -> Buffer:
    # These codecs allocate what the data claims, unless they are given `out`: the claim was checked before.
    decoded: Buffer = codec.decode(data, out=out)
    return decoded if out is None else out


def _decode_frame(codec: Codec, data: memoryview, declared: int, size: Size, out: np.ndarray | None) -> Buffer:
    """Decode one frame that declares how many bytes come out; numcodecs refuses its own form of a frame of no bytes."""
    size.check(declared)
    return _decode_into(codec, data, out) if declared else b""


_ZSTD = Zstd()


def decode_zstd(data: memoryview, size: Size, out: np.ndarray | None) -> Buffer:
    """Decode one zstd frame, whose declared size is checked first."""
    return _decode_frame(_ZSTD, data, _zstd_size(data), size, out)


def _zstd_size(frame: memoryview) -> int:
    """Return the size that a zstd frame declares, once it is one whole frame (RFC 8878, section 3.1.1)."""
    if bytes(frame[:4]) != b"\x28\xb5\x2f\xfd":
        raise ValueError("not a zstd frame")
    descriptor = frame[4]
    one_segment = descriptor >> 5 & 1
    width = (one_segment, 2, 4, 8)[descriptor >> 6]
    if not width:
        raise ValueError("the zstd frame does not say its size")
    start = 6 - one_segment + (0, 1, 2, 4)[descriptor & 3]
    _check_zstd_blocks(frame, start + width, 4 * (descriptor >> 2 & 1))
    return int.from_bytes(frame[start : start + width], "little") + (256 if width == 2 else 0)


def _check_zstd_blocks(frame: memoryview, position: int, checksum: int) -> None:
    last = 0
    while not last:
        header = int.from_bytes(frame[position : position + 3], "little")
        last, kind, length = header & 1, header >> 1 & 3, header >> 3
        position += 3 + (1 if kind == 1 else length)  # a run of one byte stores that byte
        if position > len(frame):
            raise ValueError("the zstd frame is cut off")
    if position + checksum != len(frame):
        raise ValueError("the data does not end where its zstd frame does")


_LZ4 = LZ4()


def decode_lz4(data: memoryview, size: Size, out: np.ndarray | None) -> Buffer:
    """Decode one LZ4 block behind its length, as numcodecs writes it."""
    declared = int.from_bytes(data[:4], "little")
    size.check(declared)
    if declared:
        return _decode_into(_LZ4, data, out)
    if data != bytes(5):  # numcodecs' form of nothing, which it refuses to decode
        raise ValueError("not an LZ4 block of no bytes")
    return b""


def stream_decoder(start: Callable[[], Any]) -> Decoder:
    """Return a decoder by the decompressor objects of the standard library."""

    def decode(data: memoryview, size: Size, out: np.ndarray | None) -> Buffer:
        parts = _decompress(start(), data, size)
        if out is None:
            return b"".join(parts)
        room = out.data
        for part in parts:
            room[: len(part)] = part
            room = room[len(part) :]
        return out

    return decode


def _decompress(decompressor: Any, data: memoryview, size: Size) -> Iterator[bytes]:
    room = size.most
    for start in range(0, len(data), _PIECE):
        if decompressor.eof:
            raise ValueError("bytes follow the compressed stream")
        part = decompressor.decompress(data[start : start + _PIECE], room + 1)
        if len(part) > room:
            raise ValueError(f"more than {size.most} bytes come out")
        room -= len(part)
        yield part
    if not decompressor.eof:
        raise ValueError("the compressed stream is cut off")
    if decompressor.unused_data:
        raise ValueError("bytes follow the compressed stream")
    size.check(size.most - room)


def lzma_decoder(spec: Spec) -> Decoder:
    """Return the decoder of LZMA in the container that a spec names."""
    container = spec.get("format", lzma.FORMAT_XZ)
    if container == lzma.FORMAT_RAW:  # has no header that could ask for memory: the spec says how much, and is checked
        return stream_decoder(lambda: lzma.LZMADecompressor(container, filters=spec.get("filters")))
    return stream_decoder(lambda: lzma.LZMADecompressor(container, memlimit=_LZMA_MEMORY))


def decode_unchanged(data: memoryview, size: Size, out: np.ndarray | None) -> Buffer:
    """Return the bytes as they are: what a codec that only rounds has nothing to undo of."""
    return data


def shuffle_decoder(spec: Spec) -> Decoder:
    """Return the decoder that undoes the byte shuffle of a spec's element size."""
    return lambda data, size, out: unshuffle(data, spec.get("elementsize", 4), out)


def shuffle_piece_decoder(spec: Spec) -> PieceDecoder:
    """Return the decoder that undoes the byte shuffle for a piece of a chunk."""
    return lambda data, piece: unshuffle_piece(data, spec.get("elementsize", 4), piece)


def decode_base64(data: memoryview, size: Size, out: np.ndarray | None) -> Buffer:
    """Decode base64, strictly."""
    return base64.b64decode(data, validate=True)


def checksum_decoder(checksum: Callable[[memoryview], int], spec: Spec) -> Decoder:
    """Return the decoder that compares data with the 4 bytes of a checksum before or behind them."""
    at_end = spec.get("location") == "end"

    def decode(data: memoryview, size: Size, out: np.ndarray | None) -> Buffer:
        body, stored = (data[:-4], data[-4:]) if at_end else (data[4:], data[:4])
        if checksum(body) != int.from_bytes(stored, "little"):
            raise ValueError("the data differs from its checksum")
        return body

    return decode


def msgpack2_decoder(spec: Spec) -> Decoder:
    """Return the decoder of an array of numbers in MessagePack."""
    raw = spec.get("raw", False)

    def decode(data: memoryview, size: Size, out: np.ndarray | None) -> Buffer:
        # The items of the array, nested if it has several dimensions, and then its dtype and shape.
        found = msgpack.unpackb(data, raw=raw, max_array_len=size.most + 2, max_map_len=0, max_ext_len=0)
        *items, name, shape = found
        dtype = dtype_from_spec(name.decode() if raw else name)
        if not is_shape(shape):
            raise ValueError("a shape is made of lengths")
        size.check(element_count(shape) * dtype.itemsize)
        array = np.zeros(shape, dtype)
        array[:] = items
        return array

    return decode


_BLOSC = Blosc()


def decode_blosc(data: memoryview, size: Size, out: np.ndarray | None) -> Buffer:
    """Decode one Blosc frame. A forged frame can still do harm: see `_blosc_size`."""
    return _decode_frame(_BLOSC, data, _blosc_size(data), size, out)


def _blosc_size(frame: memoryview) -> int:
    """Return the size that a Blosc 1 frame declares, once its header agrees with itself and with the frame's length.

    That stops accidents. Deeper in the frame Blosc believes what it reads: a forged frame can still do harm.
    """
    form, flags, declared, block, length = _BLOSC_HEADER.unpack_from(frame)
    if form != _BLOSC_FORMAT or length != len(frame):
        raise ValueError("not one whole Blosc frame")
    # What follows the header is the data itself, or begins with a table of where each block lies.
    rest = declared if flags & _BLOSC_STORED else 4 * -(-declared // max(block, 1))
    if length < _BLOSC_HEADER.size + rest:
        raise ValueError("the Blosc frame is shorter than its header tells")
    return int(declared)


def decode_blosc_blocks(data: memoryview, size: Size, out: np.ndarray | None) -> Buffer:
    """Decode what the codec `blosc` of format version 1 stores: a MessagePack array of Blosc frames."""
    frames = _blosc_frames(data)
    sizes = [_blosc_size(frame) for frame in frames]
    size.check(sum(sizes))
    whole = np.empty(sum(sizes), np.uint8) if out is None else out
    end = 0
    for frame, nbytes in zip(frames, sizes):
        end += nbytes
        if nbytes:
            _decode_into(_BLOSC, frame, whole[end - nbytes : end])
    return whole


def _blosc_frames(data: memoryview) -> list[memoryview]:
    # The oldest files hold the frames as strings, which are not UTF-8: hence `raw`.
    frames = msgpack.unpackb(data, raw=True, max_map_len=0, max_ext_len=0)
    if not isinstance(frames, list) or not all(isinstance(frame, bytes) for frame in frames):
        raise ValueError("not an array of Blosc frames")
    return [memoryview(frame) for frame in frames]
