"""Staged objects: their files are those of the object when it was staged, whatever becomes of it and of the memory."""

from __future__ import annotations

import copy
import gc
import io
import pickle
import threading
import tracemalloc
import weakref
from array import array as typed_array
from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest
from benign import objects
from common import assert_same, each
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from internals import IN_BAND_BELOW, staged_module
from internals import pickle as pickle5

import binpickle

KEY = bytes(range(32))
RAMP = np.arange(2_100_000)


class Pickler(pickle5.Pickler):
    """A pickler that writes complex numbers as strings."""

    dispatch_table = {complex: lambda obj: (str, (str(obj),))}


class Handing:
    """Hands its memory to pickle by itself."""

    def __init__(self, data: Any):
        self.data = data

    def __reduce_ex__(self, protocol: int) -> Any:
        return Handing, (pickle5.PickleBuffer(self.data),)


def read_only(array: np.ndarray) -> np.ndarray:
    array.flags.writeable = False
    return array


def with_views() -> Any:
    array = np.arange(5000.0)
    return {"part": array[700:2000], "whole": array, "same": array[:], "small": array[:9], "gaps": array[::3]}


def structures() -> Any:
    records = np.zeros(400, np.dtype([("a", "i1"), ("b", "f8"), ("c", "M8[s]")], align=True))
    records.view(np.uint8)[:] = np.arange(records.nbytes).astype(np.uint8)
    return [
        records,
        records[::2],
        records["b"],
        records[:3],
        np.zeros(99, [("a", "i4"), ("b", "f8")]).view(np.recarray),
    ]


# Functions, since the tests change what they make.
OBJECTS: dict[str, Callable[[], Any]] = {
    "no array": lambda: {"a": [1, "text", bytearray(b"x" * 100), b"y" * 70_000]},
    "one array": lambda: np.arange(1000),
    "small arrays": lambda: [np.arange(n) for n in range(0, 90, 7)],
    "arrays of all sizes": lambda: [np.arange(4**n) for n in range(11)],
    "the limit": lambda: [np.zeros(n, "u1") for n in (IN_BAND_BELOW - 1, IN_BAND_BELOW, IN_BAND_BELOW + 1)],
    "no items": lambda: [np.zeros((0, 3)), np.zeros(0, "M8[s]"), np.zeros(5, "V0"), np.arange(1000)[:0]],
    "views": with_views,
    "parts that overlap": lambda: (lambda a: [a[:600], a[400:1000], a[10:500]])(np.arange(1000)),
    "Fortran": lambda: np.asfortranarray(np.arange(6000.0).reshape(60, 100)),
    "other orders": lambda: [np.arange(24_000).reshape(20, 30, 40).transpose(1, 0, 2), np.arange(9000)[::-1]],
    "gaps": lambda: [np.arange(9000)[::2], np.arange(9000).reshape(90, 100)[:, 3:50], np.arange(2000)[::40]],
    "repeated": lambda: [np.broadcast_to(np.arange(1000.0), (50, 1000)), np.broadcast_to(7, (30, 30))],
    "read-only": lambda: [read_only(np.arange(1000)), read_only(np.arange(10)), read_only(np.arange(5000)[::2])],
    "bytes": lambda: [np.frombuffer(b"abcdefgh" * 1000, "i8"), np.frombuffer(b"i" * 4000, "u1")[100:3000]],
    "structures": structures,
    "dates and text": lambda: [
        np.arange(1000).astype("M8[s]"),
        np.arange(1000).astype("S5"),
        np.arange(900).astype("U"),
    ],
    "masked": lambda: np.ma.array(np.arange(2000.0), mask=np.arange(2000) % 3 == 0),
    "matrix": lambda: np.arange(2000).reshape(40, 50).view(np.matrix),
    "objects": lambda: np.array([np.arange(1000), "a", None, {}], object),
    "typed arrays": lambda: [typed_array("d", range(1000)), typed_array("i", range(10))],
    "in the pickle": lambda: [bytearray(b"z" * 300_000), "text" * 50_000, b"b" * 300_000],
    "given by a class": lambda: [Handing(bytearray(b"g" * 5000)), Handing(bytearray(b"s")), Handing(b"h" * 5000)],
    "given arrays": lambda: [Handing(np.arange(900).reshape(30, 30)), Handing(np.asfortranarray(np.ones((50, 30))))],
    "a number": lambda: [1 + 2j, np.arange(1000)],
}
OPTIONS: dict[str, dict[str, Any]] = {
    "auto": {},
    "raw": {"codecs": []},
    "codecs": {"codecs": ["zstd"], "threads": 1},
    "a function": {"codecs": lambda view: "lz4" if view.ndim > 1 or view.readonly else None},
    "mappable": {"mappable": True},
    "digests": {"digests": True, "metadata": {"by": "me"}},
    "sealed": {"key": KEY, "context": b"here", "mappable": True},
    "progress": {"progress": lambda done, total: None, "codecs": "lz4"},
}


