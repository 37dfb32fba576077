"""Every dumped object comes back the same, whatever the object, the storage and the way it travelled."""

from __future__ import annotations

import inspect
import io
import os
import re
import tempfile
import threading
from collections import OrderedDict, deque
from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest
from common import assert_same, each, python, small_chunks
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from internals import CHUNK_BYTES, pickle

import binpickle

WAYS = {
    "auto": {},
    "raw": {"codecs": []},
    "mappable": {"mappable": True},
    "zstd": {"codecs": ["zstd"]},
    "blosc, shuffle": {"codecs": [{"id": "blosc", "cname": "lz4", "shuffle": 1}]},
    "digests": {"digests": True},
}
STRINGS = getattr(getattr(np, "dtypes", None), "StringDType", None)


def ramp(shape: Any, dtype: str = "<f8") -> np.ndarray:
    """Make an array of different elements, large enough to go out of band."""
    count = int(np.prod(shape))
    return np.arange(count).astype(dtype).reshape(shape)


def read_only(array: np.ndarray) -> np.ndarray:
    array.flags.writeable = False
    return array


def structured() -> np.ndarray:
    array = np.zeros(300, [("a", "<i4"), ("b", ">f8", (2, 3)), ("when", "<M8[us]"), ("name", "<U3")])
    array["a"], array["b"], array["when"] = np.arange(300), ramp((300, 2, 3)), ramp(300, "<M8[us]")
    return array


def masked(**more: Any) -> np.ma.MaskedArray:
    return np.ma.MaskedArray(ramp(500), np.arange(500) % 3 == 0, **more)


def memory_mapped() -> np.ndarray:
    """Map a file that does not outlive this call."""
    with tempfile.TemporaryFile() as file:
        mapped = np.memmap(file, "<i4", "w+", shape=(50, 20))
    mapped[:] = ramp((50, 20), "<i4")
    return mapped


PLAIN = [
    "?",
    "i1",
    "u1",
    *(order + kind for order in "<>" for kind in ("i2", "u4", "i8", "f2", "f4", "f8", "c8", "c16")),
]
PLAIN += [order + np.dtype(kind).str[1:] for order in "<>" for kind in (np.longdouble, np.clongdouble)]
PLAIN += ["S7", "<U3", ">U3", "V9"]
PLAIN += ["<M8[ns]", ">M8[D]", "<M8[25s]", "<M8", "<m8[ms]", ">m8[Y]"]
ARRAYS: dict[str, Callable[[], np.ndarray]] = {
    **{f"of {dtype}": (lambda dtype=dtype: ramp(600, "u1" if dtype == "V9" else dtype)) for dtype in PLAIN},
    "of void": lambda: ramp(600, "u1").view("V3"),
    "0-d": lambda: np.array(3.5),
    "0-d date": lambda: np.array("2020-01-01", "M8[s]"),
    "empty": lambda: np.zeros((0, 3)),
    "empty of dates": lambda: np.zeros((3, 0), "M8[ns]"),
    "empty items": lambda: np.zeros(300, "S0, i4")["f0"],
    "no fields": lambda: np.zeros(300, []),
    "small": lambda: ramp(5),
    "small, read-only": lambda: read_only(ramp(5)),
    "read-only": lambda: read_only(ramp(500)),
    "2-d": lambda: ramp((20, 30)),
    "3-d": lambda: ramp((5, 10, 20)),
    "Fortran": lambda: np.asfortranarray(ramp((20, 30))),
    "Fortran, read-only": lambda: read_only(np.asfortranarray(ramp((20, 30)))),
    "Fortran dates": lambda: np.asfortranarray(ramp((20, 30), "M8[s]")),
    "transposed": lambda: ramp((5, 10, 20)).transpose(1, 2, 0),
    "transposed dates": lambda: ramp((5, 10, 20), "m8[s]").transpose(2, 0, 1),
    "every second": lambda: ramp(1200)[::2],
    "columns": lambda: ramp((50, 40))[:, 3:20],
    "reversed": lambda: ramp(600)[::-1],
    "reversed dates": lambda: ramp(600, "M8[ns]")[::-1],
    "reversed in one dimension": lambda: ramp((20, 30))[:, ::-1],
    "strided, read-only": lambda: read_only(ramp(1200)[::2]),
    "field": lambda: structured()["b"],
    "diagonal": lambda: np.lib.stride_tricks.as_strided(ramp((80, 80)), (80,), (81 * 8,)),
    "sliding window": lambda: np.lib.stride_tricks.as_strided(ramp(200), (100, 50), (8, 8)),
    "lengths of 1 with odd strides": lambda: np.lib.stride_tricks.as_strided(ramp(99), (1, 99, 1), (5, 8, -3)),
    "broadcast": lambda: np.broadcast_to(ramp(100), (300, 100)),
    "broadcast scalar": lambda: np.broadcast_to(np.float64(5), (300, 100)),
    "broadcast within": lambda: np.broadcast_to(ramp((40, 1, 20)), (40, 30, 20)),
    "broadcast, writable": lambda: np.lib.stride_tricks.as_strided(ramp(100), (9, 100), (0, 8)),
    "broadcast dates": lambda: np.broadcast_to(ramp(100, "M8[s]"), (300, 100)),
    "unaligned": lambda: np.frombuffer(bytearray(ramp(700, "u1").tobytes()), "<f8", 80, 3),
    "structured": structured,
    "structured, aligned": lambda: np.zeros(200, np.dtype("i1, f8", align=True)),
    "structured of dates": lambda: np.ones(200, "M8[s], m8[D]"),
    "objects": lambda: np.array([None, "a", {1: ramp(100)}], object),
    "objects, 2-d": lambda: np.full((30, 20), "x", object).T,
    "objects in a structure": lambda: np.array([(1, [2])] * 99, "i4, O"),
    "many dimensions": lambda: ramp((2,) * 10 + (1,) * 22),
    "record array": lambda: structured().view(np.recarray),
    "record array, strided": lambda: structured()[::2].view(np.recarray),
    "record array of numbers": lambda: np.rec.fromarrays([ramp(99), ramp(99, "i4")], names="a, b"),
    "mapped": memory_mapped,
}
# NumPy's own classes that keep their class.
MASKED: dict[str, Callable[[], np.ma.MaskedArray]] = {
    "masked": masked,
    "masked, filled with something": lambda: masked(fill_value=-1),
    "masked hard": lambda: masked(hard_mask=True),
    "masked, no mask": lambda: np.ma.MaskedArray(ramp(500)),
    "masked nowhere": lambda: np.ma.MaskedArray(ramp(500), np.zeros(500, bool)),
    "masked, strided": lambda: masked()[::3],
    "masked, Fortran": lambda: np.ma.MaskedArray(np.asfortranarray(ramp((20, 30))), np.eye(20, 30, dtype=bool)),
    "masked fields": lambda: np.ma.MaskedArray(structured()[["a"]], np.arange(300) % 2 == 0),
    "masked dates": lambda: np.ma.MaskedArray(ramp(99, "M8[s]"), np.arange(99) % 2 == 0),
    "masked objects": lambda: np.ma.MaskedArray(np.full(99, "x", object), np.arange(99) % 2 == 0),
    "masked 0-d": lambda: np.ma.MaskedArray(5.0, True),
}


