"""The strict machine: it follows a pickle stream of protocol 5 that no trusted author vouches for.

Goals: whatever bytes the stream has, a run returns an object, or raises `FormatError`, `LimitError` or
`UntrustedError`; no opcode runs that CPython's pickler would not write; memory grows with the bytes that have arrived,
never with a size that they claim; and a load and a scan of the same stream see the same globals.

Two parties share the work. The machine checks what the bytes say: opcodes, stack, memo, frames and sizes. A partner
makes the objects and checks what they are made of: `Values` makes real ones, `Inert` makes stand-ins. The machine's own
part is in three modules: `literals` has the stack, the memo and the opcodes that need no partner, `objects` those that
need one, and this one the way through the stream.

A run is in one of these states:
    making: the partner is `Values`, and the stack holds real objects;
    following: the partner is `Inert`, and the stack holds stand-ins. A scan begins here. A load comes here when
        `Values` fails or a global is refused: it goes on to the end, so that the error can name every global;
    stopped: STOP was the last opcode of its window. Exactly one object must then be on the stack, no mark may be open,
        and the stream must have no further byte.

A stream is a row of frames and of single opcodes between frames. The machine takes either as one window of bytes, in
which a handler, found by its opcode, gets the position after the opcode and returns the position after the operand.
A frame is bounded, so the machine counts opcodes and remembered objects between windows only. The opcodes that streams
are mostly made of stand in the loop over a window, since a call of a handler takes longer than they do.
"""

from __future__ import annotations

import struct
from typing import Any, Callable

from ..errors import FormatError, LimitError
from ..limits import Limits
from .objects import Objects
from .opcodes import FRAME, LARGE, OPERANDS, PROTO, describe
from .stream import PickleStream
from .tokens import Global

__all__ = ["Machine"]

# CPython's pickler ends a frame after 64 KiB and leaves larger strings outside, so none is larger than some 130 KiB.
# This bounds how far the machine runs before it counts opcodes.
_MAX_FRAME = 1 << 18

# First bytes in UTF-8 of the characters that Python keeps in one byte, and of those that it keeps in one or two.
_ONE_BYTE, _TWO_BYTES = bytes(range(0xC4)), bytes(range(0xF0))

# A frame counts as so many more opcodes, and so does an opcode outside of frames, because to get to it takes as long.
# Picklers put hardly any outside.
_STEP = 8

# What streams are mostly made of.
_MEMOIZE, _BINGET, _BININT1, _BINFLOAT, _BININT, _SHORT_BINUNICODE = 0x94, 0x68, 0x4B, 0x47, 0x4A, 0x8C
_INT4 = struct.Struct("<i").unpack_from
_FLOAT = struct.Struct(">d").unpack_from

# Opcodes outside of frames that have a length and as many bytes, few enough to be a window.
_SHORT = frozenset({"long1", "long4", "short_binbytes", "short_binunicode"})


