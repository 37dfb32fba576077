"""The strict machine loads what pickle loads, runs only what is trusted, and lists what a stream uses."""

from __future__ import annotations

import datetime
import enum
import io
import os
import re
import sys
import warnings
from collections import OrderedDict, namedtuple
from typing import Any, Callable

import hypothesis
import numpy as np
import pytest
from assembler import array_state, call, dtype, frame, get, glob, keep, lst, number, raw, stream, text, tup
from benign import OBJECTS, objects
from common import copies
from hypothesis import strategies as st
from internals import Limits, Pickling
from same import assert_same

from binpickle import trust
from binpickle.errors import BinPickleError, FormatError, IntegrityError, LimitError, UntrustedError

if sys.version_info >= (3, 8):
    import pickle
else:
    import pickle5 as pickle

HERE = __name__
# In CI, 5,000 streams are compared with pickle. The last Hypothesis for Python 3.7 takes a second for some arrays.
CHANGED = 3000 if os.environ.get("CI") else 500
EXAMPLES = 40 if sys.version_info < (3, 8) else 2000 if os.environ.get("CI") else 300


def by_pickle(obj: Any) -> tuple[bytes, list[Any]]:
    """Pickle as NumPy and Python do it, buffers out of band."""
    found: list[Any] = []
    data = pickle.dumps(obj, 5, buffer_callback=found.append)
    return data, [bytes(buffer.raw()) if buffer.raw().readonly else bytearray(buffer.raw()) for buffer in found]


def in_band(obj: Any) -> tuple[bytes, list[Any]]:
    """Pickle with all buffers in the stream."""
    return pickle.dumps(obj, 5), []


def by_binpickle(obj: Any) -> tuple[bytes, list[Any]]:
    """Pickle as BinPickle does."""
    data = io.BytesIO()
    pickling = Pickling(data.write)
    pickling.dump(obj)
    return data.getvalue(), copies(pickling.out_of_band())


def plain(data: bytes, buffers: list[Any]) -> Any:
    """Load by pickle."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PendingDeprecationWarning)  # numpy.matrix
        return pickle.loads(data, buffers=list(map(type_copy, buffers)))


def type_copy(buffer: Any) -> Any:
    """Return a buffer of the same type with memory of its own."""
    return type(buffer)(buffer)


def load(data: bytes, buffers: Any = (), trusted: Any = (), **limits: int) -> Any:
    """Load by the strict machine."""
    found = list(map(type_copy, buffers))
    return trust.load(io.BytesIO(data).read, found, len(found), trusted, Limits(**limits))


def scan(data: bytes, buffers: Any = ()) -> list[trust.GlobalUse]:
    """List the globals of a stream."""
    return trust.scan(io.BytesIO(data).read, len(buffers))


@pytest.mark.parametrize("write", [by_pickle, in_band, by_binpickle])
@pytest.mark.parametrize("name", OBJECTS)
def test_objects_load_as_by_pickle(name, write):
    """Objects of built-in and NumPy types load with `trusted=()`, the same in every respect as by pickle."""
    data, buffers = write(OBJECTS[name])
    assert not trust.untrusted(scan(data, buffers))
    assert_same(load(data, buffers), plain(data, buffers), name)


@pytest.mark.skipif(sys.version_info < (3, 9), reason="Python has no zoneinfo")
def test_named_time_zones_load():
    """Times in zones with names load with `trusted=()`, and by pickle alone; one outside the cache by pickle only."""
    zoneinfo = pytest.importorskip("zoneinfo")
    if "Europe/Paris" not in zoneinfo.available_timezones():
        pytest.skip("the machine has no database of time zones")
    zone = zoneinfo.ZoneInfo("Europe/Paris")
    times = [zone, datetime.datetime(2020, 10, 25, 2, 30, tzinfo=zone, fold=1), datetime.time(1, tzinfo=zone)]
    data, buffers = by_binpickle(times)
    for loaded in (load(data, buffers), plain(data, buffers)):
        assert [str(time) for time in loaded] == [str(time) for time in times]
        assert loaded[0] is loaded[1].tzinfo is loaded[2].tzinfo is zone
    apart, buffers = by_binpickle(zoneinfo.ZoneInfo.no_cache("Europe/Paris"))
    assert plain(apart, buffers) is not zone
    with pytest.raises(UntrustedError, match="builtins:getattr"):
        load(apart, buffers)


@hypothesis.given(objects, st.sampled_from([by_pickle, in_band, by_binpickle]))
@hypothesis.settings(max_examples=EXAMPLES, suppress_health_check=list(hypothesis.HealthCheck))
def test_generated_objects_load_as_by_pickle(obj, write):
    """Whatever is built of safe types loads the same as by pickle."""
    data, buffers = write(obj)
    assert_same(load(data, buffers), plain(data, buffers))


class SafeUnpickler(pickle.Unpickler):
    """pickle's own, which finds nothing but what the strict machine admits."""

    def find_class(self, module: str, name: str) -> Any:
        assert not trust.untrusted([trust.GlobalUse(module, name, 0)])
        return super().find_class(module, name)


