"""The attack corpus: crafted pickle streams, and how the strict machine refuses each.

Rule: nothing here is ever given to pickle. What would run code, were it loaded, leaves a trace in `touched`, or a file
named `sentinel` in the current folder.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Any, Iterator

import numpy as np
from assembler import (
    FALSE,
    MARK,
    NEXT,
    NO_MASK,
    NONE,
    STOP,
    TRUE,
    array_state,
    build,
    call,
    dic,
    dtype,
    frame,
    get,
    glob,
    lst,
    new,
    number,
    raw,
    stream,
    structured,
    text,
    tup,
    writable,
)
from internals import RESTRICTED_LIMITS, Limits

from binpickle.errors import BinPickleError, FormatError, LimitError, UntrustedError

__all__ = ["Attack", "Slotted", "corpus", "touch", "touched"]

touched: list[Any] = []


def touch(*arguments: Any) -> list[Any]:
    """Leave a trace."""
    touched.append(arguments)
    return touched


class Slotted:
    """A class with slots, which a caller may trust."""

    __slots__ = ("value",)


class Subclass(np.ndarray):
    """An array class that a caller may trust."""


def an_array() -> np.ndarray:
    """Return an array: a function that a caller may trust."""
    return np.zeros(4)


@dataclass(frozen=True)
class Attack:
    """One crafted stream.

    Attributes:
        name: what it tries.
        stream: the pickle stream.
        error: how it is refused.
        message: part of the refusal's message.
        buffers: out-of-band buffers.
        trusted: what the caller trusts.
        limits: what the caller allows.
    """

    name: str
    stream: bytes
    error: type[BinPickleError]
    message: str
    buffers: list[Any] = field(default_factory=list)
    trusted: tuple[Any, ...] = ()
    limits: Limits = RESTRICTED_LIMITS


COMMAND = text("echo > sentinel")
CODE = text("import attacks; attacks.touch()")

# Name, and the arguments with which it would do harm.
GLOBALS = {
    "os:system": [COMMAND],
    "posix:system": [COMMAND],
    "nt:system": [COMMAND],
    "os:popen": [COMMAND],
    "subprocess:Popen": [COMMAND, number(-1), NONE, NONE, NONE, NONE, NONE, TRUE, TRUE],
    "subprocess:getoutput": [COMMAND],
    "builtins:eval": [text("__import__('attacks').touch()")],
    "builtins:exec": [CODE],
    "builtins:compile": [CODE, text("x"), text("exec")],
    "builtins:__import__": [text("antigravity")],
    "builtins:getattr": [glob("numpy:ndarray"), text("tofile")],
    "builtins:setattr": [glob("numpy:ndarray"), text("x"), NONE],
    "builtins:open": [text("sentinel"), text("w")],
    "builtins:map": [glob("attacks:touch"), lst(NONE)],
    "builtins:globals": [],
    "builtins:super": [],
    "builtins:object.__subclasses__": [],
    "builtins:str.format": [text("{0.__class__}"), NONE],
    "io:open": [text("sentinel"), text("w")],
    "io:FileIO": [text("sentinel"), text("w")],
    "pathlib:Path.touch": [call("pathlib:PosixPath", text("sentinel"))],
    "importlib:import_module": [text("antigravity")],
    "importlib.util:spec_from_file_location": [text("x"), text("y")],
    "pickle:loads": [raw(b"cos\nsystem\n(S'echo > sentinel'\ntR.")],
    "_pickle:loads": [raw(b"cos\nsystem\n(S'echo > sentinel'\ntR.")],
    "pickle:Unpickler.find_class": [],
    "marshal:loads": [raw(b"N")],
    "types:FunctionType": [],
    "types:CodeType": [],
    "functools:partial": [glob("os:system"), COMMAND],
    "functools:reduce": [glob("attacks:touch"), lst(NONE, NONE)],
    "operator:attrgetter": [text("__class__")],
    "operator:methodcaller": [text("tofile"), text("sentinel")],
    "collections:namedtuple": [text("a"), text("b")],
    "dataclasses:make_dataclass": [text("a"), lst()],
    "copyreg:add_extension": [text("os"), text("system"), number(7)],
    "copyreg:__newobj__": [glob("numpy:ndarray"), tup(number(3))],
    "runpy:run_path": [text("sentinel.py")],
    "timeit:timeit": [CODE],
    "cProfile:run": [CODE],
    "pydoc:pipepager": [text("x"), COMMAND],
    "code:interact": [],
    "ctypes:CDLL": [text("libc.so.6")],
    "ctypes:string_at": [number(1 << 20)],
    "shutil:rmtree": [text("sentinel")],
    "socket:create_connection": [tup(text("127.0.0.1"), number(9))],
    "webbrowser:open": [text("x")],
    "numpy:load": [text("sentinel"), NONE, TRUE],
    "numpy:fromfile": [text("sentinel")],
    "numpy:frombuffer": [raw(b"12345678"), text("O")],
    "numpy.testing._private.utils:runstring": [CODE, dic()],
    "numpy.testing:rundocs": [text("sentinel")],
    "numpy.lib.npyio:os.system": [COMMAND],
    "numpy.core._internal:sys.modules": [],
    "numpy._core.numeric:os.system": [COMMAND],
    "numpy.f2py.crackfortran:myeval": [text("1"), dic(), dic()],
    "numpy.ctypeslib:load_library": [text("x"), text("y")],
    "numcodecs.pickles:Pickle": [],
    "joblib:load": [text("sentinel")],
    "scipy.stats._distn_infrastructure:rv_generic": [],
    "attacks:touch": [NONE],
}

# Opcodes that no protocol-5 pickler writes, with operands that would make sense.
OPCODES = {
    "GLOBAL": b"cattacks\ntouch\n)R",
    "INST": b"(iattacks\ntouch\n",
    "OBJ": b"(" + glob("builtins:list") + b"o",
    "EXT1": b"\x82\x07",
    "EXT2": b"\x83\x07\x00",
    "EXT4": b"\x84\x07\x00\x00\x00",
    "PERSID": b"Pattacks\n",
    "BINPERSID": b"NQ",
    "DUP": b"N20",
    "PUT": b"Np0\n",
    "BINPUT": b"Nq\x00",
    "LONG_BINPUT": b"Nr\x00\x00\x00\x00",
    "GET": b"N\x94g0\n0",
    "INT": b"I1\n",
    "LONG": b"L1L\n",
    "FLOAT": b"F1.0\n",
    "STRING": b"S'a'\n",
    "BINSTRING": b"T\x01\x00\x00\x00a",
    "SHORT_BINSTRING": b"U\x01a",
    "UNICODE": b"Va\n",
    "DICT": b"(d",
    "LIST": b"(l",
    "0xff": b"\xff",
}

FORGED = raw(b"A" * 8)
ONE = tup(number(1))
FOUR = tup(number(4))
OBJECT = dtype("O8", "|", -1, 63)
OCTET = dtype("u1", "|")
ZERO = tup(number(0))
BEGIN = "numpy._core.multiarray:_reconstruct"
SEEDS = "numpy.random.bit_generator:__pyx_unpickle_SeedSequence"
WIDE = array_state(ONE, dtype("f8"), FORGED)
MESSAGE = "cannot have the dtype"


def corpus() -> Iterator[Attack]:
    """Yield every attack."""
    for name, arguments in GLOBALS.items():
        yield Attack(f"call {name}", stream(call(name, *arguments)), UntrustedError, name)
        yield Attack(f"hold {name}", stream(lst(number(1), glob(name))), UntrustedError, name)
    for name, code in OPCODES.items():
        yield Attack(f"opcode {name}", stream(code), FormatError, f"opcode {name} ")
    yield from _frames()
    yield from _forgeries()
    yield from _dtypes()
    yield from _misuses()
    yield from _states()
    yield from _bombs()
    yield from _endless()


def _frames() -> Iterator[Attack]:
    """Streams that are not what a pickler writes."""
    short = b"\x80\x05\x95" + struct.pack("<Q", 3) + b"\x8c\x05hello\x94."
    for name, data, message in [
        ("no protocol", b"N.", "protocol 5"),
        ("protocol 4", b"\x80\x04N.", "protocol 5"),
        ("protocol 6", b"\x80\x06N.", "protocol 5"),
        ("protocol twice", stream(b"\x80\x05N"), "opcode PROTO"),
        ("something after the end", stream(NONE) + b"N", "something follows its end"),
        ("something after the end of the frame", b"\x80\x05" + frame(NONE, STOP, NONE), "something follows its end"),
        ("a second stream", stream(NONE) + stream(NONE), "something follows its end"),
        ("two objects", stream(NONE, NONE), "exactly one object"),
        ("no object", stream(), "exactly one object"),
        ("a mark that stays", stream(MARK, NONE), "exactly one object"),
        ("an opcode across the end of a frame", short, "crosses the end of its frame"),
        ("a frame within a frame", stream(frame(frame(NONE))), "opcode FRAME"),
        ("a frame of 2**63 bytes", b"\x80\x05\x95" + struct.pack("<Q", 1 << 63), "larger than picklers write"),
        ("the end too early", b"\x80\x05" + frame(NONE), "it ends at"),
        ("a string longer than the stream", b"\x80\x05\x8e" + struct.pack("<Q", 1 << 62) + b"abc", "it ends at"),
        ("an empty stack", stream(b"0"), "malformed"),
        ("a tuple of nothing", stream(b"\x87"), "malformed"),
        ("an end without a mark", stream(b"t"), "malformed"),
        ("a memo entry that is not there", stream(b"h\x05"), "malformed"),
        ("a key without a value", stream(b"}(Nu"), "a key without a value"),
        ("a global of numbers", stream(number(1), number(2), b"\x93"), "has no name"),
        ("a string that is not UTF-8", stream(b"\x8c\x01\xff"), "not UTF-8"),
        ("more buffers than there are", stream(NEXT), "a buffer that the file has not"),
    ]:
        yield Attack(name, data, FormatError, message)


def _forgeries() -> Iterator[Attack]:
    """Arrays that would make pointers of bytes, or reach beyond their memory."""
    buffers = [bytearray(b"A" * 8)]
    field_of_objects = structured(["a"], [(OBJECT, 0)], 8, 27)
    for name, data, message in [
        ("objects over a buffer", call("numpy:ndarray", ONE, OBJECT, FORGED), MESSAGE),
        ("objects over a bytearray", call("numpy:ndarray", ONE, OBJECT, writable(b"A" * 8)), MESSAGE),
        ("a field of objects over a buffer", call("numpy:ndarray", ONE, field_of_objects, FORGED), MESSAGE),
        ("objects in a record array", call("numpy:recarray", ONE, field_of_objects, FORGED), MESSAGE),
        ("objects from a buffer", call("numpy.core.numeric:_frombuffer", FORGED, OBJECT, ONE, text("C")), MESSAGE),
        ("objects named by a string", call("numpy:ndarray", ONE, text("O"), FORGED), "has no dtype"),
        ("a scalar of objects", call("numpy.core.multiarray:scalar", OBJECT, FORGED), MESSAGE),
        ("objects of bytes in a state", array_state(ONE, OBJECT, FORGED), "the items of an array"),
        ("plain items of a list in a state", array_state(ONE, dtype("i8"), lst(NONE)), "the data of an array"),
        ("fewer objects than the shape says", array_state(FOUR, OBJECT, lst(NONE)), "an array of 4 objects has 1"),
        ("fewer bytes than the shape says", array_state(FOUR, dtype("f8"), FORGED), "an array of 32 bytes has 8"),
        ("an array beyond its buffer", call("numpy:ndarray", FOUR, dtype("f8"), FORGED), "an array of 32 bytes"),
        ("a negative shape", call("numpy:ndarray", tup(number(-1)), dtype("f8"), FORGED), "a shape is not of integers"),
        ("a negative offset", _strided(ONE, number(-8), NONE), "the offset"),
        ("an offset beyond the buffer", _strided(ONE, number(8), NONE), "has a buffer of 0"),
        ("strides beyond the buffer", _strided(FOUR, number(0), tup(number(8))), "lead out of its buffer"),
        ("strides before the buffer", _strided(FOUR, number(0), tup(number(-8))), "lead out of its buffer"),
        ("strides that overflow", _strided(FOUR, number(0), tup(number(1 << 62))), "lead out of its buffer"),
        ("fewer strides than dimensions", _strided(FOUR, number(0), tup()), "more strides than dimensions"),
        ("no buffer", call("numpy:ndarray", FOUR, dtype("f8")), "has no buffer"),
        ("a wide array for a buffer", call("numpy:ndarray", ONE, dtype("f8"), WIDE), "the buffer of an array"),
        ("a number for a buffer", call("numpy:ndarray", ONE, dtype("f8"), number(1 << 20)), "the buffer of an array"),
        ("a scalar of too few bytes", call("numpy._core.multiarray:scalar", dtype("f8"), raw(b"AB")), "has 2"),
        ("strings that say nothing of a size", array_state(ONE, dtype("S8", "|", 80), FORGED), "items of 80 bytes"),
        ("an array by NEWOBJ", new("numpy:ndarray", ONE, OBJECT, FORGED), "in a way that it has not to be"),
        ("a mapped file", call("numpy:memmap", text("sentinel")), "in a way that it has not to be"),
        ("a matrix of text", call("numpy:matrix", text("1 2"), NONE, FALSE), "numpy.matrix is a str"),
        ("a mask over repeated memory", _broadcast_mask(), "the mask of a masked array"),
    ]:
        yield Attack(name, stream(data), FormatError, message)
    by_buffer = call("numpy:ndarray", ONE, OBJECT, NEXT)
    yield Attack("objects over an out-of-band buffer", stream(by_buffer), FormatError, MESSAGE, buffers)
    for make in call, new:
        data = stream(make("attacks:Subclass", ONE, OBJECT, FORGED))
        yield Attack(f"objects in a trusted class, by {make.__name__}", data, FormatError, MESSAGE, trusted=(Subclass,))


def _strided(shape: bytes, offset: bytes, strides: bytes) -> bytes:
    return call("numpy:ndarray", shape, dtype("f8"), FORGED, offset, strides)


def _broadcast_mask() -> bytes:
    huge = _strided(tup(number(1 << 30)), number(0), tup(number(0)))
    true = call("numpy.core.multiarray:scalar", dtype("b1", "|"), raw(b"\1"))
    return call("numpy.ma:MaskedArray", huge, true)


def _dtypes() -> Iterator[Attack]:
    """Dtypes that lie about their parts."""
    parts = [number(3), text("|"), tup(dtype("i8"), tup(number(1 << 28), number(1 << 29)))]
    parts += [NONE, NONE, number(8), number(1), number(0)]
    lying = build(call("numpy:dtype", text("V8"), FALSE, TRUE), tup(*parts))
    deep = dtype("i8")
    for _ in range(20):
        deep = structured(["a"], [(deep, 0)], 8)
    for name, data, error, message in [
        ("a field outside", structured(["a"], [(dtype("i8"), 4)], 8), FormatError, "lie outside of it"),
        ("a field far outside", structured(["a"], [(dtype("i8"), (1 << 31) - 4)], 8), FormatError, "lie outside"),
        ("a negative field", structured(["a"], [(dtype("i8"), -8)], 8), FormatError, "the offset of a field"),
        ("a subarray of another size", lying, FormatError, "disagrees with its shape"),
        ("a dtype of Python", call("numpy:dtype", text("list"), FALSE, TRUE), FormatError, "a stream may name"),
        ("a dtype of fields in text", call("numpy:dtype", text("i4,O"), FALSE, TRUE), FormatError, "may name"),
        ("a dtype not built", call("numpy:dtype", text("i8"), FALSE, TRUE), FormatError, "before it is built"),
        ("a dtype as its state", call("numpy:dtype", text("i8")) + dtype("i8") + b"b", FormatError, "the state of a"),
        ("a dtype in a dtype, and so on", deep, LimitError, "too many fields"),
    ]:
        yield Attack(name, stream(data), error, message)


def _misuses() -> Iterator[Attack]:
    """Safe names, used in other ways than they are safe in."""
    zone = call("datetime:timezone", text("x"))
    for name, data, message in [
        ("a class made of a name", call("builtins:type", text("X"), tup(), dic()), "takes|argument"),
        ("the type of an object", call("builtins:type", text("X")), "builtins.type is a str"),
        ("a type held that is called only", lst(glob("builtins:type"), NONE), "in a way that it has not to be"),
        ("a rule held as a value", glob("numpy.core.multiarray:scalar"), "in a way that it has not to be"),
        ("a factory that is no type", call("collections:defaultdict", glob("numpy:dtype")), "KeyError"),
        ("a factory that is a value", call("collections:defaultdict", text("list")), "the factory"),
        ("calling what a call returned", call("collections:deque") + b")R", "a deque is called, not a global"),
        ("calling a value", text("x") + b")R", "is called, not a global"),
        ("arguments that are a list", glob("builtins:range") + b"]R", "without a tuple of arguments"),
        ("a date of bytes", call("datetime:date", raw(b"\7\xe4\1\xff")), "ValueError"),
        ("a moment of bytes", call("datetime:datetime", raw(b"\7\xe4\1\1\xff\0\0\0\0\0")), "ValueError"),
        ("a time zone of text", zone, "timezone is a str"),
        ("a time zone of bytes", call("zoneinfo:ZoneInfo", raw(b"UTC")), "is a bytes"),
        ("a time zone up the folders", call("zoneinfo:ZoneInfo", text("../../../../etc/passwd")), "is no time zone"),
        ("a time zone at the root", call("zoneinfo:ZoneInfo", text("/etc/passwd")), "is no time zone"),
        ("a time zone through a folder", call("zoneinfo:ZoneInfo", text("Europe/../Europe/Paris")), "is no time zone"),
        ("a time zone of a NUL", call("zoneinfo:ZoneInfo", text("UTC\0")), "is no time zone"),
        ("a time zone that is none", call("zoneinfo:ZoneInfo", text("Utopia/Nowhere")), "is not known|Python 3.9"),
        ("a time zone in a module", call("zoneinfo:ZoneInfo", text("os/path")), "is not known|Python 3.9"),
        ("a time zone by its file", call("zoneinfo:ZoneInfo", text("UTC"), text("x")), "positional argument"),
        ("a fraction that is large", call("fractions:Fraction", text("1e999999999")), "two integers"),
        ("a slice of slices", call("builtins:slice", NONE, call("builtins:slice", NONE, NONE, NONE), NONE), "slice"),
        ("a counter of a list", call("collections:Counter", lst(NONE)), "Counter is a list"),
        ("a path of numbers", call("pathlib:PurePosixPath", number(1)), "a path is a int"),
        ("keywords", glob("builtins:object") + b")}" + text("a") + b"Ns\x92", "instantiated with keywords"),
        ("a class that is not trusted", call("copyreg:_reconstructor", glob("builtins:list"), *[NONE] * 2), "by name"),
        ("a UUID of text", build(new("uuid:UUID"), dic(text("int"), text("x"))), "UUID is not an integer"),
        ("a UUID without a state", new("uuid:UUID"), "before it is built"),
        ("an array in itself", _array_in_itself(), "before it is built"),
    ]:
        yield Attack(name, stream(data), FormatError, message)
    for name, code, message in [
        ("append to a dict", b"}Na", "a dict is filled"),
        ("append to a string", text("x") + b"Na", "a str is filled"),
        ("items of a list", b"]NNs", "a list is filled"),
        ("items of an array", array_state(ONE, OBJECT, lst(NONE)) + b"NNs", "a ndarray is filled"),
        ("elements of a list", b"](N\x90", "a list is filled"),
        ("a state of a list", b"]}b", "a list is filled"),
        ("a state of a type", glob("builtins:list") + b"}b", "a Global is filled"),
        ("a read-only number", b"K\x01\x98", "stands where a buffer should"),
        ("a read-only array of objects", array_state(ONE, OBJECT, lst(NONE)) + b"\x98", "stands where a buffer should"),
        ("a list as a key", b"}]Ns", "unhashable"),
    ]:
        yield Attack(name, stream(code), FormatError, message)


def _array_in_itself() -> bytes:
    made = call("numpy.core.multiarray:_reconstruct", glob("numpy:ndarray"), tup(number(0)), raw(b"b")) + b"\x94"
    return build(made, tup(number(1), ONE, OBJECT, FALSE, lst(b"h\x00", NONE)))


def _states() -> Iterator[Attack]:
    """States that no object has."""
    setter = tup(NONE, dic(text("__class__"), glob("attacks:touch")))
    for name, data, message, trusted in [
        ("a slot that is none", build(new("attacks:Slotted"), setter), "no slot '__class__'", (Slotted, touch)),
        ("a slot with a number", build(new("attacks:Slotted"), tup(NONE, dic(NONE, NONE))), "strings", (Slotted,)),
        ("attributes of a class", build(glob("attacks:Slotted"), dic(text("a"), NONE)), "is filled", (Slotted,)),
        ("a state for an array", build(call("attacks:an_array"), tup(ONE, OBJECT, FALSE)), "a state", (an_array,)),
        ("an instance of a function", new("attacks:touch"), "is not a class", (touch,)),
        ("a name that is not there", glob("attacks:nothing"), "cannot be imported", ("attacks:nothing",)),
        ("a class of bytes", _reconstructor("bytes", number(1 << 40)), "the state of", (Slotted,)),
    ]:
        yield Attack(name, stream(data), FormatError, message, trusted=trusted)
    words = np.zeros(624, np.uint32)
    twister = dic(text("key"), call("numpy:ndarray", tup(number(624)), dtype("u4"), NEXT), text("pos"), number(9999))
    state = dic(text("bit_generator"), text("MT19937"), text("state"), twister)
    data = build(call("numpy.random._pickle:__bit_generator_ctor", text("MT19937")), state)
    yield Attack("a position beyond a table", stream(data), FormatError, "the position of MT19937", [bytearray(words)])
    data = build(call("numpy.random._pickle:__bit_generator_ctor", text("Other")), dic())
    yield Attack("an unknown generator", stream(data), FormatError, "no bit generator 'Other'")


def _reconstructor(base: str, state: bytes) -> bytes:
    return call("copyreg:_reconstructor", glob("attacks:Slotted"), glob(f"builtins:{base}"), state)


def _bombs() -> Iterator[Attack]:
    """Little streams that ask for much."""
    yield Attack("tuples in tuples", stream(b")", b"\x85" * 20_000), LimitError, "nested more than 1000")
    yield Attack("lists in lists", stream(b"]" * 20_000, b"a" * 19_999), LimitError, "nested more than 1000")
    yield Attack("dicts in dicts", stream(b"}N" * 10_000, NONE, b"s" * 10_000), LimitError, "nested more than 1000")
    yield Attack("marks in marks", stream(b"(" * 20_000), LimitError, "nested more than 1000")
    yield Attack("arrays in arrays", stream(_arrays(1200)), LimitError, "nested more than 1000")
    yield Attack("deques in deques", stream(_deques(2000)), LimitError, "nested more than 1000")
    yield Attack("a key of 2**60 elements", stream(b"})", _doubled(60), b"Ns"), LimitError, "a key is too large")
    twins = b"}(" + get(60) + NONE + get(121) + NONE + b"u"
    yield Attack("twin keys", stream(_sets(0), _sets(61), twins), LimitError, "a key is too large")
    yield Attack("an integer of a megabyte", stream(number(1 << 8_000_000)), LimitError, "an integer has more than")
    repeated = _strided(tup(number(1 << 40)), number(0), tup(number(0)))
    yield Attack("repeated memory", stream(repeated), LimitError, "an array has more than")
    few = Limits(opcodes=100, memo=100)
    yield Attack("many opcodes", stream(b"N0" * 100, NONE), LimitError, "more than 100 opcodes", limits=few)
    yield Attack("a large memo", stream(b"N" + b"\x94" * 99 + b"\x94\x94"), LimitError, "more than 100", limits=few)


def _endless() -> Iterator[Attack]:
    """Arguments that take for ever to be shown, compared or cast."""
    doubled = b")" + _doubled(60)
    huge = _strided(tup(number(1 << 29)), number(0), tup(number(0)))
    small = call("numpy:ndarray", ONE, dtype("u1", "|"), raw(b"a"))
    filled = array_state(tup(), OBJECT, lst(doubled))
    text_array = call("numpy:ndarray", ONE, dtype("U1", "<", 4, 8), raw(b"a\0\0\0"))
    for name, data, message in [
        ("an order", call("numpy:ndarray", ONE, dtype("u1", "|"), raw(b"a"), number(0), NONE, doubled), "is a tuple"),
        ("an order of a buffer", call("numpy._core.numeric:_frombuffer", raw(b"a"), OCTET, ONE, doubled), "is a tuple"),
        ("axes", call("numpy._core.numeric:_frombuffer", raw(b"a"), OCTET, ONE, huge, tup()), "is a ndarray"),
        (
            "a shape",
            call("numpy._core.multiarray:_reconstruct", glob("numpy:ndarray"), huge, raw(b"b")),
            "is a ndarray",
        ),
        ("a letter", call("numpy._core.multiarray:_reconstruct", glob("numpy:ndarray"), ZERO, huge), "is a ndarray"),
        ("a dtype for a mask", _masked(small, NO_MASK, huge), "dtype of a masked array is a ndarray"),
        ("a fill value", _masked(text_array, NO_MASK, NONE, FALSE, TRUE, number(0), filled), "would be cast"),
        ("a version", build(call("numpy:dtype", text("f8"), FALSE, TRUE), tup(huge, *[NONE] * 7)), "is a ndarray"),
        ("items of a deque", call("collections:deque", huge), "begins with is a ndarray"),
        ("a checksum", call(SEEDS, glob("numpy.random.bit_generator:SeedSequence"), huge, NONE), "is a ndarray"),
        ("a generator", call("numpy.random._pickle:__bit_generator_ctor", doubled), "is a tuple"),
        ("a long name", text("a" * 5000) + text("b") + b"\x93", "has a name that is too long"),
    ]:
        yield Attack(f"endless: {name}", stream(data), FormatError, message)


def _masked(data: bytes, mask: bytes, *more: bytes) -> bytes:
    return call("numpy.ma:MaskedArray", data, mask, *more)


def _doubled(times: int) -> bytes:
    """Extend the tuple on the stack to one that holds it twice, and so on."""
    return b"".join(b"\x94h" + bytes([i]) + b"\x86" for i in range(times))


def _sets(base: int) -> bytes:
    """Remember 61 frozensets from a place in the memo on, each of the one before it and a tuple of that."""
    made = b"(\x91\x940"
    for place in range(base, base + 60):
        made += b"(" + get(place) + get(place) + b"\x85\x91\x940"
    return made


def _arrays(depth: int) -> bytes:
    """Arrays of objects in one another, the innermost first."""
    data = NONE
    for _ in range(depth):
        data = array_state(ONE, OBJECT, lst(data))
    return data


def _deques(depth: int) -> bytes:
    """Deques in one another, the outermost filled first, so that each is nested by one when it is filled."""
    made = b"".join(call("collections:deque") + b"\x94" for _ in range(depth))
    filled = b"".join(get(i) + get(i + 1) + b"a0" for i in range(depth - 1))
    return made + filled + b"0" * (depth - 1)
