"""Tensors and state dicts of torch for the fuzz of use."""

from __future__ import annotations

import warnings
from typing import Any, Callable, Iterator

from binpickle import trust

from .forged_tensors import forged_cases
from .use import Case

__all__ = ["torch_cases", "torch_objects"]


def torch_objects() -> Iterator[tuple[str, Any]]:
    """Yield an object of each kind that the curated set of torch knows, by name."""
    import torch

    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # several kinds are in beta
        yield from _dtypes(torch)
        yield from _strided(torch)
        yield from _sparse(torch)
        yield from _quantized(torch)
        yield from _states(torch)
        yield "nested", torch.nested.nested_tensor([torch.randn(3, 2), torch.randn(0, 2), torch.randn(4, 2)])
        yield "nested numbers", torch.nested.nested_tensor([torch.tensor(1.0), torch.tensor(2.0)])


def _dtypes(torch: Any) -> Iterator[tuple[str, Any]]:
    for name, dtype in sorted(vars(torch).items()):
        if not isinstance(dtype, torch.dtype):
            continue
        yield f"dtype {name}", [dtype]
        if "q" in name:
            continue  # `_quantized` has tensors of these
        try:
            octets = torch.arange(64, dtype=torch.int64).remainder(2).to(torch.uint8)
            yield name, octets.view(dtype)
        except RuntimeError:  # not of bytes
            continue


def _strided(torch: Any) -> Iterator[tuple[str, Any]]:
    matrix = torch.randn(4, 6)
    noted = torch.randn(3)
    noted.note = "kept"
    parameter = torch.nn.Parameter(torch.randn(3))
    parameter.note = ["kept"]
    waves = torch.randn(5, dtype=torch.complex64)
    yield "matrix", matrix
    yield "large", torch.randn(30, 40)
    yield "views", [matrix, matrix.T, matrix[1:, ::2], matrix[:0], matrix[2, 3], matrix.view(2, 2, 6)]
    yield "expanded", matrix[:1].expand(7, 6)
    yield "windows", torch.arange(10).unfold(0, 3, 1)
    yield "empty", [torch.empty(0), torch.empty(0, 3), torch.empty(3, 0, 2)]
    yield "scalar", torch.tensor(5)
    yield "channels last", torch.randn(2, 3, 4, 5).to(memory_format=torch.channels_last)
    yield "gradient", matrix.clone().requires_grad_()
    yield "conjugate", waves.conj()
    yield "negative", waves.conj().imag
    yield "parameters", [torch.nn.Parameter(matrix), torch.nn.Parameter(torch.arange(3), requires_grad=False)]
    yield "attributes", [noted, parameter]
    if hasattr(torch.nn, "Buffer"):
        yield "buffer", torch.nn.Buffer(matrix)
    yield "meta", torch.empty(5, 6, device="meta")
    yield "storages", [matrix.untyped_storage(), matrix]
    yield "generator", torch.Generator().get_state()
    yield "size", torch.Size([2, 3])
    yield "devices", [torch.device("cpu"), torch.device("cpu", 0), torch.device("meta")]
    yield "layouts", [torch.strided, torch.sparse_coo]
    yield "schemes", [torch.per_tensor_affine, torch.per_channel_affine]


def _sparse(torch: Any) -> Iterator[tuple[str, Any]]:
    dense = torch.tensor([[0, 1.5, 0, 0], [2, 0, 0, 3], [0, 0, 0, 4], [0, 5, 0, 0]])
    yield "coo", dense.to_sparse()
    yield "coo, not coalesced", torch.sparse_coo_tensor([[0, 2, 0], [1, 0, 1]], [1.0, 2.0, 3.0], (3, 4))
    yield "coo, hybrid", dense.reshape(2, 2, 4).to_sparse(2)
    yield "coo, empty", torch.zeros(3, 4).to_sparse()
    yield "coo, complex", dense.to(torch.complex64).to_sparse()
    yield "csr", dense.to_sparse_csr()
    yield (
        "csr, 32 bits",
        torch.sparse_csr_tensor(
            torch.tensor([0, 1, 3], dtype=torch.int32),
            torch.tensor([1, 0, 2], dtype=torch.int32),
            torch.ones(3),
            (2, 3),
        ),
    )
    yield "csr, empty", torch.zeros(3, 4).to_sparse_csr()
    yield "csr, batches", torch.stack([dense, dense]).to_sparse_csr()
    yield "csr, hybrid", dense.reshape(2, 2, 4).to_sparse_csr(dense_dim=1)
    yield "csc", dense.to_sparse_csc()
    yield "bsr", dense.to_sparse_bsr((2, 1))
    yield "bsc", dense.to_sparse_bsc((2, 2))


