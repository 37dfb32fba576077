"""Tensors and state dicts of torch load under the curated set as they load without, and what would lie is refused."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

import pytest
from assembler import FALSE, array_state, call, dtype, get, glob, keep, lst, number, raw, stream, text, tup

import binpickle
from binpickle import BinPickleError, Limits, UntrustedError, trust
from binpickle.errors import FormatError

torch = pytest.importorskip("torch")
corpus = pytest.importorskip("reliability.use_torch")

pytestmark = pytest.mark.filterwarnings("ignore")

OLD = Path(__file__).parents[1] / "data" / "torch" / "before-1.0.bpk"
WAYS: list[dict[str, Any]] = [{}, {"codecs": []}, {"mappable": True}]
USES = 600
V2, HOOKS = "torch._utils:_rebuild_tensor_v2", call("collections:OrderedDict")


@pytest.fixture
def weights():
    return torch.arange(10_000, dtype=torch.float32).reshape(100, 100)


def reload(obj: Any, **way: Any) -> Any:
    """Write an object and load it under the set of torch."""
    return binpickle.loads(binpickle.dumps(obj, **way), trusted=trust.torch())


def shown(obj: Any) -> Any:
    """Return what can be compared of an object."""
    if isinstance(obj, torch.Tensor):
        attributes = {name: shown(value) for name, value in vars(obj).items()}
        facts = (type(obj), obj.dtype, obj.layout, obj.device, obj.requires_grad, obj.is_conj(), obj.is_neg())
        strided = obj.layout is torch.strided and not obj.is_nested
        place = (obj.shape, obj.stride(), obj.storage_offset()) if strided else None
        octets = bytes(obj.untyped_storage().tolist()) if strided and not obj.is_meta else contents(obj)
        return facts, place, octets, attributes
    if isinstance(obj, dict):
        return type(obj), {key: shown(value) for key, value in obj.items()}, getattr(obj, "_metadata", None)
    if isinstance(obj, (list, tuple)):
        return type(obj), [shown(item) for item in obj]
    return type(obj), repr(obj)


def contents(tensor: Any) -> Any:
    if tensor.is_meta:
        return tensor.shape
    return [part.tolist() for part in tensor.unbind()] if tensor.is_nested else (tensor.to_dense().tolist())


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_every_kind_loads(way):
    """Tensors of each dtype and kind, and states of modules, optimizers and schedulers, load as without `trusted`."""
    for name, obj in corpus.torch_objects():
        data = binpickle.dumps(obj, **way)
        assert binpickle.inspect(io.BytesIO(data)).untrusted(trust.torch()) == [], name
        assert shown(reload(obj, **way)) == shown(binpickle.loads(data)), name


def test_quantised_tensors_keep_their_numbers():
    """Quantised tensors come back with their scales, zero points and integers."""
    for name, obj in corpus.torch_objects():
        if name.startswith(("quantised", "by channel")):
            loaded = reload(obj)
            assert repr(loaded) == repr(obj)
            assert torch.equal(loaded.int_repr(), obj.int_repr())


def test_files_of_before():
    """Files of before 1.0 load, and views share their storage as before."""
    loaded, plain = binpickle.load(OLD, trusted=trust.torch()), binpickle.load(OLD)
    assert list(loaded.pop("storage")) == list(plain.pop("storage"))
    for name, (whole, view) in loaded.items():
        assert shown(whole) == shown(plain[name][0])
        assert whole.untyped_storage().data_ptr() == view.untyped_storage().data_ptr()


def test_state_dicts_go_into_modules():
    """A module and an optimizer take the states that were loaded, and go on with the same answers."""
    model, other = torch.nn.BatchNorm1d(3), torch.nn.BatchNorm1d(3)
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.randn(5, 3)).sum().backward()
    optimizer.step()
    state, steps = reload((model.state_dict(), optimizer.state_dict()))
    other.load_state_dict(state)
    torch.optim.Adam(other.parameters()).load_state_dict(steps)
    x = torch.randn(4, 3)
    assert torch.equal(other.eval()(x), model.eval()(x))
    assert vars(state) == {"_metadata": vars(model.state_dict())["_metadata"]}


def test_modules_are_refused():
    """A whole module is not in the set, since its state holds functions; its class can be named besides."""
    module = torch.nn.Linear(3, 2)
    with pytest.raises(UntrustedError, match="torch.nn.modules.linear:Linear"):
        reload(module)
    loaded = binpickle.loads(binpickle.dumps(module), trusted=trust.torch() | {torch.nn.Linear})
    assert torch.equal(loaded.weight, module.weight)


class Named(torch.Tensor):
    """A tensor of a class that the user names."""


def test_subclasses_that_are_named():
    """Tensors of a class load with their attributes if the class is named besides."""
    tensor = torch.randn(3).as_subclass(Named)
    tensor.note = "kept"
    with pytest.raises(UntrustedError, match="Named"):
        reload(tensor)
    loaded = binpickle.loads(binpickle.dumps(tensor), trusted=trust.torch() | {Named})
    assert (type(loaded), loaded.note) == (Named, "kept")


@pytest.mark.parametrize("name", ["data", "grad", "shape", "sum", "_backward_hooks", "__array_interface__", "__dict__"])
def test_attributes_of_torch_itself(name):
    """No attribute of a file hides what torch has under its name."""
    tensor = torch.randn(3)
    function, (make, kind, arguments, _) = Named.__reduce_ex__(tensor.as_subclass(Named), 5)
    with pytest.raises(FormatError, match=name):
        reload(Rebuilt(function, (make, torch.Tensor, arguments, {name: 1})))


class Rebuilt:
    def __init__(self, *reduced: Any):
        self.reduced = reduced

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self.reduced


def storage(kind: str, octets: bytes) -> bytes:
    """Push a typed storage over bytes."""
    array = array_state(tup(number(len(octets))), dtype("u1", "|"), raw(octets))
    return call(
        "binpickle.rebuild:torch_typed_storage", call("binpickle.rebuild:torch_storage", array), glob(f"torch:{kind}")
    )


def load(*parts: bytes) -> Any:
    return trust.load(io.BytesIO(stream(*parts)).read, (), 0, trust.torch())


def vector(held: bytes, count: int, hooks: bytes = HOOKS) -> bytes:
    return call(V2, held, number(0), tup(number(count)), tup(number(1)), FALSE, hooks)


def test_bools_are_bools():
    """A tensor of bools has no bytes but 0 and 1, with which compiled code counts."""
    assert load(vector(storage("bool", b"\0\1"), 2)).tolist() == [False, True]
    with pytest.raises(FormatError, match="other bytes than 0 and 1"):
        load(vector(storage("bool", b"\0\2"), 2))
    assert load(vector(storage("bool", b"\1\2"), 1)).tolist() == [True]


def test_hooks_filled_afterwards():
    """A stream that fills the hooks of a tensor after the call fills a dict of its own."""
    filled = get(0) + b"(" + number(1) + glob("torch:Size") + b"u0"
    tensor, hooks = load(keep(HOOKS, vector(storage("float32", bytes(8)), 2, get(0))), filled, lst(get(1), get(0)))
    assert hooks == {1: torch.Size}
    assert not tensor._backward_hooks


def test_indices_are_not_shared():
    """The indices of a sparse tensor are copies: nothing that is written to another tensor of the file moves them."""
    indices = torch.tensor([[0, 1], [1, 0]])
    sparse = torch.sparse_coo_tensor(indices, torch.ones(2), (2, 2))
    rows = torch.tensor([0, 1, 2])
    compressed = torch.sparse_csr_tensor(rows, torch.tensor([0, 1]), torch.ones(2), (2, 2))
    shared, sparse, compressed, ends = reload([sparse._indices(), sparse, compressed, compressed.crow_indices()])
    shared.fill_(1 << 40)
    ends.fill_(1 << 40)
    assert sparse._indices().tolist() == [[0, 1], [1, 0]]
    assert compressed.to_dense().tolist() == [[1, 0], [0, 1]]


def test_unaligned_memory_is_copied():
    """A storage lies where the machine can load each element at once, wherever the array in the file lies."""
    array = call("numpy:ndarray", tup(number(16)), dtype("u1", "|"), get(0), number(1))
    made = call("binpickle.rebuild:torch_storage", array)
    typed = call("binpickle.rebuild:torch_typed_storage", made, glob("torch:int64"))
    loaded = load(keep(b"\x96" + (17).to_bytes(8, "little") + bytes(17)), vector(typed, 2))
    assert loaded.data_ptr() % 16 == 0


def test_mapped(tmp_path, weights):
    """Of a mapped file, tensors are copies with a warning if it is mapped for reading, else lie in the mapping."""
    path = tmp_path / "t.bpk"
    binpickle.dump(weights, path, mappable=True)
    before = path.read_bytes()
    with pytest.warns(UserWarning, match='mmap_mode="c" maps them'):
        loaded = binpickle.load(path, mmap_mode="r", trusted=trust.torch())
    loaded += 1
    mapped = binpickle.load(path, mmap_mode="c", trusted=trust.torch())
    if sys.platform == "linux":
        lines = [line.split() for line in Path("/proc/self/maps").read_text().splitlines() if str(path) in line]
        ranges = [[int(end, 16) for end in line[0].split("-")] for line in lines]
        assert any(start <= mapped.data_ptr() < stop for start, stop in ranges)
    mapped += 1
    assert torch.equal(loaded, weights + 1)
    assert torch.equal(mapped, weights + 1)
    assert path.read_bytes() == before


def test_arrays_and_tensors_share(weights):
    """A tensor of a large array shares the memory of its storage with the views that the file has of it."""
    whole, part, parameter = reload([weights, weights[10:], torch.nn.Parameter(weights)])
    part += 1
    assert torch.equal(whole[10:], part)
    assert parameter.data_ptr() == whole.data_ptr()


def test_repeated_memory_is_paid_for():
    """A tensor that repeats its memory without end is refused: to use it takes what it seems to have."""
    assert reload(torch.zeros(1).expand(10_000, 1000)).shape == (10_000, 1000)
    with pytest.raises(BinPickleError, match="units of work"):
        reload(torch.zeros(1).expand(1 << 20, 1 << 20))
    with pytest.raises(BinPickleError, match="units of work"):
        reload(torch.zeros(0, 1).expand(0, 1 << 40))


REPEATED = {
    "torch:Size": tup(tup(number(1))),
    "torch:device": tup(text("cpu")),
    "torch._utils:_rebuild_meta_tensor_no_storage": tup(glob("torch:int8"), tup(), tup(), FALSE),
    V2: tup(storage("int8", b"1"), number(0), tup(), tup(), FALSE, HOOKS),
}


@pytest.mark.parametrize("name", REPEATED)
def test_repeated_calls_are_paid_for(name):
    """A few bytes that repeat a call of torch are refused before they take seconds: a call costs more than opcodes."""
    pushed = stream(keep(glob(name), REPEATED[name]), b"](" + (get(0) + get(1) + b"R") * 100_000 + b"e")
    with pytest.raises(BinPickleError, match="units of work"):
        trust.load(io.BytesIO(pushed).read, (), 0, trust.torch(), Limits(work=2_100_000))


def test_sparse_tensors_are_not_kept():
    """A sparse tensor that is loaded does not stay in the list of those that `torch.load` would check."""
    waiting = sys.modules["torch._utils"].__dict__["_sparse_tensors_to_validate"]
    data = binpickle.dumps(torch.eye(3).to_sparse())
    for trusted in (None, trust.torch()):
        before = len(waiting)
        assert binpickle.loads(data, trusted=trusted).is_sparse
        assert len(waiting) == before


@pytest.mark.skipif(sys.platform != "linux", reason="it forks")
def test_forged_calls_end_no_process():
    """Calls with forged arguments of every kind are refused, or give something that can be shown: no signal."""
    from reliability.forged_calls import callable_names, forge_calls

    torch.set_num_threads(1)
    assert len(callable_names(trust.torch())) == 14
    assert forge_calls(trust.torch(), [obj for _, obj in corpus.torch_objects()], seed=1, count=2000) == []


@pytest.mark.skipif(sys.platform != "linux", reason="it forks")
def test_changed_states_do_no_damage():
    """Tensors with changed parts are refused, or used without an end of the process or a hang."""
    from reliability.use import fuzz_use

    torch.set_num_threads(1)
    report = fuzz_use(corpus.torch_cases(), 0, USES, 120.0)
    assert report.finds == []
    assert report.outcomes["refused"]
    assert report.outcomes["used"]