def spoil(obj: Any) -> None:
    """Overwrite all memory in an object that can be written to."""
    if isinstance(obj, np.ndarray):
        if obj.dtype == object:
            obj[:] = "other"
        elif obj.flags.writeable:
            np.ma.getdata(obj).view(np.ndarray)[...] = np.zeros((), obj.dtype)
        elif isinstance(obj.base, np.ndarray):
            spoil(obj.base)
    elif isinstance(obj, bytearray):
        obj[:] = b"?" * len(obj)
    elif isinstance(obj, typed_array):
        for i in range(len(obj)):
            obj[i] = 77
    elif isinstance(obj, Handing):
        spoil(obj.data)
    elif isinstance(obj, (list, dict)):
        for part in obj.values() if isinstance(obj, dict) else obj:
            spoil(part)
        obj.clear()


@each(OBJECTS, "make")
@each(OPTIONS, "options")
def test_same_file(make: Callable[[], Any], options: Any) -> None:
    """A staged object gives the file of the object, also after the object has changed, and again after a dump."""
    want = binpickle.dumps(make(), **options)
    obj = make()
    staged = binpickle.stage(obj)
    assert binpickle.dumps(staged, **options) == want
    spoil(obj)
    assert binpickle.dumps(staged, **options) == want


@each(OBJECTS, "make")
@pytest.mark.parametrize("mappable", [False, True])
def test_one_kind_of_file(make: Callable[[], Any], mappable: bool) -> None:
    """An object that is staged for one kind of file only gives that file."""
    staged = binpickle.stage(make(), mappable=mappable)
    assert binpickle.dumps(staged, mappable=mappable) == binpickle.dumps(make(), mappable=mappable)


arrays = npst.arrays(
    st.one_of(npst.scalar_dtypes(), npst.array_dtypes(max_size=3)), npst.array_shapes(max_dims=3, max_side=40)
)


@st.composite
def views(draw: st.DrawFn) -> list[np.ndarray]:
    """Draw arrays and views of them, in any order."""
    found = []
    for array in draw(st.lists(arrays, max_size=3)):
        parts = st.one_of(st.just(...), npst.basic_indices(array.shape, allow_newaxis=True, allow_ellipsis=True))
        found += [np.asarray(array[draw(parts)]) for _ in range(draw(st.integers(1, 3)))]
    return draw(st.permutations(found))


options = st.fixed_dictionaries(
    {
        "mappable": st.booleans(),
        "codecs": st.sampled_from(["auto", [], ["zstd"], ["lz4", "zlib"], [lambda view: None]]),
        "threads": st.sampled_from([1, 3]),
        "metadata": st.sampled_from([None, {"a": "b"}]),
        "digests": st.booleans(),
        "key": st.sampled_from([None, KEY]),
    }
)


