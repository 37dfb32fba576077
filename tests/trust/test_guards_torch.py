"""Streams that lie about tensors of torch are refused before torch is asked for anything: these tests need no torch.

Stand-ins with the names of torch's classes have what the guards look at.
"""

from __future__ import annotations

import importlib.util
import io
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from assembler import (
    FALSE,
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
    new,
    number,
    raw,
    stream,
    text,
    tup,
    writable,
)

from binpickle import BinPickleError, trust
from binpickle.errors import FormatError

REBUILD, UTILS = "binpickle.rebuild:", "torch._utils:"
HOOKS = call("collections:OrderedDict")
V2, V3, META = UTILS + "_rebuild_tensor_v2", UTILS + "_rebuild_tensor_v3", UTILS + "_rebuild_meta_tensor_no_storage"
FROM_TYPE, SPARSE = "torch._tensor:_rebuild_from_type_v2", UTILS + "_rebuild_sparse_tensor"
BIG = 1 << 40


class Layout:
    def __init__(self, name: str):
        self.name = name

    def __str__(self) -> str:
        return self.name


class Tensor:
    """An ordinary tensor over an array."""

    layout, is_quantized, is_nested, device = "torch.strided", False, False, SimpleNamespace(type="cpu")

    def __init__(self, array: np.ndarray):
        self.array, self.shape = array, array.shape
        self.dim, self.numel = (lambda: array.ndim), (lambda: array.size)
        self.numpy, self.is_contiguous = (lambda: array), (lambda: array.flags.c_contiguous)
        self.is_floating_point = lambda: array.dtype.kind == "f"
        self.detach = self.clone = lambda: Tensor(array.copy())
        self.dtype = type("dtype", (), {"itemsize": array.itemsize, "__str__": lambda _: f"torch.{array.dtype}"})()

    def __len__(self) -> int:
        return len(self.array)


def rename(cls: type, module: str, name: str) -> None:
    cls.__module__, cls.__qualname__, cls.__name__ = module, name, name


rename(Tensor, "torch", "Tensor")
rename(Layout, "torch", "layout")


def make_tensor(array: np.ndarray) -> Any:
    return Tensor(array)


def make_layout(name: str) -> Any:
    return Layout(name)


def storage_class(name: str, nbytes: int) -> type:
    """Return a class whose instances look like storages with a dtype."""
    untyped = SimpleNamespace(nbytes=lambda: nbytes)
    parts = {"__module__": "torch.storage", "_untyped_storage": untyped, "dtype": f"torch.{name}"}
    return type("TypedStorage", (), parts)


TYPED = new("torch.storage:TypedStorage")


def load(pushed: bytes, name: str = "float32", nbytes: int = 400) -> Any:
    """Load what a stream pushes under the set of torch and the stand-ins."""
    known = trust.torch() | {storage_class(name, nbytes), make_tensor, make_layout}
    return trust.load(io.BytesIO(stream(pushed)).read, (), 0, known)


def ints(*values: int) -> bytes:
    return tup(*map(number, values))


def tensor_of(values: Any, kind: str = "i8") -> bytes:
    """Push a tensor over an array."""
    array = np.array(values, kind)
    data = array_state(ints(*array.shape), dtype(kind), raw(array.tobytes()))
    return call(f"{make_tensor.__module__}:make_tensor", data)


def layout(name: str) -> bytes:
    return call(f"{make_layout.__module__}:make_layout", text(f"torch.{name}"))


def v2(
    storage: bytes = TYPED,
    offset: bytes = number(0),
    size: bytes = ints(10, 10),
    strides: bytes = ints(10, 1),
    requires_grad: bytes = FALSE,
    hooks: bytes = HOOKS,
    *rest: bytes,
) -> bytes:
    """Push an ordinary tensor of 400 bytes, or something like it."""
    return call(V2, storage, offset, size, strides, requires_grad, hooks, *rest)


def quantized(*parameters: bytes, size: bytes = ints(4, 5), strides: bytes = ints(5, 1), hooks: bytes = HOOKS) -> bytes:
    return call(UTILS + "_rebuild_qtensor", TYPED, number(0), size, strides, tup(*parameters), FALSE, hooks)


