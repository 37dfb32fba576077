"""How much a file may ask for before it is refused.

Rule: readers check a claim of the file against its limit before they allocate memory for it.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Limits", "RESTRICTED_LIMITS"]

# The tables of so many buffers take a few MiB.
_FEW_BUFFERS = 1 << 16


@dataclass(frozen=True)
class Limits:
    """How much a file may ask for before it is refused with `LimitError`.

    The defaults are generous: they stop absurd claims, not large files.

    Attributes:
        decoded_bytes: sum of the lengths of the pickle stream and of all buffers, each counted when it is listed.
        stored_bytes: size of the whole file.
        buffers: number of buffers.
        buffers_per_byte: number of buffers for each byte of the file; applies to files with more than 65,536 buffers.
            A buffer may take no bytes of the index, and hardly any of a compressed stream: a list of a million views of
            one array has 300 buffers for each byte. A few hundred bytes that claim millions of buffers are refused
            before the tables take memory.
        index_bytes: size of the index as stored.
        opcodes: in restricted loading and inspection, the number of opcodes in the pickle stream. An opcode of one byte
            can take 200 bytes of memory.
        memo: in restricted loading and inspection, the number of objects that the stream may remember.
        nesting: in restricted loading and inspection, the depth of containers within containers. CPython's pickler
            writes at most 1000 by default; freeing some 10,000 nested object arrays ends the process.
        int_bytes: in restricted loading and inspection, the size of one integer. The time to print an integer grows
            with the square of its size.
    """

    decoded_bytes: int = 1 << 44
    stored_bytes: int = 1 << 44
    buffers: int = 1 << 22
    buffers_per_byte: int = 1 << 10
    index_bytes: int = 1 << 28
    opcodes: int = 1 << 28
    memo: int = 1 << 26
    nesting: int = 1000
    int_bytes: int = 1 << 16

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if type(value) is not int:
                raise TypeError(f"Limits: {name} must be an integer, not {value!r:.80}")
            if value < 0:
                raise ValueError(f"Limits: {name} must not be negative: {value}")

    def buffers_in(self, nbytes: int) -> int:
        """Return how many buffers a file of `nbytes` bytes may have."""
        return min(self.buffers, max(_FEW_BUFFERS, self.buffers_per_byte * nbytes))


RESTRICTED_LIMITS = Limits(
    decoded_bytes=1 << 33,
    stored_bytes=1 << 33,
    buffers=1 << 20,
    index_bytes=1 << 24,
    opcodes=1 << 26,
    memo=1 << 25,
)
"""The limits of restricted loading and inspection, if the caller gives none."""
