"""The HTML of an open file, which a notebook shows."""

from __future__ import annotations

import io
import re
from typing import Any

import numpy as np
import pytest
from pages import HARMLESS, HOSTILE, Page

import binpickle
from binpickle import BinPickleFile

NOISE = np.random.default_rng(0).integers(0, 1 << 62, 5000)


def show(obj: Any, **arguments: Any) -> Page:
    with BinPickleFile(io.BytesIO(binpickle.dumps(obj, **arguments))) as opened:
        return Page(opened._repr_html_())


@pytest.mark.parametrize(
    "words",
    [
        "format 3 · ",
        "A item 0 ",
        "s pickle stream ",
        ". index, header, padding ",
        "0 int64 (50, 100) C 40.0 kB 40.0 kB",
        "1 float64 (3, 4, 50) 1,2,0 4.80 kB",
        "Metadata: author me",
        "Written with: binpickle " + binpickle.__version__,
    ],
)
def test_shown(words: str) -> None:
    """The HTML has a legend of the drawing, the largest buffers, metadata and library versions."""
    axes = np.arange(600.0).reshape(4, 50, 3).transpose(2, 0, 1)
    page = show([NOISE.reshape(50, 100), axes], metadata={"author": "me"}, codecs=[])
    assert words in page.text


def test_drawing() -> None:
    """Each block of the drawing is as wide as its part of the file takes room, and names that part."""
    with BinPickleFile(io.BytesIO(binpickle.dumps([NOISE, NOISE[:2000] + 1], codecs=[]))) as opened:
        page, summary = Page(opened._repr_html_()), opened.summary
    widths = [
        int(found.group(1)) for style in page.attributes["style"] for found in re.finditer("flex:([0-9]+) ", style)
    ]
    assert sum(widths) == summary.size
    assert widths[1:3] == [40_000, 16_000]
    assert page.attributes["title"][1:3] == [
        "item 0: 40.0 kB, decoded 40.0 kB",
        "item 1: 16.0 kB, decoded 16.0 kB",
    ]


def test_shrunk() -> None:
    """A bar beside each buffer shows how far the buffer shrank; a buffer that grew fills its bar."""
    page = show([np.zeros(10_000), NOISE], codecs=["gzip"])
    gauges = [found for style in page.attributes["style"] for found in re.findall("width:([0-9.]+)%", style)]
    assert len(gauges) == 2
    assert float(gauges[0]) > 90
    assert float(gauges[1]) < 1
    assert "width:100.0%" in " ".join(show([NOISE], codecs=["lz4"]).attributes["style"])


def test_many() -> None:
    """Of many buffers the HTML shows ten, of long metadata twenty entries, and counts the rest."""
    many = [np.arange(300 + n) for n in range(5000)]
    page = show(many, metadata={f"name {n}": "x" * 10_000 for n in range(1000)})
    assert "5,000 buffers" in page.text
    assert "... and 4,990 more" in page.text
    assert "... and 980 more" in page.text
    assert len(" ".join(page.texts)) < 5000


@pytest.mark.parametrize("obj", [None, np.zeros((0, 3)), [1, 2]], ids=str)
def test_no_buffers(obj: Any) -> None:
    """A file that has no bytes outside its pickle stream has a drawing, too."""
    page = show(obj, mappable=True)
    assert "s pickle stream" in page.text
    assert "there is nothing to map" in page.text


def test_hostile(tmp_path: Any) -> None:
    """Text of a file or of its name stays text: it makes no tag, leaves no attribute and reorders nothing."""
    path = tmp_path / HOSTILE.replace("/", "|")
    binpickle.dump([np.zeros(99, [(HOSTILE, "i4"), ("b", "f8")]), NOISE], path, metadata={HOSTILE: HOSTILE})
    with BinPickleFile(path) as opened:
        html = opened._repr_html_()
    page = Page(html)
    assert page.tags <= HARMLESS
    assert set(page.attributes) <= {"style", "title"}
    assert html.isprintable()
    assert f"Metadata: {printed(HOSTILE)} {printed(HOSTILE)}" in page.text
    assert "alert(1)" not in "".join(page.attributes["style"] + page.attributes["title"])


def test_any_theme() -> None:
    """Letters and background keep the colours of the page, except on the blocks of the drawing."""
    page = show([NOISE], metadata={"author": "me"})
    for style in page.attributes["style"]:
        assert ("color:#000" in style) == ("background:#" in style and "text-align:center" in style)
        assert "white" not in style.replace("white-space", "")


def test_alone() -> None:
    """The HTML needs no script, no style sheet and no address."""
    with BinPickleFile(io.BytesIO(binpickle.dumps(NOISE))) as opened:
        html = opened._repr_html_()
    assert not re.search("<script|<style|<link|<img|url[(]|http|class=|id=", html)


def test_closed() -> None:
    """A closed file has the same HTML as before it was closed."""
    with BinPickleFile(io.BytesIO(binpickle.dumps(NOISE))) as opened:
        before = opened._repr_html_()
    assert opened._repr_html_() == before


def printed(text: str) -> str:
    """Return text with its control characters escaped, as the HTML shows it."""
    return text.replace("\u202e", "\\u202e").replace("\x1b", "\\x1b")
