"""The index of a version 3 file, parsed and checked when the file is opened.

Goal: whatever bytes the index has, `parse` raises, or returns `Contents` in which every number has been checked;
nothing downstream checks again. No number is used before it was compared with the size of the file, and no memory is
taken that the size of the file does not justify.

Rule: the chunks of a file lie one behind the other from the header to the index, with zeros of padding between them, so
that only lengths are recorded and no position can lie outside or overlap. The pickle stream's chunks come first.

The steps, each of which relies on those before it:
    `check_trailer`: the trailer fits the size of the file, and the index lies between the chunks and the trailer;
    `check_index`: the bytes of the index are those whose digest the trailer holds;
    `_unpack_index`: they are one MessagePack map, without duplicate keys;
    `_parse_chunks`: the lengths of the chunks add up to exactly the room between header and index;
    `_parse_stream`: the pickle stream ends where a chunk ends;
    `_parse_buffers`: there are no more buffers than allowed, and each lies within the chunks behind the stream.
`find_placement` checks afterwards how buffers lie to chunks and to each other.
"""

from __future__ import annotations

import hashlib
from typing import Any, Mapping, NamedTuple, Tuple

import msgpack
import numpy as np

from ..errors import FormatError, IntegrityError, LimitError
from ..limits import Limits
from .checksums import ALGORITHMS
from .columns import exact_sums, unpack_column
from .contents import Checksum, Contents, Kind, Spec
from .dtypes import kind_from_packed
from .header import HEADER, MAX_CODECS, MAX_ENCODED_CHUNK, PAGE, TRAILER, Header, Trailer
from .messagepack import unique_map

__all__ = ["check_index", "check_trailer", "parse"]

Specs = Tuple[Spec, ...]


def parse(header: Header, trailer: Trailer, data: bytes, limits: Limits) -> Contents:
    """Make the contents of a version 3 file from its index.

    Args:
        header: of the file.
        trailer: of the file.
        data: the index, after `check_index`.
        limits: what to accept.

    Raises:
        FormatError: a number is out of bounds or tables disagree.
        LimitError: the file asks for more than `limits` allow.
    """
    index = _unpack_index(data)
    requires = index.get("requires")
    if requires != []:
        raise FormatError(f"the file needs features that this version does not have: {requires!r:.80}")
    try:
        return _contents(header, trailer, index, limits)
    except FormatError:
        raise
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError) as error:
        raise FormatError(f"index: a part is missing or of the wrong type: {error}") from None


def check_trailer(trailer: Trailer, size: int, limits: Limits) -> None:
    """Refuse a trailer whose numbers do not fit a file of `size` bytes, before the index is read.

    Raises:
        FormatError: the numbers do not fit.
        LimitError: the index is larger than allowed.
    """
    if trailer.file_length != size:
        raise FormatError(f"the file has {size} bytes, its trailer says {trailer.file_length}; get it again")
    if trailer.index_offset < HEADER.size or trailer.index_offset + trailer.index_length != size - TRAILER.size:
        raise FormatError(
            f"the index lies at {trailer.index_offset} with {trailer.index_length} bytes, which does not fit the file"
        )
    if trailer.index_length > limits.index_bytes:
        raise LimitError(f"the index has {trailer.index_length} bytes, more than {limits.index_bytes}", "index_bytes")


def check_index(trailer: Trailer, data: bytes) -> None:
    """Refuse an index that is not the one that was written, before it is parsed.

    Raises:
        IntegrityError: its digest is not that of the trailer.
    """
    if hashlib.sha256(data).digest() != trailer.index_digest:
        raise IntegrityError("the index differs from its digest in the trailer: the file is damaged; get it again")


