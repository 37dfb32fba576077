"""The names of buffers, for containers of Python and arrays of NumPy."""

from __future__ import annotations

import collections
import functools
from array import array
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from common import each
from looking import look, names_of, tree_of

A = [np.arange(100.0) + i for i in range(5)]
SHARED = A[0]
CYCLE: list[Any] = [A[0]]
CYCLE.append(CYCLE)


class Own:
    """An instance with attributes."""

    def __init__(self, **attributes: Any):
        self.__dict__.update(attributes)


class Slotted:
    """An instance with slots."""

    __slots__ = ("first", "second")

    def __init__(self, first: Any, second: Any):
        self.first = first
        self.second = second


class Called:
    """What is rebuilt by a call with arguments, and a state that is no dict."""

    def __init__(self, *arguments: Any):
        self.arguments = arguments

    def __reduce__(self) -> Any:
        return Called, self.arguments, [A[4]]

    def __setstate__(self, state: Any) -> None:
        self.state = state


class OwnDict(dict):  # type: ignore[type-arg]
    """A dict with attributes."""


class OwnList(list):  # type: ignore[type-arg]
    """A list with attributes."""


class OwnArray(np.ndarray):
    """An array of a class that adds nothing."""


class Described(np.ndarray):
    """An array of a class that adds attributes to its state."""

    def __reduce__(self) -> Any:
        made, arguments, state = super().__reduce__()
        return made, arguments, (state, {"extra": A[4]})

    def __setstate__(self, state: Any) -> None:
        super().__setstate__(state[0])


Pair = collections.namedtuple("Pair", "left right")
own_dict = OwnDict(x=A[0])
own_dict.x = A[1]
own_list = OwnList([A[0]])
own_list.append(A[1])
objects = np.empty((2, 2), object)
objects[:] = [[A[0], None], ["x", A[1]]]
masked = np.ma.MaskedArray(np.arange(600.0), np.arange(600) % 2 == 0)

NAMES: dict[str, tuple[Any, list[str]]] = {
    "a lone array": (A[0], ["."]),
    "a dict": ({"a": A[0], "b": A[1]}, ["a", "b"]),
    "nested": ({"layers": [{"w": A[0], "b": A[1]}, (A[2],)]}, ["layers/0/w", "layers/0/b", "layers/1/0"]),
    "escapes": ({"a/b": A[0], "m~n": A[1], "~1": A[2]}, ["a~1b", "m~0n", "~01"]),
    "keys that are no strings": (
        {1: A[0], 2.5: A[1], None: A[2], (1, "x"): A[3], np.int64(7): A[4]},
        ["1", "2.5", "None", "(1, 'x')", "7"],
    ),
    "keys of equal text": ({1: A[0], "1": A[1], "1~2": A[2], b"1": A[3]}, ["1", "1~2", "1~02~2", "b'1'"]),
    "an empty key": ({"": A[0], "a": {"": A[1]}}, ["~2", "a/"]),
    "long keys": ({b"x" * 1000: A[0], "y" * 100: A[1]}, ["b'" + "x" * 75 + "...", "y" * 100]),
    "a way longer than names are": ({"a": {"z" * 3000: A[0]}, "b": A[0]}, ["b"]),
    "shared": ([[SHARED], SHARED, {"x": SHARED}], ["0/0"]),
    "a cycle": (CYCLE, ["0"]),
    "attributes": (Own(coef_=A[0], inner=Own(w=A[1])), ["coef_", "inner/w"]),
    "slots": (Slotted(A[0], [A[1]]), ["first", "second/0"]),
    "a namespace": (SimpleNamespace(a=A[0]), ["a"]),
    "keys and attributes": (own_dict, ["x", "x~2"]),
    "items and attributes": (own_list, ["0", "1"]),
    "an unknown call": (Called(A[0], [A[1]]), ["()/0", "()/1/0", "state/0"]),
    "a named tuple": ([Pair(A[0], A[1])], ["0/()/0", "0/()/1"]),
    "a partial": (functools.partial(print, A[0], end=A[1]), ["args/0", "keywords/end"]),
    "an ordered dict": (collections.OrderedDict(a=A[0]), ["a"]),
    "a default dict": (collections.defaultdict(list, a=[A[0]]), ["a/0"]),
    "a counter": (collections.Counter({"a": A[0]}), ["a"]),
    "a deque": (collections.deque([A[0], A[1]], 5), ["0", "1"]),
    "a chain map": (collections.ChainMap({"a": A[0]}), ["maps/0/a"]),
    "sets": ([{Pair(1, 2)}, frozenset([3])], []),
    "objects": ({"o": objects}, ["o/0", "o/3"]),
    "objects in Fortran order": (np.asfortranarray(objects), ["0", "3"]),
    "a masked array": ([masked], ["0/data", "0/mask"]),
    "a masked array of objects": (np.ma.MaskedArray(objects, [[True, False]] * 2), ["data/0", "data/3"]),
    "a matrix": ([np.ones((20, 20)).view(np.matrix)], ["0"]),
    "records": ([np.zeros(100, [("a", "f8")]).view(np.recarray)], ["0"]),
    "a class of arrays": ([A[0].view(OwnArray)], ["0"]),
    "a class of arrays with a state": ([A[0].view(Described)], ["0/extra", "0"]),
    "a module array": ([array("d", range(200))], ["0"]),
    "empty": ({}, []),
    "arrays of no bytes": ([np.empty((0, 3)), A[0]], ["1"]),
}


