"""The smallest pieces of hostile streams: literals, giants, and keys whose hashes are equal.

Rule: each function returns the bytes that push one object.
"""

from __future__ import annotations

import struct
from typing import Callable

from assembler import (
    FALSE,
    MARK,
    NEXT,
    NONE,
    TRUE,
    array_state,
    build,
    call,
    dic,
    dtype,
    floating,
    lst,
    new,
    number,
    raw,
    structured,
    text,
    tup,
    writable,
)

from .maker import Maker, Piece

__all__ = ["COLLIDING", "GIANTS", "RECONSTRUCT", "doubled", "integer", "leaf", "numbers", "objects"]

_MODULUS = (1 << 61) - 1  # of the hashes of numbers
RECONSTRUCT = "numpy._core.multiarray:_reconstruct"


def objects(*items: bytes) -> bytes:
    """Push an array of objects."""
    return array_state(tup(number(len(items))), dtype("O8", "|", flags=63), lst(*items))


def integer(make: Maker) -> bytes:
    """Push an integer: small, at a border, or large."""
    small = [0, 1, 2, 3, 7, 255, 256, 1000]
    borders = [(1 << bits) + more for bits in (15, 16, 31, 32, 40, 62, 63, 64, 127, 128) for more in (-1, 0, 1)]
    value = make.pick(make.pick([small, borders, [-1, -2, -(1 << 31), -(1 << 63)], [1 << 8 * make.many(65_000)]]))
    return number(value)


def leaf(make: Maker) -> bytes:
    """Push something without parts."""
    if make.chance(0.3):
        return integer(make)
    return make.pick(_LEAVES)


_LEAVES = [
    *(NONE, TRUE, FALSE, b")", b"]", b"}", b"\x8f", b"(\x91"),
    *map(floating, (0.0, -0.0, 1.5, 1e300, float("inf"), float("-inf"), float("nan"))),
    *map(text, ("", "a", "\ud800", "\U0010ffff", "a\0b", "1/3", "NaN", "1E999999", "Europe/Paris", "../a")),
    *map(raw, (b"", b"b", b"\xff" * 8, bytes(10))),
    *map(writable, (b"", b"ab")),
    *(b"K\1", b"M\0\1", b"J\xff\xff\xff\xff", b"\x8a\0", b"\x8a\1\xff", b"C\2ab", b"\x8c\2ab"),
]


def numbers(make: Maker, count: int) -> bytes:
    """Return the opcodes that push so many integers, small as a rule."""
    one = make.pick([b"K\0", b"K\1", b"K\1", number(1 << 40), number((1 << 63) - 1), number(-1), NONE, b"G" + bytes(8)])
    return one * count


def _different(make: Maker, count: int) -> list[bytes]:
    """Return the opcodes that push so many different things that are hashed at once."""
    if make.chance(0.5):
        return [b"J" + struct.pack("<i", n) for n in range(count)]
    return [text(f"k{n}") for n in range(count)]


def _array(make: Maker) -> bytes:
    size = make.many(make.most)
    kind = make.pick([dtype("u1", "|"), dtype("V1", "|", 1), dtype("S1", "|", 1), dtype("b1", "|")])
    return array_state(tup(number(size)), kind, raw(bytes(size)))


def _out_of_band(make: Maker) -> bytes:
    """Push an array over an out-of-band buffer."""
    size = make.many(make.most)
    make.buffers.append(bytes(size))
    arguments = [NEXT, dtype("u1", "|"), tup(number(size)), text("C")]
    return call("numpy._core.numeric:_frombuffer", *arguments)