AFFINE, BY_CHANNEL = glob("torch:per_tensor_affine"), glob("torch:per_channel_affine")
SCALES, ZEROS = tensor_of([1.0] * 4, "f8"), tensor_of([0] * 4)
FLOATS = tensor_of([1.0, 2.0], "f4")
PLACES = tensor_of([[0, 1], [1, 0]])


def coo(places: Any = PLACES, values: bytes = FLOATS, size: bytes = ints(2, 3), *coalesced: bytes) -> bytes:
    return call(SPARSE, layout("sparse_coo"), tup(places, values, size, *coalesced))


def csr(
    ends: Any = (0, 1, 2),
    places: Any = (0, 2),
    values: bytes = FLOATS,
    size: bytes = ints(2, 3),
    kind: str = "i8",
    name: str = "sparse_csr",
    kinds: str = "",
) -> bytes:
    given = tup(tensor_of(ends, kind), tensor_of(places, kinds or kind), values, size)
    return call(SPARSE, layout(name), given)


def nested(sizes: Any = ([2], [3]), strides: Any = ([1], [1]), offsets: Any = (0, 2), count: int = 5) -> bytes:
    given = [tensor_of([0.0] * count, "f4"), tensor_of(sizes), tensor_of(strides), tensor_of(offsets)]
    return call(UTILS + "_rebuild_nested_tensor", *given)


def with_state(state: bytes, cls: bytes = glob("torch:Tensor"), function: bytes = glob(META)) -> bytes:
    return call(FROM_TYPE, function, cls, tup(glob("torch:float32"), ints(2), ints(1), FALSE), state)


def array(values: Any, kind: str) -> bytes:
    made = np.array(values, kind)
    return array_state(ints(*made.shape), dtype(kind), raw(made.tobytes()))


