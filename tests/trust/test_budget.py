"""What a stream makes the strict machine do is paid for each time, so that a small file takes no great time or memory.

Each stream here once took seconds, gigabytes, or for ever, at a larger size.
"""

from __future__ import annotations

import io
from typing import Any, Callable

import pytest
from assembler import (
    FALSE,
    MARK,
    NO_MASK,
    NONE,
    TRUE,
    array_state,
    build,
    call,
    described,
    dic,
    dtype,
    frame,
    get,
    glob,
    keep,
    lst,
    new,
    number,
    raw,
    stream,
    text,
    tup,
    writable,
)

from binpickle import FormatError, LimitError, Limits, trust

WORK = 1 << 16
PRIME = (1 << 61) - 1
HUGE = number((1 << 63) - 1)
U1, OBJECT = dtype("u1", "|"), dtype("O8", "|", flags=63)
RECONSTRUCT = "numpy._core.multiarray:_reconstruct"
SCALAR = "numpy._core.multiarray:scalar"
BEGIN = [glob(RECONSTRUCT), tup(glob("numpy:ndarray"), tup(number(0)), raw(b"b"))]


def again(times: int, *unit: bytes) -> bytes:
    """Push and drop something many times."""
    return (b"".join(unit) + b"0") * times + NONE


def state(shape: bytes, kind: bytes, data: bytes) -> bytes:
    """Push the state of an array."""
    return tup(number(1), shape, kind, FALSE, data)


def doubled(begin: bytes, put: bytes, times: int = 60) -> bytes:
    """Remember what holds twice what holds twice, and so on; the last one is remembered as `times`."""
    return keep(begin, *[put.replace(b"item", get(n)) for n in range(times)])


def wide(fields: int) -> tuple[bytes, bytes]:
    """Return the call and the state of a dtype of many fields over the remembered dtype 0."""
    names = [f"f{n}" for n in range(fields)]
    columns = dic(*[part for name in names for part in (text(name), tup(get(0), number(0)))])
    parts = (number(3), text("|"), NONE, tup(*map(text, names)), columns, number(8), number(1), number(16))
    return call("numpy:dtype", text("V8"), FALSE, TRUE), tup(*parts)


KEYS: dict[str, Callable[[int], bytes]] = {
    "integers": lambda n: number(PRIME * n),
    "negative integers": lambda n: number(-PRIME * n - 1),
    "tuples": lambda n: tup(number(PRIME * n)),
    "tuples of -1 and -2": lambda n: tup(*[number(-1 if n >> bit & 1 else -2) for bit in range(12)]),
    "frozensets": lambda n: MARK + number(PRIME * n) + b"\x91",
    "decimals": lambda n: call("decimal:Decimal", text(str(PRIME * n))),
    "fractions": lambda n: call("fractions:Fraction", number(PRIME * n), number(1)),
    "identifiers": lambda n: build(new("uuid:UUID"), dic(text("int"), number(PRIME * n))),
    "ranges": lambda n: call("builtins:range", number(PRIME * n), number(PRIME * n + 1), number(1)),
    "of several types": lambda n: KEYS[("integers", "decimals", "fractions")[n % 3]](n),
}
FILLED: dict[str, Callable[[list[bytes]], bytes]] = {
    "dict": lambda keys: dic(*[part for key in keys for part in (key, NONE)]),
    "dict, one by one": lambda keys: b"}" + b"".join(key + NONE + b"s" for key in keys),
    "set": lambda keys: b"\x8f" + MARK + b"".join(keys) + b"\x90",
    "set, one by one": lambda keys: b"\x8f" + b"".join(MARK + key + b"\x90" for key in keys),
    "frozenset": lambda keys: MARK + b"".join(keys) + b"\x91",
    "OrderedDict": lambda keys: call("collections:OrderedDict") + b"".join(key + NONE + b"s" for key in keys),
}


@pytest.mark.parametrize("kind", KEYS)
@pytest.mark.parametrize("container", FILLED)
def test_equal_hashes(container: str, kind: str) -> None:
    """Keys whose hashes are equal pay for each comparison; so many different ones are loaded."""
    refuse(stream(FILLED[container]([KEYS[kind](n) for n in range(1, 600)])))


def test_different_hashes() -> None:
    """Keys whose hashes differ pay for themselves alone."""
    assert len(load(stream(FILLED["dict"]([number(n) for n in range(20_000)])), work=WORK)) == 20_000


GIANT = tup(*[number(1)] * 1000)
KINDS, KIND_STATE = wide(500)

