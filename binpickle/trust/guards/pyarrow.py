"""Guards for arrays and tables of pyarrow, which streams make by calls from buffers of memory.

Rule: the number of buffers and of children must be that of the type, or pyarrow ends the process. All else that an
array says of its buffers is then checked by pyarrow's own full validation, which is made for hostile data.
"""

from __future__ import annotations

from typing import Any, Callable

import numpy as np

from ...errors import FormatError
from ..budget import Budget
from ..rules.checks import expect, expect_int
from .guard import Guard, accept, refuse_state

__all__ = ["ARGUMENTS", "STATES", "expect_arrow", "is_arrow"]

_LIB = "pyarrow.lib"
_MOST_FIELDS = 1 << 12
_LONGEST_NAME = 1 << 10
_MOST = (1 << 63) - 1

# How many buffers each type has, by its number. Numbers of types never change their meaning.
_FIXED = dict.fromkeys((*range(1, 13), 15, 16, 17, 18, 19, 20, 23, 24, 33, 37), 2)
_BUFFERS = {0: 1, **_FIXED, 13: 3, 14: 3, 34: 3, 35: 3, 25: 2, 36: 2, 26: 1, 32: 1, 29: 2}
_LISTS = (25, 32, 36)
_FIXED_LIST = 32
_STRUCT = 26
_DICTIONARY = 29


def is_arrow(value: Any, *names: str) -> bool:
    """Whether a value is an instance of one of these classes of pyarrow."""
    return any(base.__module__ == _LIB and base.__name__ in names for base in type(value).__mro__)


def expect_arrow(value: Any, what: str, *names: str) -> Any:
    """Return `value` if it is an instance of one of these classes of pyarrow.

    Raises:
        FormatError: it is not.
    """
    if not is_arrow(value, *names):
        raise FormatError(f"{what} is a {type(value).__name__}")
    return value


def _buffer(budget: Budget, memory: Any) -> None:
    """Check the argument of `py_buffer`."""
    if type(memory) is np.ndarray:
        if memory.dtype.char != "B" or memory.ndim != 1 or not memory.flags.c_contiguous:
            raise FormatError("a buffer of pyarrow is an array that is not of bytes")
    elif not expect(memory, "a buffer of pyarrow", bytes, bytearray, memoryview):
        return
    if type(memory) is memoryview and not memory.c_contiguous:
        raise FormatError("a buffer of pyarrow is not contiguous")


def _array(budget: Budget, data: Any) -> None:
    """Check the argument of `_restore_array`: type, length, nulls, offset, buffers, children and dictionary."""
    budget.pay(8)
    if len(expect(data, "the data of an array of pyarrow", tuple)) != 7:
        raise FormatError("the data of an array of pyarrow has not seven parts")
    kind, length, nulls, offset, buffers, children, dictionary = data
    number = expect_arrow(kind, "the type of an array of pyarrow", "DataType").id
    if _BUFFERS.get(number) != len(expect(buffers, "the buffers of an array of pyarrow", list)):
        raise FormatError(f"an array of pyarrow of the type {kind} has {len(buffers)} buffers")
    budget.pay(expect_int(length, "the length of an array of pyarrow", 0, _MOST) >> 7)  # no data need stand for it
    expect_int(nulls, "the nulls of an array of pyarrow", -1, length)
    expect_int(offset, "the offset of an array of pyarrow", 0, _MOST - length)
    for i, buffer in enumerate(buffers):
        if buffer is None and i:
            raise FormatError(f"an array of pyarrow of the type {kind} has no buffer {i}")
        if buffer is not None:
            budget.pay_look(expect_arrow(buffer, "a buffer of an array of pyarrow", "Buffer").size)
    wanted = _child_types(kind, number)
    if len(expect(children, "the children of an array of pyarrow", list)) != len(wanted):
        raise FormatError(f"an array of pyarrow of the type {kind} has {len(children)} children")
    # Of these, pyarrow's validation does not look at the offset.
    needed = (offset + length) * (kind.list_size if number == _FIXED_LIST else 1 if number == _STRUCT else 0)
    for child in children:
        if len(expect(child, "a child of an array of pyarrow", tuple)) != 7 or _too_short(child, needed):
            raise FormatError(f"an array of pyarrow of the type {kind} has a child of fewer than {needed} elements")
    if (dictionary is None) != (number != _DICTIONARY):
        raise FormatError(f"an array of pyarrow of the type {kind} has a dictionary, or lacks it")
    if dictionary is not None:
        children, wanted = [dictionary], [kind.value_type]
    for child, child_kind in zip(children, wanted):
        _array(budget, child)
        if not child[0].equals(child_kind):
            raise FormatError(f"an array of pyarrow of the type {kind} has a child of the type {child[0]}")


