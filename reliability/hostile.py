"""Hostile streams by grammar: small files that ask the strict machine for much time, much memory, or a crash.

Rule: a plan decides what a stream is made of, and how often. Each file has at most 1 MB; what it decodes to may be far
more. Input `n` of a seed is always the same.
"""

from __future__ import annotations

import random
from typing import Callable

from assembler import (
    FALSE,
    MARK,
    NO_MASK,
    NONE,
    TRUE,
    array_state,
    call,
    described,
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
)

from binpickle.trust import sets

from .calls import RULES, any_value, curated, rule_call
from .honest import HONEST, honest
from .leaves import COLLIDING, GIANTS, RECONSTRUCT, doubled, leaf, objects
from .maker import Hostile, Maker
from .packed import packed

__all__ = ["LARGEST", "PLANS", "hostile", "hostile_file"]

_UNIT = 30 << 10
LARGEST = 1_000_000
"""How many bytes a file has at most."""


def hostile(seed: int, number: int, shrink: int = 0) -> Hostile:
    """Return stream `number` of a seed.

    Args:
        seed: the seed of the run.
        number: which stream.
        shrink: how often to halve each number of things in it.
    """
    dice = random.Random(f"hostile/{seed}/{number}")
    make = Maker(dice, shrink)
    name = dice.choices(list(PLANS), [weight for weight, _ in PLANS.values()])[0]
    make.word(name)
    return make.finish(PLANS[name][1](make))


def hostile_file(seed: int, number: int, shrink: int = 0) -> tuple[Hostile, bytes]:
    """Return stream `number` of a seed and its file, shrunk until the file has at most 1 MB."""
    for more in range(shrink, shrink + 32):
        made = hostile(seed, number, more)
        file = packed(*made[:3])
        if len(file) <= LARGEST:
            break
    return made, file