def back(obj: Any, way: dict[str, Any], **more: Any) -> Any:
    return binpickle.loads(binpickle.dumps(obj, **way), **more)


@each(WAYS, "way")
@each(ARRAYS, "make")
def test_array(make: Callable[[], np.ndarray], way: dict[str, Any]) -> None:
    """An array comes back with its values, type, shape, order and writability; a memmap as a plain array."""
    want = make()
    got = back(want, way)
    want = np.asarray(want) if isinstance(want, np.memmap) else want
    assert type(got) is type(want)
    if want.dtype == np.dtype("S0"):
        assert (got.dtype, got.shape) == (want.dtype, want.shape)
    else:
        assert_same(got, want)


@each(WAYS, "way")
@each(MASKED, "make")
def test_masked(make: Callable[[], np.ma.MaskedArray], way: dict[str, Any]) -> None:
    """A masked array comes back with data, mask, fill value and hardness."""
    want = make()
    got = back(want, way)
    assert type(got) is np.ma.MaskedArray
    assert_same(got.data, want.data)
    assert (got.mask is np.ma.nomask) == (want.mask is np.ma.nomask)
    assert np.array_equal(got.mask, want.mask)
    assert str(got.fill_value) == str(want.fill_value)
    assert got.fill_value.dtype == want.fill_value.dtype
    assert got.hardmask == want.hardmask
    got[...] = np.ma.masked


@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
@each(WAYS, "way")
@pytest.mark.parametrize("order", ["C", "F"])
def test_matrix(order: Any, way: dict[str, Any]) -> None:
    """A matrix comes back as a matrix."""
    want = np.matrix(np.array(ramp((20, 30)), order=order))
    got = back(want, way)
    assert type(got) is np.matrix
    assert_same(np.asarray(got), np.asarray(want))


