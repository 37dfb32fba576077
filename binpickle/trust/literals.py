"""The machine's stack and memo, and the opcodes that need nothing else: numbers, strings, marks and the memo's own.

Rule: a handler takes the window and the position after its opcode, and returns the position after its operand. It does
not check that the operand is whole: the machine catches what a short operand raises, and compares the position that the
handler returns with the end of the window.
"""

from __future__ import annotations

import struct
from typing import Any

from ..errors import LimitError
from ..limits import Limits

__all__ = ["SET", "Literals"]

_SIZE2 = struct.Struct("<H")
_SIZE4 = struct.Struct("<I")
_SIZE8 = struct.Struct("<Q")

# So many more opcodes do they count, for the memory that they take beyond the 60 bytes of most opcodes.
SET = 6
_CONTAINER = 1


class Literals:
    """Stack, memo, and the handlers of the opcodes that push what stands in the stream.

    Args:
        limits: what the stream may ask for.
    """

    def __init__(self, limits: Limits):
        self._limits = limits
        self._opcodes = 0
        self._stack: list[Any] = []
        self._outer: list[list[Any]] = []  # the stacks below each mark
        self._memo: list[Any] = []

    def _none(self, data: bytes, pos: int) -> int:
        self._stack.append(None)
        return pos

    def _newtrue(self, data: bytes, pos: int) -> int:
        self._stack.append(True)
        return pos

    def _newfalse(self, data: bytes, pos: int) -> int:
        self._stack.append(False)
        return pos

    def _binint2(self, data: bytes, pos: int) -> int:
        self._stack.append(_SIZE2.unpack_from(data, pos)[0])
        return pos + 2

    def _long1(self, data: bytes, pos: int) -> int:
        return self._long(data, pos + 1, data[pos])

    def _long4(self, data: bytes, pos: int) -> int:
        return self._long(data, pos + 4, _SIZE4.unpack_from(data, pos)[0])

    def _long(self, data: bytes, pos: int, size: int) -> int:
        if size > self._limits.int_bytes:
            raise LimitError(f"pickle stream: an integer has more than {self._limits.int_bytes} bytes", "int_bytes")
        self._stack.append(int.from_bytes(data[pos : pos + size], "little", signed=True))
        return pos + size

    def _short_binbytes(self, data: bytes, pos: int) -> int:
        end = pos + 1 + data[pos]
        self._stack.append(data[pos + 1 : end])
        return end

    def _binbytes(self, data: bytes, pos: int) -> int:
        end: int = pos + 4 + _SIZE4.unpack_from(data, pos)[0]
        self._stack.append(data[pos + 4 : end])
        return end

    def _binbytes8(self, data: bytes, pos: int) -> int:
        end: int = pos + 8 + _SIZE8.unpack_from(data, pos)[0]
        self._stack.append(data[pos + 8 : end])
        return end

    def _bytearray8(self, data: bytes, pos: int) -> int:
        end: int = pos + 8 + _SIZE8.unpack_from(data, pos)[0]
        self._stack.append(bytearray(data[pos + 8 : end]))
        return end

    def _binunicode(self, data: bytes, pos: int) -> int:
        end: int = pos + 4 + _SIZE4.unpack_from(data, pos)[0]
        self._stack.append(data[pos + 4 : end].decode("utf-8", "surrogatepass"))
        return end

    def _binunicode8(self, data: bytes, pos: int) -> int:
        end: int = pos + 8 + _SIZE8.unpack_from(data, pos)[0]
        self._stack.append(data[pos + 8 : end].decode("utf-8", "surrogatepass"))
        return end

    def _empty_tuple(self, data: bytes, pos: int) -> int:
        self._stack.append(())
        return pos

    def _empty_list(self, data: bytes, pos: int) -> int:
        self._opcodes += _CONTAINER
        self._stack.append([])
        return pos

    def _empty_dict(self, data: bytes, pos: int) -> int:
        self._opcodes += _CONTAINER
        self._stack.append({})
        return pos

    def _empty_set(self, data: bytes, pos: int) -> int:
        self._opcodes += SET
        self._stack.append(set())
        return pos

    def _mark(self, data: bytes, pos: int) -> int:
        if len(self._outer) >= self._limits.nesting:
            raise LimitError(f"pickle stream: objects are nested more than {self._limits.nesting} deep", "nesting")
        self._opcodes += _CONTAINER
        self._outer.append(self._stack)
        self._stack = []
        return pos

    def _since_mark(self) -> list[Any]:
        """Take off the stack what was pushed since the last mark, and the mark."""
        items, self._stack = self._stack, self._outer.pop()
        return items

    def _pop(self, data: bytes, pos: int) -> int:
        self._stack.pop()
        return pos

    def _pop_mark(self, data: bytes, pos: int) -> int:
        self._since_mark()
        return pos

    def _long_binget(self, data: bytes, pos: int) -> int:
        self._stack.append(self._memo[_SIZE4.unpack_from(data, pos)[0]])
        return pos + 4
