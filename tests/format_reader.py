"""A reader of format version 3, written from `docs/format.md` alone: a second implementation that proves the page.

Rule: nothing of BinPickle is imported. Each `need` names the rule of the page that it checks. Plain and whole: the file
is bytes, all of it is decoded, and `pickle` loads it; so it is for tests only, and for who wants to see how it is done.
"""

from __future__ import annotations

import hashlib
import hmac
import io
import re
import struct
import sys
from typing import Any, Iterator

import msgpack
import numcodecs
import numpy as np
import xxhash

if sys.version_info >= (3, 8):
    import pickle
else:
    import pickle5 as pickle

__all__ = ["CODECS", "Malformed", "read", "root_digest"]

HEADER, TRAILER = struct.Struct(">4sHHq"), struct.Struct(">QQQ32s32s8s")
BEFORE_SEAL = 56
FLAGS, BIG_ENDIAN = 3, 1
TOO_LARGE = 1 << 62
MAX_ITEMSIZE = (1 << 31) - 1
MAX_CODECS, MAX_ENCODED_CHUNK, MAX_TYPE_DEPTH, MAX_DIMENSIONS, PAGE = 8, 64 << 20, 8, 32, 4096
CHECKSUMS = {"xxh3-128": (16, xxhash.xxh3_128_digest), "sha256": (32, lambda data: hashlib.sha256(data).digest())}
CODECS = frozenset(
    ["zstd", "lz4", "zlib", "gzip", "bz2", "lzma", "blosc", "shuffle", "delta", "astype", "quantize"]
    + ["fixedscaleoffset", "bitround", "packbits", "fletcher32", "crc32", "adler32", "crc32c", "jenkins_lookup3"]
    + ["base64", "msgpack2"]
)
PLAIN = re.compile(
    r"[<>|](?:(b1|[iu][1248]|f(?:2|4|8|12|16)|c(?:8|16|24|32))|([SVU])([0-9]{1,9})"
    r"|[Mm]8(?:\[(?:[1-9][0-9]{0,8})?(?:Y|M|W|D|h|m|s|ms|us|ns|ps|fs|as)\])?)"
)


class Malformed(Exception):
    """The file breaks a rule; the message is its name."""


def need(fact: Any, rule: str) -> None:
    """Refuse the file unless `fact`."""
    if not fact:
        raise Malformed(rule)


def read(file: bytes, key: bytes | None = None, context: bytes = b"") -> Any:
    """Return the object that a file holds."""
    need(len(file) >= HEADER.size and file[:4] == b"BPCK", "H1")
    _, version, flags, length = HEADER.unpack_from(file)
    need(version == 3, "H2")
    need(not flags & ~FLAGS, "H3")
    need(flags & BIG_ENDIAN == (sys.byteorder == "big"), "H4")
    need(length == -1, "H5")
    need(len(file) >= HEADER.size + TRAILER.size and file.endswith(b"BPCK\x03END"), "T5")
    index_offset, index_length, file_length, digest, seal, _ = TRAILER.unpack_from(file, len(file) - TRAILER.size)
    if key is not None:
        need(any(seal), "A1")
        domain = b"binpickle seal 3\0" + struct.pack(">Q", len(context)) + context
        need(hmac.compare_digest(hmac.new(key, domain + _vouched_for(file), "sha256").digest(), seal), "A2")
    need(file_length == len(file), "T3")
    need(index_offset >= HEADER.size, "T1")
    need(index_offset + index_length + TRAILER.size == file_length, "T2")
    packed = file[index_offset : index_offset + index_length]
    need(hashlib.sha256(packed).digest() == digest, "T4")
    index = unpack(packed)
    try:
        need(index["requires"] == [], "I4")
        need(key is None or index["chunks"]["checksum"] == "sha256", "A3")
        for name in ("metadata", "libraries"):
            need(all(type(text) is str for pair in index[name].items() for text in pair), "I6")
        space, ends = logical_space(file, index_offset, index["chains"], index["chunks"])
        stream = index["stream"]
        need(type(stream) is int and 0 < stream in ends, "S1")
        need(type(index["kinds"]) is list, "I5")
        ranges = list(buffer_ranges(index["buffers"], [kind_bytes(kind) for kind in index["kinds"]]))
    except (KeyError, TypeError, AttributeError) as error:
        raise Malformed("I5") from error
    check_ranges(ranges, space, ends, stream)
    flow = io.BytesIO(space[:stream])
    obj = pickle.Unpickler(flow, buffers=[bytearray(space[start:stop]) for start, stop in ranges]).load()
    need(not flow.read(), "V4")
    return obj


