"""Element types in the index: a closed grammar for NumPy dtypes.

Rule: every dtype that comes out consists of plain bytes. Objects, StringDType and types of other libraries have no
form here, because an object array made from the bytes of a file is an array of forged pointers.

Grammar::

    type   = plain | [type, [length, ...]]                      a subarray
           | {"fields": [[name, type, offset], ...], "itemsize": n, "aligned": true or absent}
    plain  = byte order, kind, size as `numpy.dtype.str` writes them: "<f8", "|b1", "<M8[ns]", "|S5"
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Sequence

import numpy as np

from ..errors import FormatError
from .contents import Kind
from .shapes import MAX_ITEMSIZE, element_count, fields_fit, is_array, is_shape, is_subarray

__all__ = ["copied", "dtype_from_spec", "dtype_name", "dtype_spec", "is_registered", "kind_from_packed", "pack_kinds"]

# Of dates no multiple of 0: NumPy divides by it, and the process ends.
_PLAIN = re.compile(
    r"[<>|](?:[biufc](?:1|2|4|8|10|12|16|20|24|32)|[SUV]\d{1,9}"
    r"|[mM]8(?:\[(?:[1-9]\d{0,8})?(?:[YMWDhms]|[munpfa]s)\])?)",
    re.ASCII,
)

_MAX_DEPTH = 8
_MOST_NAMED = 1000


def is_registered(dtype: np.dtype) -> bool:
    """Whether another library registered a dtype with NumPy, as ml_dtypes does: its letters mean nothing in a file."""
    return dtype.isbuiltin == 2


def dtype_spec(dtype: np.dtype) -> Any | None:
    """Return the form of `dtype` in the index, or `None` where the grammar has none."""
    if dtype.hasobject:
        return None
    if dtype.subdtype:
        base = dtype_spec(dtype.subdtype[0])
        return None if base is None or dtype.subdtype[0].subdtype else [base, list(dtype.subdtype[1])]
    if dtype.fields:
        return _struct_spec(dtype)
    if is_registered(dtype) or not _PLAIN.fullmatch(dtype.str):
        return None
    return dtype.str if np.dtype(dtype.str) == dtype else None


def _struct_spec(dtype: np.dtype) -> Any | None:
    fields = []
    for name in dtype.names or ():
        field, offset = dtype.fields[name][:2]  # type: ignore[index]
        spec = dtype_spec(field)
        if spec is None or not _is_text(name):
            return None
        fields.append([name, spec, offset])
    aligned = {"aligned": True} if dtype.isalignedstruct else {}
    return {"fields": fields, "itemsize": dtype.itemsize, **aligned}


def _is_text(name: str) -> bool:
    """Return whether MessagePack can hold a name: lone surrogates, which pickle takes, have no UTF-8."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def dtype_from_spec(spec: Any, depth: int = 0) -> np.dtype:
    """Return the dtype that a spec in an index stands for.

    Raises:
        FormatError: the spec is not in the grammar.
    """
    if depth > _MAX_DEPTH:
        raise FormatError("index: an element type is nested too deeply")
    if isinstance(spec, str):
        return _plain(spec)
    try:
        dtype = _struct(spec, depth) if isinstance(spec, dict) else _subarray(spec, depth)
    except FormatError:
        raise
    except (TypeError, ValueError, KeyError, OverflowError, MemoryError) as error:
        raise FormatError(f"index: {spec!r:.80} is not an element type: {str(error):.80}") from None
    return dtype


@lru_cache(maxsize=256)
def _plain(spec: str) -> np.dtype:
    if not _PLAIN.fullmatch(spec):
        raise FormatError(f"index: {spec!r:.80} is not an element type that a file may name")
    try:
        dtype = np.dtype(spec)
    except (TypeError, ValueError) as error:
        raise FormatError(f"index: NumPy has no element type {spec!r} here: {error}") from None
    if int(re.sub(r"\D.*", "", spec[2:]) or 8) * (4 if dtype.kind == "U" else 1) > MAX_ITEMSIZE:
        raise FormatError(f"index: {spec!r} is larger than NumPy allows")  # NumPy 1 takes it, and the size overflows
    return dtype


