"""Arrays and tables of pyarrow for the fuzz of use."""

from __future__ import annotations

import datetime
import decimal
from typing import Any, Callable, Iterator

from binpickle import trust

from .use import Case

__all__ = ["arrow_cases", "arrow_objects"]


def arrow_objects() -> Iterator[tuple[str, Any]]:
    """Yield an object of each type that the curated set of pyarrow knows, by name."""
    import pyarrow as pa

    day, time = datetime.date(2020, 1, 1), datetime.datetime(2020, 1, 1)
    fields = [pa.field("a", pa.int8()), pa.field("b", pa.list_(pa.string()), metadata={"k": "v"})]
    words = ["x", None, "a longer text", ""]
    columns: dict[str, Any] = {
        "int64": pa.array([1, None, 3, 4]),
        "bool": pa.array([True, None, False, True]),
        "float16": pa.array([1.5, None, 2.0, 3.0], pa.float32()),
        "string": pa.array(words),
        "large_string": pa.array(words, pa.large_string()),
        "binary": pa.array([b"ab", None, b"", b"c"]),
        "fixed binary": pa.array([b"ab", None, b"cd", b"ef"], pa.binary(2)),
        "date": pa.array([day] * 4),
        "time": pa.array([datetime.time(1)] * 4),
        "timestamp": pa.array([time] * 4, pa.timestamp("us", "Europe/Paris")),
        "duration": pa.array([time - time] * 4),
        "decimal": pa.array([decimal.Decimal("1.5"), None] * 2, pa.decimal128(5, 2)),
        "wide decimal": pa.array([decimal.Decimal("1.5"), None] * 2, pa.decimal256(50, 2)),
        "list": pa.array([[1, 2], None, [], [3]]),
        "large list": pa.array([[1, 2], None, [], [3]], pa.large_list(pa.int8())),
        "fixed list": pa.array([[1, 2], None, [3, 4], [5, 6]], pa.list_(pa.int8(), 2)),
        "lists of lists": pa.array([[["a"], []], None, [], [["b", "c"]]]),
        "struct": pa.array(
            [{"a": 1, "b": ["x", "y"]}, None, {"a": 2, "b": None}, {"a": 3, "b": []}], pa.struct(fields)
        ),
        "dictionary": pa.array(words).dictionary_encode(),
        "null": pa.nulls(4),
    }
    yield from columns.items()
    for name, array in columns.items():
        yield f"part of {name}", array.slice(1, 2)
        yield f"chunks of {name}", pa.chunked_array([array, array.slice(1, 1)])
    table = pa.table(columns).replace_schema_metadata({"key": "value"})
    yield "table", table
    yield "batch", table.to_batches()[0]
    yield "schema", table.schema


def arrow_cases() -> list[Case]:
    """Return a case for each object of pyarrow."""
    return [Case(f"pyarrow {name}", lambda made=made: made, _use, trust.pyarrow()) for name, made in arrow_objects()]  # type: ignore[misc]


def _use(loaded: Any) -> None:
    for step in _STEPS:
        try:
            step(loaded)
        except Exception:  # an answer to a wrong question
            continue
    for column in getattr(loaded, "columns", ()):
        _use(column)


def _compute(name: str) -> Callable[[Any], Any]:
    def run(loaded: Any) -> Any:
        import pyarrow.compute

        return getattr(pyarrow.compute, name)(loaded)

    return run


def _written(loaded: Any) -> None:
    """Write a table, or an array as one, in the format of Arrow's streams, and read it."""
    import pyarrow as pa

    table = loaded if isinstance(loaded, pa.Table) else pa.table({"a": loaded})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    pa.ipc.open_stream(sink.getvalue()).read_all().validate(full=True)


_STEPS: tuple[Callable[[Any], Any], ...] = (
    repr,
    str,
    len,
    lambda x: x == x,
    lambda x: x.to_pylist(),
    lambda x: x.to_pandas(),
    lambda x: x.to_numpy(zero_copy_only=False),
    lambda x: x.slice(1),
    lambda x: x.take([0, 1]),
    lambda x: x.filter([True, False, True, False]),
    lambda x: x.cast("string"),
    lambda x: x.combine_chunks(),
    lambda x: x.flatten(),
    lambda x: x.dictionary_decode(),
    lambda x: x.validate(full=True),
    lambda x: x.nbytes,
    lambda x: x.get_total_buffer_size(),
    lambda x: x.value_lengths(),
    lambda x: x.fill_null(0),
    lambda x: x.is_null(),
    lambda x: x.drop_null(),
    lambda x: x.sort_by("int64"),
    lambda x: x.group_by("string").aggregate([("int64", "sum")]),
    lambda x: x.empty_table(),
    lambda x: x.metadata,
    _compute("sort_indices"),
    _compute("unique"),
    _compute("value_counts"),
    _compute("dictionary_encode"),
    _compute("sum"),
    _compute("min_max"),
    _compute("utf8_upper"),
    _compute("utf8_length"),
    _compute("binary_length"),
    _compute("list_flatten"),
    _compute("list_parent_indices"),
    _compute("year"),
    _compute("negate"),
    _compute("invert"),
    _compute("fill_null_forward"),
    _written,
)
