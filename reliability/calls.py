"""Calls of every rule of the strict machine, with arguments that are right, at a border, or wrong.

Rule: `RULES` has each name of the machine's tables, which a test compares, so that a new rule is fuzzed from its first
day on. Objects that a stream names outside of the safe set are in `curated`.
"""

from __future__ import annotations

from typing import Callable, NamedTuple

from assembler import (
    FALSE,
    NO_MASK,
    NONE,
    TRUE,
    array_state,
    build,
    call,
    dic,
    dtype,
    floating,
    glob,
    lst,
    number,
    raw,
    structured,
    text,
    tup,
    writable,
)

from binpickle.trust.rules.safe import CALLS, INSTANCES

from .leaves import GIANTS, RECONSTRUCT, integer, leaf, numbers, objects
from .maker import Maker, Piece

__all__ = ["RULES", "Rule", "any_value", "callable_names", "curated", "rule_call"]

_PICKLE = "numpy.random._pickle"
_SEED_SEQUENCE = "numpy.random.bit_generator:SeedSequence"
_GENERATORS = ("MT19937", "PCG64", "PCG64DXSM", "Philox", "SFC64")


class Rule(NamedTuple):
    """How a stream uses a name.

    Attributes:
        arguments: makes the arguments of the call.
        state: makes the state, if BUILD follows.
        opcode: what calls it.
    """

    arguments: Callable[[Maker], list[bytes]]
    state: Piece | None = None
    opcode: bytes = b"R"


def callable_names() -> set[str]:
    """Return the names of the safe set that a stream may call or instantiate."""
    return {":".join(name) for name in {*CALLS, *INSTANCES}}


def any_value(make: Maker) -> bytes:
    """Push anything at all."""
    act = make.dice.random()
    kept = make.kept()
    if act < 0.4:
        return leaf(make)
    if act < 0.6 and kept:
        return kept
    if act < 0.7:
        name = make.pick(list(GIANTS))
        return make.giant(name, GIANTS[name])
    if act < 0.85:
        return rule_call(make, make.pick(list(RULES)))
    put = make.pick([tup, lst])
    return put(*[any_value(make) for _ in range(make.many(3))])


def rule_call(make: Maker, name: str) -> bytes:
    """Push what a call of a name of the safe set gives, and its state where it needs one."""
    make.word(name)
    rule = RULES[name]
    arguments = [_maybe_wrong(make, piece) for piece in rule.arguments(make)]
    if make.chance(0.03):
        arguments = arguments[:-1] if make.chance(0.5) else [*arguments, any_value(make)]
    function = make.short(glob(name))
    given = make.pick([make.short, bytes])(tup(*arguments))
    opcode = rule.opcode if make.chance(0.97) else make.pick([b"R", b"\x81", b"}\x92"])
    made = function + given + opcode
    if rule.state is None or make.chance(0.02):
        return made
    return made + make.short(_maybe_wrong(make, rule.state(make))) + b"b"


def curated(make: Maker, name: str) -> bytes:
    """Push what a stream makes of a name of a curated set."""
    make.word(name)
    act = make.dice.random()
    if act < 0.1:
        return glob(name)
    arguments = tup(*[any_value(make) for _ in range(make.pick([0, 0, 0, 1, 2, 3]))])
    made = make.short(glob(name)) + arguments + (b"\x81" if act < 0.8 else b"R")
    if make.chance(0.3):
        return made
    if make.chance(0.2):
        return made + any_value(make) + b"b"
    names = make.dice.sample(_ATTRIBUTES, make.many(4))
    return made + dic(*[part for key in names for part in (text(key), any_value(make))]) + b"b"


_ATTRIBUTES = [
    "_shape",
    "data",
    "indices",
    "indptr",
    "coords",
    "tree_",
    "nodes",
    "_mgr",
    "_data",
    "_name",
    "n_features",
]


def _maybe_wrong(make: Maker, piece: bytes) -> bytes:
    return any_value(make) if make.chance(0.06) else piece