@pytest.mark.skipif(STRINGS is None, reason="needs NumPy 2")
@each(WAYS, "way")
def test_strings(way: dict[str, Any]) -> None:
    """Arrays of strings of any length come back."""
    want = np.array(["a", "b" * 1000, ""] * 100, STRINGS())
    got = back(want, way)
    assert got.dtype == want.dtype
    assert got.tolist() == want.tolist()


def nested() -> Any:
    array = ramp((40, 50))
    items = {"array": array, "again": array, "views": [array[3:9], array[:, ::2], array.T], (1, None): OrderedDict(a=2)}
    items["tuple"] = (deque([1, ramp(99)], maxlen=5), {1, 2}, frozenset([3]), 1 + 2j, 1 << 200, b"x" * 700)
    items["self"] = [1.5, True, None, ..., bytearray(b"ab"), range(5), slice(1, 2), ramp(3).sum()]
    return items


@each(WAYS, "way")
def test_containers(way: dict[str, Any]) -> None:
    """Containers come back, and share the objects that they shared."""
    assert_same(back(nested(), way), nested())


@each(WAYS, "way")
def test_sharing(way: dict[str, Any]) -> None:
    """Objects that pickle shares are shared again, cycles included; objects over equal memory come back separate."""
    array = ramp(2000)
    obj: Any = [array, array, array[:], array[100:900]]
    obj.append(obj)
    one, same, whole, part, cycle = back(obj, way)
    assert one is same
    assert cycle[-1] is cycle
    one[:], whole[:], part[:] = 1, 2, 3
    assert (set(one), set(whole), set(part)) == ({1}, {2}, {3})


def test_views_are_stored_once() -> None:
    """Views of one array, whole or in part, are stored once; so are arrays of other dtypes over the same memory."""
    array = np.random.RandomState(0).rand(100_000)
    once = len(binpickle.dumps([array], codecs=[]))
    views = [array, array[:], array[10:900], array.view("<M8[s]"), array.reshape(100, 1000), array.reshape(1000, 100).T]
    assert len(binpickle.dumps(views, codecs=[])) < once + 2000
    assert_same(binpickle.loads(binpickle.dumps(views)), views)


def test_broadcast_is_stored_once() -> None:
    """A broadcast array, whose elements stand in memory once, is stored once."""
    assert (
        len(binpickle.dumps(np.broadcast_to(np.random.RandomState(0).rand(1000), (10_000, 1000)), codecs=[])) < 10_000
    )


@each({"bytes": bytes, "bytearray": bytearray, "text": lambda data: data.decode("latin-1")}, "make")
@each({"auto": {}, "raw": {"codecs": []}, "mappable": {"mappable": True}}, "way")
def test_large_in_the_stream(make: Callable[[bytes], Any], way: dict[str, Any]) -> None:
    """Text and bytes of several chunks come back, though they go through the pickle stream."""
    data = np.random.RandomState(0).bytes(2 * CHUNK_BYTES + 77)
    want = {"a": make(data), "b": ramp(99)}
    assert_same(back(want, way), want)


@each(WAYS, "way")
@pytest.mark.parametrize("count", [CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES + 5])
def test_large_array(count: int, way: dict[str, Any]) -> None:
    """Arrays of several chunks come back."""
    want = np.arange(count, dtype="u4").astype("u1")
    assert_same(back([want], way), [want])


class Foreign:
    """An object that exports a buffer of its own, as Arrow's objects do."""

    def __init__(self, data: Any):
        self.data = data

    def __eq__(self, other: Any) -> bool:
        return bytes(memoryview(self.data)) == bytes(memoryview(other.data))

    def __reduce_ex__(self, protocol: int) -> Any:
        return Foreign, (pickle.PickleBuffer(self.data),)


@each(WAYS, "way")
def test_foreign_buffers(way: dict[str, Any]) -> None:
    """Buffers of other classes come back beside arrays over the same memory, and are as writable as before."""
    memory = bytearray(range(256)) * 20
    want = [Foreign(memory), Foreign(bytes(memory)), ramp(99), Foreign(b""), np.frombuffer(memory, "u1"), Foreign(b"x")]
    got = back(want, way)
    assert_same(got, want)
    assert [memoryview(got[i].data).readonly for i in (0, 1)] == [False, True]


@each(WAYS, "way")
def test_fortran_foreign_buffer(way: dict[str, Any]) -> None:
    """Buffers of other classes may be in Fortran order: their bytes come back in the order of memory."""
    arrays = [np.asfortranarray(ramp((20, n))) for n in (30, 40, 100_000)]
    got = back([Foreign(array) for array in arrays], way)
    assert [bytes(one.data) for one in got] == [array.tobytes("A") for array in arrays]


class Homeless:
    """A class whose `__module__` is not a string."""

    __module__: Any = None


