"""The outline of an object as a tree: its arrays and values, under their names, with their sizes.

Rule: values in, text out. Text from a file is escaped here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Sequence

from ..format.dtypes import dtype_name
from .branches import Branch, grow, lines, open_largest
from .text import count_text, nbytes_text, printable, shape_text, shorten

if TYPE_CHECKING:
    from ..outline import Node
    from ..reading.description import Buffer

__all__ = ["Tree"]

# A screen or two, and as many parts of one object as tell what the others are like. A page can be scrolled and folded.
_TEXT_LINES, _TEXT_PARTS = 80, 20
_HTML_LINES, _HTML_PARTS = 400, 50

_INDENT = "  "
_LONGEST_NAME = 40
_LONGEST_WORDS = 60


class Tree:
    """The outline of an object: text by `str()`, and HTML in notebooks.

    Args:
        name: what to call the object.
        root: the object.
        buffers: the buffers of its file; only those that are shown are asked for.
        nbytes: for each buffer its decoded length.
        stored: for each buffer the bytes that it takes in the file.
    """

    def __init__(self, name: str, root: Node, buffers: Sequence[Buffer], nbytes: Sequence[int], stored: Sequence[int]):
        self._buffers = buffers
        self._trunk = grow(name, root, nbytes, stored)

    def __repr__(self) -> str:
        return str(self)

    def __str__(self) -> str:
        opened = open_largest(self._trunk, _TEXT_LINES, _TEXT_PARTS)
        rows = [("bytes", "stored", "", ""), *(self._row(*line) for line in lines(self._trunk, opened))]
        widths = [max(map(len, column)) for column in zip(*rows)]
        return "\n".join(
            f"{nbytes:>{widths[0]}}  {stored:>{widths[1]}}  {name:{widths[2]}}  {words}".rstrip()
            for nbytes, stored, name, words in rows
        )

    def _repr_html_(self) -> str:
        from .html_tree import tree_html

        return tree_html(self._trunk, open_largest(self._trunk, _HTML_LINES, _HTML_PARTS), self._words)

    def _row(self, depth: int, branch: Branch, more: int) -> tuple[str, str, str, str]:
        lead = depth * _INDENT
        if more:
            return "", "", f"{lead}... and {more:,} more", ""
        name = lead + printable(shorten(branch.name, _LONGEST_NAME))
        words = printable(shorten(self._words(branch), _LONGEST_WORDS))
        if not branch.nbytes:
            return "", "", name, words
        return nbytes_text(branch.nbytes), nbytes_text(round(branch.stored_nbytes)), name, words

    def _words(self, branch: Branch) -> str:
        """Return what a branch is, in a few words: dtype and shape of an array, a value, or a class."""
        node, place = branch.node, branch.node.array
        again = ", as above" if branch.is_shared and (place is not None or not node.value) else ""
        if place is not None:
            found = self._buffers[place.source] if place.view is None and type(place.source) is int else place.view
            dtype = "bytes" if found is None or found.dtype is None else dtype_name(found.dtype)
            return f"{dtype} {shape_text(found.shape) if found is not None else ''}".rstrip() + again
        if node.value:
            return node.value
        name = node.type.rpartition(":")[2].rpartition(".")[2]
        return f"{name}, {count_text(len(branch.parts), 'part')}" if branch.parts else f"{name}{again}"