@settings(max_examples=60)
@given(obj=st.one_of(views(), objects), more=st.one_of(views(), objects), options=options)
def test_any_object(obj: Any, more: Any, options: Any) -> None:
    """Any object gives its file with any options when it is staged, and so does any other that is restaged."""
    with binpickle.stage(obj) as staged:
        assert binpickle.dumps(staged, **options) == binpickle.dumps(obj, **options)
        staged.restage(more)
        assert binpickle.dumps(staged, **options) == binpickle.dumps(more, **options)
        staged.restage(obj)
        assert binpickle.dumps(staged, **options) == binpickle.dumps(obj, **options)


def test_growing_and_shrinking() -> None:
    """Restaged objects give their files, whether they are larger or smaller than those before."""
    staged = binpickle.stage([])
    for length in (10, 2_000_000, 1_999_999, 100, 0, 100_000, 2_099_999):
        obj = {"a": RAMP[:length] + length, "b": np.arange(length % 1000), "c": [length]}
        staged.restage(obj)
        assert binpickle.dumps(staged, codecs=[]) == binpickle.dumps(obj, codecs=[])


@pytest.mark.parametrize("threads", [1, 2, 7, None])
def test_threads(threads: int | None) -> None:
    """Any number of threads copies the same bytes, of many arrays and of large ones with and without gaps."""
    obj = [RAMP, RAMP.reshape(3, -1)[:, 1:], RAMP.reshape(-1, 3)[:, ::2], *(RAMP[n:] * n for n in range(3)), RAMP[::-1]]
    obj += [np.arange(n) for n in range(2000)]
    want = binpickle.dumps(obj, codecs=[])
    staged = binpickle.stage(obj, threads=threads)
    assert binpickle.dumps(staged, codecs=[]) == want
    staged.restage(obj, threads=threads)
    assert binpickle.dumps(staged, codecs=[]) == want


def test_ways_to_write(tmp_path: Path) -> None:
    """Every function that writes takes a staged object."""
    obj = OBJECTS["views"]()
    staged = binpickle.stage(obj)
    want = binpickle.dumps(obj)
    binpickle.dump(staged, tmp_path / "a.bpk", durable=True)
    stream = io.BytesIO()
    binpickle.dump(staged, stream)
    with binpickle.BinPickler(tmp_path / "b.bpk", codecs="auto") as pickler:
        pickler.dump(staged)
    assert (tmp_path / "a.bpk").read_bytes() == (tmp_path / "b.bpk").read_bytes() == stream.getvalue() == want
    assert_same(binpickle.load(tmp_path / "a.bpk"), obj)


def test_aligned_pickler(tmp_path: Path) -> None:
    """`BinPickler(align=True)` writes the same file for a staged object."""
    for name, obj in (("a", RAMP[:5000]), ("b", binpickle.stage(RAMP[:5000]))):
        with binpickle.BinPickler(tmp_path / name, align=True, codecs=[]) as pickler:
            pickler.dump(obj)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_progress() -> None:
    """`progress` counts a staged object as it counts the object."""
    counts: list[list[Any]] = []
    for obj in (RAMP, binpickle.stage(RAMP)):
        told: list[Any] = []
        binpickle.dumps(obj, progress=lambda *now, told=told: told.append(now))
        counts.append(told[-1:])
    assert counts[0] == counts[1]


def test_pickler() -> None:
    """A pickler that was given to `stage` writes the stream; `dump` may be given the same one or none."""
    obj = OBJECTS["a number"]()
    staged = binpickle.stage(obj, pickler=Pickler)
    want = binpickle.dumps(obj, pickler=Pickler)
    assert binpickle.dumps(staged, pickler=Pickler) == binpickle.dumps(staged) == want
    assert want != binpickle.dumps(obj)


CONTRADICTIONS: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "pickler": ({}, {"pickler": Pickler}, "not staged with pickler=Pickler: give the pickler to stage"),
    "mappable": ({"mappable": False}, {"mappable": True}, "staged with mappable=False: give stage"),
    "not mappable": ({"mappable": True}, {}, "staged with mappable=True: give stage"),
}


