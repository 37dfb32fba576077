"""Reader of format versions 1 and 2: `Contents` out of a file that older releases wrote.

Rule: the index is checked before it is parsed, and parsed entry by entry in bounded memory; every number is compared
with what is known of the file. Nothing is decoded here.
"""

from __future__ import annotations

import struct
from typing import Any, Callable, Iterator, NamedTuple

import msgpack
import numpy as np

from ..errors import FormatError, IntegrityError, LimitError
from ..limits import Limits
from .checksums import ALGORITHMS
from .columns import exact_sums
from .contents import Checksum, Contents
from .header import HEADER
from .legacy_entries import VERSIONS, Chain, Fields, array_info, kinds
from .messagepack import unique_map

__all__ = ["parse"]

_Reader = Callable[[int, int], bytes]

# The index is fed to the parser in pieces of this size, and an entry that covers one wholly is refused. MessagePack
# grows up to 73-fold in memory (a list costs one byte), so this bounds what one entry can cost at some 40 MiB.
_WINDOW = 256 << 10
# Each array or map has room for all its items from its first byte on, so what they claim is bounded as well.
_MAX_ITEMS = 1024
# Codec configs are kept, grown as said above; this is room for some 10,000 that differ.
_MAX_CHAIN_BYTES = 1 << 20
# Beyond this a length is no file's; sums of two still fit int64.
_OUT_OF_RANGE = 1 << 62

_TRAILER_1 = struct.Struct("!QL4s")  # index offset, index length, Adler-32 of the index
_TRAILER_2 = struct.Struct("!QL32s32s")  # index offset, index length, SHA-256 of the index, room for a MAC
_TRAILER_2_SHORT = struct.Struct("!QL32s")  # as the first releases of version 2 wrote it
_NO_MAC = bytes(32)


def parse(version: int, flags: int, length: int, read: _Reader, limits: Limits) -> Contents:
    """Read the tables of a version 1 or 2 file.

    Args:
        version: 1 or 2.
        flags: of the header, already checked.
        length: of the whole file as the header has it, already known to lie within the real size.
        read: `read(offset, nbytes)` gives exactly these bytes of the file, counted from the header.
        limits: what to accept.

    Raises:
        FormatError: trailer or index is malformed, inconsistent or out of bounds.
        LimitError: the file asks for more than `limits` allow.
        IntegrityError: the index differs from its checksum.
    """
    fields = VERSIONS[version]
    trailer = _find_trailer(version, length, read)
    index = _read_index(trailer, fields.algorithm, read, limits)
    table = _Table(fields, trailer.index_offset)
    for entry in _entries(index, limits):
        table.add(entry)
    _refuse_overlap(table.offsets, table.stored)
    starts = _limited_starts(table.decoded, limits)
    kind_ids, all_kinds = kinds(table.info[:-1], table.decoded[:-1])
    digest = ALGORITHMS["sha256"].of(index)
    return Contents(
        version=version,
        flags=flags,
        length=length,
        chunk_starts=starts,
        chunk_offsets=np.array(table.offsets, np.int64),
        chunk_stored=np.array(table.stored, np.int64),
        chunk_chains=np.array(table.chain_ids, np.int64),
        chains=tuple(table.chains),
        checksum=Checksum(fields.algorithm, b"".join(table.checksums), ALGORITHMS[fields.algorithm].size),
        stream=(int(starts[-2]), int(starts[-1])) if table.decoded else None,
        buffer_starts=starts[:-2],
        buffer_kinds=kind_ids,
        kinds=all_kinds,
        index_digest=digest,
        root_digest=digest if fields.algorithm == "sha256" else None,
        entry_info=table.info,
    )


class _Trailer(NamedTuple):
    start: int
    index_offset: int
    index_length: int
    index_checksum: bytes
    mac: bytes = _NO_MAC


def _find_trailer(version: int, length: int, read: _Reader) -> _Trailer:
    layouts = [_TRAILER_1] if version == 1 else [_TRAILER_2, _TRAILER_2_SHORT]
    for layout in layouts:
        start = length - layout.size
        if start <= HEADER.size:  # an index is one byte at least
            continue
        trailer = _Trailer(start, *layout.unpack(read(start, layout.size)))
        if _fits(trailer, touching=version == 2):
            if trailer.mac != _NO_MAC:
                raise FormatError("the last 32 bytes of the trailer are not zero: the file is damaged; get it again")
            return trailer
    raise FormatError(f"no trailer at the end of the {length} bytes that the header tells of; get the file again")


def _fits(trailer: _Trailer, touching: bool) -> bool:
    # Only that the index ends where the trailer begins tells the two trailers of version 2 apart.
    gap = trailer.start - (trailer.index_offset + trailer.index_length)
    return trailer.index_offset >= HEADER.size and (gap == 0 if touching else gap >= 0)


def _read_index(trailer: _Trailer, algorithm: str, read: _Reader, limits: Limits) -> bytes:
    if trailer.index_length > limits.index_bytes:
        raise LimitError(f"the index has {trailer.index_length} bytes, more than {limits.index_bytes}", "index_bytes")
    index = read(trailer.index_offset, trailer.index_length)
    if ALGORITHMS[algorithm].of(index) != trailer.index_checksum:
        raise IntegrityError("the index differs from its checksum in the trailer: the file is damaged; get it again")
    return index


