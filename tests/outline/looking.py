"""Outlines of objects and files, and the arrays at the nodes of an outline, for the tests of this folder."""

from __future__ import annotations

import io
from typing import Any, NamedTuple

import numpy as np
from internals import RESTRICTED_LIMITS, Kind, Limits, Node, Outline, outline

import binpickle

__all__ = ["Looked", "look", "look_at_stream", "names_of", "tree_of"]


class Looked(NamedTuple):
    """An outline, and the bytes of the buffers in the order in which they lie."""

    outline: Outline
    buffers: list[bytes]

    def array(self, node: Node | str) -> np.ndarray:
        """Return the array at a node or name."""
        found = self.outline.find(node) if isinstance(node, str) else node
        place = found.array
        data = self.buffers[place.source] if isinstance(place.source, int) else place.source
        view = found.view
        assert 0 <= view.extent[0] <= view.extent[1] <= len(data)
        return np.ndarray(view.shape, view.dtype, data or bytes(1), view.offset, view.strides)


def look(obj: Any, fetch: bool = True, **dump: Any) -> Looked:
    """Dump an object, and outline the file; bytes are taken for a file."""
    data = obj if isinstance(obj, bytes) else binpickle.dumps(obj, **dump)
    with binpickle.BinPickleFile(io.BytesIO(data)) as file:
        kinds = [Kind(b.nbytes, b.dtype, b.shape, b.order or "C") for b in file.buffers]
        buffers = [np.ravel(file.array(i), "K").tobytes() for i in range(len(kinds))]
        stream = bytes(file.stream())
    return look_at_stream(stream, kinds, buffers, fetch=fetch)


def look_at_stream(
    stream: bytes, kinds: list[Kind], buffers: list[bytes], limits: Limits = RESTRICTED_LIMITS, fetch: bool = True
) -> Looked:
    """Outline a pickle stream with its buffers, each of its own kind."""
    read = io.BytesIO(stream).read
    made = outline(read, kinds, np.arange(len(kinds)), limits, buffers.__getitem__ if fetch else None)
    return Looked(made, buffers)


def names_of(obj: Any, **dump: Any) -> list[str]:
    """Return the names of the buffers of an object, and of its arrays in the stream."""
    looked = look(obj, **dump).outline
    assert looked.problem is None
    return list(looked.names)


def tree_of(node: Node, depth: int = 20) -> Any:
    """Return a node as a dict of its parts, with the type, or the text of its value, at the ends."""
    if not len(node) or not depth:
        return node.value or node.type
    return {text: tree_of(part, depth - 1) for text, part in node.parts()}
