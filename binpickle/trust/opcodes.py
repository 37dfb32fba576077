"""The opcodes that CPython's protocol-5 pickler emits, and no others.

Rule: the machine refuses an opcode that is not in `OPERANDS`. A protocol-5 pickler never writes text opcodes, GLOBAL,
INST, OBJ, EXT, PERSID, DUP or the numbered PUTs. Crafted streams use them to get past checks that look for
STACK_GLOBAL.
"""

from __future__ import annotations

__all__ = ["FRAME", "LARGE", "OPERANDS", "PROTO", "describe"]

PROTO = 0x80
FRAME = 0x95

OPERANDS: dict[int, tuple[str, int]] = {
    # code: (name of the machine's handler, bytes of its fixed-size operand or of its length prefix)
    0x28: ("mark", 0),
    0x2E: ("stop", 0),
    0x30: ("pop", 0),
    0x31: ("pop_mark", 0),
    0x4E: ("none", 0),
    0x89: ("newfalse", 0),
    0x88: ("newtrue", 0),
    0x4A: ("binint", 4),
    0x4B: ("binint1", 1),
    0x4D: ("binint2", 2),
    0x8A: ("long1", 1),
    0x8B: ("long4", 4),
    0x47: ("binfloat", 8),
    0x43: ("short_binbytes", 1),
    0x42: ("binbytes", 4),
    0x8E: ("binbytes8", 8),
    0x96: ("bytearray8", 8),
    0x8C: ("short_binunicode", 1),
    0x58: ("binunicode", 4),
    0x8D: ("binunicode8", 8),
    0x29: ("empty_tuple", 0),
    0x85: ("tuple1", 0),
    0x86: ("tuple2", 0),
    0x87: ("tuple3", 0),
    0x74: ("tuple", 0),
    0x5D: ("empty_list", 0),
    0x61: ("append", 0),
    0x65: ("appends", 0),
    0x7D: ("empty_dict", 0),
    0x73: ("setitem", 0),
    0x75: ("setitems", 0),
    0x8F: ("empty_set", 0),
    0x90: ("additems", 0),
    0x91: ("frozenset", 0),
    0x68: ("binget", 1),
    0x6A: ("long_binget", 4),
    0x94: ("memoize", 0),
    0x93: ("stack_global", 0),
    0x52: ("reduce", 0),
    0x81: ("newobj", 0),
    0x92: ("newobj_ex", 0),
    0x62: ("build", 0),
    0x97: ("next_buffer", 0),
    0x98: ("readonly_buffer", 0),
}
"""Every opcode that may stand in a stream, but for PROTO at its start and FRAME around the others."""

LARGE = frozenset({0x42, 0x8E, 0x96, 0x58, 0x8D})
"""Those whose operand is a length and as many bytes, which the pickler writes outside of frames when they are many."""

_REFUSED = {
    0x32: "DUP",
    0x46: "FLOAT",
    0x49: "INT",
    0x4C: "LONG",
    0x50: "PERSID",
    0x51: "BINPERSID",
    0x53: "STRING",
    0x54: "BINSTRING",
    0x55: "SHORT_BINSTRING",
    0x56: "UNICODE",
    0x63: "GLOBAL",
    0x64: "DICT",
    0x67: "GET",
    0x69: "INST",
    0x6C: "LIST",
    0x6F: "OBJ",
    0x70: "PUT",
    0x71: "BINPUT",
    0x72: "LONG_BINPUT",
    0x80: "PROTO",
    0x82: "EXT1",
    0x83: "EXT2",
    0x84: "EXT4",
    0x95: "FRAME",
}


def describe(code: int) -> str:
    """Return the name of a refused opcode, for messages."""
    return _REFUSED.get(code, f"0x{code:02x}")