@each(CONTRADICTIONS, "staging", "dumping", "message")
def test_contradictions(staging: Any, dumping: Any, message: str, tmp_path: Path) -> None:
    """Options that would need another pickle are refused, before anything is written."""
    staged = binpickle.stage(OBJECTS["small arrays"](), **staging)
    stream = io.BytesIO()
    for file in (stream, tmp_path / "a.bpk"):
        with pytest.raises(ValueError, match=message):
            binpickle.dump(staged, file, **dumping)
    assert stream.getvalue() == b""
    assert list(tmp_path.iterdir()) == []


def test_one_stream_for_all_files() -> None:
    """An object without small arrays is pickled once, and gives all files even if it is staged for mappable ones."""
    obj = Counted(RAMP)
    staged = binpickle.stage(obj, mappable=True)
    assert_same(binpickle.loads(binpickle.dumps(staged)), RAMP)
    binpickle.stage(obj)
    assert obj.pickled == 2
    obj.array = np.arange(3)
    binpickle.stage(obj)
    assert obj.pickled == 4
    binpickle.stage(obj, mappable=False)
    assert obj.pickled == 5


class Counted:
    """Counts how often it is pickled, as the array that it holds."""

    def __init__(self, array: np.ndarray):
        self.array, self.pickled = array, 0

    def __reduce_ex__(self, protocol: int) -> Any:
        self.pickled += 1
        return np.asarray, (self.array,)


def test_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    """The versions of libraries that a file records are those of the moment of staging."""
    obj = np.arange(1000)
    want = binpickle.dumps(obj)
    staged = binpickle.stage(obj)
    monkeypatch.setattr(np, "__version__", "99.9")
    assert binpickle.dumps(staged) == want != binpickle.dumps(obj)


def test_functions_among_codecs() -> None:
    """A function that chooses codecs sees the dtype, the shape and the order of the array in memory of its own."""
    obj = [np.arange(6000.0).reshape(60, 100).T, read_only(np.arange(900).astype("M8[s]")), np.zeros(100, "f8,i4")]
    seen: list[list[Any]] = []
    for each_obj in (obj, binpickle.stage(obj)):
        views: list[memoryview] = []
        binpickle.dumps(each_obj, codecs=lambda view, views=views: views.append(view))
        seen.append([(v.format, v.shape, v.strides, v.readonly, v.obj.dtype, v.obj.shape) for v in views])
        assert {type(view.obj) for view in views} == {np.ndarray}
    assert seen[0] == seen[1]
    assert not np.shares_memory(views[0].obj, obj[0])


class Peak:
    """Measures the most memory that was allocated within, and what is left."""

    def __enter__(self) -> Peak:
        gc.collect()
        tracemalloc.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.left, self.most = tracemalloc.get_traced_memory()
        tracemalloc.stop()


LARGE: dict[str, Callable[[], Any]] = {
    "one array": lambda: RAMP,
    "with a small array": lambda: [RAMP, RAMP[:3], np.arange(5)],
    "views of one array": lambda: [RAMP[n:] for n in range(5)] + [RAMP.reshape(3, -1)],
    "arrays with gaps": lambda: [RAMP[::2], RAMP.reshape(-1, 3).T[:, 5:]],
    "many arrays": lambda: list(np.split(RAMP.copy(), 3000)),
}


@each(LARGE, "make")
def test_memory(make: Callable[[], Any]) -> None:
    """Staging takes the memory of the buffers once, restaging takes none, and closing gives it back."""
    obj = make()
    nbytes = len(binpickle.dumps(obj, codecs=[]))
    binpickle.stage([np.arange(1000)]).restage([])
    with Peak() as first:
        staged = binpickle.stage(obj)
    assert first.most < 1.1 * nbytes + (5 << 20)
    with Peak() as second:
        staged.restage(obj)
    assert second.most < 0.1 * nbytes + (2 << 20)
    with Peak() as again:
        other = binpickle.stage(obj)
        other.close()
    assert again.left < 1 << 20
    with Peak() as dropped:
        other = binpickle.stage(obj)
        del other
    assert dropped.left < 1 << 20
    assert binpickle.dumps(staged) == binpickle.dumps(obj)