@st.composite
def mutated(draw: Callable[..., Any]) -> tuple[bytes, list[Any]]:
    """A stream of a safe object with some bytes changed, dropped, or taken from another place."""
    data, buffers = draw(st.sampled_from(SEEDS))
    mutable = bytearray(data)
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(mutable) - 1))
        kind = draw(st.sampled_from(["set", "cut", "insert", "copy"]))
        if kind == "set":
            mutable[at] = draw(st.sampled_from(OPCODES) | st.integers(0, 255))
        elif kind == "cut":
            del mutable[at : at + draw(st.integers(1, 4))]
        elif kind == "insert":
            mutable[at:at] = bytes([draw(st.sampled_from(OPCODES))])
        else:
            start = draw(st.integers(0, len(mutable) - 1))
            mutable[at:at] = mutable[start : start + draw(st.integers(1, 12))]
    return bytes(mutable), buffers


OPCODES = list(b"().0NJKMGCB}]aesuRb\x80\x81\x85\x86\x87\x88\x89\x8a\x8c\x8f\x90\x91\x92\x93\x94\x95\x96\x97\x98hjt")


def _unframed(data: bytes) -> bytes:
    """Take the frame off a short stream: a mutation within a frame is mostly found out by the frame's length."""
    return data[:2] + data[11:] if data[2:3] == b"\x95" else data


SEEDS = [
    (_unframed(data), buffers)
    for obj in OBJECTS.values()
    for data, buffers in (by_pickle(obj), by_binpickle(obj))
    if len(data) < 5000
]


@hypothesis.given(mutated())
@hypothesis.settings(max_examples=CHANGED, suppress_health_check=list(hypothesis.HealthCheck))
def test_what_the_machine_accepts_pickle_accepts(case):
    """A changed stream is refused by a `BinPickleError`, or loads to what pickle makes of it."""
    data, buffers = case
    try:
        loaded = load(data, buffers)
    except BinPickleError:
        return
    assert not trust.untrusted(scan(data, buffers))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = SafeUnpickler(io.BytesIO(data), buffers=list(map(type_copy, buffers))).load()
    assert_same(loaded, expected)


@hypothesis.given(mutated())
@hypothesis.settings(max_examples=200, suppress_health_check=list(hypothesis.HealthCheck))
def test_scan_agrees_with_load_on_changed_streams(case):
    """`untrusted(scan(s)) == []` is equivalent to "`load(s)` does not raise `UntrustedError`"."""
    data, buffers = case
    try:
        trusted = not trust.untrusted(scan(data, buffers))
    except FormatError as error:
        with pytest.raises(type(error)):
            load(data, buffers)
        return
    try:
        load(data, buffers)
    except UntrustedError:
        assert not trusted
    except BinPickleError:
        assert trusted
    else:
        assert trusted


class Plain:
    """A class without anything special."""

    def __init__(self, value):
        self.value = value


