"""Changes inputs: as bytes, as opcodes, and as files whose lengths and checksums are made to fit again.

Rule: a change depends only on the input and on the random generator `dice`.
"""

from __future__ import annotations

import hashlib
import pickletools
import random
import struct
import zlib
from typing import Any, Callable, Sequence

import msgpack
import xxhash

from binpickle.format.columns import unpack_column
from binpickle.format.header import HEADER, TRAILER

__all__ = ["mend", "mutate_bytes", "mutate_container", "mutate_stream"]

_INTERESTING = [0, 1, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0x10000, 0x7FFFFFFF, 0x80000000, (1 << 62), (1 << 63) - 1, -1]
_MOST_CHUNKS = 1 << 16
_CHANGES = [1, 1, 1, 2, 3]
_DIGESTS: dict[str, Callable[[bytes], bytes]] = {
    "sha256": lambda data: hashlib.sha256(data).digest(),
    "xxh3-128": lambda data: xxhash.xxh3_128_digest(data),
}
_LEGACY_TRAILERS = {1: struct.Struct("!QL4s"), 2: struct.Struct("!QL32s32s")}


def mutate_container(data: bytes, other: bytes, dice: random.Random) -> bytes:
    """Return a file changed in a few places: most often behind the chunks, and most often with checksums that fit."""
    changed = bytearray(data)
    if dice.random() < 0.5:
        changed = bytearray(_edit_index(data, dice))
    for _ in range(dice.choice(_CHANGES) - (bytes(changed) != data)):
        spot = _spot(len(changed), dice)
        changed = bytearray(_edit(changed, other, spot, dice))
    return mend(bytes(changed)) if dice.random() < 0.9 else bytes(changed)


def mutate_stream(data: bytes, other: bytes, dice: random.Random) -> bytes:
    """Return a pickle stream with opcodes removed, doubled, swapped, taken from another stream, or changed in bytes."""
    mine, theirs = opcodes(data), opcodes(other)
    if len(mine) < 3 or dice.random() < 0.2:
        return mutate_bytes(data, other, dice)
    for _ in range(dice.choice(_CHANGES)):
        at = dice.randrange(1, len(mine))
        act = dice.randrange(6)
        if act == 0:
            del mine[at : at + dice.randint(1, 3)]
        elif act == 1:
            mine[at:at] = mine[at : at + dice.randint(1, 4)]
        elif act == 2 and theirs:
            start = dice.randrange(len(theirs))
            mine[at : at + dice.choice([0, 0, 1, 2])] = theirs[start : start + dice.randint(1, 12)]
        elif act == 3:
            mine[at:at] = [bytes([dice.choice(_PLAIN)])]
        elif at < len(mine) and len(mine[at]) > 1:
            mine[at] = mine[at][:1] + mutate_bytes(mine[at][1:], other, dice, grow=act == 4)
        if len(mine) < 3:
            break
    if mine[-1:] != [b"."]:
        mine.append(b".")
    return b"".join(mine)


_PLAIN = b"N\x88\x89)]}\x8f(\x94\x85\x86\x87te0ua\x90\x91R\x81\x92bs\x97\x981"


def opcodes(data: bytes) -> list[bytes]:
    """Split a stream into opcodes with their operands, without frames; malformed bytes at the end are one piece."""
    starts, found = [], []
    try:
        for opcode, _, position in pickletools.genops(data):
            starts.append((position, opcode.name))
    except Exception:  # pickletools raises many kinds of errors
        starts.append((len(data), "end"))
    for (start, name), stop in zip(starts, [position for position, _ in starts[1:]] + [len(data)]):
        if name != "FRAME" and data[start:stop]:
            found.append(data[start:stop])
    return found


def mutate_bytes(data: bytes, other: bytes, dice: random.Random, grow: bool = True) -> bytes:
    """Return bytes with a few changes anywhere."""
    changed = bytearray(data)
    for _ in range(dice.choice(_CHANGES)):
        changed = bytearray(_edit(changed, other, dice.randint(0, len(changed)), dice, grow))
    return bytes(changed)


def mend(data: bytes) -> bytes:
    """Return a file with lengths and checksums that fit its bytes, as far as its structure can be read."""
    if len(data) < HEADER.size + 16:
        return data
    version = int.from_bytes(data[4:6], "big")
    return _mend_legacy(data, version) if version in _LEGACY_TRAILERS else _mend_3(data)


def _mend_3(data: bytes) -> bytes:
    if len(data) < HEADER.size + TRAILER.size:
        return data
    body, tail = bytearray(data[: -TRAILER.size]), data[-TRAILER.size :]
    _, length, _, _, seal, _ = TRAILER.unpack(tail)
    length = min(length, len(body) - HEADER.size)
    start = len(body) - length
    index = _mend_chunks(bytes(body[:start]), bytes(body[start:]))
    trailer = TRAILER.pack(start, length, len(data), hashlib.sha256(index).digest(), seal, b"BPCK\x03END")
    return bytes(body[:start]) + index + trailer