def _too_short(child: Any, needed: int) -> bool:
    return type(child[1]) is not int or child[1] < needed


def _child_types(kind: Any, number: int) -> list[Any]:
    """Return the types of the arrays in an array."""
    if number in _LISTS:
        return [kind.value_type]
    if number == _STRUCT:
        return [kind.field(i).type for i in range(kind.num_fields)]
    return []


def _chunked(budget: Budget, arrays: Any, kind: Any = None) -> None:
    """Check the arguments of `chunked_array`."""
    expect_arrow(kind, "the type of a chunked array", "DataType")
    budget.pay(len(expect(arrays, "the chunks of a chunked array", list)))
    for array in arrays:
        if not expect_arrow(array, "a chunk of a chunked array", "Array").type.equals(kind):
            raise FormatError("a chunked array has chunks of several types")


def _table(budget: Budget, columns: Any, schema: Any) -> None:
    """Check the arguments of what makes tables and record batches."""
    fields = list(expect_arrow(schema, "the schema of a table", "Schema"))
    budget.pay(len(expect(columns, "the columns of a table", list)) + len(fields))
    if len(fields) != len(columns):
        raise FormatError("a table has more or fewer columns than fields")
    for column, field in zip(columns, fields):
        held = expect_arrow(column, "a column of a table", "Array", "ChunkedArray")
        if not held.type.equals(field.type) or len(held) != len(columns[0]):
            raise FormatError("a table has columns that do not fit its schema or each other")


def _alias(budget: Budget, name: Any) -> None:
    """Check the argument of `type_for_alias`."""
    if len(expect(name, "the name of a type of pyarrow", str)) > 40:
        raise FormatError("a type of pyarrow has a name of more than 40 characters")


def _timestamp(budget: Budget, unit: Any, zone: Any = None) -> None:
    """Check the arguments of `timestamp`."""
    if unit not in ("s", "ms", "us", "ns") or type(zone) not in (str, type(None)) or len(zone or "") > 64:
        raise FormatError("a timestamp of pyarrow has no known unit, or a time zone without a name")


def _decimal(most: int) -> Callable[..., None]:
    """Return the check of the arguments of types of decimal numbers."""

    def check(budget: Budget, precision: Any, scale: Any = 0) -> None:
        expect_int(precision, "the digits of a decimal type of pyarrow", 1, most)
        expect_int(scale, "the scale of a decimal type of pyarrow", -most, most)

    return check


def _binary(budget: Budget, width: Any) -> None:
    """Check the argument of `binary`, the type of items of one width."""
    expect_int(width, "the width of a binary type of pyarrow", 1, 1 << 24)


def _list(budget: Budget, item: Any, size: Any = -1) -> None:
    """Check the arguments of types of lists."""
    _expect_small(budget, [expect_arrow(item, "the items of a list type of pyarrow", "DataType", "Field")])
    expect_int(size, "the size of a list type of pyarrow", -1, 1 << 24)


def _struct(budget: Budget, fields: Any) -> None:
    """Check the argument of `struct`."""
    budget.pay(len(expect(fields, "the fields of a struct type of pyarrow", list)))
    _expect_small(budget, [expect_arrow(field, "a field of a struct type of pyarrow", "Field") for field in fields])