def _repeated(make: Maker, piece: bytes) -> list[bytes]:
    """Push a piece many times: kept in a container, or dropped each time."""
    count = make.many(max(1, make.most // len(piece)))
    act = make.dice.randrange(8)
    if act == 5:
        return [b"}", MARK, *[number(n) + piece for n in range(min(count, 1 << 16))], b"u"]
    if act == 0:
        return [b"]", MARK, *_times(piece, count), b"e"]
    if act == 1:
        return [b"]", *_times(piece + b"a", count)]
    if act == 2:
        return [*_times(piece + b"0", count), NONE]
    if act == 3:
        return [MARK, *_times(piece, count), make.pick([b"t", b"\x91", b"1N"])]
    if act == 4:
        return [b"}", *_times(piece + NONE + b"s", count)]
    if act == 6:
        return [b"\x8f", MARK, *_times(piece, count), b"\x90"]
    return _times(piece, count)  # left on the stack


def _times(piece: bytes, count: int) -> list[bytes]:
    """Return a piece many times, in units that are about as large as frames: so many units take long to make."""
    step = max(1, _UNIT // len(piece))
    return [piece * step] * (count // step) + [piece] * (count % step)


def _soup(make: Maker) -> list[bytes]:
    """Repeat one or a few opcodes that cost little in the file."""
    parts = make.dice.choices(_CHEAP, k=make.pick([1, 1, 1, 2, 3]))
    kept = make.keep(any_value(make)) if make.chance(0.3) else b"N"
    piece = b"".join(part if part != b"h\0" else kept for part in parts)
    make.word("opcodes " + piece[:12].hex())
    return _repeated(make, piece)


_CHEAP = [
    *(b"N", b"\x88", b"K\0", b"G" + bytes(8), b"\x8a\0", b"\x8a\x09" + b"\1" * 9, b"]", b"}", b"\x8f", b")", b"h\0"),
    *(b"(\x91", b"(t", b"](e", b"}(u", b"\x8f(\x90", b"(1", b"(0N", b"N\x94", b"N\x85", b")\x85\x85\x85", b"NN\x86"),
    *(b"NNN\x87", b"](NNe", b"}(NNu", b"\x8f(K\1\x90", b"(NK\1\x91", b"]\x94", b"}\x94", b"C\0", b"\x8c\0", b"\x8c\1a"),
    *(
        b"\x96" + bytes(8),
        b"\x96\1" + bytes(8),
        b"X" + bytes(4),
        b"B" + bytes(4),
        b"]Na",
        b"}NNs",
        b"N0",
        b"]0",
        b"\x970",
    ),
    *(glob("builtins:int"), glob("builtins:Ellipsis"), b"\x95" + bytes(8), b"(", b"\x97\x98"),
]


def _reused(make: Maker) -> list[bytes]:
    """Use a giant again and again."""
    name = make.pick(list(GIANTS))
    giant = make.giant(name, GIANTS[name])
    uses: list[Callable[[], bytes]] = [
        lambda: tup(giant),
        lambda: giant,
        lambda: lst(giant),
        lambda: b"}" + giant + NONE + b"s",
        lambda: b"\x8f" + MARK + giant + b"\x90",
        lambda: MARK + giant + b"\x91",
        lambda: make.short(glob(make.pick(list(RULES)))) + tup(giant) + b"R",
        lambda: make.short(glob(make.pick(list(RULES)))) + giant + b"R",
        lambda: make.short(glob(make.pick(list(RULES)))) + make.short(tup(giant, giant)) + b"R",
        lambda: b"}" + dic(tup(giant), NONE) + NONE + b"s",
        lambda: rule_call(make, make.pick(list(RULES))) + giant + b"b",
        lambda: make.short(call(RECONSTRUCT, glob("numpy:ndarray"), tup(number(0)), raw(b"b"))) + giant + b"b",
        lambda: giant + b"\x98",
        lambda: giant + giant + b"\x93",
    ]
    return _repeated(make, make.pick(uses)())


def _called(make: Maker) -> list[bytes]:
    """Call rules again and again."""
    return _repeated(make, rule_call(make, make.pick(list(RULES))))


def _mixed(make: Maker) -> list[bytes]:
    """Call many rules once each, so that one's results are others' arguments."""
    results = [make.keep(rule_call(make, make.pick(list(RULES)))) for _ in range(make.many(12))]
    return [b"]", MARK, *results, any_value(make), b"e"]


def _colliding(make: Maker) -> list[bytes]:
    """Put keys with equal hashes into a container."""
    name = make.pick(list(COLLIDING))
    make.word(f"equal hashes: {name}")
    key = COLLIDING[name]
    size = max(1, len(key(1 << 20)))
    keys = [key(n) for n in range(make.many(min(1 << 18, 2 * make.most // size)))]
    act = make.dice.randrange(7)
    if act == 0:
        return [b"}", MARK, *[one + NONE for one in keys], b"u"]
    if act == 1:
        return [b"}", *[one + NONE + b"s" for one in keys]]
    if act == 2:
        return [b"\x8f", MARK, *keys, b"\x90"]
    if act == 3:
        return [MARK, *keys, b"\x91"]
    if act == 4:
        return [b"\x8f", *[MARK + one + b"\x90" for one in keys]]
    made = make.pick(
        [call("collections:OrderedDict"), call("collections:defaultdict"), call("collections:Counter", b"}")]
    )
    filled = [made, MARK, *[one + NONE for one in keys], b"u"]
    return filled if act == 5 else [call("collections:Counter", b"".join([b"}", *filled[1:]]))]


def _shared(make: Maker) -> list[bytes]:
    """Hash, compare or copy what holds itself many times over."""
    frozen = lambda *parts: MARK + b"".join(parts) + b"\x91"  # noqa: E731
    put = make.pick([tup, tup, tup, frozen, lambda *parts: tup(frozen(*parts), b"K\1"), lst])
    depth, wide = make.pick([(make.many(60), 2), (make.many(60), 2), (3, make.many(1000))])
    last, twin = (doubled(make, put, depth, wide) for _ in range(2))
    act = make.dice.randrange(10)
    uses = [
        [b"}", last + NONE + b"s"],
        [b"\x8f", MARK, last, b"\x90"],
        [MARK, last, b"\x91"],
        [b"\x8f", MARK, tup(last, frozen(last)), b"\x90"],
        [call("numpy:ndarray", tup(number(0)), dtype("u1", "|"), NONE, number(0), NONE, last)],
        [objects(last, last)],
        [call("numpy:dtype", text("f8"), FALSE, TRUE), last, b"b"],
        [last],
        [b"}", last + NONE + b"s", twin + NONE + b"s"],
        [MARK, last, twin, b"\x91"],
    ]
    return uses[act]


def _nested(make: Maker) -> list[bytes]:
    """Put containers into containers, with every kind of container."""
    depth = make.many(make.pick([900, 1100, 60_000]))
    wrappers = [make.pick(list(WRAPPERS)) for _ in range(make.pick([1, 1, 2, 4]))]
    for name in wrappers:
        make.word(f"nested: {name}")
    last = make.keep(leaf(make))
    parts = [make.short(glob(name)) for name in _CLASSES]
    for n in range(depth):
        last = make.keep(WRAPPERS[wrappers[n % len(wrappers)]](parts, last))
    if make.chance(0.3):
        return [b"}", last + NONE + b"s"]
    return [last]


_CLASSES = [
    *("collections:OrderedDict", "collections:defaultdict", "collections:Counter", "collections:deque"),
    *("numpy:matrix", "numpy.ma:MaskedArray", RECONSTRUCT, "numpy:ndarray", "numpy.ma.core:_mareconstruct"),
]
_OBJECT = dtype("O8", "|", flags=63)
_RECORD = structured(["a"], [(_OBJECT, 0)], 8, 27)


def _boxed(parts: list[bytes], item: bytes, shape: bytes = tup(number(1)), cls: str = "") -> bytes:
    begun = parts[6] + tup(glob(cls) if cls else parts[7], tup(number(0)), raw(b"b")) + b"R"
    return begun + tup(number(1), shape, _OBJECT, FALSE, lst(item)) + b"b"


def _record_of(parts: list[bytes], item: bytes, cls: str = "numpy:ndarray") -> bytes:
    return array_state(tup(number(1)), _RECORD, lst(tup(item)), cls)


def _mvoid(parts: list[bytes], item: bytes) -> bytes:
    begun = parts[8] + tup(glob("numpy.ma.core:mvoid"), glob("numpy:ndarray"), tup(number(0)), raw(b"b")) + b"R"
    return begun + tup(number(1), b")", _RECORD, FALSE, lst(tup(item)), raw(b"\0"), NONE) + b"b"


WRAPPERS: dict[str, Callable[[list[bytes], bytes], bytes]] = {
    "list": lambda parts, item: lst(item),
    "tuple": lambda parts, item: item + b"\x85",
    "tuple of two": lambda parts, item: item + NONE + b"\x86",
    "dict": lambda parts, item: b"}N" + item + b"s",
    "key": lambda parts, item: b"}" + item + b"\x85Ns",
    "frozenset": lambda parts, item: MARK + item + b"\x91",
    "OrderedDict": lambda parts, item: parts[0] + b")RN" + item + b"s",
    "defaultdict": lambda parts, item: parts[1] + b")RN" + item + b"s",
    "Counter": lambda parts, item: parts[2] + b"}N" + item + b"s\x85R",
    "deque": lambda parts, item: parts[3] + b")R" + item + b"a",
    "array": _boxed,
    "array of no dimensions": lambda parts, item: _boxed(parts, item, b")"),
    "matrix": lambda parts, item: parts[4] + tup(_boxed(parts, item, tup(b"K\1", b"K\1")), NONE, FALSE) + b"R",
    "matrix by state": lambda parts, item: _boxed(parts, item, tup(b"K\1", b"K\1"), "numpy:matrix"),
    "recarray": lambda parts, item: _record_of(parts, item, "numpy:recarray"),
    "masked array": lambda parts, item: parts[5] + tup(_boxed(parts, item), NO_MASK) + b"R",
    "fill value": lambda parts, item: (
        parts[5] + tup(_boxed(parts, NONE), NO_MASK, NONE, FALSE, TRUE, number(0), _boxed(parts, item, b")")) + b"R"
    ),
    "record": _record_of,
    "mvoid": _mvoid,
    "metadata": lambda parts, item: described(item),
    "array in a list": lambda parts, item: lst(_boxed(parts, item)),
    "slice": lambda parts, item: call("builtins:slice", item, NONE, NONE),
}
"""What puts an item into a container, by name."""


def _cyclic(make: Maker) -> list[bytes]:
    """Make a container that holds itself, through others."""
    begin = make.pick([b"]", b"}", call("collections:deque"), call("collections:OrderedDict"), b"\x8f"])
    outer = make.keep(begin)
    parts = [make.short(glob(name)) for name in _CLASSES]
    inner = outer
    for _ in range(make.many(20)):
        name = make.pick(list(WRAPPERS))
        make.word(f"cycle: {name}")
        inner = make.keep(WRAPPERS[name](parts, inner))
    fill = {b"]": inner + b"a", b"}": NONE + inner + b"s", b"\x8f": MARK + inner + b"\x90"}
    ending = fill.get(begin, inner + b"a" if b"deque" in begin else NONE + inner + b"s")
    return [outer, ending]


def _curated(make: Maker) -> list[bytes]:
    """Use names of the curated sets."""
    names = make.dice.choices(_curated_names(), k=make.pick([1, 1, 2, 3]))
    results = [make.keep(curated(make, name)) for name in names]
    if make.chance(0.3):
        return _repeated(make, make.pick(results) + make.pick([b"", NONE + b"\x85", any_value(make) + b"b"]))
    return [b"]", MARK, *results, b"e"]


def _honest(make: Maker) -> list[bytes]:
    """Repeat honest objects of a library, or change one after it was checked."""
    name = make.pick(list(HONEST))
    make.word(f"honest: {name}")
    try:
        piece = honest(make, name)
    except Exception:  # the library is not installed, or an older release has no such object
        return [NONE]
    if make.chance(0.7):
        return _repeated(make, piece)
    extra = make.pick([any_value(make) + b"b", any_value(make) + NONE + b"s", any_value(make) + b"a", NONE + b"\x86"])
    return [b"]", MARK, make.keep(piece), make.keep(piece) + extra, b"e"]


def _curated_names() -> list[str]:
    return sorted(sets.sklearn() | sets.pandas())


def _filled(make: Maker) -> list[bytes]:
    """Fill containers that calls made, with opcodes for another kind of container too."""
    target = make.short(rule_call(make, make.pick(list(RULES))))
    item = make.short(any_value(make))
    fills = [item + b"a", item + item + b"s", MARK + item * 3 + b"e", MARK + item * 4 + b"u", MARK + item + b"\x90"]
    fill = make.pick([*fills, item + b"b"])
    return [target, *_times(fill, make.many(make.most // len(fill)))]


def _buffered(make: Maker) -> list[bytes]:
    """List many buffers, and take them."""
    make.buffers += [bytes(make.many(1 << 20)) for _ in range(make.many(4))]
    make.listed = make.many(1 << 20)
    count = make.many(len(make.buffers) * make.listed)
    take = make.pick([b"\x97", b"\x970", b"\x97\x98", b"\x97\x94"])
    return [b"]", *_times(take, count), NONE] if b"0" in take else [b"]", MARK, *_times(take, count), b"e"]


def _precise(make: Maker) -> list[bytes]:
    """Repeat floats and long integers, as values and as keys."""
    size = make.many(1 << 16)
    piece = make.pick([b"\x8b" + size.to_bytes(4, "little") + b"\1" * size, floating(0.1)])
    return _repeated(make, make.short(piece))


PLANS: dict[str, tuple[float, Callable[[Maker], list[bytes]]]] = {
    "opcodes": (3, _soup),
    "giant reused": (5, _reused),
    "rule repeated": (6, _called),
    "rules mixed": (6, _mixed),
    "equal hashes": (3, _colliding),
    "shared references": (2, _shared),
    "nested": (4, _nested),
    "cycle": (2, _cyclic),
    "curated names": (2, _curated),
    "honest objects": (3, _honest),
    "filled": (3, _filled),
    "buffers": (1, _buffered),
    "numbers": (1, _precise),
}
"""What streams are made of, by name: how often, and what makes the opcodes."""