def _unpack_index(data: bytes) -> dict[str, Any]:
    size = len(data)
    try:
        index = msgpack.unpackb(
            data,
            raw=False,
            strict_map_key=True,
            object_pairs_hook=unique_map,
            max_str_len=size,
            max_bin_len=size,
            max_array_len=size,
            max_map_len=size,
            max_ext_len=0,
        )
    except FormatError:
        raise
    except Exception as error:  # msgpack raises many kinds, RecursionError and UnicodeDecodeError among them
        raise FormatError(f"index: not a MessagePack value: {type(error).__name__}: {error}") from None
    if not isinstance(index, dict):
        raise FormatError("index: not a map")
    return index


class _Chunks(NamedTuple):
    starts: np.ndarray
    offsets: np.ndarray
    stored: np.ndarray
    chains: np.ndarray
    checksum: Checksum


def _contents(header: Header, trailer: Trailer, index: dict[str, Any], limits: Limits) -> Contents:
    chains = tuple(_check_chain(chain) for chain in _list(index["chains"], "chains"))
    chunks = _parse_chunks(index["chunks"], chains, trailer)
    stream = _parse_stream(index["stream"], chunks)
    kinds = _parse_kinds(_list(index["kinds"], "kinds"))
    _limit_buffers(index["buffers"], trailer.file_length, limits)
    starts, kind_ids = _parse_buffers(index["buffers"], kinds, stream[1], int(chunks.starts[-1]), limits)
    return Contents(
        version=header.version,
        flags=header.flags,
        length=trailer.file_length,
        chunk_starts=chunks.starts,
        chunk_offsets=chunks.offsets,
        chunk_stored=chunks.stored,
        chunk_chains=chunks.chains,
        chains=chains,
        checksum=chunks.checksum,
        stream=stream,
        buffer_starts=starts,
        buffer_kinds=kind_ids,
        kinds=kinds,
        index_digest=trailer.index_digest,
        metadata=_check_strings(index["metadata"], "metadata"),
        libraries=_check_strings(index["libraries"], "libraries"),
        sealed=any(trailer.seal),
        root_digest=trailer.root_digest(header) if chunks.checksum.name == "sha256" else None,
    )


def _parse_chunks(table: dict[str, Any], chains: tuple[Specs, ...], trailer: Trailer) -> _Chunks:
    checksum = _parse_checksum(table)
    count = len(checksum.values) // checksum.size
    lengths, stored, padding, chain = (
        _natural(unpack_column(table[name], count, name), name) for name in ("length", "stored", "padding", "chain")
    )
    # Adding everything up both proves that the chunks cover the file and gives their places.
    ends = exact_sums(padding, HEADER.size, "padding") + exact_sums(stored, 0, "stored")
    if int(ends[-1]) != trailer.index_offset:
        raise FormatError(f"the chunks end at {ends[-1]}, but the index begins at {trailer.index_offset}")
    raw = np.array([not specs for specs in chains], bool)
    if count:
        if int(padding.max()) >= PAGE:
            raise FormatError(f"index: {padding.max()} bytes of padding, more than any alignment needs")
        if int(chain.max()) >= len(chains):
            raise FormatError(f"index: a chunk has codec chain {chain.max()}, but there are {len(chains)}")
        _check_lengths(lengths, stored, raw[chain])
    return _Chunks(exact_sums(lengths, 0, "length"), ends[1:] - stored, stored, chain, checksum)


def _check_lengths(lengths: np.ndarray, stored: np.ndarray, raw: np.ndarray) -> None:
    for wrong, why in (
        (raw & (lengths != stored), "is stored raw, but in another number of bytes than it has"),
        (~raw & (lengths > MAX_ENCODED_CHUNK), f"is encoded and larger than {MAX_ENCODED_CHUNK} bytes"),
        (lengths == 0, "is empty"),
    ):
        if wrong.any():
            raise FormatError(f"chunk {int(np.argmax(wrong))} {why}")