def _items(make: Maker) -> list[bytes]:
    count = make.many(make.most // 2)
    return [numbers(make, 1)] * count


def _wide(make: Maker) -> bytes:
    """Push a dtype of many fields."""
    count = make.many(min(1 << 16, make.most // 24))
    kind = make.keep(make.pick([dtype("u1", "|"), dtype("V0", "|", 0), dtype("S0", "|", 0), dtype("i8")]))
    return structured([f"f{n}" for n in range(count)], [(kind, 0)] * count, 0 if make.chance(0.3) else 8)


GIANTS: dict[str, Piece] = {
    "bytes": lambda make: raw(bytes(make.many(make.most))),
    "bytearray": lambda make: writable(bytes(make.many(make.most))),
    "str": lambda make: text("a" * make.many(make.most)),
    "str of 4 bytes each": lambda make: text("a" * make.many(make.most) + "\U0010ffff"),
    "digits": lambda make: text(make.pick(["9", "1", "0"]) * make.many(make.pick([4000, make.most]))),
    "decimal": lambda make: call("decimal:Decimal", text("9" * make.many(make.most))),
    "parts": lambda make: text("a/" * make.many(make.most // 2)),
    "tuple": lambda make: tup(*_items(make)),
    "list": lambda make: lst(*_items(make)),
    "dict": lambda make: dic(*[part for key in _different(make, make.many(make.most // 6)) for part in (key, NONE)]),
    "set": lambda make: b"\x8f" + MARK + b"".join(_different(make, make.many(make.most // 5))) + b"\x90",
    "frozenset": lambda make: MARK + b"".join(_different(make, make.many(make.most // 5))) + b"\x91",
    "strings": lambda make: tup(*[text("a")] * make.many(make.most // 6)),
    "array": _array,
    "out of band": _out_of_band,
    "array of objects": lambda make: objects(*_items(make)),
    "wide dtype": _wide,
    "integer": lambda make: number(1 << 8 * make.many(65_000)),
    "doubled tuple": lambda make: doubled(make, tup),
}
"""Large objects by name."""


def doubled(make: Maker, put: Callable[..., bytes], depth: int = 0, wide: int = 2) -> bytes:
    """Push a tuple of two of a tuple of two, and so on: more parts than can be visited in a lifetime."""
    last = make.keep(b")")
    for _ in range(depth or make.many(60)):
        last = make.keep(put(*[last] * wide))
    return last


def _bits(n: int) -> bytes:
    """Push a tuple of -1 and -2, whose hashes are equal."""
    return tup(*[b"J\xff\xff\xff\xff" if n >> bit & 1 else b"J\xfe\xff\xff\xff" for bit in range(20)])


def _uuid(n: int) -> bytes:
    return build(new("uuid:UUID"), dic(text("int"), number(_MODULUS * n)))


def _powers(n: int) -> bytes:
    """Push a complex number of two powers of 2**61, whose hash is that of 1+1j."""
    return call("builtins:complex", floating(2.0 ** (61 * (n % 16))), floating(2.0 ** (61 * (n // 16 % 16))))


def _numpy_bits(n: int) -> bytes:
    """Push a scalar of integers -1 and -2."""
    data = bytes(0xFF if n >> bit & 1 else 0xFE for bit in range(16))
    kind = structured([f"f{bit}" for bit in range(16)], [(dtype("i1", "|"), bit) for bit in range(16)], 16)
    return call("numpy._core.multiarray:scalar", kind, raw(data))


_NAT = call(
    "numpy._core.multiarray:scalar",
    build(
        call("numpy:dtype", text("M8"), FALSE, TRUE),
        tup(
            *(number(4), text("<"), NONE, NONE, NONE, number(-1), number(-1), number(0)),
            tup(b"}", tup(raw(b"ns"), number(1), number(1), number(1))),
        ),
    ),
    raw((1 << 63).to_bytes(8, "little")),
)

COLLIDING: dict[str, Callable[[int], bytes]] = {
    "integers": lambda n: number(_MODULUS * n),
    "negative integers": lambda n: number(-_MODULUS * n - 1),
    "tuples of integers": lambda n: tup(number(_MODULUS * n)),
    "tuples of -1 and -2": _bits,
    "frozensets": lambda n: MARK + number(_MODULUS * n) + b"\x91",
    "frozensets in tuples": lambda n: tup(MARK + number(_MODULUS * n) + b"\x91"),
    "complex": _powers,
    "complex NaN": lambda n: call("builtins:complex", floating(float("nan")), floating(0.0)),
    "NaN": lambda n: floating(float("nan")),
    "Decimal": lambda n: call("decimal:Decimal", text(str(_MODULUS * n))),
    "Decimal NaN": lambda n: call("decimal:Decimal", text(f"NaN{n}")),
    "Fraction": lambda n: call("fractions:Fraction", number(_MODULUS * n), number(1)),
    "Fraction of text": lambda n: call("fractions:Fraction", text(f"{_MODULUS * n}/1")),
    "UUID": _uuid,
    "range": lambda n: call("builtins:range", number(_MODULUS * n), number(_MODULUS * n + 1), number(1)),
    "slice": lambda n: call("builtins:slice", number(_MODULUS * n), NONE, NONE),
    "scalars of -1 and -2": _numpy_bits,
    "NaT": lambda n: _NAT,
    "mixed numbers": lambda n: [COLLIDING["integers"], COLLIDING["Decimal"], COLLIDING["Fraction"]][n % 3](n),
}
"""Different keys of equal hashes by name; each function takes a number from 0."""
