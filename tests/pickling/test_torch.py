"""torch tensors: out of band with their dtype, views of one storage once, never writable over a read-only mapping."""

from __future__ import annotations

import io
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import binpickle
from binpickle import rebuild

torch = pytest.importorskip("torch")

pytestmark = [
    pytest.mark.filterwarnings("ignore:ComplexHalf support is experimental"),
    pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor"),
]

OLD = Path(__file__).parents[1] / "data" / "torch" / "before-1.0.bpk"
WAYS: list[dict[str, Any]] = [{}, {"codecs": []}, {"codecs": ["zlib"]}, {"mappable": True}]
DTYPES = sorted({str(dtype).rpartition(".")[2] for dtype in vars(torch).values() if isinstance(dtype, torch.dtype)})
LIKE_NUMPY = ["bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]
LIKE_NUMPY += ["float16", "float32", "float64", "complex64", "complex128"]


@pytest.fixture
def weights():
    return torch.arange(10_000, dtype=torch.float32).reshape(100, 100)


def of_bytes(name, count):
    """A tensor of any dtype; `None` if torch can make none from bytes."""
    octets = torch.arange(count, dtype=torch.int64).remainder(2).to(torch.uint8)
    try:
        return octets.view(getattr(torch, name))
    except RuntimeError:
        return None


def octets_of(tensor):
    return bytes(tensor.untyped_storage().tolist())


def buffers_of(data):
    return binpickle.BinPickleFile(io.BytesIO(data)).buffers


@pytest.mark.parametrize("way", WAYS, ids=str)
@pytest.mark.parametrize("name", DTYPES)
def test_every_dtype(name, way):
    """A tensor of any dtype of torch comes back, and so does a view that shares its memory; both are aligned."""
    for count in (16, 16_000):
        tensor = of_bytes(name, count)
        if tensor is None:
            pytest.skip("torch makes no such tensor from bytes")
        whole, view = binpickle.loads(binpickle.dumps([tensor, tensor[1:]], **way))
        assert (whole.dtype, whole.shape) == (tensor.dtype, tensor.shape)
        assert octets_of(whole) == octets_of(tensor)
        assert whole.untyped_storage().data_ptr() == view.untyped_storage().data_ptr()
        assert (view.storage_offset(), view.shape) == (1, tensor[1:].shape)
        assert whole.data_ptr() % 16 == 0


@pytest.mark.parametrize("name", LIKE_NUMPY)
def test_kind_of_buffer(name):
    """The buffer of a tensor has the tensor's dtype and shape, and the same bytes as the array of NumPy."""
    tensor = torch.arange(3000).reshape(30, 100).to(getattr(torch, name))
    data = binpickle.dumps(tensor)
    (buffer,) = buffers_of(data)
    assert (buffer.dtype, buffer.shape) == (np.dtype(name), (30, 100))
    with binpickle.BinPickleFile(io.BytesIO(data)) as file:
        assert np.array_equal(file.array(0), tensor.numpy())


@pytest.mark.parametrize(("name", "dtype"), [("bfloat16", "u2"), ("float8_e5m2", "u1"), ("complex32", "u4")])
def test_kind_of_others(name, dtype):
    """The buffer of a tensor whose dtype NumPy has not is one of integers of the same size."""
    (buffer,) = buffers_of(binpickle.dumps(of_bytes(name, 8000)))
    assert buffer.dtype == np.dtype(dtype)


def test_kind_of_views(weights):
    """The buffer of a storage of which the first tensor shows a part has the dtype of that, and one dimension."""
    (buffer,) = buffers_of(binpickle.dumps([weights[3:], weights.T]))
    assert (buffer.dtype, buffer.shape) == (np.dtype("f4"), (10_000,))


def test_sizes():
    """A tensor takes as little room as the same array of NumPy: `auto` knows its dtype."""
    ramp = np.arange(1_000_000)
    assert len(binpickle.dumps(torch.from_numpy(ramp))) <= 1.02 * len(binpickle.dumps(ramp)) + 500


def test_files_of_before():
    """Files of before 1.0 load, those with dtypes that could not be loaded then included."""
    loaded = binpickle.load(OLD)
    storage = loaded.pop("storage")
    assert type(storage) is torch.UntypedStorage
    assert list(storage) == list(range(8))
    for name, (whole, view) in loaded.items():
        octets = range(160) if name != "bool" else (n % 2 for n in range(160))
        assert octets_of(whole) == bytes(octets)
        assert whole.dtype is view.dtype is getattr(torch, name)
        assert whole.untyped_storage().data_ptr() == view.untyped_storage().data_ptr()


def test_views_stored_once(weights):
    """Two views of one storage are stored once, and share memory again when they are loaded."""
    data = binpickle.dumps({"all": weights, "some": weights[10:20]}, codecs=[])
    assert len(data) < weights.nbytes * 1.1
    loaded = binpickle.loads(data)
    loaded["all"][10, 0] = -1.0
    assert loaded["some"][0, 0] == -1.0


def test_bare_storages(weights):
    """A storage comes back as one of its class, and shares memory with the tensors over it."""
    untyped, tensor = binpickle.loads(binpickle.dumps([weights.untyped_storage(), weights]))
    assert type(untyped) is torch.UntypedStorage
    assert untyped.data_ptr() == tensor.data_ptr()
    assert torch.equal(tensor, weights)


def test_empty_tensors_stay_apart():
    """Tensors without elements do not come to share a storage."""
    empty = torch.empty(0, 3)
    one, other, view = binpickle.loads(binpickle.dumps([torch.empty(0), empty, empty.T]))
    assert one.untyped_storage() is not other.untyped_storage()
    assert other.untyped_storage() is view.untyped_storage()


def test_another_default_device(weights):
    """Tensors on the CPU are dumped and loaded while another device is the default."""
    with torch.device("meta"):
        assert torch.equal(binpickle.loads(binpickle.dumps(weights)), weights)


def test_module_and_state_dict():
    """A module and its state dict come back with the same answers, and share memory as before."""
    module = torch.nn.Linear(64, 64)
    loaded = binpickle.loads(binpickle.dumps({"module": module, "state": module.state_dict()}))
    x = torch.ones(2, 64)
    assert torch.equal(loaded["module"](x), module(x))
    assert loaded["state"]["weight"].data_ptr() == loaded["module"].weight.data_ptr()


def made_of(kind):
    torch.manual_seed(0)
    makers = {
        "sparse": lambda: torch.eye(50).to_sparse(),
        "compressed": lambda: torch.eye(50).to_sparse_csr(),
        "quantised": lambda: torch.quantize_per_tensor(torch.randn(1000), 0.1, 10, torch.quint8),
        "by channel": lambda: torch.quantize_per_channel(
            torch.randn(10, 100), torch.full((10,), 0.1), torch.zeros(10), 0, torch.qint8
        ),
        "nested": lambda: torch.nested.nested_tensor([torch.randn(3), torch.randn(400)]),
        "conjugate": lambda: torch.randn(500, dtype=torch.complex64).conj(),
        "negative": lambda: torch.randn(500, dtype=torch.complex64).conj().imag,
        "scalar": lambda: torch.tensor(5.0),
        "empty": lambda: torch.empty(0, 3),
        "expanded": lambda: torch.randn(1, 1000).expand(1000, 1000),
        "transposed": lambda: torch.randn(30, 40).T,
        "meta": lambda: torch.empty(5, device="meta"),
        "buffer": lambda: torch.nn.Buffer(torch.randn(500)),
        "with attributes": lambda: with_attributes(),
        "generator": lambda: torch.get_rng_state(),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # several kinds are in beta
        return makers[kind]()


KINDS = ["sparse", "compressed", "quantised", "by channel", "nested", "conjugate", "negative", "scalar", "empty"]
KINDS += ["expanded", "transposed", "meta", "buffer", "with attributes", "generator"]


def with_attributes():
    tensor = torch.randn(400)
    tensor.note = "kept"
    return tensor


def described(tensor):
    if tensor.is_meta:
        content = None
    elif tensor.is_nested:
        content = [part.tolist() for part in tensor.unbind()]
    elif tensor.is_quantized:
        content = tensor.int_repr().tolist(), tensor.dequantize().tolist()
    else:
        content = tensor.to_dense().tolist()
    strides = tensor.stride() if tensor.layout is torch.strided and not tensor.is_nested else None
    return type(tensor), tensor.dtype, tensor.layout, strides, tensor.is_conj(), vars(tensor).get("note"), content


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("way", WAYS, ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_kinds(kind, way):
    """Tensors of every layout and kind come back as they were."""
    tensor = made_of(kind)
    assert described(binpickle.loads(binpickle.dumps(tensor, **way))) == described(tensor)


def test_training():
    """A model and its optimizer go on training as if they had not been stored."""
    torch.manual_seed(0)
    model = torch.nn.Linear(10, 10)
    optimizer = torch.optim.Adam(model.parameters())
    x = torch.randn(4, 10)

    def step(model, optimizer):
        optimizer.zero_grad()
        model(x).square().sum().backward()
        optimizer.step()
        return [parameter.tolist() for parameter in model.parameters()]

    step(model, optimizer)
    stored = binpickle.loads(binpickle.dumps((model, optimizer)))
    assert step(*stored) == step(model, optimizer)


def test_mapped_for_reading(tmp_path, weights):
    """A tensor of a file that is mapped for reading is a copy, and a warning says so."""
    path = tmp_path / "t.bpk"
    binpickle.dump(weights, path, mappable=True)
    before = path.read_bytes()
    with pytest.warns(UserWarning, match='mmap_mode="c" maps them'):
        loaded = binpickle.load(path, mmap_mode="r")
    loaded += 1
    assert torch.equal(loaded, weights + 1)
    assert path.read_bytes() == before


def test_mapped_for_copy_on_write(tmp_path, weights):
    """A tensor of a file that is mapped copy-on-write lies in the mapping, and can be written to."""
    path = tmp_path / "t.bpk"
    binpickle.dump(weights, path, mappable=True)
    before = path.read_bytes()
    loaded = binpickle.load(path, mmap_mode="c")
    if sys.platform == "linux":
        lines = [line.split() for line in Path("/proc/self/maps").read_text().splitlines() if str(path) in line]
        ranges = [[int(end, 16) for end in line[0].split("-")] for line in lines]
        assert any(start <= loaded.data_ptr() < stop for start, stop in ranges)
    loaded += 1
    assert torch.equal(loaded, weights + 1)
    assert path.read_bytes() == before


def test_requires_grad(weights):
    """A parameter keeps its class and its `requires_grad`."""
    loaded = binpickle.loads(binpickle.dumps(torch.nn.Parameter(weights)))
    assert isinstance(loaded, torch.nn.Parameter)
    assert loaded.requires_grad


class OnDevice:
    """Reduces to what torch writes for a storage of a device."""

    def __reduce__(self):
        file = io.BytesIO()
        storage = rebuild.torch_typed_storage(torch.ones(3).untyped_storage(), torch.float32)
        torch.save(storage, file, _use_new_zipfile_serialization=False)
        return torch.storage._load_from_bytes, (file.getvalue(),)


@pytest.mark.skipif(torch.cuda.is_available(), reason="the device is here")
def test_missing_device(monkeypatch):
    """A tensor of a device that is missing raises an error that says what to do."""
    monkeypatch.setattr(torch.serialization, "location_tag", lambda storage: "cuda:0")
    file = binpickle.dumps(OnDevice())
    with pytest.raises(
        RuntimeError, match=r"on its device: load the file on a machine that has .* dump tensor.cpu\(\)"
    ):
        binpickle.loads(file)


@pytest.mark.filterwarnings("ignore:TypedStorage is deprecated")
def test_saved_storage():
    """A storage that torch wrote by itself comes back."""
    assert binpickle.loads(binpickle.dumps(OnDevice())).tolist() == [1, 1, 1]


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_staged(way):
    """A staged checkpoint gives the file of the checkpoint, also after a step of training, and takes its next state."""
    model = torch.nn.Sequential(torch.nn.Linear(300, 40), torch.nn.Linear(40, 3))
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.ones(2, 300)).sum().backward()
    optimizer.step()

    def checkpoint():
        whole = torch.arange(9000, dtype=torch.bfloat16)
        return {
            "model": model.state_dict(),
            "optimizer": optimizer.state_dict(),
            "views": [whole, whole[5:], whole[::3]],
        }

    for _ in range(2):
        want = binpickle.dumps(checkpoint(), **way)
        staged = binpickle.stage(checkpoint())
        optimizer.step()
        assert binpickle.dumps(staged, **way) == want
        assert binpickle.dumps(checkpoint(), **way) != want
        staged.restage(checkpoint())
        assert binpickle.dumps(staged, **way) == binpickle.dumps(checkpoint(), **way)