def _parse_checksum(table: dict[str, Any]) -> Checksum:
    name, values, count = table["checksum"], table["values"], table["count"]
    if name not in ("xxh3-128", "sha256"):
        raise FormatError(f"index: checksum {name!r} is not known; use a newer binpickle")
    size = ALGORITHMS[name].size
    if type(count) is not int or not isinstance(values, bytes) or len(values) != count * size:
        raise FormatError("index: not one checksum a chunk")
    return Checksum(name, values, size)


def _parse_stream(length: Any, chunks: _Chunks) -> tuple[int, int]:
    if type(length) is not int or not 0 < length < 1 << 62 or length not in chunks.starts:
        raise FormatError("index: the pickle stream does not end where a chunk does")
    return 0, length


def _parse_kinds(packed: list[Any]) -> tuple[Kind, ...]:
    """Return the kinds. A length takes one byte in the index: equal ones share one kind in memory."""
    lengths = {length: kind_from_packed(length) for length in {kind for kind in packed if type(kind) is int}}
    return tuple([lengths[kind] if type(kind) is int else kind_from_packed(kind) for kind in packed])


def _limit_buffers(table: dict[str, Any], file_length: int, limits: Limits) -> None:
    count, allowed = table["count"], limits.buffers_in(file_length)
    if type(count) is not int or count < 0:
        raise FormatError("index: the table of buffers has no proper count")
    if count > allowed:
        raise LimitError(f"the file has {count} buffers in {file_length} bytes, more than {allowed}", "buffers")


def _parse_buffers(
    table: dict[str, Any], kinds: tuple[Kind, ...], begin: int, end: int, limits: Limits
) -> tuple[np.ndarray, np.ndarray]:
    count, first = table["count"], table["first"]
    if type(first) is not int or not 0 <= first < 1 << 62:
        raise FormatError("index: the table of buffers has no proper first position")
    if not count:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    kind_ids = _natural(unpack_column(table["kind"], count, "kind"), "kind")
    if int(kind_ids.max()) >= len(kinds):
        raise FormatError(f"index: a buffer is of kind {kind_ids.max()}, but there are {len(kinds)}")
    nbytes = np.array([kind.nbytes for kind in kinds], np.int64)[kind_ids]
    _limit_decoded(kinds, kind_ids, begin, limits)
    gaps = unpack_column(table["gap"], count - 1, "gap")
    starts = exact_sums(nbytes[:-1] + gaps, first, "gap")
    if int(starts.min()) < begin or int((starts + nbytes).max()) > end:
        raise FormatError("index: a buffer lies outside the chunks")
    return starts, kind_ids


def _limit_decoded(kinds: tuple[Kind, ...], kind_ids: np.ndarray, stream: int, limits: Limits) -> None:
    counts = np.bincount(kind_ids, minlength=len(kinds)).tolist()
    total = stream + sum(count * kind.nbytes for count, kind in zip(counts, kinds))
    if total > limits.decoded_bytes:
        raise LimitError(f"the data has {total} bytes decoded, more than {limits.decoded_bytes}", "decoded_bytes")


def _check_chain(chain: Any) -> Specs:
    if not isinstance(chain, list) or len(chain) > MAX_CODECS:
        raise FormatError(f"index: a codec chain is a list of at most {MAX_CODECS} codecs")
    for spec in chain:
        if not isinstance(spec, dict) or not isinstance(spec.get("id"), str):
            raise FormatError(f"index: {spec!r} is not a codec")
    return tuple(chain)


def _check_strings(mapping: Any, name: str) -> Mapping[str, str]:
    if not isinstance(mapping, dict) or not all(isinstance(s, str) for pair in mapping.items() for s in pair):
        raise FormatError(f"index: {name} is not a map from strings to strings")
    return mapping


def _natural(values: np.ndarray, name: str) -> np.ndarray:
    if len(values) and int(values.min()) < 0:
        raise FormatError(f"index: column {name!r} holds {values.min()}, which is negative")
    return values


def _list(value: Any, name: str) -> list[Any]:
    if not isinstance(value, list):
        raise FormatError(f"index: {name} is not a list")
    return value