def root_digest(file: bytes) -> bytes:
    """Return the 32 bytes that identify a file with digests."""
    return hashlib.sha256(_vouched_for(file)).digest()


def _vouched_for(file: bytes) -> bytes:
    return file[: HEADER.size] + file[-TRAILER.size :][:BEFORE_SEAL]


def unpack(packed: bytes) -> Any:
    """Return the index."""

    def unique(pairs: list[Any]) -> dict[Any, Any]:
        need(len(dict(pairs)) == len(pairs) and all(type(name) is str for name, _ in pairs), "I2")
        return dict(pairs)

    def extension(code: int, data: bytes) -> None:
        raise Malformed("I3")

    try:
        index = msgpack.unpackb(packed, strict_map_key=False, object_pairs_hook=unique, ext_hook=extension)
    except (ValueError, msgpack.UnpackException) as error:
        raise Malformed("I1") from error
    need(type(index) is dict, "I1")
    return index


def column(packed: Any, n: int) -> list[int]:
    """Return the integers of a column."""
    values = [packed] * n
    if type(packed) is not int:
        need(type(packed) is list and len(packed) == 2 and type(packed[0]) is int and type(packed[1]) is bytes, "K1")
        base, differences = packed
        need(n and len(differences) in (n, 2 * n, 4 * n, 8 * n), "K1")
        width = len(differences) // n
        values = [base + int.from_bytes(differences[i * width :][:width], "little") for i in range(n)]
    need(all(-TOO_LARGE < value < TOO_LARGE for value in values), "K2")
    return values


def logical_space(file: bytes, index_offset: int, chains: Any, table: Any) -> tuple[bytes, list[int]]:
    """Return all decoded chunks, joined, and where they end; the first end is 0."""
    need(type(chains) is list and all(type(chain) is list and len(chain) <= MAX_CODECS for chain in chains), "N1")
    need(all(type(spec) is dict and type(spec.get("id")) is str for chain in chains for spec in chain), "N1")
    need(table["checksum"] in CHECKSUMS, "C9")
    size, checksum = CHECKSUMS[table["checksum"]]
    n, values = table["count"], table["values"]
    need(type(n) is int and type(values) is bytes and len(values) == n * size, "C5")
    columns = [column(table[name], n) for name in ("length", "stored", "padding", "chain")]
    position, ends, space = HEADER.size, [0], []
    for i, (length, stored, padding, chain) in enumerate(zip(*columns)):
        need(length > 0, "C1")
        need(stored >= 0, "C2")
        need(0 <= padding < PAGE, "C3")
        need(0 <= chain < len(chains), "C4")
        need(length <= MAX_ENCODED_CHUNK if chains[chain] else stored == length, "C7")
        begin, position = position + padding, position + padding + stored
        need(position <= index_offset, "C6")
        need(not any(file[begin - padding : begin]), "C8")
        need(checksum(file[begin:position]) == values[i * size :][:size], "V1")
        space.append(decode(chains[chain], file[begin:position]))
        need(len(space[-1]) == length, "V2")
        ends.append(ends[-1] + length)
    need(position == index_offset, "C6")
    return b"".join(space), ends


def decode(chain: Any, data: Any) -> bytes:
    """Return what a chunk holds."""
    for spec in reversed(chain):
        need(spec["id"] in CODECS, "V3")
        try:
            data = numcodecs.get_codec(spec).decode(data)
        except Exception as error:  # of a dozen kinds
            raise Malformed("V2") from error
    return data.tobytes() if isinstance(data, (np.ndarray, memoryview)) else bytes(data)


