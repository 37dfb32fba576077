"""The outline of an object as text and as HTML: `BinPickleFile.tree`."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from pages import HARMLESS, HOSTILE, Page

import binpickle
from binpickle import BinPickleFile


def tree_of(obj: Any, **arguments: Any) -> Any:
    with BinPickleFile(io.BytesIO(binpickle.dumps(obj, **arguments))) as opened:
        return opened.tree()


def rows_of(obj: Any, **arguments: Any) -> list[list[str]]:
    """The lines of the text, each without the spaces between its words."""
    return [line.split() for line in str(tree_of(obj, **arguments)).splitlines()]


MODEL = {
    "encoder": {"weight": np.arange(1000.0), "bias": np.ones(500, np.float32)},
    "epoch": 12,
    "words": ["a", "b"],
}


@pytest.mark.parametrize(
    "row",
    [
        ["bytes", "stored"],
        ["10.0", "kB", "10.0", "kB", "bytes", "dict,", "3", "parts"],
        ["10.0", "kB", "10.0", "kB", "encoder", "dict,", "2", "parts"],
        ["8.00", "kB", "8.00", "kB", "weight", "float64", "(1000,)"],
        ["2.00", "kB", "2.00", "kB", "bias", "float32", "(500,)"],
        ["epoch", "12"],
        ["words", "list,", "2", "parts"],
    ],
)
def test_rows(row: list[str]) -> None:
    """Each part of an object has a line with its name, what it is, its bytes and its stored bytes."""
    assert row in rows_of(MODEL, codecs=[])


def test_order_and_depth() -> None:
    """The parts of an object stand below it, further to the right, in the order of the object."""
    lines = str(tree_of(MODEL)).splitlines()
    texts = [line[len(lines[0]) + 2 :] for line in lines[1:]]
    names = [(len(text) - len(text.lstrip()), text.split()[0]) for text in texts]
    assert names == [
        (0, "bytes"),
        (2, "encoder"),
        (4, "weight"),
        (4, "bias"),
        (2, "epoch"),
        (2, "words"),
        (4, "0"),
        (4, "1"),
    ]


def test_sizes_add_up() -> None:
    """What two parts share counts once, in the first of them."""
    array = np.arange(10_000)
    rows = rows_of({"a": array, "b": array, "c": [array]}, codecs=[])
    assert rows[1][:4] == ["80.0", "kB", "80.0", "kB"]
    assert ["b", "int64", "(10000,),", "as", "above"] in rows


def test_largest_parts_are_shown() -> None:
    """Of an object with many parts the largest are shown, and the others counted."""
    obj = {f"small{i}": np.ones(10 + i) for i in range(1000)}
    obj["large"] = np.ones(100_000)
    rows = rows_of(obj)
    assert len(rows) < 40
    assert any(row[4:5] == ["large"] for row in rows)
    assert ["...", "and", "981", "more"] in rows


def test_deep_objects_fit() -> None:
    """Objects nested hundreds deep are drawn without a recursion error, and in few lines."""
    obj: Any = np.arange(1000)
    for _ in range(300):
        obj = [obj]
    tree = tree_of(obj)
    assert len(str(tree).splitlines()) < 100
    assert Page(tree._repr_html_()).tags <= HARMLESS | {"details", "summary"}


def test_objects_that_contain_themselves() -> None:
    """An object that contains itself is drawn once."""
    obj: list[Any] = [np.arange(1000)]
    obj.append(obj)
    assert ["1", "list,", "as", "above"] in rows_of(obj)


def test_text_of_a_file_is_escaped() -> None:
    """Names and values from a file reach neither a terminal nor a page as anything but text."""
    tree = tree_of({HOSTILE: np.arange(1000), "value": HOSTILE})
    assert all(line.isprintable() for line in str(tree).splitlines())
    page = Page(tree._repr_html_())
    assert page.tags <= HARMLESS | {"details", "summary"}
    assert "<script>" in page.text


def test_html() -> None:
    """The HTML can be folded, and has the names and sizes of the text."""
    page = Page(tree_of(MODEL, codecs=[])._repr_html_())
    assert {"details", "summary"} <= page.tags
    for words in ("encoder dict, 2 parts 10.0 kB", "weight float64 (1000,) 8.00 kB", "epoch 12"):
        assert words in page.text


def test_no_outline() -> None:
    """A file without an outline raises an error that says why."""
    data = binpickle.dumps(list(range(1000)))
    with BinPickleFile(
        data if isinstance(data, str) else io.BytesIO(data), limits=binpickle.Limits(opcodes=10)
    ) as file, pytest.raises(binpickle.FormatError, match="opcodes"):
        file.tree()