def _one_of(*pieces: bytes | Piece) -> Piece:
    def made(make: Maker) -> bytes:
        piece = make.pick(pieces)
        return piece if isinstance(piece, bytes) else piece(make)

    return made


def _of(*pieces: bytes | Piece) -> Callable[[Maker], list[bytes]]:
    """Return what makes these arguments."""
    return lambda make: [piece if isinstance(piece, bytes) else piece(make) for piece in pieces]


def _giant(*names: str) -> Piece:
    def made(make: Maker) -> bytes:
        name = make.pick(names)
        return make.giant(name, GIANTS[name])

    return made


def _name_of(name: str) -> bytes:
    return glob(name)


# The parts of arrays.


def _some_dtype(make: Maker) -> bytes:
    """Push a dtype that mostly can be made."""
    act = make.dice.randrange(8)
    if act < 3:
        return make.pick(_PLAIN_DTYPES)
    if act == 3:
        size = make.pick([0, 1, 255, 65_536, 1 << 20, (1 << 31) - 4])
        kind = make.pick("SUV")
        return dtype(f"{kind}{size >> 2 if kind == 'U' else size}", "<" if kind == "U" else "|", size)
    if act == 4:
        make.word("subarray")
        return make.short(_subarray(make))
    if act == 5:
        return make.short(_dates(make))
    if act == 6:
        return make.short(_fields(make))
    return make.giant("wide dtype", GIANTS["wide dtype"])


_PLAIN_DTYPES = [
    *(dtype("u1", "|"), dtype("i8"), dtype("f8"), dtype("f4", ">"), dtype("c16"), dtype("b1", "|"), dtype("f2")),
    *(dtype("V0", "|", 0), dtype("S0", "|", 0), dtype("U0", "<", 0, 8), dtype("U1", "<", 4, 8), dtype("S1", "|", 1)),
    *(dtype("O8", "|", flags=63), dtype("u8"), dtype("i4"), dtype("f16"), dtype("c32")),
]


def _state_of_dtype(order: str, base: bytes, names: bytes, fields: bytes, size: int, flags: int, *more: bytes) -> bytes:
    start = [number(4 if more else 3), text(order), base, names, fields]
    return tup(*start, number(size), number(1), number(flags), *more)


def _subarray(make: Maker) -> bytes:
    base = make.short(_some_dtype(make))
    sides = [
        make.pick([0, 1, 2, 1000, 1 << 16, 1 << 20, (1 << 31) - 1]) for _ in range(make.pick([1, 1, 2, 3, 31, 33]))
    ]
    size = make.pick([0, 1, 8])
    for side in sides:
        size *= side
    size = min(size, (1 << 31) - 1)
    state = _state_of_dtype("|", tup(base, tup(*map(number, sides))), NONE, NONE, size, 0)
    return build(call("numpy:dtype", text(f"V{size}"), FALSE, TRUE), state)


def _dates(make: Maker) -> bytes:
    unit = make.pick([b"ns", b"Y", b"as", b"generic", b"1ns],O,M8[1", b"D"])
    count = make.pick([1, 1, 25, (1 << 31) - 1])
    kind = make.pick(["M8", "m8"])
    date = tup(raw(unit), number(count), number(1), number(1))
    metadata = tup(make.pick([b"}", NONE]), date)
    state = tup(number(4), text("<"), NONE, NONE, NONE, number(-1), number(-1), number(0), metadata)
    return build(call("numpy:dtype", text(kind), FALSE, TRUE), state)