def test_larger_memory_replaces_smaller() -> None:
    """Memory that is too small is freed before larger memory is taken."""
    with Peak() as peak:
        staged = binpickle.stage(RAMP[:-100])
        staged.restage(RAMP)
    assert peak.most < 1.1 * RAMP.nbytes + (5 << 20)


def test_unchanging_memory() -> None:
    """The memory of `bytes` is not copied, whether they are in the pickle or below an array."""
    data = RAMP.tobytes()
    with Peak() as peak:
        staged = binpickle.stage([data, np.frombuffer(data, "i8"), Handing(data)])
    assert peak.most < 1 << 20
    assert binpickle.dumps(staged, codecs=[]) == binpickle.dumps(
        [data, np.frombuffer(data, "i8"), Handing(data)], codecs=[]
    )


def test_object_is_let_go() -> None:
    """A staged object does not keep the arrays that it was made of, without the help of the garbage collector."""
    gc.disable()
    try:
        arrays = [np.arange(n) for n in (3, 5000, 3_000_000)]
        gone = [weakref.ref(array) for array in arrays]
        staged = binpickle.stage(arrays)
        staged.restage(arrays)
        del arrays
        assert [ref() for ref in gone] == [None] * 3
        memory = weakref.ref(staged)
        del staged
        assert memory() is None
    finally:
        gc.enable()


@each(
    {
        "pickle": lambda staged: pickle.dumps(staged),
        "a copy": copy.copy,
        "a deep copy": copy.deepcopy,
        "within an object": lambda staged: binpickle.dumps([1, staged]),
        "staged again": binpickle.stage,
    }
)
def test_not_pickled(row: Callable[[Any], Any]) -> None:
    """A staged object is refused wherever it would be pickled, and the error says what to do."""
    with pytest.raises(TypeError, match="give dump the Staged object alone"):
        row(binpickle.stage([np.arange(1000)]))


def test_dump_holds() -> None:
    """What a dump reads is not replaced; another dump may read it meanwhile, and afterwards it may be replaced."""
    staged = binpickle.stage(RAMP)
    want = binpickle.dumps(RAMP)
    within: list[bytes] = []

    def progress(done: int, total: int | None) -> None:
        if not within:
            within.append(binpickle.dumps(staged))
            with pytest.raises(ValueError, match="a dump of this Staged object has not ended"):
                staged.restage([])

    assert binpickle.dumps(staged, progress=progress) == want
    assert within == [want]
    staged.restage([])
    assert binpickle.dumps(staged) == binpickle.dumps([])


def test_failed_dump_lets_go() -> None:
    """After a dump that failed a staged object can be restaged, also while the error is handled."""
    staged = binpickle.stage(RAMP)
    try:
        binpickle.dumps(staged, progress=lambda done, total: 1 / 0)
    except ZeroDivisionError:
        staged.restage([1])
    assert binpickle.loads(binpickle.dumps(staged)) == [1]


def test_closed_while_dumped() -> None:
    """A dump that has begun ends well although its staged object is closed."""
    staged = binpickle.stage(RAMP)
    assert binpickle.dumps(staged, progress=lambda done, total: staged.close()) == binpickle.dumps(RAMP)
    assert "empty" in repr(staged)