class Slots:
    """A class with slots, one of them private."""

    __slots__ = ("__hidden", "value")

    def __init__(self, value):
        self.value = value
        self.__hidden = [value]

    def hidden(self):
        """Return what the private slot holds."""
        return self.__hidden


class Stateful(Plain):
    """A class with a state of its own making."""

    def __getstate__(self):
        return "state", self.value

    def __setstate__(self, state):
        self.value = [state]


class Bag(dict):
    """A dict with attributes."""


class Row(list):
    """A list with attributes."""


class Subarray(np.ndarray):
    """An array class with an attribute in its state."""

    def __reduce__(self):
        function, arguments, state = super().__reduce__()
        return function, arguments, (*state, self.unit)

    def __setstate__(self, state):
        super().__setstate__(state[:-1])
        self.unit = state[-1]


class PlainSubarray(np.ndarray):
    """An array class that adds nothing."""


class Keyword:
    """A class that is made with keywords."""

    def __new__(cls, *, value):
        made = super().__new__(cls)
        made.value = value
        return made

    def __getnewargs_ex__(self):
        return (), {"value": self.value}

    def __getstate__(self):
        return None


class Color(enum.Enum):
    """An enumeration."""

    RED = 1


Point = namedtuple("Point", "x y")


def reducer(obj: Any) -> Any:
    """Return what pickles by a function of this module."""
    return type("Reduced", (), {"__reduce__": lambda self: (Plain, (obj,))})()


def test_trusted_instances_load():
    """Instances of trusted classes load by their own code, whether these are given themselves or by name."""
    bag, row = Bag(a=1), Row([1, 2])
    bag.attribute, row.attribute = "b", "r"
    for cls, obj in [
        (Plain, Plain([1])),
        (Bag, bag),
        (Row, row),
        (Color, Color.RED),
        (Point, Point(1, [2])),
        (Keyword, Keyword(value=3)),
        (f"{HERE}:Plain", Plain(Plain(1))),
        (f"{HERE}:Color", {Color.RED: [Color.RED]}),
        (Plain, reducer(5)),
    ]:
        data, buffers = by_binpickle(obj)
        assert_same(load(data, buffers, [cls]), plain(data, buffers), str(cls))
        with pytest.raises(UntrustedError):
            load(data, buffers)


def test_slots_are_set():
    """Slots, private ones too, get their values."""
    loaded = load(pickle.dumps(Slots(3), 5), trusted=[Slots])
    assert loaded.value == 3
    assert loaded.hidden() == [3]


def test_own_setstate_is_used():
    """A trusted class with `__setstate__` is given its state by that."""
    assert load(pickle.dumps(Stateful(3), 5), trusted=[Stateful]).value == [("state", 3)]


@pytest.mark.parametrize("cls", [Subarray, PlainSubarray])
def test_trusted_array_classes_load(cls):
    """Arrays of trusted classes load, with what their state holds besides."""
    array = np.arange(4.0).view(cls)
    array.unit = "m"
    data, buffers = by_pickle(array)
    loaded = load(data, buffers, [cls])
    assert type(loaded) is cls
    assert np.array_equal(loaded, np.arange(4.0))
    assert getattr(loaded, "unit", "m") == "m"


def test_trusted_names_are_values_too():
    """Trusted classes and functions may stand in containers, as dtype arguments of estimators do."""
    data = pickle.dumps({"class": Plain, "tuple": (Plain, reducer), "type": np.float32}, 5)
    loaded = load(data, trusted=[Plain, f"{HERE}:reducer"])
    assert loaded == {"class": Plain, "tuple": (Plain, reducer), "type": np.float32}


def test_old_reconstructor():
    """Instances that pickle by `copyreg._reconstructor` load, if their class is trusted."""
    data = stream(call("copyreg:_reconstructor", glob(f"{HERE}:Plain"), glob("builtins:object"), b"N"))
    assert type(load(data, trusted=[Plain])) is Plain
    data = stream(call("copyreg:_reconstructor", glob(f"{HERE}:Row"), glob("builtins:list"), lst(number(1), b"N")))
    assert load(data, trusted=[Row]) == [1, None]