def _fields(make: Maker) -> bytes:
    """Push a structured dtype of some fields, which may overlap, and may be nested."""
    make.word("structured dtype")
    count = make.many(40)
    kinds = [make.short(_some_dtype(make)) for _ in range(min(count, 3))]
    names = [f"f{n}" for n in range(count)]
    parts = []
    for n, name in enumerate(names):
        title = [] if make.chance(0.9) else [text("t" * make.many(100))]
        parts += [text(name), tup(kinds[n % len(kinds)], number(make.pick([0, 0, 8 * n])), *title)]
    size = make.pick([0, 8, 8 * count, 16 * count, 1 << 20, (1 << 31) - 1])
    flags = make.pick([16, 16, 0, 27, 0x90, 0x80])
    state = _state_of_dtype("|", NONE, tup(*map(text, names)), dic(*parts), size, flags)
    record = make.pick([text(f"V{size}"), text(f"V{size}"), glob("numpy:record")])
    return build(call("numpy:dtype", record, FALSE, TRUE), state)


def _dtype_arguments(make: Maker) -> list[bytes]:
    if make.chance(0.15):
        names = [f"f{n}" for n in range(make.many(20))]
        size = 8 * len(names)
        parts = {
            "names": lst(*map(text, names)),
            "formats": lst(*[make.short(_some_dtype(make)) for _ in names]),
            "offsets": lst(*[number(8 * n) for n in range(len(names))]),
            "itemsize": number(size),
            "aligned": TRUE,
        }
        return [dic(*[part for key, value in parts.items() for part in (text(key), value)])]
    if make.chance(0.1):
        return [tup(glob("numpy:record"), make.short(_fields(make)))]
    return [text(make.pick(["f8", "u1", "V8", "S10", "O8", "M8", "U100000000", "V2147483647", "V99"])), FALSE, TRUE]


def _dtype_state(make: Maker) -> bytes:
    act = make.dice.randrange(4)
    if act == 0:  # a shape of many dimensions
        return _state_of_dtype("|", tup(_PLAIN_DTYPES[0], _shape(make)), NONE, NONE, make.pick([0, 1, 8]), 0)
    if act == 1:  # metadata
        return _state_of_dtype("<", NONE, NONE, NONE, -1, 0, dic(text("a"), any_value(make)))
    if act == 2:
        names, fields = _giant("strings", "tuple")(make), _giant("dict")(make)
        return _state_of_dtype("|", NONE, names, fields, 8, 16)
    return _state_of_dtype(make.pick("<>|="), NONE, NONE, NONE, make.pick([-1, 8, 10, 99]), make.pick([0, 8, 63]))


