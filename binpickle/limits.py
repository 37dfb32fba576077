"""How much a file may ask for before it is refused.

Rule: readers check a claim of the file against its limit before they allocate memory for it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

__all__ = ["Limits", "RESTRICTED_LIMITS"]

# The tables of so many buffers take a few MiB.
_FEW_BUFFERS = 1 << 16
# A file of so many bytes, which its author may have made to do harm, takes as many opcodes and units of work as below:
# a second and 256 MiB together, at most.
_SMALL_FILE = 1 << 20
_FEW_OPCODES = 3 << 20
_FEW_UNITS = 1 << 21
# So much is decoded in a moment, however small the file is.
_FEW_BYTES = 1 << 26


@dataclass(frozen=True)
class Limits:
    """How much a file may ask for before it is refused with `LimitError`.

    The defaults are generous: they stop absurd claims, not large files.

    Attributes:
        decoded_bytes: sum of the lengths of the pickle stream and of all buffers, each counted when it is listed.
        decoded_per_byte: decoded bytes for each byte of the file, each counted once for every codec of its chain;
            applies to files that decode to more than 64 MiB. A kilobyte of zstd can stand for 32 MiB of zeros.
        stored_bytes: size of the whole file.
        buffers: number of buffers.
        buffers_per_byte: number of buffers for each byte of the file; applies to files with more than 65,536 buffers.
            A buffer may take no bytes of the index, and hardly any of a compressed stream: a list of a million views of
            one array has 300 buffers for each byte. A few hundred bytes that claim millions of buffers are refused
            before the tables take memory.
        index_bytes: size of the index as stored.
        opcodes: in restricted loading and inspection, the number of opcodes in the pickle stream. Those that take more
            memory or time than most count several times.
        opcodes_per_byte: in restricted loading and inspection, the number of opcodes, and units of work, for each byte
            of the file beyond the first MiB, besides 2 to 3 million. A kilobyte of zstd can stand for 32 million
            opcodes.
        work: in restricted loading, the units of work that the stream may ask for. A unit is about what an opcode
            takes: an element that a rule walks or hashes, or 32 bytes that it copies or allocates. What stands in the
            stream once and is used again is paid for again.
        memo: in restricted loading and inspection, the number of objects that the stream may remember.
        nesting: in restricted loading and inspection, the depth of containers within containers. CPython's pickler
            writes at most 1000 by default; freeing some 10,000 nested object arrays ends the process.
        int_bytes: in restricted loading and inspection, the size of one integer. The time to print an integer grows
            with the square of its size.
    """

    decoded_bytes: int = 1 << 44
    decoded_per_byte: int = 1 << 44
    stored_bytes: int = 1 << 44
    buffers: int = 1 << 22
    buffers_per_byte: int = 1 << 10
    index_bytes: int = 1 << 28
    opcodes: int = 1 << 28
    opcodes_per_byte: int = 16
    memo: int = 1 << 26
    nesting: int = 1000
    int_bytes: int = 1 << 16
    work: int = 1 << 32

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if type(value) is not int:
                raise TypeError(f"Limits: {name} must be an integer, not {value!r:.80}")
            if value < 0:
                raise ValueError(f"Limits: {name} must not be negative: {value}")

    def buffers_in(self, nbytes: int) -> int:
        """Return how many buffers a file of `nbytes` bytes may have."""
        return min(self.buffers, max(_FEW_BUFFERS, self.buffers_per_byte * nbytes))

    def decoded_in(self, nbytes: int) -> int:
        """Return how many bytes, each counted for every codec of its chain, a file of `nbytes` bytes may decode."""
        return max(_FEW_BYTES, self.decoded_per_byte * nbytes)

    def of_file(self, nbytes: int, decoded: int) -> Limits:
        """Return these limits with what they allow the stream of one file in absolute numbers.

        Args:
            nbytes: size of the file in bytes.
            decoded: what its stream and buffers decode to, in bytes, as its index states.
        """
        besides = self.opcodes_per_byte * max(0, nbytes - _SMALL_FILE)
        opcodes = _FEW_OPCODES + besides
        work = _FEW_UNITS + besides + (decoded >> 7)  # each byte may be looked at twice
        return replace(self, opcodes=min(self.opcodes, opcodes), work=min(self.work, work))


RESTRICTED_LIMITS = Limits(
    decoded_bytes=1 << 33,
    # Files of 1 GiB of zeros, counted for each codec: 250 to 16,000 with zlib, LZ4, LZMA or Blosc, 25,000 with zstd,
    # 49,000 with shuffle and zstd, 74,000 with delta, shuffle and zstd, 59,000 with bz2, 116,000 with shuffle and bz2.
    decoded_per_byte=1 << 17,
    stored_bytes=1 << 33,
    buffers=1 << 20,
    index_bytes=1 << 24,
    opcodes=1 << 26,
    memo=1 << 25,
)
"""The limits of restricted loading and inspection, if the caller gives none."""
