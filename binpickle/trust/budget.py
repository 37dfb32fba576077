"""What one load may still spend: the stream pays for each thing that it makes the machine do.

Rule: a unit is about what an opcode takes: an element that a rule walks or hashes, 32 bytes that it copies, or 256 that
NumPy looks at. Whoever does such work pays before he does it, for what the work takes now: an object from the memo is
paid for each time.
"""

from __future__ import annotations

from typing import Any, Iterable

import numpy as np

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

    def pay_arrays(self, parts: Iterable[Any]) -> None:
        """Spend units for arrays that a class looks at, each as large as it seems: it may repeat its memory.

        Args:
            parts: arrays and others, and lists, tuples and dicts of these.

        Raises:
            LimitError: not so many are left.
        """
        for part in parts:
            if isinstance(part, np.ndarray):
                self.pay_look(part.nbytes)
            elif type(part) in (list, tuple, dict):
                inner = part.values() if type(part) is dict else part
                self.pay_look(sum(item.nbytes for item in inner if isinstance(item, np.ndarray)))
                self.pay(len(inner) >> 3)

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