def _entries(index: bytes, limits: Limits) -> Iterator[Any]:
    """Unpack the index, an array, item by item."""
    try:
        yield from _unpack_items(index, limits)
    except FormatError:
        raise
    except (msgpack.UnpackException, ValueError, TypeError, RecursionError) as error:
        raise FormatError(f"index: not an array in MessagePack: {type(error).__name__}: {error}") from None


def _unpack_items(index: bytes, limits: Limits) -> Iterator[Any]:
    unpacker = msgpack.Unpacker(
        raw=False,
        strict_map_key=True,
        object_pairs_hook=unique_map,
        max_buffer_size=2 * _WINDOW,
        max_array_len=_MAX_ITEMS,
        max_map_len=_MAX_ITEMS,
        max_ext_len=0,
    )
    unpacker.feed(index[:_WINDOW])
    count, done = _check_count(unpacker.read_array_header(), limits), 0
    end = unpacker.tell()
    for start in range(_WINDOW, len(index) + _WINDOW, _WINDOW):
        before = done
        for item in unpacker:
            done, end = done + 1, unpacker.tell()
            yield item
        if done == before and start < len(index):
            raise FormatError(f"index: entry {done} takes more than {_WINDOW} bytes")
        unpacker.feed(index[start : start + _WINDOW])
    if done != count or end != len(index):
        raise FormatError(f"index: {done} entries in {end} bytes, not {count} in {len(index)}")


def _check_count(count: int, limits: Limits) -> int:
    if count - 1 > limits.buffers:
        raise LimitError(f"the file has {count - 1} buffers, more than {limits.buffers}", "buffers")
    return count


class _Table:
    """The entries read so far, column by column; equal chains are kept once."""

    def __init__(self, fields: Fields, stop: int):
        self._fields = fields
        self._stop = stop  # where the index begins, and before which all stored bytes lie
        self._packer = msgpack.Packer()
        self._chain_numbers: dict[bytes, int] = {}
        self._chain_bytes = 0
        self.chains: list[Chain] = []
        self.offsets: list[int] = []
        self.stored: list[int] = []
        self.decoded: list[int] = []
        self.chain_ids: list[int] = []
        self.checksums: list[bytes] = []
        self.info: list[Any] = []

    def add(self, entry: Any) -> None:
        number = len(self.offsets)
        if type(entry) is not dict or entry.keys() != self._fields.names:
            raise FormatError(f"index: entry {number} is not a map of {', '.join(sorted(self._fields.names))}")
        offset, stored, decoded = entry["offset"], entry["enc_length"], entry["dec_length"]
        if not type(offset) is type(stored) is type(decoded) is int:
            raise FormatError(f"index: entry {number} has a position or length that is not an integer")
        if offset < HEADER.size or stored < 0 or offset + stored > self._stop:
            raise FormatError(f"index: entry {number} lies outside the file: {stored} bytes at {offset}")
        chain_id = self._chain_id(self._fields.codecs(entry))
        if not 0 <= decoded < _OUT_OF_RANGE or (decoded != stored and not self.chains[chain_id]):
            raise FormatError(f"index: entry {number} cannot be {decoded} bytes, stored as {stored}")
        checksum = self._fields.checksum(entry)
        if checksum is None:
            raise FormatError(f"index: entry {number} has no proper checksum")
        self.offsets.append(offset)
        self.stored.append(stored)
        self.decoded.append(decoded)
        self.chain_ids.append(chain_id)
        self.checksums.append(checksum)
        self.info.append(array_info(entry.get("info")))

    def _chain_id(self, codecs: Any) -> int:
        # Packed again, what the index says is a key that tells 1 from True. Only what is new needs to be checked.
        key = self._pack(codecs)
        number = self._chain_numbers.get(key)
        if number is None:
            self._chain_bytes += len(key)
            if self._chain_bytes > _MAX_CHAIN_BYTES:
                raise FormatError(f"index: the codec configs that differ take more than {_MAX_CHAIN_BYTES} bytes")
            chain = self._fields.chain(codecs)
            number = self._chain_numbers.setdefault(self._pack(chain), len(self.chains))
            self._chain_numbers[key] = number
            if number == len(self.chains):
                self.chains.append(chain)
        return number

    def _pack(self, value: Any) -> bytes:
        try:
            packed: bytes = self._packer.pack(value)
        except ValueError as error:
            raise FormatError(f"index: a codec config is nested too deeply: {error}") from None
        return packed


def _refuse_overlap(offsets: list[int], stored: list[int]) -> None:
    starts, lengths = np.array(offsets, np.int64), np.array(stored, np.int64)
    order = np.argsort(starts, kind="stable")
    order = order[lengths[order] > 0]  # entries of no bytes may lie where others do
    overlapping = np.flatnonzero(starts[order[1:]] < (starts + lengths)[order[:-1]])
    if len(overlapping):
        first, second = order[overlapping[0]], order[overlapping[0] + 1]
        raise FormatError(f"index: entries {first} and {second} overlap in the file")


def _limited_starts(decoded: list[int], limits: Limits) -> np.ndarray:
    starts = exact_sums(np.array(decoded, np.int64), 0, "dec_length")
    total = int(starts[-1])
    if total > limits.decoded_bytes:
        raise LimitError(f"the data has {total} bytes decoded, more than {limits.decoded_bytes}", "decoded_bytes")
    return starts
