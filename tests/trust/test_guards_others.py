"""Arrays and tables of pyarrow whose buffers lie are refused when they are loaded; no call of a set ends a process."""

from __future__ import annotations

import importlib
import io
import sys
from typing import Any

import numpy as np
import pytest
from forging import Forged, load
from internals import pickle, uses

from binpickle import BinPickleError, trust

if sys.platform == "linux":  # the generators fork
    from reliability.forged_calls import callable_names, forge_calls

SETS = {"pandas": trust.pandas, "pyarrow": trust.pyarrow}
arrow = pytest.importorskip("pyarrow")
lib = importlib.import_module("pyarrow.lib")
restore = vars(lib)["_restore_array"]

INTS, TEXTS = arrow.array([1, 2, 3]), arrow.array(["a", "bc", "d"])
LISTS = arrow.array([[1], [2, 3], []])
PAIRS = arrow.array([[1, 2], [3, 4]], arrow.list_(arrow.int64(), 2))
STRUCTS = arrow.array([{"a": 1}, {"a": 2}])
CODES = TEXTS.dictionary_encode()
PARTS = ("kind", "length", "nulls", "offset", "buffers", "children", "dictionary")


def data_of(array: Any) -> dict[str, Any]:
    """Return what an array is rebuilt from, by name."""
    return dict(zip(PARTS, array.__reduce__()[1][0]))


def forged(array: Any, **parts: Any) -> Forged:
    """Return an array that is rebuilt with other parts."""
    return Forged(restore, (tuple({**data_of(array), **parts}.values()),))


def child(array: Any, **parts: Any) -> tuple[Any, ...]:
    """Return the data of a child."""
    return tuple({**data_of(array), **parts}.values())


def buffer(*numbers: int, width: int = 4) -> Any:
    return arrow.py_buffer(b"".join(number.to_bytes(width, "little", signed=True) for number in numbers))


def called(name: str, *arguments: Any) -> Forged:
    return Forged(getattr(lib, name), arguments)


SCHEMA = arrow.schema([("a", arrow.int64())])
FORGED: list[tuple[str, Any, str]] = [
    ("parts", Forged(restore, ((1, 2),)), "has not seven parts"),
    ("no type", forged(INTS, kind="int64"), "the type of an array of pyarrow is a str"),
    ("one buffer", forged(INTS, buffers=[None]), "has 1 buffers"),
    ("buffers of text", forged(TEXTS, kind=arrow.int64()), "has 3 buffers"),
    ("no buffers", forged(INTS, buffers=None), "the buffers of an array of pyarrow is a NoneType"),
    ("no data", forged(INTS, buffers=[None, None]), "has no buffer 1"),
    ("bytes", forged(INTS, buffers=[None, b"12345678"]), "a buffer of an array of pyarrow is a bytes"),
    ("length", forged(INTS, length=4), "too small"),
    ("negative length", forged(INTS, length=-1), "the length of an array of pyarrow"),
    ("nulls", forged(INTS, nulls=1), "null"),
    ("many nulls", forged(INTS, nulls=4), "the nulls of an array of pyarrow"),
    ("offset", forged(INTS, offset=1), "too small"),
    ("negative offset", forged(INTS, offset=-1), "the offset of an array of pyarrow"),
    ("huge offset", forged(INTS, offset=(1 << 63) - 1), "the offset of an array of pyarrow"),
    ("ends of text", forged(TEXTS, buffers=[None, buffer(0, 1, 3, 99), buffer(1)]), "not valid"),
    ("ends that fall", forged(TEXTS, buffers=[None, buffer(0, 3, 1, 4), buffer(1)]), "not valid"),
    ("no text", forged(TEXTS, buffers=[None, buffer(0, 1, 3, 4), arrow.py_buffer(b"\xff\xfe\xfd\xfc")]), "not valid"),
    ("ends of lists", forged(LISTS, buffers=[None, buffer(0, 1, 3, 9)]), "not valid"),
    ("no child", forged(LISTS, children=[]), "has 0 children"),
    ("a child too many", forged(INTS, children=[child(INTS)]), "has 1 children"),
    ("type of a child", forged(LISTS, children=[child(TEXTS)]), "a child of the type string"),
    ("child of a child", forged(LISTS, children=[child(INTS, length=99)]), "not valid"),
    ("child is a list", forged(LISTS, children=[[1]]), "a child of an array of pyarrow is a list"),
    ("short pairs", forged(PAIRS, offset=1), "a child of fewer than 6 elements"),
    ("short struct", forged(STRUCTS, offset=1), "a child of fewer than 3 elements"),
    ("codes", forged(CODES, buffers=[None, buffer(0, 1, 9)]), "not valid"),
    ("negative codes", forged(CODES, buffers=[None, buffer(0, 1, -1)]), "not valid"),
    ("no dictionary", forged(CODES, dictionary=None), "has a dictionary, or lacks it"),
    ("a dictionary", forged(INTS, dictionary=child(TEXTS)), "has a dictionary, or lacks it"),
    ("type of a dictionary", forged(CODES, dictionary=child(INTS)), "a child of the type int64"),
    ("chunk", called("chunked_array", [INTS, TEXTS], arrow.int64()), "chunks of several types"),
    ("no chunk", called("chunked_array", [[1]], arrow.int64()), "a chunk of a chunked array is a list"),
    ("type of chunks", called("chunked_array", [INTS], "int64"), "the type of a chunked array"),
    ("columns", called("_reconstruct_table", [INTS, INTS], SCHEMA), "more or fewer columns than fields"),
    ("type of a column", called("_reconstruct_table", [TEXTS], SCHEMA), "do not fit its schema"),
    ("no column", called("_reconstruct_table", [[1]], SCHEMA), "a column of a table is a list"),
    ("no schema", called("_reconstruct_table", [INTS], None), "the schema of a table"),
    (
        "length of a column",
        called(
            "_reconstruct_record_batch", [INTS, LISTS.slice(1)], arrow.schema([("a", arrow.int64()), ("b", LISTS.type)])
        ),
        "do not fit its schema or each other",
    ),
    ("memory", called("py_buffer", "text"), "a buffer of pyarrow is a str"),
    ("table of bytes", called("py_buffer", np.zeros((2, 2), "u1")), "an array that is not of bytes"),
    ("array of integers", called("py_buffer", np.zeros(2, "i4")), "an array that is not of bytes"),
    ("name", called("type_for_alias", "x" * 41), "more than 40 characters"),
    ("unit", called("timestamp", "D"), "no known unit"),
    ("zone", called("timestamp", "s", 5), "no known unit"),
    ("digits", called("decimal128", 39, 0), "the digits of a decimal type"),
    ("scale", called("decimal128", 5, 99), "the scale of a decimal type"),
    ("width", called("binary", 1 << 40), "the width of a binary type"),
    ("items", called("list_", "int64"), "the items of a list type"),
    ("size", called("list_", arrow.int64(), 1 << 40), "the size of a list type"),
    ("fields", called("struct", [("a", arrow.int64())]), "a field of a struct type"),
    ("indices", called("dictionary", arrow.string(), arrow.string()), "codes that are not integers"),
    ("values", called("dictionary", arrow.int8(), "string"), "the values of a dictionary type"),
    ("ordered", called("dictionary", arrow.int8(), arrow.string(), 1), "whether a dictionary type is ordered"),
    ("name of a field", called("field", 5, arrow.int8()), "the name of a field"),
    ("type of a field", called("field", "a", "int8"), "the type of a field"),
    ("nullable", called("field", "a", arrow.int8(), 1), "whether a field of pyarrow is nullable"),
    ("metadata", called("field", "a", arrow.int8(), True, {"a": b""}), "a key of metadata is a str"),
    ("field of a schema", called("schema", [1]), "a field of a schema"),
]


