"""torch tensors: out of band, views of one storage once, never writable over a read-only mapping."""

from __future__ import annotations

import io

import pytest

import binpickle

torch = pytest.importorskip("torch")


@pytest.fixture
def weights():
    return torch.arange(10_000, dtype=torch.float32).reshape(100, 100)


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16", "int64", "bool", "complex64"])
def test_round_trip(dtype):
    """A tensor of any dtype comes back equal, and its memory lies out of band."""
    tensor = torch.ones(3_000).to(getattr(torch, dtype))
    data = binpickle.dumps(tensor)
    loaded = binpickle.loads(data)
    assert loaded.dtype is tensor.dtype
    assert torch.equal(loaded, tensor)
    assert len(binpickle.BinPickleFile(io.BytesIO(data)).buffers) == 1


def test_views_stored_once(weights):
    """Two views of one storage are stored once, and share memory again when they are loaded."""
    data = binpickle.dumps({"all": weights, "some": weights[10:20]}, codecs=[])
    assert len(data) < weights.nbytes * 1.1
    loaded = binpickle.loads(data)
    loaded["all"][10, 0] = -1.0
    assert loaded["some"][0, 0] == -1.0


def test_module_and_state_dict():
    """A module and its state dict come back with the same answers."""
    module = torch.nn.Linear(64, 64)
    loaded = binpickle.loads(binpickle.dumps({"module": module, "state": module.state_dict()}))
    x = torch.ones(2, 64)
    assert torch.equal(loaded["module"](x), module(x))
    assert torch.equal(loaded["state"]["weight"], module.weight)


@pytest.mark.parametrize("mode", ["r", "c"])
def test_mapped_is_writable(tmp_path, weights, mode):
    """A tensor of a mapped file can be written to: torch has no read-only tensors, so `"r"` copies."""
    path = tmp_path / "t.bpk"
    binpickle.dump(weights, path, mappable=True)
    before = path.read_bytes()
    loaded = binpickle.load(path, mmap_mode=mode)
    loaded += 1
    assert torch.equal(loaded, weights + 1)
    assert path.read_bytes() == before


def test_requires_grad(weights):
    """A parameter keeps its class and its `requires_grad`."""
    loaded = binpickle.loads(binpickle.dumps(torch.nn.Parameter(weights)))
    assert isinstance(loaded, torch.nn.Parameter)
    assert loaded.requires_grad
