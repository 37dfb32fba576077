"""What one load may still spend: the stream pays for each thing that it makes the machine do.

Rule: a unit is about what an opcode takes: an element that a rule walks or hashes, 32 bytes that it copies, or 256 that
NumPy looks at. Whoever does such work pays before he does it, for what the work takes now: an object from the memo is
paid for each time.
"""

from __future__ import annotations

from ..errors import LimitError

__all__ = ["Budget"]


class Budget:
    """Units of work that are left.

    Args:
        units: how many the stream may spend.
    """

    __slots__ = ("_left", "_units")

    def __init__(self, units: int):
        self._units = self._left = units

    def pay(self, units: int) -> None:
        """Spend units.

        Raises:
            LimitError: not so many are left.
        """
        self._left -= units
        if self._left < 0:
            raise LimitError(
                f"pickle stream: it takes more than {self._units} units of work; Limits(work=, opcodes_per_byte=) "
                "allow more, if you know the file",
                "work",
            )

    def pay_bytes(self, nbytes: int) -> None:
        """Spend units for bytes that are copied or allocated.

        Raises:
            LimitError: not so many are left.
        """
        self.pay(1 + (nbytes >> 5))

    def pay_long(self, bits: int) -> None:
        """Spend units for multiplying or dividing integers of so many bits.

        Raises:
            LimitError: not so many are left.
        """
        self.pay((bits >> 8) ** 2 >> 4)

    def pay_look(self, nbytes: int) -> None:
        """Spend units for bytes that NumPy looks at.

        Raises:
            LimitError: not so many are left.
        """
        self.pay(1 + (nbytes >> 8))