def _quantized(torch: Any) -> Iterator[tuple[str, Any]]:
    matrix = torch.randn(4, 6)
    for dtype in (torch.quint8, torch.qint8, torch.qint32):
        yield f"quantised, {dtype}", torch.quantize_per_tensor(matrix, 0.1, 10, dtype)
    scales = torch.full((4,), 0.1)
    yield "by channel", torch.quantize_per_channel(matrix, scales, torch.zeros(4, dtype=torch.int64), 0, torch.qint8)
    yield "by channel, floats", torch.quantize_per_channel(matrix, scales, torch.zeros(4), 0, torch.quint8)
    yield "quantised view", torch.quantize_per_tensor(matrix, 0.1, 10, torch.quint8)[1:3].T


def _states(torch: Any) -> Iterator[tuple[str, Any]]:
    nn = torch.nn
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(8, 2))
    yield "state dict", model.state_dict()
    for name in ("Adam", "AdamW", "SGD", "RMSprop", "Adagrad", "Adamax", "NAdam", "RAdam", "Rprop", "ASGD", "LBFGS"):
        arguments = {"momentum": 0.9} if name == "SGD" else {}
        optimizer = getattr(torch.optim, name)(model.parameters(), lr=0.01, **arguments)

        def closure(optimizer: Any = optimizer) -> Any:
            optimizer.zero_grad()
            loss = model(torch.randn(2, 1, 4, 4)).square().sum()
            loss.backward()
            return loss

        optimizer.step(closure)
        yield f"state of {name}", optimizer.state_dict()
    schedulers = torch.optim.lr_scheduler
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    optimizer.step()
    for made in (
        schedulers.StepLR(optimizer, 2),
        schedulers.MultiStepLR(optimizer, [2, 4]),
        schedulers.ExponentialLR(optimizer, 0.9),
        schedulers.CosineAnnealingLR(optimizer, 10),
        schedulers.CosineAnnealingWarmRestarts(optimizer, 10),
        schedulers.LinearLR(optimizer),
        schedulers.PolynomialLR(optimizer),
        schedulers.ReduceLROnPlateau(optimizer),
        schedulers.OneCycleLR(optimizer, 0.1, 10),
        schedulers.LambdaLR(optimizer, lambda epoch: 0.5),
        schedulers.SequentialLR(optimizer, [schedulers.ConstantLR(optimizer), schedulers.StepLR(optimizer, 2)], [2]),
    ):
        yield f"state of {type(made).__name__}", made.state_dict()