TENSORS: list[tuple[str, bytes, str]] = [
    ("negative offset", v2(offset=number(-1)), "the offset of a tensor of torch is not an integer from 0"),
    ("huge offset", v2(offset=number(1 << 70)), "the offset of a tensor of torch is not an integer from 0"),
    ("true offset", v2(offset=TRUE), "the offset of a tensor of torch is not an integer"),
    ("offset", v2(offset=number(1)), "reaches to byte 404 of a storage of 400 bytes"),
    ("offset behind the end", v2(offset=number(101), size=ints(0), strides=ints(1)), "reaches to byte 404"),
    ("negative size", v2(size=ints(-10, 10)), "the size of a tensor of torch is not of integers from 0"),
    ("size of floats", v2(size=tup(floating(1.0), number(1))), "the size of a tensor of torch is not of integers"),
    ("list as size", v2(size=lst(number(1))), "the size of a tensor of torch is a list"),
    ("size", v2(size=ints(10, 11)), "reaches to byte 404 of a storage of 400 bytes"),
    ("huge size", v2(size=ints(1 << 62, 1 << 62)), "more elements than can be counted"),
    ("huge empty size", v2(size=ints(0, 1 << 62, 1 << 62), strides=ints(0, 0, 0)), "more elements than can be counted"),
    ("negative strides", v2(strides=ints(10, -1)), "the strides of a tensor of torch is not of integers from 0"),
    ("strides", v2(strides=ints(11, 1)), "reaches to byte 436 of a storage of 400 bytes"),
    ("huge stride", v2(size=ints(1, 10), strides=ints(1 << 62, 1)), "more elements than can be counted"),
    ("overflow", v2(size=ints(3, 1), strides=ints(1 << 61, 1)), "more elements than can be counted"),
    ("fewer strides", v2(strides=ints(10)), "2 dimensions and 1 strides"),
    ("dimensions", v2(size=ints(*[1] * 65), strides=ints(*[1] * 65)), "more than 64 numbers"),
    ("repeated memory", v2(size=ints(BIG, 10), strides=ints(0, 1)), "units of work"),
    ("gradient", v2(requires_grad=number(1)), "whether a tensor of torch requires a gradient is a int"),
    ("hooks", v2(hooks=HOOKS + b"(" + number(1) + NONE + b"u"), "a tensor of torch has hooks"),
    ("no hooks", v2(hooks=NONE), "the hooks of a tensor of torch is a NoneType"),
    ("dict as hooks", v2(hooks=dic()), "the hooks of a tensor of torch is a dict"),
    ("no storage", v2(storage=NONE), "the storage of a tensor of torch is None"),
    ("array as storage", v2(storage=array([1.0], "f4")), "the storage of a tensor of torch is a ndarray"),
    ("list as metadata", v2(TYPED, number(0), ints(1), ints(1), FALSE, HOOKS, lst()), "metadata of a tensor"),
    ("key", v2(TYPED, number(0), ints(1), ints(1), FALSE, HOOKS, dic(text("a"), TRUE)), "a key in the metadata"),
    ("flag", v2(TYPED, number(0), ints(1), ints(1), FALSE, HOOKS, dic(text("neg"), number(1))), "the metadata neg"),
    ("conj", v2(TYPED, number(0), ints(1), ints(1), FALSE, HOOKS, dic(text("conj"), TRUE)), "float32 has the metadata"),
    ("v3 without dtype", call(V3, NONE, number(0), ints(), ints(), FALSE, HOOKS, NONE), "the dtype of a tensor of"),
    ("v3 of text", call(V3, NONE, number(0), ints(), ints(), FALSE, HOOKS, text("int8")), "the dtype of a tensor of"),
    ("v3 of no dtype", call(V3, NONE, number(0), ints(), ints(), FALSE, HOOKS, glob(V2)), "the dtype of a tensor of"),
    (
        "v3 without storage",
        call(V3, NONE, number(0), ints(), ints(), FALSE, HOOKS, glob("torch:int8")),
        "the storage of",
    ),
    ("v3 of 4 bits", call(V3, NONE, number(0), ints(), ints(), FALSE, HOOKS, glob("torch:quint4x2")), "does not know"),
    ("meta", call(META, glob("torch:int8"), ints(BIG, BIG), ints(1, 1), FALSE), "more elements than can be counted"),
    ("meta, strides", call(META, glob("torch:int8"), ints(1), ints(), FALSE), "1 dimensions and 0 strides"),
    (
        "meta, quantised",
        call(META, glob("torch:qint8"), ints(1), ints(1), FALSE),
        "not quantised has the dtype 'qint8'",
    ),
    ("meta, gradient", call(META, glob("torch:int8"), ints(1), ints(1), NONE), "requires a gradient is a NoneType"),
    ("arguments", call(V2), "TypeError"),
    ("state", build(call(REBUILD + "torch_storage"), dic()), "TypeError"),
    ("state of a storage", build(TYPED, dic()), "a TypedStorage is given a state"),
    ("memory", call(REBUILD + "torch_storage", raw(b"1234")), "the memory of a storage of torch is a bytes"),
    (
        "bytearray",
        call(REBUILD + "torch_storage", writable(b"1234")),
        "the memory of a storage of torch is a bytearray",
    ),
    (
        "objects",
        call(REBUILD + "torch_storage", array_state(ints(1), dtype("O8", "|", -1, 63), lst(NONE))),
        "of numbers",
    ),
    ("text", call(REBUILD + "torch_storage", call("numpy:ndarray", ints(0), dtype("U1", "<", 4, 8))), "of numbers"),
    (
        "typed",
        call(REBUILD + "torch_typed_storage", NONE, glob("torch:int8")),
        "the storage of a tensor of torch is None",
    ),
    ("typed twice", call(REBUILD + "torch_typed_storage", TYPED, glob("torch:int8")), "is a TypedStorage"),
    ("no type", call(REBUILD + "torch_typed_storage", NONE, text("int8")), "the dtype of a tensor of torch is 'int8'"),
    ("Size", call("torch:Size", ints(-1)), "torch.Size is not of integers from 0"),
    ("list as Size", call("torch:Size", lst(number(1))), "torch.Size is a list"),
    ("device", call("torch:device", text("cuda")), "the kind of a device of torch is 'cuda'"),
    ("device and number", call("torch:device", text("cpu:0")), "the kind of a device of torch is 'cpu:0'"),
    ("number of a device", call("torch:device", text("cpu"), number(-1)), "the number of a device of torch"),
    ("layout", call("torch.serialization:_get_layout", text("torch.jagged")), "a layout of torch is 'torch.jagged'"),
]
OTHERS: list[tuple[str, bytes, str]] = [
    ("no scheme", quantized(text("affine"), floating(1.0), number(0)), "the parameters of a quantised tensor"),
    ("scheme", quantized(glob("torch:int8"), floating(1.0), number(0)), "has neither a scale and zero point"),
    ("parts", quantized(AFFINE, floating(1.0)), "has neither a scale and zero point"),
    ("scale", quantized(AFFINE, number(1), number(0)), "the scale of a quantised tensor of torch is a int"),
    ("infinite scale", quantized(AFFINE, floating(float("inf")), number(0)), "is not finite"),
    ("zero point", quantized(AFFINE, floating(1.0), number(1 << 31)), "the zero point of a quantised tensor"),
    ("quantised hooks", quantized(AFFINE, floating(1.0), number(0), hooks=NONE), "the hooks of a tensor of torch"),
    ("dtype", quantized(AFFINE, floating(1.0), number(0)), "a quantised tensor of torch has the dtype 'float32'"),
    ("axis", quantized(BY_CHANNEL, SCALES, ZEROS, number(2)), "the axis of the channels"),
    ("negative axis", quantized(BY_CHANNEL, SCALES, ZEROS, number(-1)), "the axis of the channels"),
    ("channels", quantized(BY_CHANNEL, SCALES, ZEROS, number(1)), "has 4 scales for 5 channels"),
    ("zero points", quantized(BY_CHANNEL, SCALES, tensor_of([0]), number(0)), "has 1 scales for 4 channels"),
    ("kind of scales", quantized(BY_CHANNEL, ZEROS, ZEROS, number(0)), "scales of a quantised tensor .* dtype 'int64'"),
    (
        "list of scales",
        quantized(BY_CHANNEL, lst(), ZEROS, number(0)),
        "scales of a quantised tensor of torch is a list",
    ),
    ("table of scales", quantized(BY_CHANNEL, tensor_of([[1.0]], "f8"), ZEROS, number(0)), "has 2 dimensions, not 1"),
    ("no layout", call(SPARSE, text("torch.sparse_coo"), tup(PLACES, FLOATS, ints(2, 3))), "has the layout ''"),
    ("strided", call(SPARSE, layout("strided"), tup(PLACES, FLOATS, ints(2, 3))), "has the layout 'strided'"),
    (
        "list of parts",
        call(SPARSE, layout("sparse_coo"), lst(PLACES)),
        "the parts of a sparse tensor of torch is a list",
    ),
    ("index", coo(tensor_of([[0, 2], [1, 0]])), "are not from 0 to 1"),
    ("negative index", coo(tensor_of([[0, 1], [-1, 0]])), "are not from 0 to 2"),
    ("index into nothing", coo(size=ints(2, 0)), "are not from 0 to -1"),
    ("indices of 32 bits", coo(tensor_of([[0, 1], [1, 0]], "i4")), "indices of a sparse tensor .* dtype 'int32'"),
    ("row of indices", coo(tensor_of([0, 1])), "has 1 dimensions, not 2"),
    ("more indices", coo(tensor_of([[0, 1, 1], [1, 0, 1]])), "do not fit it"),
    ("fewer dimensions", coo(size=ints(2)), "do not fit it"),
    ("dense dimensions", coo(size=ints(2, 3, 4)), "do not fit it"),
    ("no values", coo(values=NONE), "values of a sparse tensor of torch is None"),
    ("a value", coo(values=tensor_of(1.0, "f4")), "do not fit it"),
    ("negative lengths", coo(size=ints(2, -3)), "the size of a sparse tensor of torch is not of integers"),
    ("endless", coo(size=ints(1 << 40, 1 << 40)), "more elements than can be counted"),
    ("coalesced?", coo(PLACES, FLOATS, ints(2, 3), number(1)), "is coalesced is a int"),
    ("not sorted", coo(tensor_of([[1, 0], [1, 0]]), FLOATS, ints(2, 3), TRUE), "says that it is coalesced"),
    ("twice", coo(tensor_of([[1, 1], [1, 1]]), FLOATS, ints(2, 3), TRUE), "says that it is coalesced"),
    ("not from 0", csr((1, 1, 2)), "do not ascend from 0 to 2"),
    ("not to the end", csr((0, 1, 1)), "do not ascend from 0 to 2"),
    ("beyond the end", csr((0, 1, 3)), "do not ascend from 0 to 2"),
    ("falling", csr((0, 3, 2)), "do not ascend from 0 to 2"),
    ("column", csr(places=(0, 3)), "are not from 0 to 2"),
    ("negative column", csr(places=(0, -1)), "are not from 0 to 2"),
    ("order in a row", csr((0, 2, 2), (2, 0)), "do not ascend within a row"),
    ("column twice", csr((0, 2, 2), (1, 1)), "do not ascend within a row"),
    ("rows", csr((0, 2)), "do not fit it"),
    ("number of values", csr(values=tensor_of([1.0], "f4")), "do not fit it"),
    ("widths of indices", csr(kind="i8", kinds="i4"), "do not fit it"),
    ("floats", csr(kind="f8"), "compressed indices of a sparse tensor .* dtype 'float64'"),
    ("columns of 32 bits", csr(kind="i4", size=ints(2, 1 << 31)), "indices of 32 bits for lengths of more"),
    ("columns as rows", csr(name="sparse_csc"), "do not fit it"),
    ("no blocks", csr(name="sparse_bsr"), "do not fit it"),
    ("blocks", csr(name="sparse_bsr", values=tensor_of(np.ones((2, 2, 2)), "f4")), "blocks of .2, 2. in a matrix of"),
    ("empty blocks", csr(name="sparse_bsr", values=tensor_of(np.ones((2, 0, 1)), "f4")), "blocks of .0, 1. in"),
    ("batches", csr(([0, 1, 2],), ([0, 2],)), "do not fit it"),
    (
        "empty batches",
        csr(np.zeros((0, 3)), np.zeros((0, 2)), tensor_of(np.zeros((0, 2)), "f4"), ints(0, 2, 3)),
        "a sparse tensor of torch has no batches",
    ),
    ("a number", csr(0, 0), "do not fit it"),
    ("nested size", nested(([2], [4])), "do not follow each other in its 5 values"),
    ("nested negative", nested(([-2], [7])), "do not lie within its 5 values"),
    ("nested huge", nested(([BIG], [0])), "do not lie within its 5 values"),
    ("nested strides", nested(strides=([1], [2])), "do not follow each other"),
    ("nested offsets", nested(offsets=(0, 1)), "do not follow each other"),
    ("nested counts", nested(offsets=(0,)), "do not fit each other"),
    ("nested shape", nested(strides=([1, 1], [1, 1])), "do not fit each other"),
    ("nested numbers", nested(sizes=(1, 2)), "has 1 dimensions, not 2"),
    ("nothing nested", nested(np.zeros((0, 1)), np.zeros((0, 1)), (), 0), "has no tensors in it"),
    ("nested table", nested(offsets=([0], [2])), "has 2 dimensions, not 1"),
    ("parameter", call(UTILS + "_rebuild_parameter", NONE, TRUE, HOOKS), "the data of a parameter of torch is None"),
    ("hooks of it", call(UTILS + "_rebuild_parameter", FLOATS, TRUE, NONE), "the hooks of a tensor of torch"),
    ("its gradient", call(UTILS + "_rebuild_parameter", FLOATS, number(1), HOOKS), "requires a gradient is a int"),
    (
        "its state",
        call(UTILS + "_rebuild_parameter_with_state", FLOATS, TRUE, HOOKS, lst()),
        "the attributes of a tensor of torch is a list",
    ),
    ("function", with_state(NONE, function=glob("torch:Size")), "a tensor of torch is made by a Global"),
    ("no function", with_state(NONE, function=text("f")), "a tensor of torch is made by 'f'"),
    ("class", with_state(NONE, cls=glob("torch:Size")), "the class of a tensor of torch is torch:Size"),
    ("built-in class", with_state(NONE, cls=glob("builtins:int")), "the class of a tensor of torch is a Global"),
    (
        "arguments inside",
        call(FROM_TYPE, glob(META), glob("torch:Tensor"), tup(glob("torch:int8"), ints(-1), ints(1), FALSE), NONE),
        "the size of a tensor of torch is not of integers",
    ),
    ("attribute", build(HOOKS, dic(text("items"), NONE)), "an OrderedDict is given other attributes than _metadata"),
    ("metadata", build(HOOKS, dic(text("_metadata"), number(1))), "the metadata of a state dict of torch is a int"),
    ("state", build(HOOKS, tup(NONE, dic(text("_metadata"), dic()))), "an OrderedDict is given other attributes"),
]