PAID: dict[str, bytes] = {
    "a long integer as a key": keep(number(1 << 8 * 60_000)) + b"}" + (get(0) + NONE + b"s") * 400,
    "a tuple as a key": keep(GIANT) + b"}" + (get(0) + NONE + b"s") * 400,
    "a tuple in a frozenset": keep(GIANT) + again(400, MARK, get(0), b"\x91"),
    "a Counter of a dict": keep(dic(*[part for n in range(1000) for part in (number(n), NONE)]))
    + again(400, call("collections:Counter", get(0))),
    "a Decimal": keep(text("9" * 60_000)) + again(400, call("decimal:Decimal", get(0))),
    "a path": keep(text("a/" * 50_000)) + again(400, call("pathlib:PurePosixPath", get(0))),
    "a path of many parts": keep(tup(*[text("a")] * 1000)) + again(400, glob("pathlib:PureWindowsPath"), get(0), b"R"),
    "a Fraction of long integers": keep(number((1 << 8 * 60_000) + 1), number((1 << 8 * 59_000) + 3))
    + again(40, call("fractions:Fraction", get(0), get(1))),
    "a Fraction of digits": keep(text("1" * 3999 + "/" + "3" * 3999)) + again(400, call("fractions:Fraction", get(0))),
    "a copy of an array": keep(*BEGIN, state(tup(number(1 << 16)), U1, raw(bytes(1 << 16))))
    + again(400, get(0), get(1), b"R", get(2), b"b"),
    "an array in another byte order": keep(*BEGIN, state(tup(number(1 << 13)), dtype("f8", ">"), raw(bytes(1 << 16))))
    + again(400, get(0), get(1), b"R", get(2), b"b"),
    "an array of objects": keep(*BEGIN, state(tup(number(1000)), OBJECT, lst(*[NONE] * 1000)))
    + again(400, get(0), get(1), b"R", get(2), b"b"),
    "a scalar": keep(dtype("V65536", "|", 1 << 16), raw(bytes(1 << 16))) + again(400, call(SCALAR, get(0), get(1))),
    "a dtype of many fields": keep(U1) + keep(KIND_STATE) + again(100, KINDS, get(1), b"b"),
    "a random generator": again(400, call("numpy.random._pickle:__bit_generator_ctor", text("MT19937"))),
    "masked arrays of many fields": keep(U1, KIND_STATE)
    + keep(KINDS + get(1) + b"b")
    + again(100, call("numpy.ma:MaskedArray", call("numpy:ndarray", tup(number(1)), get(2), raw(bytes(8))), NO_MASK)),
}
"""Streams by what they do again and again with what stands in them once."""


ORDER = [tup(number(0)), U1, NONE, number(0), NONE]
TUPLES = doubled(b")", b"itemitem\x86")
# Two equal frozensets, of which each holds the next one twice: to compare them takes for ever, to hash them does not.
TWINS = b"".join(
    keep(MARK + b"\x91", *[MARK + get(first + n) * 2 + b"\x85\x91" for n in range(40)]) for first in (0, 41)
)
SIDES = tup(HUGE * 3000)
SEED = [glob("numpy.random.bit_generator:SeedSequence"), number(0xC464C19), NONE]
POOL = array_state(tup(number(256)), dtype("u4"), raw(bytes(1024)))


def nested(times: int, begin: bytes, put: bytes) -> bytes:
    """Push what holds what holds, and so on."""
    return keep(begin, *[put.replace(b"item", get(n)) for n in range(times)]) + get(times)


def filled_with(item: bytes) -> bytes:
    """Push a masked array with something in its fill value."""
    none, one = (array_state(shape, OBJECT, lst(inner)) for shape, inner in ((tup(number(1)), NONE), (b")", item)))
    return call("numpy.ma:MaskedArray", none, NO_MASK, NONE, FALSE, TRUE, number(0), one)


