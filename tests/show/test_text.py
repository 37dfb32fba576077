"""Numbers as words, and text from files made safe to show."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from internals import text as words

ANY_TEXT = st.text(st.characters(), max_size=200)  # lone surrogates are among these


@given(ANY_TEXT)
def test_printable_any(text: str) -> None:
    """The result of `printable` is printable and has one line, whatever the text."""
    shown = words.printable(text)
    assert shown.isprintable()
    assert shown.splitlines() == [shown] * bool(shown)


@given(st.text(st.characters(whitelist_categories=["L", "N", "P"])))
def test_printable_same(text: str) -> None:
    """Letters, numbers and punctuation stay as they are."""
    assert words.printable(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31m", r"\x1b[31m"),
        ("\x9b2J", r"\x9b2J"),
        ("a\r\nb\tc", r"a\r\nb\tc"),
        ("x\u202egnp.exe", r"x\u202egnp.exe"),
        ("\u2066a\u2069", r"\u2066a\u2069"),
        ("\u200b\ufeff\u2028", r"\u200b\ufeff\u2028"),
        ("\x7f\0", r"\x7f\x00"),
        ("\udcff", r"\udcff"),
        ("\U000e0041", r"\U000e0041"),
        ("naïve 数", "naïve 数"),
    ],
)
def test_printable(text: str, shown: str) -> None:
    """Control characters, overrides and invisible characters are escaped as in a Python string."""
    assert words.printable(text) == shown


@pytest.mark.parametrize(
    ("nbytes", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.00 kB"),
        (9994, "9.99 kB"),
        (9995, "10.0 kB"),
        (99_949, "99.9 kB"),
        (99_951, "100 kB"),
        (999_499, "999 kB"),
        (999_501, "1.00 MB"),
        (4_800_000, "4.80 MB"),
        (1 << 44, "17.6 TB"),
        (1 << 70, "1181 EB"),
    ],
)
def test_nbytes_text(nbytes: int, text: str) -> None:
    """A number of bytes has decimal units and three digits, also next to a change of unit."""
    assert words.nbytes_text(nbytes) == text


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [
        (0, 0, ""),
        (5, 0, ""),
        (0, 9, "0.0 %"),
        (1, 10_000, "<0.1 %"),
        (31, 1000, "3.1 %"),
        (1, 10, "10 %"),
        (3, 3, "100 %"),
        (5, 4, "125 %"),
    ],
)
def test_share_text(part: int, whole: int, text: str) -> None:
    """A share is in percent, `<0.1 %` if it is tiny, and an empty text if the whole is 0."""
    assert words.share_text(part, whole) == text


@pytest.mark.parametrize(
    ("order", "text"), [(None, ""), ("C", "C"), ("F", "F"), ((1, 2, 0), "1,2,0"), ([2, 0, 1], "2,0,1")]
)
def test_order_text(order: object, text: str) -> None:
    """An order is a letter or the axes, slowest first."""
    assert words.order_text(order) == text


@pytest.mark.parametrize(
    ("codecs", "text"), [([], "raw"), ([{"id": "zstd", "level": 1}], "zstd"), ([{"id": "a"}, {}], "a+None")]
)
def test_codecs_text(codecs: list[dict[str, object]], text: str) -> None:
    """A codec chain is shown by its ids in encode order."""
    assert words.codecs_text(codecs) == text


def test_small_words() -> None:
    """Counts have their noun in the right number, shapes look as in Python, long text ends in an ellipsis."""
    assert [words.count_text(n, "buffer") for n in (0, 1, 25_000)] == ["0 buffers", "1 buffer", "25,000 buffers"]
    assert [words.shape_text(shape) for shape in (None, (), [3], (2, 3))] == ["", "()", "(3,)", "(2, 3)"]
    assert [words.shorten(text, 8) for text in ("", "12345678", "123456789")] == ["", "12345678", "12345..."]


@given(st.recursive(ANY_TEXT | st.integers() | st.none(), lambda inner: st.lists(inner, max_size=3), max_leaves=9))
def test_json_text(value: object) -> None:
    """JSON is printable ASCII, and parses to the value that it was made from."""
    text = words.json_text(value)
    assert text.isascii()
    assert text.isprintable()
    assert json.loads(text) == value


@pytest.mark.parametrize("count", [0, 1, 2, 999, 1000, 1001, 2500])
def test_json_pieces(count: int) -> None:
    """JSON in pieces is the same text as in one piece, however many items an iterator gives."""
    items = [{"n": n, "t": "\x7f"} for n in range(count)]
    whole = {"a": 1, "items": items, "b": [2, None]}
    assert "".join(words.json_pieces({**whole, "items": iter(items)})) == words.json_text(whole)
    assert "".join(words.json_pieces({"items": iter(items)})) == words.json_text({"items": items})
    assert "".join(words.json_pieces({})) == "{}"