def test_class_without_module() -> None:
    """A class need not have a module's name, as long as pickle finds it."""
    assert isinstance(binpickle.loads(binpickle.dumps(Homeless())), Homeless)


def test_strided_foreign_buffer() -> None:
    """A buffer that is not contiguous raises the error of its owner, before there is a file."""
    with pytest.raises((BufferError, pickle.PicklingError), match="contiguous"):
        binpickle.dumps(Foreign(memoryview(bytes(99))[::2]))


def test_pandas() -> None:
    """Frames come back; dates and numbers go out of band."""
    pd = pytest.importorskip("pandas")
    n = 3000
    frame = pd.DataFrame(
        {
            "number": ramp(n),
            "when": pd.date_range("2020", periods=n, freq="min"),
            "zone": pd.date_range("2020", periods=n, freq="min", tz="Europe/Paris"),
            "span": pd.to_timedelta(np.arange(n), unit="s"),
            "category": pd.Categorical(["a", "b", "c"] * (n // 3)),
            "text": ["some", "words", "\u00e9"] * (n // 3),
            "maybe": pd.array([1, None, 3] * (n // 3), "Int64"),
        },
        index=pd.date_range("2000", periods=n),
    )
    for way in WAYS.values():
        data = binpickle.dumps(frame, **way)
        pd.testing.assert_frame_equal(binpickle.loads(data), frame)
        pd.testing.assert_frame_equal(binpickle.loads(data, copy=False), frame)
    with binpickle.BinPickleFile(io.BytesIO(binpickle.dumps(frame))) as opened:
        assert len(opened.stream()) < 4 * n


@pytest.mark.parametrize("kind", ["csr", "csc", "coo", "bsr", "dia", "lil", "dok"])
def test_sparse(kind: str) -> None:
    """Sparse matrices come back."""
    sparse = pytest.importorskip("scipy.sparse")
    want = sparse.csr_matrix(np.tri(60, 50)).asformat(kind)
    for way in WAYS.values():
        got = back(want, way)
        assert type(got) is type(want)
        assert (got != want).nnz == 0


def test_cloudpickle(tmp_path: Path) -> None:
    """With cloudpickle, functions and classes of the script come back in another process, arrays out of band."""
    pytest.importorskip("cloudpickle")
    script = """if True:
        import sys, cloudpickle, numpy as np, binpickle
        weights = np.arange(1000.)
        class Model:
            def predict(self, x): return x @ weights
        binpickle.dump([Model(), lambda x: x + weights.sum()], sys.argv[1], pickler=cloudpickle.Pickler)
    """
    python(script, tmp_path / "a.bpk")
    with binpickle.BinPickleFile(tmp_path / "a.bpk") as opened:
        model, function = opened.load()
        assert [buffer.nbytes for buffer in opened.buffers] == [8000]
        assert "cloudpickle" in opened.libraries
    assert model.predict(np.ones(1000)) == 499500
    assert function(1) == 499501


def described(arrays: list[np.ndarray]) -> list[Any]:
    """Describe arrays without pickling them: NumPy's own pickling does not keep the byte order of dates."""
    return [
        (repr(a.dtype), a.shape, repr(a.tolist()) if a.dtype.hasobject else a.tobytes(), a.flags.writeable)
        for a in arrays
    ]


def test_loads_without_binpickle(tmp_path: Path) -> None:
    """The stream and the buffers of a file are an object for plain pickle, where BinPickle cannot be imported."""
    script = """if True:
        import sys
        pickle = __import__("pickle" if sys.version_info >= (3, 8) else "pickle5")
        sys.modules["binpickle"] = None
        with open(sys.argv[1], "rb") as file:
            parts = pickle.load(file)
        arrays, containers = pickle.loads(parts["stream"], buffers=parts["buffers"])
        import numpy as np
        exec(parts["described"])
        for n, (got, want) in enumerate(zip(described(arrays), parts["want"])):
            assert got == want, (n, got, want)
        assert containers["array"] is containers["again"]
    """
    arrays = [np.asanyarray(make()) for name, make in ARRAYS.items() if name not in ("mapped", "empty items")]
    data = binpickle.dumps([arrays, nested()], mappable=True)
    with binpickle.BinPickleFile(io.BytesIO(data)) as opened:
        buffers = [bytearray(opened.array(i).ravel("K").tobytes()) for i in range(len(opened.buffers))]
        parts = {"stream": opened.stream(), "buffers": buffers, "want": described(arrays)}
    source = "from __future__ import annotations\nfrom typing import Any\n" + inspect.getsource(described)
    path = tmp_path / "parts.pickle"
    path.write_bytes(pickle.dumps({**parts, "described": source}))
    python(script, path)


def sunk(obj: Any, sink: str, folder: Path, **way: Any) -> bytes:
    """Return the bytes that a dump writes to a sink of some kind."""
    if sink == "dumps":
        return binpickle.dumps(obj, **way)
    if sink == "path":
        binpickle.dump(obj, folder / "a.bpk", **way)
        return (folder / "a.bpk").read_bytes()
    if sink == "BytesIO":
        file = io.BytesIO()
        binpickle.dump(obj, file, **way)
        return file.getvalue()
    return piped(obj, **way)


def piped(obj: Any, **way: Any) -> bytes:
    """Return the bytes that a dump writes to a pipe."""
    ours, theirs = os.pipe()
    got: list[bytes] = []

    def receive() -> None:
        with open(ours, "rb") as file:
            got.append(file.read())

    receiver = threading.Thread(target=receive)
    receiver.start()
    with open(theirs, "wb", buffering=0) as file:
        binpickle.dump(obj, file, **way)
    receiver.join()
    return got[0]


def zstd_for_large(buffer: Any) -> str | None:
    return "zstd" if memoryview(buffer).nbytes > 999 else None


CODECS: list[Any] = [
    "auto",
    [],
    ["zstd"],
    ["lz4"],
    ["gzip"],
    ["bz2"],
    [{"id": "blosc", "cname": "zstd"}],
    [None, "zlib"],
]
CODECS += [["crc32", "zstd"], [zstd_for_large]]
LEAVES = st.one_of(
    st.none(), st.integers(), st.floats(allow_nan=False), st.text(max_size=20), st.binary(max_size=20), st.booleans()
)
SOME_ARRAYS = st.builds(
    lambda dtype, shape, turned, step: (ramp(shape, dtype).T if turned else ramp(shape, dtype))[::step],
    st.sampled_from([dtype for dtype in PLAIN if dtype != "V9"]),
    npst.array_shapes(max_dims=4, max_side=12),
    st.booleans(),
    st.sampled_from([1, 1, 2, -1]),
)
# Sizes on both sides of each limit at which the cut changes, for chunks of 4096 bytes.
SIZED = st.builds(
    lambda around, more, dtype, step: np.arange((around + more) * step, dtype=dtype)[::step],
    st.sampled_from([511, 1024, 4096, 8192]),
    st.integers(-2, 2),
    st.sampled_from(["u1", "<i2", ">f8"]),
    st.sampled_from([1, 1, 1, 2]),
)
OBJECTS = st.recursive(
    LEAVES | SOME_ARRAYS | SIZED,
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(st.text(max_size=5), inner, max_size=5)
        | st.tuples(inner, inner)
        | inner.map(lambda obj: [obj, obj])
    ),
    max_leaves=12,
)


@given(OBJECTS, st.sampled_from(CODECS), st.booleans(), st.booleans())
@settings(max_examples=80)
def test_generated(obj: Any, codecs: Any, mappable: bool, small: bool) -> None:
    """Every object comes back, and any number of threads writes the same bytes."""
    with small_chunks(4096 if small else CHUNK_BYTES):
        data = {binpickle.dumps(obj, codecs=codecs, mappable=mappable, threads=n) for n in (1, 2, 4)}
    assert len(data) == 1
    (found,) = data
    for threads in (1, 3):
        assert_same(binpickle.loads(found, threads=threads, verify=True), obj)


@pytest.mark.parametrize("codecs", CODECS, ids=[re.sub(" at 0x.*?>", "", repr(codecs))[:30] for codecs in CODECS])
def test_same_bytes_everywhere(codecs: Any, tmp_path: Path) -> None:
    """A path, a file object, a pipe and `dumps` get the same bytes, written by any number of threads."""
    obj = [nested(), [ramp(n, dtype) for n in (100, 3000) for dtype in ("u1", "<f8", ">i2")]]
    with small_chunks():
        data = {
            sunk(obj, sink, tmp_path, codecs=codecs, threads=threads)
            for sink in ("path", "BytesIO", "pipe", "dumps")
            for threads in (1, 2, 4)
        }
    assert len(data) == 1
    assert_same(binpickle.loads(data.pop()), obj)


def test_same_bytes_in_other_processes() -> None:
    """The same object and arguments give the same bytes in another process: no time, no host, no path, no address."""
    script = """if True:
        import sys, numpy as np, binpickle, test_roundtrip
        sys.stdout.buffer.write(binpickle.dumps(test_roundtrip.nested(), codecs=["gzip"], digests=True))
    """
    assert len({python(script).stdout for _ in range(2)}) == 1