REFUSED: dict[str, tuple[bytes, Any, str]] = {
    "a shape of many sides": (
        call("numpy:ndarray", SIDES, U1, raw(b"")),
        FormatError,
        "a shape has more than 64 numbers",
    ),
    "the shape of a state": (array_state(SIDES, U1, raw(b"")), FormatError, "a shape has more than 64 numbers"),
    "the shape of a buffer": (
        call("numpy._core.numeric:_frombuffer", raw(b""), U1, SIDES, text("C")),
        FormatError,
        "a shape has more than 64 numbers",
    ),
    "the shape of a subarray": (
        build(
            call("numpy:dtype", text("V8"), FALSE, TRUE),
            tup(number(3), text("|"), tup(U1, SIDES), NONE, NONE, number(8), number(1), number(0)),
        ),
        FormatError,
        "the shape of a subarray has more than 64 numbers",
    ),
    "strides of many sides": (
        call("numpy:ndarray", SIDES, U1, raw(bytes(8)), number(0), tup(b"K\0" * 3000)),
        FormatError,
        "a shape has more than 64 numbers",
    ),
    "a doubled tuple as an order": (
        TUPLES + call("numpy:ndarray", *ORDER, get(60)),
        FormatError,
        "the order of an array is a tuple",
    ),
    "a doubled tuple as axes": (
        TUPLES
        + call(
            "numpy._core.numeric:_frombuffer",
            raw(b""),
            U1,
            tup(number(0)),
            text("K"),
            get(60),
        ),
        FormatError,
        "the axes of an array is not of integers",
    ),
    "a doubled tuple as a generator": (
        TUPLES + call("numpy.random._pickle:__bit_generator_ctor", get(60)),
        FormatError,
        "a bit generator is a tuple",
    ),
    "a doubled tuple as a layout": (
        TUPLES + call("numpy:dtype", dic(get(60), NONE)),
        LimitError,
        "a key is too large to be hashed",
    ),
    "a doubled tuple as a key": (TUPLES + b"}" + get(60) + b"Ns", LimitError, "a key is too large to be hashed"),
    "a doubled tuple in a set": (
        TUPLES + b"\x8f" + MARK + get(60) + b"\x90",
        LimitError,
        "a key is too large to be hashed",
    ),
    "a doubled tuple in a frozenset": (
        TUPLES + MARK + get(60) + b"\x91",
        LimitError,
        "a key is too large to be hashed",
    ),
    "a doubled tuple in a slice": (
        TUPLES + b"}" + call("builtins:slice", get(60), NONE, NONE) + b"Ns",
        FormatError,
        "slice is a tuple",
    ),
    "two doubled chains of frozensets": (TWINS + b"}" + get(40) + b"Ns" + get(81) + b"Ns", LimitError, "units of work"),
    "two doubled chains in a set": (TWINS + MARK + get(40) + get(81) + b"\x91", LimitError, "units of work"),
    "many items without bytes": (
        array_state(tup(number(1 << 40)), dtype("V0", "|", 0), raw(b"")),
        FormatError,
        "units of work",
    ),
    "many strings without bytes": (
        array_state(tup(number(1 << 31)), dtype("S0", "|", 0), raw(b"")),
        FormatError,
        "units of work",
    ),
    "many texts without bytes": (
        array_state(tup(number(1 << 31)), dtype("U0", "<", 0, 8), raw(b"")),
        FormatError,
        "units of work",
    ),
    "many digits": (call("decimal:Decimal", text("9" * 100_000)), FormatError, "Decimal has more than 65536 digits"),
    "a long name of a time zone": (
        call("zoneinfo:ZoneInfo", text("A/" * 100_000 + "A")),
        FormatError,
        "is no time zone",
    ),
    "much entropy": (
        build(
            call("numpy.random.bit_generator:__pyx_unpickle_SeedSequence", *SEED),
            tup(lst(b"K\1" * 3000), number(0), POOL, number(256), b")"),
        ),
        FormatError,
        "entropy has more than 1024 numbers",
    ),
    "dtypes in the metadata of dtypes": (
        nested(110, dtype("f8"), described(b"item")),
        LimitError,
        "nested more than 100 deep",
    ),
    "arrays as fill values": (
        nested(110, array_state(tup(number(1)), OBJECT, lst(NONE)), filled_with(b"item")),
        LimitError,
        "nested more than 100 deep",
    ),
    "a string of wide characters": (text("a" * 900_000 + "\U0010ffff"), LimitError, "more than 65536 opcodes"),
    "tuples in tuples": (b"](" + b")\x85\x85\x85" * 15_000 + b"e", LimitError, "more than 65536 opcodes"),
    "buffers that cannot be written": (
        keep(writable(bytes(9))) + again(15_000, get(0), b"\x98"),
        LimitError,
        "more than 65536 opcodes",
    ),
    "opcodes in frames": (frame(b"N0" * 20_000) * 4 + NONE, LimitError, "more than 65536 opcodes"),
    "opcodes without frames": (b"N0" * 20_000 + NONE, LimitError, "more than 65536 opcodes"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    """What no pickler writes is refused before it is shown, compared, multiplied or allocated."""
    parts, error, message = REFUSED[name]
    with pytest.raises(error, match=message):
        load(stream(parts), work=WORK, opcodes=WORK if "opcodes" in message else 1 << 22, nesting=100)


@pytest.mark.parametrize("name", PAID)
def test_paid_each_time(name: str) -> None:
    """What stands in a stream once and is used again is paid for again."""
    refuse(stream(PAID[name]))


def load(data: bytes, **limits: int) -> Any:
    return trust.load(io.BytesIO(data).read, (), 0, (), Limits(**limits))


def refuse(data: bytes) -> None:
    """Check that a stream is refused for its work alone."""
    with pytest.raises(LimitError, match="more than 65536 units of work"):
        load(data, work=WORK)