def _mend_chunks(body: bytes, index: bytes) -> bytes:
    """Return the index with correct checksums of the chunks, whatever else is wrong with it."""
    try:
        chunks = msgpack.unpackb(index, raw=False)["chunks"]
        count, old, digest = chunks["count"], chunks["values"], _DIGESTS[chunks["checksum"]]
        position, values = HEADER.size, b""
        if count > _MOST_CHUNKS:
            return index
        columns = (unpack_column(chunks[name], count, name).tolist() for name in ("padding", "stored"))
        for padding, stored in zip(*columns):
            position += padding
            values += digest(body[position : position + stored])
            position += stored
        return index.replace(old, values, 1) if old and len(old) == len(values) else index
    except Exception:  # the bytes are no index any more, so the test is how the parser refuses them
        return index


def _mend_legacy(data: bytes, version: int) -> bytes:
    layout = _LEGACY_TRAILERS[version]
    start = len(data) - layout.size
    if start <= HEADER.size:
        return data
    offset, length, *_ = layout.unpack(data[start:])
    length = min(length, start - HEADER.size)
    index = _mend_entries(data, data[start - length : start], version)
    check = [zlib.adler32(index).to_bytes(4, "big")] if version == 1 else [_DIGESTS["sha256"](index), bytes(32)]
    header = HEADER.pack(data[:4], version, int.from_bytes(data[6:8], "big"), len(data))
    body = data[HEADER.size : start - length]
    return header + body + index + layout.pack(HEADER.size + len(body), len(index), *check)


def _mend_entries(data: bytes, index: bytes, version: int) -> bytes:
    """Return the index of a file of an older version with correct checksums of its entries."""
    try:
        entries = msgpack.unpackb(index, raw=False)
        for entry in entries:
            stored = data[entry["offset"] : entry["offset"] + entry["enc_length"]]
            old = entry["checksum" if version == 1 else "hash"]
            fits = zlib.adler32(stored) if version == 1 else _DIGESTS["sha256"](stored)
            index = index.replace(msgpack.packb(old), msgpack.packb(fits), 1)
    except Exception:  # see `_mend_chunks`
        return index
    return index


def _edit_index(data: bytes, dice: random.Random) -> bytes:
    """Return a file with one changed value in its index."""
    version = int.from_bytes(data[4:6], "big")
    layout = _LEGACY_TRAILERS.get(version, TRAILER)
    try:
        offset, length, *rest = layout.unpack(data[-layout.size :])
        index = msgpack.unpackb(data[offset : offset + length], raw=False)
        _change_value(index, dice)
        packed = msgpack.packb(index)
    except Exception:  # the file has no index that can be changed this way
        return data
    if version == 3:
        rest[0] = offset + len(packed) + layout.size
    return mend(data[:offset] + packed + layout.pack(offset, len(packed), *rest))


def _change_value(inside: Any, dice: random.Random) -> None:
    """Change one value somewhere in a nest of maps and lists."""
    keys = list(inside) if isinstance(inside, dict) else list(range(len(inside)))
    if not keys:
        return
    key = dice.choice(keys)
    old = inside[key]
    if isinstance(old, (dict, list)) and old and dice.random() < 0.9:
        _change_value(old, dice)
    elif dice.random() < 0.1:
        del inside[key]
    else:
        inside[key] = _another(old, dice)


def _another(old: Any, dice: random.Random) -> Any:
    if dice.random() < 0.2:
        return dice.choice([None, True, -1, 1.5, "", b"", [], {}, [0, b"\0"], [[]], 1 << 62, old, [old, old]])
    if isinstance(old, int):
        return dice.choice(
            [old + 1, old - 1, old * 2, 0, old ^ 1 << dice.randrange(16), dice.choice(_INTERESTING) % (1 << 63)]
        )
    if isinstance(old, bytes):
        return mutate_bytes(old, old, dice)
    if isinstance(old, str):
        return dice.choice([*_WORDS, mutate_bytes(old.encode(), b"", dice).decode("latin-1")])
    return old


_WORDS = ["zstd", "lz4", "zlib", "gzip", "bz2", "lzma", "blosc", "shuffle", "delta", "pickle", "msgpack2"]
_WORDS += ["sha256", "xxh3-128", "<i8", "|O", "<f4", "|V0", "C", "F", "ndarray"]


def _spot(size: int, dice: random.Random) -> int:
    """Choose a place in a file, most often near its end, where the index is."""
    return dice.randint(max(0, size - 600), size) if dice.random() < 0.7 else dice.randint(0, size)


def _edit(data: bytearray, other: Sequence[int], at: int, dice: random.Random, grow: bool = True) -> bytes:
    """Return bytes changed at one place."""
    act = dice.randrange(7 if grow else 4)
    if act == 0 and at < len(data):
        data[at] ^= 1 << dice.randrange(8)
    elif act == 1 and at < len(data):
        data[at] = dice.randrange(256)
    elif act in (2, 3):
        width = dice.choice([1, 2, 4, 8])
        value = dice.choice(_INTERESTING) % (1 << 8 * width)
        data[at : min(at + width, len(data))] = value.to_bytes(width, dice.choice(["little", "big"]))[: len(data) - at]
    elif act == 4:
        del data[at : at + dice.choice([1, 1, 2, 4, 16, 64])]
    elif act == 5:
        start = dice.randint(0, len(data))
        data[at:at] = data[start : start + dice.choice([1, 2, 8, 32])]
    elif other:
        start = dice.randrange(len(other))
        stop = start + dice.choice([1, 4, 16, 64])
        data[at : at + (stop - start) * dice.randrange(2)] = bytes(other[start:stop])
    return bytes(data)
