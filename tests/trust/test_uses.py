"""What a stream may do with a name of a curated set, and which objects it may fill and give a state."""

from __future__ import annotations

import io
import weakref
from collections import Counter, OrderedDict, defaultdict, deque
from typing import Any

import pytest
from assembler import FALSE, NONE, TRUE, build, call, dic, dtype, glob, lst, new, number, stream, text, tup, writable
from common import each
from hypothesis import given
from hypothesis import strategies as st

from binpickle import trust
from binpickle.errors import FormatError, UntrustedError

called: list[Any] = []


def record(*arguments: Any) -> None:
    """Leave a trace."""
    called.append(arguments)


class Plain:
    """A class without methods."""


class One:
    """A class with one instance."""

    def __new__(cls) -> One:
        return ONE if "ONE" in globals() else object.__new__(cls)


ONE = One()


class Cached:
    """A class whose instances a cache knows that does not hold them."""

    cache: Any = weakref.WeakSet()

    def __new__(cls) -> Cached:
        made = object.__new__(cls)
        cls.cache.add(made)
        return made


def the_one() -> One:
    """Return what the whole process shares."""
    return ONE


def another() -> Plain:
    """Return an object that is new."""
    return Plain()


class Loud(dict):
    """A dict that sets items by code of its own."""

    def __setitem__(self, key: Any, value: Any) -> None:
        record(key, value)


class LoudList(list):
    """A list that appends by code of its own."""

    def append(self, item: Any) -> None:
        record(item)


class LoudSet(set):
    """A set that adds by code of its own."""

    def add(self, item: Any) -> None:
        record(item)


class Bag(dict):
    """A dict without code of its own."""


class Tally(Counter):
    """A counter without code of its own."""


class Row(list):
    """A list without code of its own."""


class Ring(deque):
    """A deque without code of its own."""


class Sorted(OrderedDict):
    """An ordered dict without code of its own."""


class Missing(defaultdict):
    """A dict with defaults and without code of its own."""


HERE = __name__
CLASSES = [
    Plain,
    One,
    Cached,
    the_one,
    another,
    record,
    Loud,
    LoudList,
    LoudSet,
    Bag,
    Tally,
    Row,
    Ring,
    Sorted,
    Missing,
]


@pytest.fixture(autouse=True)
def _no_trace():
    called.clear()
    yield
    assert not called


def load(data: bytes, trusted: Any = CLASSES) -> Any:
    return trust.load(io.BytesIO(data).read, [], 0, trusted)


def scan(data: bytes) -> Any:
    return trust.scan(io.BytesIO(data).read, 0)


SK = "sklearn.linear_model._ridge:Ridge"
MISUSES = {
    "calling a function": stream(call("numpy:sum", tup(number(1)))),
    "instantiating a function": stream(new("numpy:sum", tup(number(1)))),
    "calling a class": stream(call(SK)),
    "calling without a tuple": stream(glob("numpy:sum") + NONE + b"R"),
    "calling it after an error": stream(b"]NNs", call("numpy:sum", number(1)), b"\x86"),
}


@each(MISUSES, "data")
@pytest.mark.parametrize("given", [trust.sklearn, lambda: ["numpy:sum", SK]])
def test_misuse_is_refused(data: bytes, given: Any) -> None:
    """A file that calls or instantiates what a curated set only holds is refused, whoever names it."""
    names = {"numpy:sum", SK}
    with pytest.raises(UntrustedError, match="do not let a file call or instantiate") as caught:
        load(data, given())
    assert {f"{module}:{qualname}" for module, qualname, _ in caught.value.refused} <= names
    assert [use.name for use in trust.untrusted(scan(data), given())] == [
        f"{module}:{qualname}" for module, qualname, _ in caught.value.refused
    ]


def test_value_is_held() -> None:
    """A file may hold a function of a curated set, and pass it on."""
    np = pytest.importorskip("numpy")
    data = stream(lst(glob("numpy:sum"), tup(glob("numpy:mean"))))
    assert load(data, trust.sklearn()) == [np.sum, (np.mean,)]
    assert trust.untrusted(scan(data), trust.sklearn()) == []