@each(NAMES, "obj,names")
def test_names(obj: Any, names: list[str]) -> None:
    """Each buffer has the name of the first way by which the object reaches it."""
    assert sorted(names_of(obj)) == sorted(names)


@each(NAMES, "obj,names")
def test_names_lead_to_arrays(obj: Any, names: list[str]) -> None:
    """A name leads to a node that is the array of the buffer."""
    looked = look(obj)
    for i, name in enumerate(looked.outline.names):
        node = looked.outline.find(name)
        assert node is not None
        assert node.array is not None
        assert node.array.source == i
        assert looked.array(name).nbytes == len(looked.buffers[i])


def test_mappable_files_have_names_for_small_arrays() -> None:
    """Files for mapping put each array out of band, and it has a name there, too."""
    assert names_of({"a": np.arange(2), "b": {"c": np.ones(1)}}, mappable=True) == ["a", "b/c"]


def test_every_way_is_found() -> None:
    """Each way to a shared array leads to one node, and the listed name is the first of them."""
    looked = look({"a": {"x": SHARED}, "b": SHARED, "c": [SHARED]})
    assert looked.outline.names == ("a/x",)
    nodes = [looked.outline.find(name) for name in ("a/x", "b", "c/0")]
    assert nodes[0] is not None
    assert nodes[0] is nodes[1]
    assert nodes[1] is nodes[2]


@pytest.mark.parametrize("name", ["x", "a/", "a/x/0", "a//x", "/a/x", ".", "a~1x", "b/0", "c/-1", "c/00", "c/1"])
def test_other_names_lead_nowhere(name: str) -> None:
    """A name that is no way through the object leads to nothing."""
    assert look({"a": {"x": SHARED}, "b": SHARED, "c": [SHARED]}).outline.find(name) is None


def test_a_lone_array_is_a_dot() -> None:
    """The dot is the array that is the whole object, unless the object has a part of that name."""
    lone = look(A[0]).outline
    assert lone.find(".") is lone.root
    keyed = look({".": A[0]}).outline
    assert keyed.names == (".",)
    assert keyed.find(".") is not keyed.root


def test_arrays_in_the_stream_are_nodes() -> None:
    """An array that is kept in the stream is found by its name, with its bytes, and has no buffer."""
    small = {
        "a": np.arange(6, dtype="i2").reshape(2, 3).T,
        "b": [np.array(["2020-01-01"], "M8[D]")],
        "e": np.empty((0, 2)),
    }
    looked = look(small)
    assert looked.outline.names == ()
    assert isinstance(looked.outline.find("a").array.source, bytes)  # type: ignore[union-attr]
    for name, array_ in {"a": small["a"], "b/0": small["b"][0], "e": small["e"]}.items():
        assert looked.array(name).tolist() == array_.tolist()
        assert looked.array(name).dtype == array_.dtype


def test_views_say_what_the_buffer_does_not() -> None:
    """An array that repeats its memory has the strides that it had, over the buffer that the index describes."""
    node = look(np.broadcast_to(A[0], (3, 100))).outline.root
    assert node.array is not None
    assert node.array.view is not None
    assert (node.array.view.shape, node.array.view.strides) == ((3, 100), (0, 8))
    plain = look(A[0]).outline.root
    assert plain.array is not None
    assert plain.array.view is None
    assert plain.view is not None
    assert plain.view.shape == (100,)


def test_nodes_say_what_they_are() -> None:
    """Nodes have the names of classes, and short texts for small values; parts come in the order of the stream."""
    obj = {"n": 1, "s": "x" * 500, "t": (1.5, None), "i": 1 << 5000, "o": Own(a=True), "d": np.dtype("f4"), "g": len}
    root = look(obj).outline.root
    assert (root.type, len(root)) == ("dict", 7)
    assert tree_of(root) == {
        "n": "1",
        "s": "'" + "x" * 76 + "...",
        "t": {"0": "1.5", "1": "None"},
        "i": "an integer of 5001 bits",
        "o": {"a": "True"},
        "d": "float32",
        "g": "len",
    }
    assert [text for text, _ in root.parts()] == list(obj)
    assert dict(root.parts())["o"].type == f"{__name__}:Own"


def test_scalars_have_values() -> None:
    """Scalars of NumPy are shown as NumPy shows them."""
    obj = [np.float32(1.5), np.int8(-3), np.datetime64("2020-01-02", "D"), np.bool_(True), np.str_("no")]
    root = look(obj).outline.root
    assert [part.value for _, part in root.parts()] == ["1.5", "-3", "2020-01-02", "True", ""]
    assert dict(root.parts())["0"].type == "numpy:float32"


def test_random_states() -> None:
    """The state of a random generator is found where NumPy's own attributes have it."""
    names = names_of([np.random.RandomState(1), np.random.Generator(np.random.MT19937(1))])
    assert "0/state/key" in names
    assert names[-1] in ("1/bit_generator/state/state/key", "1/state/key")  # the second before NumPy 1.24