def torch_cases() -> list[Case]:
    """Return a case for each object of torch, and some for streams that are forged whole: a third of all uses."""
    changed = [Case(f"torch {name}", lambda made=made: made, _use, trust.torch()) for name, made in torch_objects()]  # type: ignore[misc]
    return changed + forged_cases(_use) * (len(changed) // 10)


def _use(loaded: Any) -> None:
    """Use each tensor of an object."""
    waiting, count = [loaded], 0
    while waiting and count < 100:
        item = waiting.pop()
        count += 1
        for step in _STEPS:
            try:
                step(item)
            except Exception:  # an answer to a wrong question
                continue
        if isinstance(item, dict):
            waiting += [*item.values(), getattr(item, "_metadata", None)]
        elif type(item) in (list, tuple):
            waiting += item


def _functional(name: str, *arguments: Any) -> Callable[[Any], Any]:
    def run(item: Any) -> Any:
        import torch

        return getattr(torch, name)(item, *arguments)

    return run


def _backward(item: Any) -> None:
    (item.detach().clone().requires_grad_() * 2).sum().backward()


def _changed(item: Any) -> None:
    """Write to a tensor, which others of the same storage see."""
    item.detach().zero_()


_STEPS: tuple[Callable[[Any], Any], ...] = (
    repr,
    str,
    len,
    lambda x: x == x,
    lambda x: x + x,
    lambda x: x * 2,
    lambda x: x.sum(),
    lambda x: x.sum(0),
    lambda x: x.mean(),
    lambda x: x.max(),
    lambda x: x.max(0),
    lambda x: x.argmax(),
    lambda x: x.sort(),
    lambda x: x.cumsum(0),
    lambda x: x.unique(),
    lambda x: x.nonzero(),
    lambda x: x[x.bool()],
    lambda x: x.masked_fill(x.bool(), 1),
    lambda x: x[0],
    lambda x: x[-1],
    lambda x: x[..., 0],
    lambda x: x[[0, 1, 0]],
    lambda x: x.index_select(0, _index(0, 1)),
    lambda x: x.gather(0, _index(0, 1)),
    lambda x: _ones(20)[x],
    lambda x: _ones(5).masked_scatter(x.bool(), _ones(5)),
    lambda x: x.T,
    lambda x: x.T.contiguous(),
    lambda x: x.transpose(0, 1).sum(),
    lambda x: x @ x.T if x.shape[0] < 1 << 12 else None,
    lambda x: x @ _ones(x.shape[-1]),
    lambda x: x @ _ones(x.shape[-1], 3),
    lambda x: _ones(3, x.shape[0]) @ x,
    lambda x: x.bmm(x.transpose(1, 2)),
    lambda x: x.mv(_ones(x.shape[-1])),
    lambda x: x.reshape(-1),
    lambda x: x.flatten().sum(),
    lambda x: x.clone(),
    lambda x: x.contiguous(),
    lambda x: x.tolist() if x.numel() < 1 << 16 else None,
    lambda x: x.numpy(),
    lambda x: x.to("cpu"),
    lambda x: x.float().sum(),
    lambda x: x.double(),
    lambda x: x.to(_ones(1).bfloat16().dtype),
    lambda x: x.int().sum(),
    lambda x: x.bool().sum(),
    lambda x: x.half(),
    lambda x: x.detach().requires_grad_(),
    lambda x: x.resolve_conj().resolve_neg(),
    lambda x: x.conj(),
    lambda x: x.abs().sum(),
    lambda x: x.unfold(0, 2, 1).sum(),
    lambda x: x.permute(*range(x.dim())[::-1]).sum(),
    lambda x: x.coalesce(),
    lambda x: _small(x).coalesce().to_dense().sum(),
    lambda x: x.indices().sum(),
    lambda x: x.values().sum(),
    lambda x: x.crow_indices().sum(),
    lambda x: x.ccol_indices().sum(),
    lambda x: _small(x).to_dense().sum(),
    lambda x: _small(x).to_sparse().to_dense(),
    lambda x: _small(x).to_sparse_csr().to_dense(),
    lambda x: _small(x).to_sparse_csc().to_dense(),
    lambda x: _small(x).to_sparse_bsr((2, 2)).to_dense(),
    lambda x: _small(x).to_sparse_coo().to_dense(),
    lambda x: x.sparse_mask(x.coalesce()),
    _functional("add", 1),
    _functional("neg"),
    _functional("sin"),
    _functional("exp"),
    _functional("isnan"),
    _functional("logical_not"),
    _functional("bitwise_not"),
    _functional("bincount"),
    _functional("histc"),
    _functional("softmax", 0),
    _functional("topk", 2),
    _functional("median"),
    _functional("norm"),
    _functional("diff"),
    _functional("flip", (0,)),
    _functional("roll", 1),
    _functional("fft", 3),
    _functional("save", "/dev/null"),
    lambda x: x.dequantize().sum(),
    lambda x: x.int_repr().sum(),
    lambda x: x.q_scale(),
    lambda x: x.q_per_channel_scales().sum(),
    lambda x: x.unbind() if x.is_nested else None,  # others may have very many rows
    lambda x: [part.sum() for part in x.unbind()] if x.is_nested else None,
    lambda x: x.to_padded_tensor(0.0).sum(),
    lambda x: x.storage(),
    lambda x: x.nbytes(),
    lambda x: x.untyped_storage().tolist() if x.untyped_storage().nbytes() < 1 << 16 else None,
    lambda x: hash(x),
    lambda x: x.is_contiguous(),
    lambda x: x.numel(),
    _backward,
    _changed,
    repr,
    lambda x: _small(x).to_dense().sum(),
    lambda x: x.clone(),
)


def _small(tensor: Any) -> Any:
    """Return a tensor that is not too large to be dense: a sparse one may be larger than any memory."""
    if tensor.numel() > 1 << 22:
        raise ValueError("too large")
    return tensor


def _ones(*shape: int) -> Any:
    import torch

    return torch.ones(*shape)


def _index(*numbers: int) -> Any:
    import torch

    return torch.tensor(numbers)