@pytest.mark.parametrize(("pushed", "message"), [row[1:] for row in TENSORS], ids=[row[0] for row in TENSORS])
def test_tensors_outside_of_their_storage(pushed, message):
    """A call with arguments that torch would believe, and that are not true, is refused by the check that is meant."""
    with pytest.raises(BinPickleError, match=message):
        load(pushed)


@pytest.mark.parametrize(("pushed", "message"), [row[1:] for row in OTHERS], ids=[row[0] for row in OTHERS])
def test_other_kinds_that_lie(pushed, message):
    """Sparse, quantised and nested tensors, parameters and attributes are refused if their parts do not fit."""
    with pytest.raises(BinPickleError, match=message):
        load(pushed)


@pytest.mark.parametrize(
    ("name", "nbytes", "size", "message"),
    [
        ("float32", 399, (10, 10), "reaches to byte 400 of a storage of 399"),
        ("float64", 400, (10, 10), "reaches to byte 800"),
        ("complex128", 400, (10, 10), "reaches to byte 1600"),
        ("bfloat16", 199, (10, 10), "reaches to byte 200"),
        ("qint8", 400, (10, 10), "not quantised has the dtype 'qint8'"),
        ("quint4x2", 400, (10, 10), "not quantised has the dtype 'quint4x2'"),
        ("int64", 0, (), "reaches to byte 8 of a storage of 0"),
    ],
)
def test_sizes_of_elements(name, nbytes, size, message):
    """How far a tensor reaches depends on the dtype of its storage."""
    with pytest.raises(FormatError, match=message):
        load(v2(size=ints(*size), strides=ints(*[10, 1][: len(size)])), name, nbytes)


