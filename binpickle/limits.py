"""How much a file may ask for before it is refused."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Limits", "RESTRICTED_LIMITS"]

# Tables of so many take a few MiB.
_FEW_BUFFERS = 1 << 16


@dataclass(frozen=True)
class Limits:
    """How much a file may ask for before it is refused with `LimitError`.

    The defaults are generous: they stop absurd claims, not large files.

    Attributes:
        decoded_bytes: sum of the lengths of the pickle stream and of all buffers, each counted when it is listed.
        stored_bytes: size of the whole file.
        buffers: number of buffers.
        buffers_per_byte: number of buffers for each byte of the file, where there are more than 65,536. A buffer need
            not take any bytes of the index, and hardly any of a compressed stream. A list of a million views of one
            array comes to 300; a number that a few hundred bytes claim is refused before it takes memory.
        index_bytes: size of the index as stored.
        opcodes: in restricted loading and inspection, the number of opcodes in the pickle stream. One of a byte can
            take 200 bytes of memory.
        memo: likewise, the number of objects that the stream may remember.
        nesting: likewise, the depth of containers within containers. CPython's pickler writes 1000 by default; some
            10,000 object arrays in one another end the process when they are freed.
        int_bytes: likewise, the size of one integer. The time to print it grows with the square.
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
        """Return how many buffers a file of so many bytes may have."""
        return min(self.buffers, max(_FEW_BUFFERS, self.buffers_per_byte * nbytes))


RESTRICTED_LIMITS = Limits(
    decoded_bytes=1 << 33,
    stored_bytes=1 << 33,
    buffers=1 << 20,
    index_bytes=1 << 24,
    opcodes=1 << 26,
    memo=1 << 25,
)
"""What restricted loading and inspection allow where the caller gives no limits."""