def test_safe_names_stay_checked_when_trusted():
    """Naming `numpy.ndarray` does not take off its checks."""
    forged = stream(call("numpy:ndarray", tup(number(1)), dtype("O8", "|", -1, 63), raw(b"A" * 8)))
    with pytest.raises(FormatError, match="objects"):
        load(forged, trusted=[np.ndarray, np.dtype, "numpy:ndarray"])


@pytest.mark.parametrize("home", ["numpy.core", "numpy._core"])
def test_streams_of_older_versions_load(home):
    """Arrays as the releases 0.1 to 0.4 wrote them load, by whichever NumPy they were written."""
    made = call(f"{home}.numeric:_frombuffer", b"\x97", dtype("f8"), tup(number(2), number(3)), text("F"))
    loaded = load(stream(made), [bytearray(np.arange(6.0))])
    assert_same(loaded, np.arange(6.0).reshape(3, 2).T)
    state = array_state(tup(number(2)), dtype("i2", ">"), raw(b"\1\0\2\0"))
    assert load(stream(state)).tolist() == [256, 512]
    assert load(stream(call(f"{home}.multiarray:scalar", dtype("i2"), raw(b"\1\0")))) == 1


def test_arrays_are_as_writable_as_their_buffers():
    """Arrays lie over the buffers that they are given, and are writable where these are."""
    data, _ = by_pickle(np.arange(4.0))
    memory = np.arange(4.0).view(np.uint8)
    for buffer, writable in [
        (memory, True),
        (memoryview(memory), True),
        (bytearray(32), True),
        (bytes(32), False),
        (memoryview(bytes(32)), False),
    ]:
        array = trust.load(io.BytesIO(data).read, [buffer], 1)
        assert array.flags.writeable is writable
        assert np.shares_memory(array, np.frombuffer(buffer, np.uint8))


def test_read_only_buffers():
    """A read-only array stays read-only over writable memory, and its memory is not copied."""
    array = np.arange(4.0)
    array.flags.writeable = False
    data, _ = by_pickle(array)
    memory = np.arange(4.0).view(np.uint8)
    loaded = trust.load(io.BytesIO(data).read, [memory], 1)
    assert not loaded.flags.writeable
    assert np.shares_memory(loaded, memory)


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_stream_comes_in_pieces(size):
    """A source may give fewer bytes than it is asked for."""
    obj = [OBJECTS["strings"], OBJECTS["array"], "z" * 200_000, list(range(5000))]
    data, buffers = by_binpickle(obj)
    rest = io.BytesIO(data)
    loaded = trust.load(lambda n: rest.read(min(n, size)), buffers, len(buffers))
    assert_same(loaded, obj)


def test_refusal_names_everything():
    """`UntrustedError` has the first refused global and its place, all of them in `refused`, and how to trust them."""
    data = stream(lst(call("os:system", text("true")), glob("attacks:touch"), call("os:system"), glob("builtins:eval")))
    with pytest.raises(UntrustedError) as caught:
        load(data)
    error = caught.value
    assert [(module, name) for module, name, _ in error.refused] == [
        ("os", "system"),
        ("attacks", "touch"),
        ("builtins", "eval"),
    ]
    assert (error.module, error.qualname, error.offset) == error.refused[0]
    assert all(data[offset : offset + 1] == b"\x93" for _, _, offset in error.refused)
    assert 'trusted=["os:system", "attacks:touch", "builtins:eval"]' in str(error)
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_refusal_wins_over_other_faults():
    """A stream with an untrusted global and a bad object is refused for the global, wherever it stands."""
    bad = call("datetime:date", text("bad"))
    with pytest.raises(UntrustedError):
        load(stream(lst(bad, glob("os:system"))))
    with pytest.raises(FormatError):
        load(stream(lst(bad, glob("builtins:int"))))


def test_nothing_is_imported():
    """Neither scanning nor refusing imports a module that a stream names."""
    sys.modules.pop("antigravity", None)
    data = stream(glob("antigravity:geohash"))
    assert [use.name for use in scan(data)] == ["antigravity:geohash"]
    with pytest.raises(UntrustedError):
        load(data)
    assert "antigravity" not in sys.modules