def test_room_of_quantised_tensors():
    """A quantised tensor has no more elements than its storage: torch makes one of this size first."""
    expanded = quantized(AFFINE, floating(1.0), number(0), size=ints(1 << 30), strides=ints(0))
    with pytest.raises(FormatError, match="has 1073741824 bytes and a storage of 400"):
        load(expanded, "qint8")
    with pytest.raises(FormatError, match="reaches to byte 421 of a storage of 400"):
        load(quantized(AFFINE, floating(1.0), number(0), size=ints(2, 4), strides=ints(417, 1)), "qint8")


def test_floats_as_zero_points():
    """Zero points that are floats stand only with integers of 8 bits: torch has no code for others."""
    with pytest.raises(FormatError, match="has 32 bits and zero points that are floats"):
        load(quantized(BY_CHANNEL, SCALES, tensor_of([0.0] * 4, "f4"), number(0)), "qint32")


def test_metadata_of_state_dicts():
    """An ordered dict gets the one attribute that state dicts of torch have, whatever is trusted."""
    made = build(HOOKS, dic(text("_metadata"), HOOKS + b"(" + text("") + dic(text("version"), number(1)) + b"u"))
    loaded = trust.load(io.BytesIO(stream(made)).read, (), 0)
    assert vars(loaded) == {"_metadata": {"": {"version": 1}}}


def test_missing_torch():
    """A stream that needs torch says so where torch is not installed."""
    if importlib.util.find_spec("torch"):
        pytest.skip("torch is installed")
    with pytest.raises(FormatError, match="torch_storage is trusted and cannot be used: No module named 'torch'"):
        load(call(REBUILD + "torch_storage", array([1.0], "f4")))
    with pytest.raises(FormatError, match="_rebuild_tensor_v2 is trusted and cannot be imported: No module named"):
        load(v2())