def _subarray(spec: Any, depth: int) -> np.dtype:
    inner, shape = spec
    base = dtype_from_spec(inner, depth + 1)
    if not is_shape(shape):
        raise FormatError(f"index: {shape!r:.80} is not the shape of a subarray")
    if not is_subarray(base, shape):
        raise FormatError("index: an element type has more or larger dimensions than NumPy allows")
    return np.dtype((base, tuple(shape)))


def _struct(spec: Any, depth: int) -> np.dtype:
    names, types, offsets = zip(*spec["fields"])  # no fields at all: NumPy 1 divides by their alignment, which is 0
    formats = [dtype_from_spec(t, depth + 1) for t in types]
    numbers = (*offsets, spec["itemsize"])
    if not all(isinstance(name, str) for name in names) or not all(type(n) is int for n in numbers):
        raise FormatError("index: a structured type needs names, offsets and an item size")
    if not fields_fit(formats, offsets, spec["itemsize"]):
        raise FormatError("index: a structured type has fields that lie outside of it")
    layout: Any = {"names": list(names), "formats": formats, "offsets": list(offsets), "itemsize": spec["itemsize"]}
    dtype: np.dtype = np.dtype(layout, align=spec.get("aligned") is True)
    return dtype


def copied(dtype: np.dtype) -> np.dtype:
    """Return an equal dtype for a caller, who may rename the fields of a structured one, at every level.

    Args:
        dtype: of the grammar.
    """
    if dtype.subdtype:
        base, shape = dtype.subdtype
        return np.dtype((copied(base), shape))
    if dtype.names is None:
        return dtype  # nothing of it can be changed
    fields = [dtype.fields[name][:2] for name in dtype.names]  # type: ignore[index]
    formats, offsets = [copied(field) for field, _ in fields], [offset for _, offset in fields]
    layout: Any = {"names": list(dtype.names), "formats": formats, "offsets": offsets, "itemsize": dtype.itemsize}
    made: np.dtype = np.dtype(layout, align=dtype.isalignedstruct)
    return made


def dtype_name(dtype: np.dtype) -> str:
    """Return what NumPy calls a dtype, and of a structure of many fields only how many there are.

    NumPy takes a second to write down the fields that an index of a megabyte can list.
    """
    fields = len(dtype.names or ())
    return f"structure of {fields} fields, {dtype.itemsize} bytes" if fields > _MOST_NAMED else str(dtype)


def pack_kinds(kinds: Sequence[Kind]) -> list[Any]:
    """Return the kinds as the index holds them: `[type, shape, order]` each, or a length if the grammar has no type."""
    specs: dict[int, Any] = {}  # arrays of one structured type mostly share the object, and its form takes time to make
    return [_pack(kind, specs) for kind in kinds]


def _pack(kind: Kind, specs: dict[int, Any]) -> Any:
    dtype, shape = kind.dtype, list(kind.shape or ())
    if dtype is None or not is_array(dtype, shape):
        return kind.nbytes
    if id(dtype) not in specs:
        spec = dtype_spec(dtype)
        specs[id(dtype)] = spec if isinstance(spec, str) or _reads_back(spec) else None
    spec = specs[id(dtype)]
    if spec is None:
        return kind.nbytes
    return [spec, shape, kind.order if isinstance(kind.order, str) else list(kind.order)]


def _reads_back(spec: Any) -> bool:
    """Return whether readers take an element type: the index allows less nesting than NumPy does."""
    try:
        dtype_from_spec(spec)
    except FormatError:
        return False
    return True


def kind_from_packed(kind: Any) -> Kind:
    """Return the kind that the index describes.

    Raises:
        FormatError: it is not a kind, or one that NumPy cannot make.
        TypeError, ValueError: it is not even a list of three.
    """
    if type(kind) is int and 0 <= kind < 1 << 62:
        return Kind(kind)
    spec, shape, order = kind
    if not is_shape(shape):
        raise FormatError(f"index: {shape!r:.80} is not a shape")
    if order not in ("C", "F"):
        order = tuple(order) if isinstance(order, list) else (None,)
        if not all(type(axis) is int for axis in order) or sorted(order) != list(range(len(shape))):
            raise FormatError(f"index: {order!r:.80} is not an order of {len(shape)} axes")
    dtype = dtype_from_spec(spec)
    if not is_array(dtype, shape):
        raise FormatError(f"index: no array has shape {shape!r:.80} and type {str(dtype):.80}")
    return Kind(dtype.itemsize * element_count(shape), dtype, tuple(shape), order)