def _dictionary(budget: Budget, index: Any, value: Any, ordered: Any = False) -> None:
    """Check the arguments of `dictionary`, the type of arrays of codes."""
    if not 2 <= expect_arrow(index, "the codes of a dictionary type", "DataType").id <= 9:
        raise FormatError("a dictionary type of pyarrow has codes that are not integers")
    _expect_small(budget, [expect_arrow(value, "the values of a dictionary type", "DataType")])
    expect(ordered, "whether a dictionary type is ordered", bool)


def _field(budget: Budget, name: Any, kind: Any, nullable: Any = True, metadata: Any = None) -> None:
    """Check the arguments of `field`."""
    if len(expect(name, "the name of a field of pyarrow", str)) > _LONGEST_NAME:
        raise FormatError(f"a field of pyarrow has a name of more than {_LONGEST_NAME} characters")
    _expect_small(budget, [expect_arrow(kind, "the type of a field of pyarrow", "DataType")])
    expect(nullable, "whether a field of pyarrow is nullable", bool)
    _metadata(budget, metadata)


def _schema(budget: Budget, fields: Any, metadata: Any = None) -> None:
    """Check the arguments of `schema`."""
    budget.pay(len(expect(fields, "the fields of a schema", list)))
    _expect_small(budget, [expect_arrow(field, "a field of a schema", "Field") for field in fields])
    _metadata(budget, metadata)


def _expect_small(budget: Budget, kinds: list[Any]) -> None:
    """Refuse types that have too many fields, counted with repetitions: pyarrow shows them whole, and hashes the text.

    Args:
        budget: pays for the walk.
        kinds: types, and fields of types.

    Raises:
        FormatError: they have.
    """
    waiting, count = list(kinds), 0
    while waiting:
        here = waiting.pop()
        here = here.type if hasattr(here, "nullable") else here
        count += 1
        if count > _MOST_FIELDS:
            raise FormatError(f"a type of pyarrow has more than {_MOST_FIELDS} fields")
        waiting += _child_types(here, here.id) or ([here.value_type] if here.id == _DICTIONARY else [])
    budget.pay(2 * count)


def _metadata(budget: Budget, metadata: Any) -> None:
    for key, value in (expect(metadata, "metadata of pyarrow", dict, type(None)) or {}).items():
        budget.pay_look(len(expect(key, "a key of metadata", bytes)) + len(expect(value, "metadata", bytes)))


def _validate(budget: Budget, instance: Any) -> None:
    """Let pyarrow look at every number of an array that compiled code could follow.

    The call that made the array has paid for its buffers. Nothing else is asked of an array before this, not even its
    size, which pyarrow finds in the buffers.
    """
    try:
        instance.validate(full=True)
    except (ValueError, TypeError, OverflowError) as error:  # what pyarrow's errors are
        raise FormatError(f"a {type(instance).__name__} of pyarrow is not valid: {error}") from error


ARGUMENTS: dict[tuple[str, str], Callable[..., None]] = {
    (_LIB, "py_buffer"): _buffer,
    (_LIB, "_restore_array"): _array,
    (_LIB, "chunked_array"): _chunked,
    (_LIB, "_reconstruct_table"): _table,
    (_LIB, "_reconstruct_record_batch"): _table,
    (_LIB, "type_for_alias"): _alias,
    (_LIB, "timestamp"): _timestamp,
    (_LIB, "decimal128"): _decimal(38),
    (_LIB, "decimal256"): _decimal(76),
    (_LIB, "binary"): _binary,
    (_LIB, "list_"): _list,
    (_LIB, "large_list"): _list,
    (_LIB, "struct"): _struct,
    (_LIB, "dictionary"): _dictionary,
    (_LIB, "field"): _field,
    (_LIB, "schema"): _schema,
}
"""See `guards.ARGUMENTS`."""

STATES: dict[tuple[str, str], Guard] = {
    (_LIB, "Array"): Guard(_validate, needs_state=False, before=refuse_state),
    **{
        (_LIB, name): Guard(accept, needs_state=False, before=refuse_state)
        for name in ("ChunkedArray", "Table", "RecordBatch", "Buffer", "DataType", "Field", "Schema")
    },
}
"""See `guards.STATES`."""