def test_dumps_in_threads() -> None:
    """Several threads write one staged object at the same time."""
    staged = binpickle.stage(LARGE["with a small array"]())
    want = {mappable: binpickle.dumps(staged, mappable=mappable) for mappable in (False, True)}
    got: list[tuple[bool, bytes]] = []

    def run(mappable: bool) -> None:
        got.append((mappable, binpickle.dumps(staged, mappable=mappable)))

    threads = [threading.Thread(target=run, args=(n % 2 == 0,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 6
    assert all(data == want[mappable] for mappable, data in got)


class Calling:
    """Calls a function when it is pickled."""

    def __init__(self, function: Callable[[], object]):
        self.function = function

    def __reduce_ex__(self, protocol: int) -> Any:
        self.function()
        return list, ()


@each(
    {
        "a dump": (lambda staged: binpickle.dumps(staged), "a restage of this Staged object has not ended: wait"),
        "restage": (lambda staged: staged.restage([]), "another restage of this Staged object has not ended"),
        "close": (lambda staged: staged.close(), "a restage of this Staged object has not ended: close"),
    },
    "use",
    "message",
)
def test_used_while_restaged(use: Callable[[Any], Any], message: str) -> None:
    """While an object is restaged every other use is refused, and does not disturb it."""
    staged = binpickle.stage(RAMP)
    refused: list[str] = []

    def call() -> None:
        with pytest.raises(ValueError, match=message) as caught:
            use(staged)
        refused.append(str(caught.value))

    staged.restage([Calling(call), np.arange(1000)])
    assert refused
    assert_same(binpickle.loads(binpickle.dumps(staged)), [[], np.arange(1000)])


def fail(*_: Any) -> Any:
    raise RuntimeError("on purpose")


def test_unpicklable() -> None:
    """An object that cannot be pickled leaves what was staged before as it was."""
    staged = binpickle.stage(RAMP)
    with pytest.raises(RuntimeError, match="on purpose"):
        staged.restage([np.arange(10), Calling(fail)])
    assert binpickle.dumps(staged) == binpickle.dumps(RAMP)
    with pytest.raises(TypeError, match=r"\(in the object: \[1\]\)"):
        binpickle.stage([RAMP, threading.Lock()])


@each({"no memory": (staged_module, "aligned_memory"), "copying": (np, "copyto")}, "owner", "name")
def test_interrupted(owner: Any, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever fails to copy leaves an empty object, which says so, and which can be restaged."""
    staged = binpickle.stage(RAMP)
    with monkeypatch.context() as patch:
        patch.setattr(owner, name, fail)
        with pytest.raises(RuntimeError, match="on purpose"):
            staged.restage([RAMP, RAMP + 1])
    with pytest.raises(ValueError, match="is empty, the last restage did not end: restage an object before a dump"):
        binpickle.dumps(staged)
    assert repr(staged) == "<binpickle.Staged: empty, the last restage did not end>"
    staged.restage(RAMP)
    assert binpickle.dumps(staged) == binpickle.dumps(RAMP)


def test_closed() -> None:
    """A closed object is empty, may be closed again, and can be restaged."""
    with binpickle.stage(RAMP) as staged:
        assert staged.nbytes > RAMP.nbytes
    staged.close()
    assert staged.nbytes == 0
    with pytest.raises(ValueError, match="is empty, it was closed"):
        binpickle.dumps(staged)
    staged.restage([2])
    assert binpickle.loads(binpickle.dumps(staged)) == [2]


def test_repr() -> None:
    """A staged object says how many buffers and bytes it holds; buffers over the same memory count once."""
    staged = binpickle.stage([RAMP, RAMP[5:]])
    assert 0 < staged.nbytes - RAMP.nbytes < 500
    assert repr(staged) == f"<binpickle.Staged: 2 buffers, {staged.nbytes:,} bytes>"


@each(
    {
        "mappable": ({"mappable": "yes"}, TypeError, "mappable must be True, False or None"),
        "threads": ({"threads": 0}, ValueError, "threads must be at least 1"),
        "pickler": ({"pickler": dict}, TypeError, "pickler must be a subclass"),
    },
    "arguments",
    "error",
    "message",
)
def test_wrong_arguments(arguments: Any, error: type[Exception], message: str) -> None:
    """Wrong arguments are refused before the object is pickled."""
    with pytest.raises(error, match=message):
        binpickle.stage(Calling(fail), **arguments)