def _shape(make: Maker) -> bytes:
    """Push a shape: of few dimensions, or a giant of many."""
    act = make.dice.randrange(6)
    if act < 3:
        sides = [make.pick([0, 1, 2, 8, 1 << 10, 1 << 20, 1 << 31, 1 << 33, 1 << 40, (1 << 63) - 1])]
        return tup(*map(number, sides * make.pick([0, 1, 1, 1, 2, 32, 33])))
    if act == 3:
        make.word("shape of many dimensions")
        side = make.pick([b"K\0", b"K\1", number((1 << 63) - 1)])
        return make.keep(tup(side * make.many(make.most // 2)))
    return tup(number(make.many(1 << 20)))


def _fitting(make: Maker) -> tuple[int, bytes, bytes]:
    """Return the size, dtype and shape of an array that fits its data."""
    size = make.many(make.most)
    kind, itemsize = make.pick([(dtype("u1", "|"), 1), (dtype("i8"), 8), (dtype("U1", "<", 4, 8), 4), (_WIDE, 1 << 16)])
    count = size // itemsize
    if make.chance(0.2):
        kind, itemsize, count = (
            make.pick([dtype("V0", "|", 0), dtype("S0", "|", 0)]),
            0,
            make.pick([0, 1 << 20, 1 << 40]),
        )
    return count * itemsize, make.short(kind), tup(number(count))


_WIDE = dtype("V65536", "|", 1 << 16)


def _buffer_arguments(make: Maker) -> list[bytes]:
    """Return the arguments of `numpy.ndarray`: shape, dtype, buffer, offset, strides, order."""
    size, kind, shape = _fitting(make)
    if make.chance(0.5):
        data = make.keep(make.pick([raw, writable])(bytes(size)))
        return [shape, kind, data]
    sides = make.pick([[1 << 33], [1 << 40], [1 << 16, 1 << 16], [1 << 20], [1 << 10] * 3, [2] * 32, [3]])
    step = make.pick([0, 0, 0, 1, 8, -8, 1 << 62])
    shape, strides = tup(*map(number, sides)), tup(*[number(step)] * len(sides))
    kind = make.short(_some_dtype(make))
    if make.chance(0.1):
        shape, strides = _shape(make), _shape(make)
    return [shape, kind, make.keep(raw(bytes(make.pick([8, 64, 1 << 16])))), number(0), strides, NONE]


def _buffer_state(make: Maker) -> list[bytes]:
    size, kind, shape = _fitting(make)
    axes = [] if make.chance(0.8) else [make.pick([tup(number(0)), _shape(make)])]
    return [make.keep(raw(bytes(size))), kind, shape, text("K" if axes else make.pick("CFA")), *axes]


def _array_state(make: Maker) -> bytes:
    """Push the state of an array."""
    act = make.dice.randrange(5)
    if act < 3:
        size, kind, shape = _fitting(make)
        return tup(number(1), shape, kind, make.pick([FALSE, TRUE]), make.keep(raw(bytes(size))))
    if act == 3:
        items = _giant("list")(make) if make.chance(0.5) else lst(*[any_value(make) for _ in range(make.many(5))])
        shape = make.pick([tup(number(make.many(5))), tup(number(make.many(1 << 20))), _shape(make)])
        kind = make.pick([dtype("O8", "|", flags=63), _OBJECT_FIELD, _string_type(make)])
        return tup(number(1), shape, kind, FALSE, items)
    return tup(number(1), _shape(make), make.short(_some_dtype(make)), FALSE, make.keep(any_value(make)))


_OBJECT_FIELD = structured(["a"], [(dtype("O8", "|", flags=63), 0)], 8, 27)


def _string_type(make: Maker) -> bytes:
    missing = [] if make.chance(0.6) else [leaf(make)]
    return make.short(call("numpy._core._internal:_convert_to_stringdtype_kwargs", make.pick([TRUE, FALSE]), *missing))


def _some_array(make: Maker) -> bytes:
    """Push an array of some kind, most often one that the stream remembers."""
    act = make.dice.randrange(6)
    if act == 0:
        return make.short(objects(*[any_value(make) for _ in range(make.many(3))]))
    if act == 1:
        return make.short(call("numpy:ndarray", *_buffer_arguments(make)))
    if act == 2:
        size, kind, shape = _fitting(make)
        return make.short(array_state(shape, kind, make.keep(raw(bytes(size)))))
    if act == 3:
        return make.short(array_state(tup(number(1), number(1)), dtype("u1", "|"), raw(b"a")))
    return make.giant("array", GIANTS["array"])


def _mask(make: Maker) -> bytes:
    return make.pick(
        [NO_MASK, make.short(array_state(tup(number(1)), dtype("b1", "|"), raw(b"\0"))), _some_array(make)]
    )


def _masked_state(make: Maker) -> bytes:
    size, kind, shape = _fitting(make)
    mask = bytes(make.pick([size, size // 8, size // 4]))
    return tup(number(1), shape, kind, FALSE, make.keep(raw(bytes(size))), make.keep(raw(mask)), leaf(make))


def _bit_generator(make: Maker) -> bytes:
    name = make.pick(_GENERATORS)
    return make.pick([text(name), glob(f"numpy.random._{name.lower()}:{name}")])


def _key(size: int, kind: str) -> bytes:
    return array_state(tup(number(size)), dtype(kind), raw(bytes(size * int(kind[1:]))))


def _bits_state(make: Maker) -> bytes:
    """Push the state of a bit generator."""
    half = [text("has_uint32"), number(0), text("uinteger"), number(0)]
    gauss = [text("has_gauss"), number(0), text("gauss"), floating(0.0)]
    small = [text("state"), make.pick([number(5), integer(make)]), text("inc"), number(7)]
    key = make.short(_key(624, "u4"))
    states = {
        "MT19937": [dic(text("key"), key, text("pos"), make.pick([number(624), integer(make)])), *gauss],
        "PCG64": [dic(*small), *half],
        "PCG64DXSM": [dic(*small), *half],
        "SFC64": [dic(text("state"), make.short(_key(4, "u8"))), *half],
        "Philox": [
            dic(text("counter"), make.short(_key(4, "u8")), text("key"), make.short(_key(2, "u8"))),
            *[text("buffer"), make.short(_key(4, "u8")), text("buffer_pos"), number(0), *half],
        ],
    }
    name = make.pick(["MT19937", *_GENERATORS])
    inner, *more = states[name]
    return dic(text("bit_generator"), text(name), text("state"), inner, *more)


def _seed_state(make: Maker) -> bytes:
    size = make.pick([4, 4, 256])
    entropy = make.pick([number(0), integer(make), make.keep(lst(numbers(make, make.many(make.most // 2))))])
    pool = make.short(array_state(tup(number(size)), dtype("u4"), raw(bytes(4 * size))))
    key = make.pick([b")", make.keep(tup(numbers(make, make.many(make.most // 2))))])
    return tup(entropy, number(0), pool, number(size), key)


# The standard library.


def _long_digits(make: Maker) -> bytes:
    return make.keep(text(make.pick("19") + make.pick("09") * make.many(make.pick([10, 4000, make.most]))))


def _decimal(make: Maker) -> bytes:
    return make.pick([_long_digits(make), text("1E999999999999999999"), text("sNaN"), text("NaN" + "1" * 1000)])


def _packed(size: int) -> Piece:
    good = {4: b"\x07\xe4\2\1", 6: bytes(6), 10: b"\x07\xe4\2\1" + bytes(6)}[size]
    return lambda make: raw(good if make.chance(0.8) else bytes(make.dice.randrange(256) for _ in range(size)))


def _zone(make: Maker) -> bytes:
    return make.short(call("datetime:timezone", make.short(_timedelta(make))))


def _timedelta(make: Maker) -> bytes:
    return call("datetime:timedelta", make.pick([number(0), integer(make)]), number(3600), number(0))


def _zone_key(make: Maker) -> bytes:
    return make.pick([text("Europe/Paris"), text("UTC"), text("A/" * make.many(make.most) + "A"), text("x" * 300)])


def _parts(make: Maker) -> list[bytes]:
    long = _giant("parts", "str")(make) if make.chance(0.3) else text("e")
    return [make.pick([text("a"), text("/b"), text("c:/d"), long]) for _ in range(make.many(1000))]


def _factory(make: Maker) -> bytes:
    return make.pick([NONE, glob("builtins:list"), glob("builtins:dict"), glob("collections:defaultdict")])


def _uuid_state(make: Maker) -> bytes:
    safe = [] if make.chance(0.5) else [text("is_safe"), make.pick([number(0), NONE, integer(make)])]
    return dic(text("int"), make.pick([number(5), integer(make)]), *safe)


def _singleton(make: Maker) -> bytes:
    return make.pick([NONE, glob("builtins:Ellipsis"), glob("builtins:NotImplemented")])


_TIME_ZONE = _one_of(_zone, NONE, call("zoneinfo:ZoneInfo", text("UTC")))
_INDEX = _one_of(integer, NONE, leaf)
_FLOAT = _one_of(floating(0.0), floating(float("nan")), leaf)
_CLASS = _one_of(*map(_name_of, ("numpy:ndarray", "numpy:matrix", "numpy:recarray", "numpy:memmap")))
_TYPECODE = _one_of(text("d"), text("b"), text("q"), text("u"), leaf)
_MASKED = _one_of(_name_of("numpy.ma:MaskedArray"), _name_of("numpy.ma.core:mvoid"))
_PATHS = [
    f"{home}:{name}"
    for home in ("pathlib", "pathlib._local")
    for name in ("PurePosixPath", "PureWindowsPath", "PosixPath", "WindowsPath")
]

RULES: dict[str, Rule] = {
    "builtins:type": Rule(_of(_singleton)),
    "builtins:complex": Rule(_of(_FLOAT, _FLOAT)),
    "builtins:range": Rule(_of(integer, integer, integer)),
    "builtins:slice": Rule(_of(_INDEX, _INDEX, _INDEX)),
    "builtins:object": Rule(_of(), opcode=b"\x81"),
    "collections:OrderedDict": Rule(_of()),
    "collections:defaultdict": Rule(_of(_factory)),
    "collections:Counter": Rule(_of(_giant("dict"))),
    "collections:deque": Rule(_of(_one_of(b"]", b")"), integer)),
    "fractions:Fraction": Rule(
        lambda make: [integer(make), integer(make)] if make.chance(0.5) else [_long_digits(make)]
    ),
    "decimal:Decimal": Rule(_of(_decimal)),
    "datetime:date": Rule(_of(_packed(4))),
    "datetime:time": Rule(_of(_packed(6), _TIME_ZONE)),
    "datetime:datetime": Rule(_of(_packed(10), _TIME_ZONE)),
    "datetime:timedelta": Rule(_of(integer, integer, integer)),
    "datetime:timezone": Rule(_of(_timedelta, _one_of(text("a"), _giant("str")))),
    "zoneinfo:ZoneInfo": Rule(_of(_zone_key)),
    **{name: Rule(_parts) for name in _PATHS},
    "uuid:UUID": Rule(_of(), _uuid_state, b"\x81"),
    "numpy:dtype": Rule(_dtype_arguments, _dtype_state),
    "numpy._core._internal:_convert_to_stringdtype_kwargs": Rule(_of(_one_of(TRUE, FALSE), leaf)),
    "numpy:ndarray": Rule(_buffer_arguments),
    "numpy:matrix": Rule(_of(_some_array, NONE, FALSE)),
    "numpy:recarray": Rule(lambda make: _buffer_arguments(make)[:5]),
    "numpy._core.numeric:_frombuffer": Rule(_buffer_state),
    "binpickle.rebuild:array_of_class": Rule(lambda make: [_CLASS(make), *_buffer_arguments(make)]),
    "builtins:bytes": Rule(_of(_giant("bytes"))),
    "array:_array_reconstructor": Rule(_of(glob("array:array"), _TYPECODE, integer, _giant("bytes"))),
    RECONSTRUCT: Rule(_of(_CLASS, tup(number(0)), raw(b"b")), _array_state),
    "numpy._core.multiarray:scalar": Rule(lambda make: [make.short(_some_dtype(make)), _giant("bytes")(make)]),
    "numpy.ma:MaskedArray": Rule(_of(_some_array, _mask)),
    "numpy.ma.core:_mareconstruct": Rule(_of(_MASKED, glob("numpy:ndarray"), tup(number(0)), raw(b"b")), _masked_state),
    "numpy.ma.core:MaskedConstant": Rule(_of()),
    f"{_PICKLE}:__bit_generator_ctor": Rule(_of(_bit_generator), _bits_state),
    f"{_PICKLE}:__generator_ctor": Rule(_of(_bit_generator, glob(f"{_PICKLE}:__bit_generator_ctor")), _bits_state),
    f"{_PICKLE}:__randomstate_ctor": Rule(_of(_bit_generator, glob(f"{_PICKLE}:__bit_generator_ctor")), _bits_state),
    "numpy.random.bit_generator:__pyx_unpickle_SeedSequence": Rule(
        _of(glob(_SEED_SEQUENCE), number(0xC464C19), NONE), _seed_state
    ),
}
"""How a stream calls each name of the safe set."""