def test_buffers_are_not_taken_after_a_refusal():
    """Once a global is refused, no more buffers are asked for."""
    taken = []

    def buffers():
        for i in range(2):
            taken.append(i)
            yield bytearray(8)

    with pytest.raises(UntrustedError):
        trust.load(io.BytesIO(stream(lst(b"\x97", glob("os:system"), b"\x97"))).read, buffers(), 2)
    assert taken == [0]


def test_errors_of_buffers_pass():
    """What a source of buffers raises comes out as it is."""

    def damaged():
        raise IntegrityError("damaged", 3)
        yield

    with pytest.raises(IntegrityError):
        trust.load(io.BytesIO(stream(b"\x97")).read, damaged(), 1)


def test_errors_of_trusted_code_are_wrapped():
    """An exception of a trusted class comes out as a `FormatError` that has it as its cause."""
    with pytest.raises(FormatError, match="ZeroDivisionError") as caught:
        load(stream(call("operator:truediv", number(1), number(0))), trusted=["_operator:truediv", "operator:truediv"])
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_scan_tells_the_uses():
    """`scan` gives each global once, with what the stream does with it."""
    data = stream(
        lst(
            call("a:called", glob("b:argument")),
            glob("c:made") + b")\x81",
            glob("d:value"),
            glob("d:value"),
            glob("e:dropped") + b"0",
            call("collections:OrderedDict"),
        )
    )
    assert [(use.name, use.uses) for use in scan(data)] == [
        ("a:called", ("called",)),
        ("b:argument", ("argument",)),
        ("c:made", ("instantiated",)),
        ("d:value", ("value",)),
        ("e:dropped", ()),
        ("collections:OrderedDict", ("called",)),
    ]
    assert [use.name for use in trust.untrusted(scan(data), ["a:called", "c:made", "d:value"])] == [
        "b:argument",
        "e:dropped",
    ]


@pytest.mark.parametrize("trusted", [True, None, "os:system", b"os:system", 5, [5], [None], [Plain(1)]])
def test_trusted_must_be_a_collection_of_classes_or_names(trusted):
    """Anything but a collection of classes, functions and names is a `TypeError`, before the stream is read."""
    with pytest.raises(TypeError, match="trusted"):
        trust.load(io.BytesIO().read, (), 0, trusted)


@pytest.mark.parametrize("name", ["os", "os.system", ":system", "os:", ""])
def test_trusted_names_have_a_module(name):
    """A name without module or qualname is a `ValueError`."""
    with pytest.raises(ValueError, match="module:qualname"):
        trust.load(io.BytesIO().read, (), 0, [name])


@pytest.mark.parametrize(
    ("limit", "value", "obj"),
    [
        ("opcodes", 10, list(range(20))),
        ("memo", 3, [[], [], [], []]),
        ("nesting", 3, [[[[]]]]),
        ("nesting", 3, ((((1,),),),)),
        ("nesting", 3, {1: {1: {1: {1: {}}}}}),
        ("nesting", 3, OrderedDict(a=[[[0]]])),
        ("int_bytes", 4, 1 << 40),
    ],
)
def test_limits(limit, value, obj):
    """A stream that asks for more than the limits allow is a `LimitError` that names the limit."""
    data = pickle.dumps(obj, 5)
    with pytest.raises(LimitError) as caught:
        load(data, **{limit: value})
    assert caught.value.limit == limit
    assert_same(load(data), obj)


def test_deeply_nested_objects_load_up_to_the_limit():
    """Nesting of exactly the limit loads."""
    obj: Any = []
    for _ in range(99):
        obj = [obj]
    data = pickle.dumps(obj, 5)
    assert load(data, nesting=100) == obj
    with pytest.raises(LimitError):
        load(data, nesting=99)


