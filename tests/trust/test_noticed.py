"""Rules of the strict machine that the other tests reach, and would not miss: `nox -s mutants` found each of them."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from assembler import (
    NONE,
    array_state,
    build,
    call,
    dic,
    dtype,
    frame,
    get,
    glob,
    keep,
    lst,
    number,
    raw,
    stream,
    text,
    tup,
    writable,
)
from internals import pickle

from binpickle import FormatError, LimitError, Limits, trust

_CTOR = "numpy.random._pickle:__bit_generator_ctor"
HALF = [text("has_uint32"), number(0), text("uinteger"), number(0)]
STATES = {
    "PCG64": dic(text("state"), number(5), text("inc"), number(7)),
    "SFC64": dic(text("state"), array_state(tup(number(4)), dtype("u8"), raw(bytes(range(32))))),
}


def load(data: bytes, trusted: Any = (), **limits: int) -> Any:
    return trust.load(io.BytesIO(data).read, (), 0, trusted, Limits(**limits))


@pytest.mark.parametrize("name", STATES)
def test_states_of_numpy_1(name: str) -> None:
    """A bit generator as NumPy 1 pickles it, with a state alone, has that state."""
    state = dic(text("bit_generator"), text(name), text("state"), STATES[name], *HALF)
    loaded = load(stream(build(call(_CTOR, text(name)), state)))
    same = getattr(np.random, name)(0)
    inner = {"state": 5, "inc": 7} if name == "PCG64" else {"state": np.frombuffer(bytes(range(32)), "<u8")}
    same.state = {"bit_generator": name, "state": inner, "has_uint32": 0, "uinteger": 0}
    assert loaded.random_raw(3).tolist() == same.random_raw(3).tolist()


@pytest.mark.parametrize("name", ["MT19937", "PCG64", "Philox", "SFC64"])
def test_fresh_generators(name: str) -> None:
    """A generator that has given no number yet loads: its position is the last that there may be."""
    for made in (getattr(np.random, name)(7), np.random.Generator(getattr(np.random, name)(7))):
        loaded = load(pickle.dumps(made, 5))
        bits, wanted = (getattr(one, "bit_generator", one) for one in (loaded, made))
        assert bits.random_raw(9).tolist() == wanted.random_raw(9).tolist()


SEQUENCE = "numpy.random.bit_generator:SeedSequence"
POOL = array_state(tup(number(4)), dtype("u4"), raw(np.random.SeedSequence(5).pool.astype("<u4").tobytes()))
SEED = tup(number(5), number(0), POOL, number(4), b")")
OTHERS = "SeedSequence has other arguments than NumPy gives it"
ARGUMENTS = {
    "another class": ((glob("builtins:int"), number(0xC464C19), NONE), OTHERS),
    "no class": ((text("SeedSequence"), number(0xC464C19), NONE), OTHERS),
    "another checksum": ((glob(SEQUENCE), number(7), NONE), "the checksum of SeedSequence is 7"),
    "a state": ((glob(SEQUENCE), number(0xC464C19), SEED), OTHERS),
}


def seed(*arguments: bytes) -> bytes:
    """Return the stream of a seed sequence."""
    return stream(build(call("numpy.random.bit_generator:__pyx_unpickle_SeedSequence", *arguments), SEED))


@pytest.mark.parametrize("name", ARGUMENTS)
def test_arguments_of_seeds(name: str) -> None:
    """A seed sequence is made of the class, a checksum that NumPy knows, and no state; it gets its state afterwards."""
    arguments, message = ARGUMENTS[name]
    with pytest.raises(FormatError, match=message):
        load(seed(*arguments))
    assert load(seed(glob(SEQUENCE), number(0xC464C19), NONE)).entropy == 5


KEY = array_state(tup(number(624)), dtype("u4"), raw(bytes(4 * 624)))
MASKED = "numpy.ma.core:_mareconstruct"
BORDERS: dict[str, Any] = {
    "the position of MT19937": (
        lambda n: build(
            call(_CTOR, text("MT19937")),
            dic(text("bit_generator"), text("MT19937"), text("state"), dic(text("key"), KEY, text("pos"), number(n))),
        ),
        (0, 624),
    ),
    "the length of a deque": (
        lambda n: call("collections:deque", b")", number(n)),
        (0, (1 << 63) - 1),
    ),
}


@pytest.mark.parametrize("name", BORDERS)
def test_borders(name: str) -> None:
    """A number may be the least and the greatest that is allowed, and nothing beyond."""
    push, (least, greatest) = BORDERS[name]
    for good in (least, greatest):
        load(stream(push(good)))
    for bad in (least - 1, greatest + 1):
        with pytest.raises(FormatError, match=f"{name} is not an integer from {least} to {greatest}"):
            load(stream(push(bad)))


ODD: dict[str, tuple[bytes, str]] = {
    "a masked array of no class": (
        call(MASKED, text("a"), glob("numpy:ndarray"), tup(number(0)), raw(b"b")),
        "_mareconstruct has other arguments",
    ),
    "a masked array over no class": (
        call(MASKED, glob("numpy.ma:MaskedArray"), text("a"), tup(number(0)), raw(b"b")),
        "_mareconstruct has other arguments",
    ),
    "a masked array over a matrix": (
        call(MASKED, glob("numpy.ma:MaskedArray"), glob("numpy:matrix"), tup(number(0)), raw(b"b")),
        "_mareconstruct has other arguments",
    ),
    "a dtype aligned by a string": (call("numpy:dtype", text("f8"), text("a"), b"\x88"), "numpy.dtype is a str"),
    "a dtype copied by a string": (call("numpy:dtype", text("f8"), b"\x89", text("a")), "numpy.dtype is a str"),
}


@pytest.mark.parametrize("name", ODD)
def test_odd_arguments(name: str) -> None:
    """An argument that NumPy never gives is refused by itself, however right the others are."""
    parts, message = ODD[name]
    with pytest.raises(FormatError, match=message):
        load(stream(parts))


# What the opcodes below work on: a class, a class that gets a state, its state, a buffer.
BEFORE = keep(glob("builtins:object"), glob("uuid:UUID"), dic(text("int"), number(5)), writable(b"a"))
EVERY = {
    "mark, tuple": b"(t",
    "pop": b"N0N",
    "pop_mark": b"(N1N",
    "none": b"N",
    "newfalse": b"\x89",
    "newtrue": b"\x88",
    "binint": b"J\1\2\3\4",
    "binint1": b"K\7",
    "binint2": b"M\1\2",
    "long1": b"\x8a\2ab",
    "long4": b"\x8b\2\0\0\0ab",
    "binfloat": b"G" + bytes(8),
    "short_binbytes": b"C\2ab",
    "binbytes": b"B\2\0\0\0ab",
    "binbytes8": b"\x8e\2" + bytes(7) + b"ab",
    "bytearray8": b"\x96\2" + bytes(7) + b"ab",
    "short_binunicode": b"\x8c\2ab",
    "binunicode": b"X\2\0\0\0ab",
    "binunicode8": b"\x8d\2" + bytes(7) + b"ab",
    "empty_tuple": b")",
    "tuple1": b"N\x85",
    "tuple2": b"NN\x86",
    "tuple3": b"NNN\x87",
    "tuple": b"(NNNNt",
    "empty_list, append": b"]Na",
    "appends": b"](NNe",
    "empty_dict, setitem": b"}NNs",
    "setitems": b"}(NNu",
    "empty_set, additems": b"\x8f(N\x90",
    "frozenset": b"(N\x91",
    "long_binget": b"j\3\0\0\0",
    "memoize": b"N\x94",
    "reduce": glob("collections:OrderedDict") + b")R",
    "newobj": get(0) + b")\x81",
    "newobj_ex": get(0) + b")}\x92",
    "build": get(1) + b")\x81" + get(2) + b"b",
    "readonly_buffer": get(3) + b"\x98",
}


@pytest.mark.parametrize("name", EVERY)
def test_opcodes_outside_of_frames(name: str) -> None:
    """An opcode does outside of frames what it does in a frame."""
    framed = load(stream(BEFORE, frame(lst(EVERY[name], b"K\7"))))
    loose = load(stream(BEFORE, lst(EVERY[name], b"K\7")))
    plain = pickle.loads(stream(BEFORE, lst(EVERY[name], b"K\7")))
    assert [type(item) for item in framed] == [type(item) for item in loose] == [type(item) for item in plain]
    if name not in ("newobj", "newobj_ex"):  # whose objects are equal to nothing
        assert framed == loose == plain


# How many opcodes these are, the POP behind them included.
DEAR = {"reduce": 6, "newobj": 4, "newobj_ex": 5, "build": 6, "frozenset": 4, "setitems": 6}
CHEAP = {"none": 2, "binint1": 2, "binfloat": 2, "short_binbytes": 2, "empty_tuple": 2, "long_binget": 2}


def cost(data: bytes) -> int:
    """Return the least limit of opcodes under which a stream loads."""
    refused, enough = 0, 1 << 13
    while enough - refused > 1:
        limit = (refused + enough) // 2
        try:
            load(data, opcodes=limit)
            enough = limit
        except LimitError:
            refused = limit
    return enough


@pytest.mark.parametrize("name", [*DEAR, *CHEAP])
def test_opcodes_count_as_their_time(name: str) -> None:
    """An opcode that makes the machine do more than push a value counts as several, and each other one as one."""
    once, often = (cost(stream(BEFORE, frame((EVERY[name] + b"0") * times), b"N")) for times in (1, 101))
    if name in CHEAP:
        assert often - once == 100 * CHEAP[name]
    else:
        assert often - once > 100 * DEAR[name]


def test_views_are_paid_for() -> None:
    """To make a buffer read-only is paid for each time."""
    data = stream(BEFORE, frame((EVERY["readonly_buffer"] + b"0") * 1000), b"N")
    with pytest.raises(LimitError, match="units of work"):
        load(data, work=5000)


def test_strides_of_nothing() -> None:
    """An array without elements may have any strides."""
    made = call(
        "numpy:ndarray", tup(number(0), number(3)), dtype("u1", "|"), raw(b"ab"), number(0), tup(number(99), number(-7))
    )
    assert load(stream(made)).shape == (0, 3)
