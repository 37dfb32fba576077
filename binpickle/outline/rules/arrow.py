"""The forms of what pyarrow pickles: tables, arrays, and the buffers of an array by what they hold.

Rule: the names of an array's parts are those of Arrow's columnar format: `validity`, `offsets`, `values` and so on.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Sequence

import numpy as np

from ...errors import FormatError
from ...format.views import View
from ...pickling.renames import Name
from ..form import Context, Form, Rule
from ..items import Buffer, Made, is_call
from ..layout import contiguous
from ..short import value_text
from .arrays import data_of

__all__ = ["RULES", "strings_of"]

_ARRAY: Name = ("pyarrow.lib", "_restore_array")
_BUFFER: Name = ("pyarrow.lib", "py_buffer")
_ALIAS: Name = ("pyarrow.lib", "type_for_alias")
_FIELD: Name = ("pyarrow.lib", "field")
_SCHEMA: Name = ("pyarrow.lib", "schema")
_OFFSETS: dict[Any, np.dtype] = {"string": np.dtype("i4"), "large_string": np.dtype("i8")}
_BUFFERS = {1: ("validity",), 3: ("validity", "offsets", "data")}


def _array(context: Context, made: Made) -> Form:
    kind, length, _, _, buffers, parts, dictionary = made.arguments[0]
    names = _BUFFERS.get(len(buffers), ("validity", "offsets" if parts else "values"))
    names = names if len(names) == len(buffers) else tuple(map(str, range(len(buffers))))
    found = [(name, buffer) for name, buffer in zip(names, buffers) if buffer is not None]
    arrays = [context.call(part, made.function, (part,)) for part in parts]
    found += zip(_names_of_parts(kind, len(parts)), arrays)
    if dictionary is not None:
        found.append(("dictionary", dictionary))
    context.budget.pay(len(found))
    return Form("pyarrow:Array", [name for name, _ in found], [item for _, item in found], value=_type_text(kind))


def _names_of_parts(kind: Any, count: int) -> Sequence[str]:
    """Return the names of the arrays in an array: the fields of a structure, or the items of lists."""
    fields = kind.arguments[0] if type(kind) is Made and kind.arguments else None
    if type(fields) is list and len(fields) == count and all(is_call(field, _FIELD) for field in fields):
        return [_name(field) for field in fields]
    return ["items"] if count == 1 else list(map(str, range(count)))


def _name(field: Made) -> str:
    """Return the name of a field."""
    name = field.arguments[0]
    return name if type(name) is str else value_text(name)


def _type_text(kind: Any) -> str:
    return kind.arguments[0] if is_call(kind, _ALIAS) and type(kind.arguments[0]) is str else value_text(kind)


def _buffer(context: Context, made: Made) -> Form:
    data = data_of(made.arguments[0])
    if data is None:
        raise FormatError("a buffer of Arrow has no buffer")
    return Form("pyarrow:Buffer", data=data, view=partial(_bytes_view, data))


def _bytes_view(data: Any) -> View | None:
    return None if type(data) is Buffer else contiguous(np.dtype(np.uint8), (len(data),))


def _chunked(context: Context, made: Made) -> Form:
    chunks = made.arguments[0]
    return Form("pyarrow:ChunkedArray", inner=chunks[0] if len(chunks) == 1 else chunks)


def _table(context: Context, made: Made) -> Form:
    columns, schema = made.arguments
    if not is_call(schema, _SCHEMA) or len(schema.arguments[0]) != len(columns):
        raise FormatError("a table has another schema than columns")
    context.budget.pay(len(columns))
    names = [_name(field) if is_call(field, _FIELD) else "" for field in schema.arguments[0]]
    kind = "Table" if made.function.name[1] == "_reconstruct_table" else "RecordBatch"
    return Form(f"pyarrow:{kind}", names, columns)


def strings_of(context: Context, item: Any, most: int) -> list[Any] | None:
    """Return the first strings of an array of strings; `None` if they cannot be read.

    Args:
        context: what forms need.
        item: what makes the array.
        most: how many are needed at most.
    """
    if not is_call(item, _ARRAY):
        return None
    kind, length, _, first, buffers, _, _ = item.arguments[0]
    dtype = _OFFSETS.get(_type_text(kind))
    if dtype is None or len(buffers) != 3 or type(length) is not int or type(first) is not int or first < 0:
        return None
    offsets, text = (context.read(_buffer(context, buffer).data) for buffer in buffers[1:])
    if offsets is None or text is None or not length:
        return None
    count = min(length, most)
    ends = np.frombuffer(offsets, dtype, count + 1, first * dtype.itemsize).tolist()
    data = bytes(text)
    context.budget.pay_bytes(len(data))
    if not ends[0] >= 0 or not all(a <= b for a, b in zip(ends, ends[1:])) or ends[-1] > len(data):
        return None
    return [data[a:b].decode("utf-8", "replace") for a, b in zip(ends, ends[1:])]


RULES: dict[Name, Rule] = {
    _ARRAY: _array,
    _BUFFER: _buffer,
    ("pyarrow.lib", "chunked_array"): _chunked,
    ("pyarrow.lib", "_reconstruct_table"): _table,
    ("pyarrow.lib", "_reconstruct_record_batch"): _table,
}
"""The rules of what pyarrow pickles, by canonical name."""
