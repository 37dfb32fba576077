"""Pickle streams put together by hand, opcode by opcode, to be well formed or not.

Rule: each function returns the bytes that push one thing; `stream` makes a whole stream of them.
"""

from __future__ import annotations

import struct

__all__ = [
    "FALSE",
    "MARK",
    "MEMOIZE",
    "NEXT",
    "NONE",
    "NO_MASK",
    "POP",
    "STOP",
    "TRUE",
    "array_state",
    "build",
    "call",
    "described",
    "dic",
    "dtype",
    "floating",
    "frame",
    "get",
    "glob",
    "keep",
    "lst",
    "new",
    "number",
    "raw",
    "stream",
    "structured",
    "text",
    "tup",
    "writable",
]

MARK, STOP, NONE, TRUE, FALSE, NEXT = b"(", b".", b"N", b"\x88", b"\x89", b"\x97"
MEMOIZE, POP = b"\x94", b"0"


def stream(*parts: bytes) -> bytes:
    """Return a stream of protocol 5 that ends after these parts."""
    return b"\x80\x05" + b"".join(parts) + STOP


def frame(*parts: bytes) -> bytes:
    """Return a frame."""
    data = b"".join(parts)
    return b"\x95" + struct.pack("<Q", len(data)) + data


def text(value: str) -> bytes:
    """Push a string."""
    data = value.encode("utf-8", "surrogatepass")
    return b"X" + struct.pack("<I", len(data)) + data


def raw(value: bytes) -> bytes:
    """Push a bytes object."""
    return b"B" + struct.pack("<I", len(value)) + value


def writable(value: bytes) -> bytes:
    """Push a bytearray."""
    return b"\x96" + struct.pack("<Q", len(value)) + value


def number(value: int) -> bytes:
    """Push an integer."""
    data = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
    return b"\x8b" + struct.pack("<I", len(data)) + data


def floating(value: float) -> bytes:
    """Push a float."""
    return b"G" + struct.pack(">d", value)


def keep(*parts: bytes) -> bytes:
    """Remember objects, each under the next number."""
    return b"".join(part + MEMOIZE + POP for part in parts)


def get(index: int) -> bytes:
    """Push a remembered object."""
    return b"h" + bytes([index]) if index < 256 else b"j" + struct.pack("<I", index)


def tup(*parts: bytes) -> bytes:
    """Push a tuple."""
    return MARK + b"".join(parts) + b"t"


def lst(*parts: bytes) -> bytes:
    """Push a list."""
    return b"](" + b"".join(parts) + b"e"


def dic(*parts: bytes) -> bytes:
    """Push a dict of keys and values by turns."""
    return b"}(" + b"".join(parts) + b"u"


def glob(name: str) -> bytes:
    """Push the global `module:qualname`."""
    module, _, qualname = name.partition(":")
    return text(module) + text(qualname) + b"\x93"


def call(name: str, *arguments: bytes) -> bytes:
    """Push what a global returns when it is called."""
    return glob(name) + tup(*arguments) + b"R"


def new(name: str, *arguments: bytes) -> bytes:
    """Push an instance of a global, not initialized."""
    return glob(name) + tup(*arguments) + b"\x81"


def build(target: bytes, state: bytes) -> bytes:
    """Give an object a state."""
    return target + state + b"b"


def dtype(spec: str, order: str = "<", size: int = -1, flags: int = 0) -> bytes:
    """Push a plain dtype, as NumPy pickles it."""
    state = [number(3), text(order), NONE, NONE, NONE, number(size), number(-1), number(flags)]
    return build(call("numpy:dtype", text(spec), FALSE, TRUE), tup(*state))


def structured(names: list[str], fields: list[tuple[bytes, int]], size: int, flags: int = 16) -> bytes:
    """Push a structured dtype of fields with their offsets."""
    entries = [part for name, (kind, at) in zip(names, fields) for part in (text(name), tup(kind, number(at)))]
    state = [number(3), text("|"), NONE, tup(*map(text, names)), dic(*entries), number(size), number(1), number(flags)]
    return build(call("numpy:dtype", text(f"V{size}"), FALSE, TRUE), tup(*state))


def described(item: bytes) -> bytes:
    """Push a dtype that has something in its metadata."""
    state = [number(4), text("<"), NONE, NONE, NONE, number(-1), number(-1), number(0), dic(text("a"), item)]
    return build(call("numpy:dtype", text("f8"), FALSE, TRUE), tup(*state))


def array_state(shape: bytes, kind: bytes, data: bytes, cls: str = "numpy:ndarray") -> bytes:
    """Push an array whose data, or list of objects, stands in the stream, as NumPy pickles it."""
    made = call("numpy.core.multiarray:_reconstruct", glob(cls), tup(number(0)), raw(b"b"))
    return build(made, tup(number(1), shape, kind, FALSE, data))


NO_MASK = call("numpy._core.multiarray:scalar", dtype("b1", "|"), raw(b"\0"))
"""Push the mask of a masked array that hides nothing."""