def test_cycles_load():
    """Lists and dicts that contain themselves, and tuples that do so by these, load as they were."""
    cycle: Any = [1]
    cycle.append({"self": cycle, "tuple": (cycle,)})
    loaded = load(pickle.dumps(cycle, 5))
    assert loaded[1]["self"] is loaded
    assert loaded[1]["tuple"][0] is loaded


def test_shared_objects_stay_shared():
    """What pickle knows to be one object is one object after loading, arrays, dtypes and dates too."""
    array = np.array(["2020"], "M8[D]")[::1]
    items = np.array([[1], None], object)
    shared = [array, array, items, items, items[0]]
    loaded = load(*by_pickle(shared))
    assert loaded[0] is loaded[1]
    assert loaded[2] is loaded[3]
    assert loaded[4] is loaded[2][0]


def test_frames_are_optional():
    """Opcodes need no frames, as pickletools.optimize may leave them."""
    assert load(stream(lst(frame(number(1)), number(2), frame(text("a"), raw(b"b"))))) == [1, 2, "a", b"b"]


ARRAY_CALLS = {
    "one length": b"h\0K\x03\x85\x94h\1\x97\x87\x94R",
    "two lengths": b"h\0K\1M\x03\0\x86\x94h\1\x97\x87\x94R",
    "three lengths": b"h\0K\1J\x03\0\0\0K\1\x87\x94j\1\0\0\0\x97\x87\x94R",
    "too few lengths": b"h\0K\x03\x86\x94h\1\x97\x87\x94R",
    "too many lengths": b"h\0K\1K\x03\x85\x94h\1\x97\x87\x94R",
    "a negative length": b"h\0J\xff\xff\xff\xff\x85\x94h\1\x97\x87\x94R",
    "another length": b"h\0K\x04\x85\x94h\1\x97\x87\x94R",
    "the shape for a dtype": b"h\0K\x03\x85\x94h\3\x97\x87\x94R",
    "a global for a dtype": b"h\0K\x03\x85\x94h\0\x97\x87\x94R",
    "nothing for a dtype": b"h\0K\x03\x85\x94h\x99\x97\x87\x94R",
    "another function": b"h\2K\x03\x85\x94h\1\x97\x87\x94R",
    "a dtype for a function": b"h\1K\x03\x85\x94h\1\x97\x87\x94R",
    "cut short": b"h\0K\x03\x85\x94h\1\x97\x87\x94",
}
"""Opcodes that call what is remembered as 0 with a shape, what is remembered as 1, and a buffer."""


@pytest.mark.parametrize("buffers", [[bytearray(24)] * 2, [bytearray(24)], [None] * 2], ids=["2", "1", "damaged"])
@pytest.mark.parametrize("case", ARRAY_CALLS)
def test_arrays_in_frames_are_made_as_outside_of_frames(case, buffers):
    """The opcodes that make an array do in a frame, where they are matched at once, what each of them does alone."""
    begin = keep(glob("numpy:ndarray"), dtype("f8"), glob("collections:OrderedDict"))
    opcodes = ARRAY_CALLS[case] + b"\x94"
    steps = {"frame": frame(lst(opcodes, opcodes, get(3), get(4))), "alone": lst(opcodes, opcodes, get(3), get(4))}
    if case == "cut short":
        steps = {name: data[: data.index(opcodes) + len(opcodes)] for name, data in steps.items()}
        steps["frame"] = frame(opcodes)
    assert outcome(stream(begin, steps["frame"]), buffers) == outcome(stream(begin, steps["alone"]), buffers)


def outcome(data: bytes, buffers: list[Any]) -> Any:
    """What a load gives or raises, without positions, and what a scan lists or raises."""

    def taken() -> Any:
        for buffer in buffers:
            if buffer is None:
                raise IntegrityError("a damaged buffer")
            yield buffer

    found = []
    for run in (
        lambda: repr(trust.load(io.BytesIO(data).read, taken(), len(buffers))),
        lambda: [(use.name, use.uses) for use in trust.scan(io.BytesIO(data).read, len(buffers))],
    ):
        try:
            found.append(run())
        except BinPickleError as error:
            found.append((type(error), re.sub("[0-9]+", "", str(error))))
    return found