def product(lengths: Any, size: int, limit: int, rule: str) -> int:
    """Return the bytes of an array; refuse more than `limit`, where 0 counts as 1."""
    need(type(lengths) is list and all(type(n) is int and n >= 0 for n in lengths), rule)
    need(len(lengths) <= MAX_DIMENSIONS, rule)
    most, exact = max(size, 1), size
    for n in lengths:
        most, exact = most * max(n, 1), exact * n
    need(most <= limit, rule)
    return exact


def type_bytes(spec: Any, depth: int = 0) -> int:
    """Return the size of an element type."""
    need(depth <= MAX_TYPE_DEPTH, "D2")
    if type(spec) is str:
        plain = PLAIN.fullmatch(spec)
        need(plain, "D1")
        number, text, n = plain.groups()
        size = int(number[1:]) if number else int(n) * (4 if text == "U" else 1) if text else 8
        need(size <= MAX_ITEMSIZE, "D2")
        return size
    if type(spec) is list:
        need(len(spec) == 2 and type(spec[0]) is not list, "D1")
        return product(spec[1], type_bytes(spec[0], depth + 1), MAX_ITEMSIZE, "D2")
    need(type(spec) is dict and type(spec["fields"]) is list and spec["fields"], "D1")
    names, itemsize = [], spec["itemsize"]
    need(type(itemsize) is int and itemsize <= MAX_ITEMSIZE, "D2")
    for field in spec["fields"]:
        need(type(field) is list and len(field) == 3, "D1")
        name, inner, offset = field
        names.append(name)
        need(type(name) is str and type(offset) is int, "D2")
        need(0 <= offset <= itemsize - type_bytes(inner, depth + 1), "D2")
    need(len(set(names)) == len(names), "D2")
    return itemsize


def kind_bytes(kind: Any) -> int:
    """Return the length of the buffers of a kind."""
    if type(kind) is int:
        need(0 <= kind < TOO_LARGE, "D5")
        return kind
    need(type(kind) is list and len(kind) == 3, "D5")
    spec, shape, order = kind
    size = type_bytes(spec)
    need(type(spec) is not list, "D3")
    nbytes = product(shape, size, TOO_LARGE - 1, "D3")
    axes = type(order) is list and all(type(axis) is int for axis in order) and sorted(order)
    need(order in ("C", "F") or axes == list(range(len(shape))), "D4")
    return nbytes


def buffer_ranges(table: Any, sizes: list[int]) -> Iterator[tuple[int, int]]:
    """Yield where in the logical space each buffer begins and ends."""
    count, position = table["count"], table["first"]
    need(type(count) is int and count >= 0 and type(position) is int and 0 <= position < TOO_LARGE, "B1")
    if not count:
        return
    kinds = column(table["kind"], count)
    need(all(0 <= kind < len(sizes) for kind in kinds), "B2")
    for kind, gap in zip(kinds, [*column(table["gap"], count - 1), 0]):
        yield position, position + sizes[kind]
        position += sizes[kind] + gap


def check_ranges(ranges: list[tuple[int, int]], space: bytes, ends: list[int], stream: int) -> None:
    """Check how buffers lie to each other and to the chunks."""
    need(all(stream <= start and stop <= ends[-1] for start, stop in ranges), "B3")
    reach = stream
    for start, stop in sorted(set(ranges), key=lambda both: (both[0], -both[1])):
        if start < stop and start < reach:
            need(stop <= reach, "B4")
        elif start < stop:
            within = not any(start < end < stop for end in ends)
            need(within or (start in ends and stop in ends), "B5")
            need(not any(space[reach:start]), "B6")
            reach = stop
    need(not any(space[reach:]), "B6")
    for begin, end in zip(ends, ends[1:]):
        need(end <= stream or any(start < end and stop > begin for start, stop in ranges if start < stop), "B6")