def test_advice_names_the_set() -> None:
    """The error for names of a curated set says which set has them."""
    with pytest.raises(UntrustedError, match=r"pass trusted=binpickle\.trust\.sklearn\(\) if you trust"):
        load(stream(lst(glob(SK), glob("numpy:sum"))), ())
    with pytest.raises(UntrustedError, match=r'pass trusted=\["a:b"\] if you trust'):
        load(stream(glob("a:b")), ())


@pytest.mark.parametrize("name", ["builtins:eval", "os:system", "torch.storage:_load_from_bytes", "pickle:loads"])
def test_advice_against_trust(name: str) -> None:
    """The error says of a function that does whatever the file says that to trust it is to trust the file."""
    with pytest.raises(UntrustedError, match=f"; {name} would do whatever the file says, so to trust that is to trust"):
        load(stream(lst(glob("a:b"), glob(name))), ())


STATE = dic(text("x"), number(1))
SHARED = {
    "an instance that a class has already": build(new(f"{HERE}:One"), STATE),
    "what a class returns that it has already": build(call(f"{HERE}:One"), STATE),
    "what a function returns that all share": build(call(f"{HERE}:the_one"), STATE),
    "what a cache knows": build(new(f"{HERE}:Cached"), STATE),
    "an argument that comes back": build(call("builtins:slice", NONE, NONE, NONE), STATE),
}


@each(SHARED, "data")
def test_what_others_hold_gets_no_state(data: bytes) -> None:
    """BUILD is refused on an object that the stream did not have made, or that something else holds."""
    with pytest.raises(FormatError, match="that this stream did not make"):
        load(stream(data))
    assert vars(ONE) == {}


@pytest.mark.parametrize("data", [new(f"{HERE}:Plain"), call(f"{HERE}:Plain"), call(f"{HERE}:another")])
def test_what_is_new_gets_a_state(data: bytes) -> None:
    """BUILD works on an object that a class or function has just made."""
    assert load(stream(build(data, STATE))).x == 1


def test_state_adds_no_setstate() -> None:
    """A `__setstate__` among the attributes of an instance is an attribute, and a second state does not call it."""
    first = build(new(f"{HERE}:Plain"), dic(text("__setstate__"), glob(f"{HERE}:record")))
    loaded = load(stream(build(first, STATE)))
    assert loaded.x == 1
    assert vars(loaded)["__setstate__"] is record


KINDS = {
    "dict": (new(f"{HERE}:Bag") + number(1) + TRUE + b"s", Bag({1: True})),
    "counter": (new(f"{HERE}:Tally") + number(1) + number(2) + b"s", Tally({1: 2})),
    "ordered dict": (new(f"{HERE}:Sorted") + number(1) + TRUE + b"s", Sorted({1: True})),
    "default dict": (new(f"{HERE}:Missing") + number(1) + TRUE + b"s", Missing(None, {1: True})),
    "list": (new(f"{HERE}:Row") + b"(" + number(1) + TRUE + b"e", Row([1, True])),
    "deque": (new(f"{HERE}:Ring") + number(1) + b"a", Ring([1])),
}


@pytest.mark.parametrize("kind", KINDS)
def test_containers_without_code_are_filled(kind: str) -> None:
    """A dict, list or deque of a class that the caller named is filled, if the class fills it as its base does."""
    data, expected = KINDS[kind]
    loaded = load(stream(data))
    assert type(loaded) is type(expected)
    assert loaded == expected