class Machine(Objects):
    """One run over one stream.

    Args:
        read: gives the stream: at most as many bytes as asked for, and none at the end only.
        nbuffers: number of out-of-band buffers that belong to the stream.
        limits: what the stream may ask for (`opcodes`, `memo`, `nesting`, `int_bytes`).
        values: the partner that makes the objects, `Values` or `Inert`.
    """

    def __init__(self, read: Callable[[int], bytes], nbuffers: int, limits: Limits, values: Any):
        super().__init__(nbuffers, limits, values)
        self._source = PickleStream(read)
        self._stopped = False

    def run(self) -> Any:
        """Follow the stream to its end and return its object, or a stand-in after a failure.

        Raises:
            FormatError: it is not what a protocol-5 pickler writes.
            LimitError: it asks for more than the limits allow.
        """
        if self._source.take(2) != bytes([PROTO, 5]):
            raise FormatError("pickle stream: it is not of protocol 5")
        while not self._stopped:
            self._step()
        if not self._source.at_end():
            raise FormatError(f"pickle stream: something follows its end at {self._source.offset}")
        if self._outer or len(self._stack) != 1:
            raise FormatError("pickle stream: it does not end with exactly one object")
        return self._attempt(self._values.finish, self._stack.pop())

    def _step(self) -> None:
        """Run one frame, or one opcode that has none."""
        self._base = self._source.offset
        code = self._source.take(1)[0]
        if code == FRAME:
            self._frame()
        elif code in LARGE:
            self._large(code)
        else:
            self._single(code)
        self._opcodes += _STEP
        self._check_opcodes()
        if len(self._memo) > self._limits.memo:
            raise LimitError(f"pickle stream: more than {self._limits.memo} remembered objects", "memo")

    def _check_opcodes(self) -> None:
        if self._opcodes > self._limits.opcodes:
            raise LimitError(
                f"pickle stream: it has more than {self._limits.opcodes} opcodes; Limits(opcodes=, opcodes_per_byte=) "
                "allow more, if you know the file",
                "opcodes",
            )

    def _frame(self) -> None:
        size = int.from_bytes(self._source.take(8), "little")
        self._base = self._source.offset
        if size > _MAX_FRAME:
            raise FormatError(f"pickle stream: a frame at {self._base} is larger than picklers write")
        self._window(self._source.take(size))

    def _large(self, code: int) -> None:
        """Push a string that lies outside of frames, without holding it twice."""
        name, width = OPERANDS[code]
        size = int.from_bytes(self._source.take(width), "little")
        if name == "bytearray8":
            self._stack.append(self._source.take_bytearray(size))
        else:
            data = self._source.take(size)
            self._stack.append(self._text(data) if "unicode" in name else data)

    def _text(self, data: bytes) -> str:
        self._opcodes += len(data) * (_width(data) - 1) >> 5
        self._check_opcodes()
        try:
            return data.decode("utf-8", "surrogatepass")
        except UnicodeDecodeError as error:
            raise _malformed(self._base, error) from None

    def _single(self, code: int) -> None:
        """Run an opcode outside of frames."""
        name, width = OPERANDS.get(code, ("", 0))
        operand = self._source.take(width)
        if name in _SHORT:
            operand += self._source.take(int.from_bytes(operand, "little"))
        self._window(bytes([code]) + operand)

    def _window(self, data: bytes) -> None:
        """Run whole opcodes: a frame, or one."""
        pos, end, count = 0, len(data), 0
        stack, memo = self._stack, self._memo
        try:
            while pos < end:
                count += 1
                code = data[pos]
                if code == _MEMOIZE:
                    memo.append(stack[-1])
                    pos += 1
                elif code == _BINGET:
                    item = memo[data[pos + 1]]
                    if type(item) is Global:
                        after = self._array_call(item, data, pos)
                        if after:
                            pos = after
                            continue
                    stack.append(item)
                    pos += 2
                elif code == _BININT1:
                    stack.append(data[pos + 1])
                    pos += 2
                elif code == _BINFLOAT:
                    stack.append(_FLOAT(data, pos + 1)[0])
                    pos += 9
                elif code == _BININT:
                    stack.append(_INT4(data, pos + 1)[0])
                    pos += 5
                elif code == _SHORT_BINUNICODE:
                    start, pos = pos + 2, pos + 2 + data[pos + 1]
                    stack.append(data[start:pos].decode("utf-8", "surrogatepass"))
                else:
                    pos = _HANDLERS[code](self, data, pos + 1)
                    stack = self._stack
        except (IndexError, struct.error, UnicodeDecodeError) as error:
            raise _malformed(self._base + pos, error) from None
        if pos != end:
            raise FormatError(f"pickle stream: an opcode crosses the end of its frame at {self._base + end}")
        self._opcodes += count

    def _refuse(self, data: bytes, pos: int) -> int:
        opcode = describe(data[pos - 1])
        raise FormatError(f"pickle stream: opcode {opcode} at {self._base + pos - 1} is none that picklers write here")

    def _stop(self, data: bytes, pos: int) -> int:
        if pos != len(data):
            raise FormatError(f"pickle stream: something follows its end at {self._base + pos}")
        self._stopped = True
        return pos


# Functions: a table of a machine's own methods would keep it, and so all objects, until the garbage collector comes.
_HANDLERS: list[Callable[[Machine, bytes, int], int]] = [Machine._refuse] * 256
for _code, (_name, _) in OPERANDS.items():
    _HANDLERS[_code] = getattr(Machine, f"_{_name}", Machine._refuse)  # those of the loop have none


def _width(data: bytes) -> int:
    """Return how many bytes Python takes for each character of UTF-8."""
    if not data.translate(None, _ONE_BYTE):
        return 1
    return 4 if data.translate(None, _TWO_BYTES) else 2


def _malformed(offset: int, error: Exception) -> FormatError:
    reason = "a string is not UTF-8" if isinstance(error, UnicodeDecodeError) else "an opcode lacks what it works on"
    return FormatError(f"pickle stream: malformed at {offset}: {reason}")