if hasattr(arrow, "string_view"):  # a type that the set does not know
    FORGED.append(("view", forged(arrow.array(["a"], arrow.string_view())), r"has \d buffers"))


@pytest.mark.parametrize(("obj", "message"), [row[1:] for row in FORGED], ids=[row[0] for row in FORGED])
def test_forged_arrays_are_refused(obj, message):
    """An array or table whose parts do not fit each other is refused by the check that is meant."""
    with pytest.raises(BinPickleError, match=message):
        load(obj, trust.pyarrow())


def test_arrays_and_tables_load_under_pyarrow():
    """Arrays of each type, parts and chunks of them, batches, tables and schemas load equal to what they were."""
    corpus = pytest.importorskip("reliability.use_arrow")
    for name, obj in corpus.arrow_objects():
        assert load(obj, trust.pyarrow()).equals(obj), name


def test_lengths_without_data_are_paid_for():
    """An array of nulls takes no memory and any time to use, so its length counts as work."""
    stream = pickle.dumps(forged(arrow.nulls(3), length=1 << 60, nulls=1 << 60), 5)
    with pytest.raises(BinPickleError, match="units of work"):
        trust.load(io.BytesIO(stream).read, (), 0, trust.pyarrow())


def test_frames_hold_arrays_of_pyarrow():
    """Columns of pandas may be over arrays of pyarrow, so trusting the names of pandas trusts those of pyarrow."""
    assert trust.pyarrow() < trust.pandas()


@pytest.mark.parametrize("name", SETS)
def test_names_that_may_be_called_have_a_check(name):
    """Each name that a stream may call has a check of its arguments, which refuses a call without or with nonsense."""
    for entry in SETS[name]():
        module, _, qualname = entry.partition(":")
        if "called" in uses()[module, qualname]:
            try:
                function = getattr(importlib.import_module(module), qualname)
            except (ImportError, AttributeError):  # of another release
                continue
            with pytest.raises(BinPickleError):
                load(Forged(function, ([object], {"a": print}, set(), b"", 5, (), None, "x")), SETS[name]())


@pytest.mark.skipif(sys.platform != "linux", reason="it forks")
def test_forged_calls_end_no_process():
    """Calls with forged arguments of every kind are refused, or give something that can be shown: no signal."""
    corpus = pytest.importorskip("trust_corpus")
    pytest.importorskip("pandas", "1.4")
    honest = [obj for _, obj in corpus.frames()]
    assert len(callable_names(trust.pandas())) > 50
    assert forge_calls(trust.pandas(), honest, seed=1, count=2000) == []