FOREIGN = {
    "a dict with its own __setitem__": (new(f"{HERE}:Loud") + NONE + TRUE + b"s", "no __setitem__ of dict"),
    "an object that is no dict": (new(f"{HERE}:Plain") + NONE + TRUE + b"s", "no __setitem__ of dict"),
    "a list with its own append": (new(f"{HERE}:LoudList") + b"(" + FALSE + b"e", "no append and extend"),
    "an object that is no list": (new(f"{HERE}:Plain") + FALSE + b"a", "no append and extend"),
    "a set with its own add": (new(f"{HERE}:LoudSet") + b"(" + FALSE + b"\x90", "filled as a set is"),
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_foreign_methods_fill_nothing(kind: str) -> None:
    """No opcode that fills a container runs a method of a class that the caller named."""
    data, message = FOREIGN[kind]
    with pytest.raises(FormatError, match=message):
        load(stream(data))


FUNCTION = "numpy:sum"
PIECES = [
    *(make(name) for name in (SK, FUNCTION, "a:b", f"{HERE}:Plain") for make in (glob, call, new)),
    *(glob(name) + wrong for name in (SK, FUNCTION) for wrong in (NONE + b"R", NONE + b"\x81", b")N\x92")),
    build(new(SK), STATE),
    build(glob(FUNCTION), STATE),
    call("copyreg:_reconstructor", glob(SK), glob("builtins:object"), NONE),
    call("copyreg:_reconstructor", glob(FUNCTION), glob("builtins:object"), NONE),
    call(f"{HERE}:Plain", glob(FUNCTION)),
    call("builtins:slice", NONE),
    b"]NNs",
    number(5) + b"}b",
    NONE,
]


def refused_by_load(data: bytes, trusted: Any) -> set[str]:
    """Return the names that a load does not trust; a stream may have other faults."""
    try:
        load(data, trusted)
    except UntrustedError as error:
        return {f"{module}:{qualname}" for module, qualname, _ in error.refused}
    except FormatError:
        pass
    return set()


@given(
    st.lists(st.sampled_from(PIECES), max_size=6),
    st.sampled_from([(), trust.sklearn(), trust.scipy(), [FUNCTION, "a:b"], {*trust.sklearn(), Plain}]),
)
def test_scan_agrees_with_load(pieces: list[bytes], trusted: Any) -> None:
    """A scan finds something untrusted just when a load raises `UntrustedError`, and finds the same."""
    data = stream(tup(*pieces))
    found = {use.name for use in trust.untrusted(scan(data), trusted)}
    assert refused_by_load(data, trusted) == found


ADDRESS = text("__array_interface__")
MEMORY = {
    "an attribute": build(new(f"{HERE}:Plain"), dic(ADDRESS, dic())),
    "an attribute in a slot": build(new(f"{HERE}:Plain"), tup(NONE, dic(text("__array_struct__"), NONE))),
    "an item that is an attribute": new(f"{HERE}:Bag") + ADDRESS + NONE + b"s",
}


@each(MEMORY, "data")
def test_addresses_are_no_attributes(data: bytes) -> None:
    """No object gets an attribute by which NumPy would read memory at an address of the file's choice."""
    with pytest.raises(FormatError, match="by which NumPy would read memory anywhere"):
        load(stream(data))
    assert load(stream(dic(ADDRESS, ADDRESS))) == {"__array_interface__": "__array_interface__"}


def test_a_bytearray_below_an_array_keeps_its_size() -> None:
    """Nobody can free the memory of an array by shrinking the bytearray that it lies over."""
    shared = writable(bytes(8)) + b"\x94"
    for array in (
        call("numpy:ndarray", tup(number(8)), dtype("u1", "|"), b"h\x00"),
        call("numpy._core.numeric:_frombuffer", b"h\x00", dtype("u1", "|"), tup(number(8)), text("C")),
    ):
        held, made = load(stream(shared, array, b"\x86"))
        with pytest.raises(BufferError):
            held.clear()
        held[0] = 5
        assert made.tolist() == [5, 0, 0, 0, 0, 0, 0, 0]


def test_no_dict_describes_memory() -> None:
    """A dict by which NumPy would read memory at an address is refused where a class may show it as an attribute."""
    described = dic(*(part for name in ("typestr", "shape", "version", "data") for part in (text(name), NONE)))
    with pytest.raises(FormatError, match="at an address of memory"):
        load(stream(lst(described, NONE)))
    assert load(stream(described), ()) == dict.fromkeys(("typestr", "shape", "version", "data"))
