"""The forms of what torch pickles: tensors over storages, parameters, modules.

Rule: a tensor is the array. Its storage is not shown, so that a buffer has the name of the first tensor that lies in
it. A module shows its parameters, buffers and modules as its own parts, as the keys of its state dict name them.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Sequence

import numpy as np

from ...errors import BinPickleError, FormatError
from ...format.views import View
from ...pickling.renames import Name
from ...trust.rules.checks import expect_int, expect_ints
from ...trust.tokens import Global
from ..form import Context, Form, Rule
from ..held import attribute_pairs
from ..instances import attributes, dict_parts
from ..items import Buffer, Made, elements_of, is_call, pairs_of
from ..layout import checked
from ..short import name_of
from .arrays import data_of

__all__ = ["RULES", "is_module", "module"]

_MAX = (1 << 63) - 1
_MOST_FIELDS = 3

_NUMBERS = frozenset(
    ["bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]
    + ["float16", "float32", "float64", "complex64", "complex128"]
)
# Those that NumPy has not are shown as integers of their size, if the index does not know better.
_OTHERS = {"bfloat16": "u2", "complex32": "u4", "qint8": "i1", "quint8": "u1", "qint32": "i4", "bits8": "u1"}
_OF_ONE_BYTE = ("float8_", "float4_")

_SIZE: Name = ("torch", "Size")
_TYPED: Name = ("binpickle.rebuild", "torch_typed_storage")
_STORAGE: Name = ("binpickle.rebuild", "torch_storage")
_NDARRAY: Name = ("numpy", "ndarray")

_MODULE = ("_parameters", "_buffers", "_modules")
_PARTS_OF_SPARSE = {
    "torch.sparse_coo": ("indices", "values"),
    "torch.sparse_csr": ("crow_indices", "col_indices", "values"),
    "torch.sparse_csc": ("ccol_indices", "row_indices", "values"),
    "torch.sparse_bsr": ("crow_indices", "col_indices", "values"),
    "torch.sparse_bsc": ("ccol_indices", "row_indices", "values"),
}


def _tensor(context: Context, made: Made) -> Form:
    storage, offset, size, strides, *_ = made.arguments
    name = ""
    if is_call(storage, _TYPED):
        storage, dtype = storage.arguments
        name = _dtype_name(dtype)
    return _over(context, made, storage, name, (offset, size, strides))


def _tensor_v3(context: Context, made: Made) -> Form:
    storage, offset, size, strides, _, _, dtype, *_ = made.arguments
    if is_call(storage, _TYPED):
        storage, _ = storage.arguments
    return _over(context, made, storage, _dtype_name(dtype), (offset, size, strides))


def _over(context: Context, made: Made, storage: Any, name: str, where: tuple[Any, ...]) -> Form:
    """Return the form of a tensor over a storage: an array of NumPy, whose buffer it has."""
    if not is_call(storage, _STORAGE):
        raise FormatError("a tensor has no storage that BinPickle wrote")
    (array,) = storage.arguments
    if not is_call(array, _NDARRAY):
        raise FormatError("a storage has no array")
    data = data_of(array.arguments[2]) if len(array.arguments) > 2 else b""
    if data is None:
        raise FormatError("a storage has no buffer")
    texts, children = attributes(context, made)
    value = "" if name in _NUMBERS else name
    view = partial(_view, context, data, name, where)
    return Form("torch:Tensor", texts, children, data=data, view=view, value=value)


def _dtype_name(dtype: Any) -> str:
    return dtype.name[1] if type(dtype) is Global and dtype.name[0] == "torch" else ""


def _view(context: Context, data: Any, name: str, where: tuple[Any, ...]) -> View | None:
    try:
        offset, size, strides = where
        dtype = _dtype(context, data, name)
        if dtype is None:
            return None
        steps = tuple(step * dtype.itemsize for step in expect_ints(strides, "the strides of a tensor"))
        begin = expect_int(offset, "the offset of a tensor", 0, _MAX) * dtype.itemsize
        return checked(context, View(dtype, expect_ints(_size(size), "the shape of a tensor"), steps, begin), data)
    except (BinPickleError, TypeError, ValueError):
        return None


def _dtype(context: Context, data: Any, name: str) -> np.dtype | None:
    """Return the dtype of NumPy for one of torch: of the same size, if NumPy has no such type."""
    if name in _NUMBERS:
        return np.dtype(name)
    spec = "u1" if name.startswith(_OF_ONE_BYTE) else _OTHERS.get(name)
    if spec is None:
        return None
    dtype = np.dtype(spec)
    known = context.kind_of(data).dtype if type(data) is Buffer else None
    return known if known is not None and known.itemsize == dtype.itemsize else dtype


def _size(size: Any) -> Any:
    return size.arguments[0] if is_call(size, _SIZE) else size


def _parameter(context: Context, made: Made) -> Form:
    """Return the form of a parameter: the tensor, and what was added to it."""
    texts, children = attributes(context, made)
    if len(made.arguments) > _MOST_FIELDS and type(made.arguments[_MOST_FIELDS]) is dict:
        more, items = dict_parts(context, pairs_of(made.arguments[_MOST_FIELDS]))
        texts, children = [*texts, *more], [*children, *items]
    return Form("torch.nn.parameter:Parameter", texts, children, inner=made.arguments[0])


def _of_type(context: Context, made: Made) -> Form:
    """Return the form of a tensor of another class: the function and arguments that make it, and its state."""
    function, cls, arguments, state = made.arguments
    texts, children = dict_parts(context, pairs_of(state)) if type(state) is dict else ([], [])
    inner = context.call(arguments, function, arguments)
    return Form(name_of(cls), texts, children, inner=inner)


def _sparse(context: Context, made: Made) -> Form:
    layout, parts = made.arguments
    names = _PARTS_OF_SPARSE[layout.arguments[0]]
    if len(parts) < len(names):
        raise FormatError("a sparse tensor lacks a part")
    return Form("torch:Tensor", names, parts[: len(names)], value=layout.arguments[0])


def _quantized(context: Context, made: Made) -> Form:
    form = _tensor(context, made)
    return Form(
        form.type, [*form.texts, "quantizer"], [*form.children, made.arguments[4]], data=form.data, view=form.view
    )


def _nested(context: Context, made: Made) -> Form:
    names = ("values", "sizes", "strides", "offsets")
    return Form("torch:Tensor", names[: len(made.arguments)], made.arguments[: len(names)], value="nested")


def _storage(context: Context, made: Made) -> Form:
    return Form("torch:storage", inner=made.arguments[0])


def is_module(state: dict[Any, Any]) -> bool:
    """Whether a dict of attributes is that of a module."""
    names = state.keys()
    return names >= {*_MODULE} and all(_entries(state[name]) is not None for name in _MODULE)


def module(context: Context, made: Made) -> Form:
    """Return the form of a module, whose state is one of attributes."""
    texts: list[str] = []
    children: list[Any] = []
    pairs = attribute_pairs(context, made) or ()
    for name, item in zip(pairs[::2], pairs[1::2]):
        if name in _MODULE:
            more, items = dict_parts(context, _entries(item) or ())
            texts += more
            children += items
        elif type(name) is not str or not name.startswith("_") or not _is_empty(item):  # most have no hooks
            texts.append(name if type(name) is str else "state")
            children.append(item)
    return Form(name_of(made.function), texts, children, besides=pairs)


def _entries(item: Any) -> Sequence[Any] | None:
    """Return the keys and values of a dict or an `OrderedDict`; `None` for anything else."""
    if type(item) is dict:
        return pairs_of(item)
    if is_call(item, ("collections", "OrderedDict")) and item.arguments == ():
        return item.more.pairs if item.more is not None else ()
    return None


def _is_empty(item: Any) -> bool:
    entries = _entries(item)
    if entries is None:
        return item is None or (type(item) is set and not elements_of(item))
    return not entries


RULES: dict[Name, Rule] = {
    ("torch._utils", "_rebuild_tensor"): _tensor,
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("binpickle.rebuild", "torch_tensor_v3"): _tensor_v3,
    ("torch._utils", "_rebuild_qtensor"): _quantized,
    ("torch._utils", "_rebuild_nested_tensor"): _nested,
    ("torch._utils", "_rebuild_parameter"): _parameter,
    ("torch._utils", "_rebuild_parameter_with_state"): _parameter,
    ("torch._tensor", "_rebuild_from_type_v2"): _of_type,
    ("binpickle.rebuild", "torch_sparse_tensor"): _sparse,
    _STORAGE: _storage,
    _TYPED: _storage,
}
"""The rules of tensors, by canonical name."""
