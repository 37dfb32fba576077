"""Arrays whose memory has gaps: the bytes of their files, and the memory that a dump takes."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest
from common import assert_same, each
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from internals import CHUNK_BYTES

import binpickle

RAMP = np.cumsum(np.random.RandomState(3).randint(0, 3, 6_000_000)).astype("<i4")
VIEWS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "every second item": lambda a: a.reshape(-1)[::2],
    "the reverse": lambda a: a.reshape(-1)[::-1],
    "long rows": lambda a: a.reshape(2, -1)[:, 1:],
    "short rows": lambda a: a.reshape(-1, 8)[:, 1:6],
    "columns": lambda a: a.reshape(-1, 8)[:, ::3].T,
    "three axes": lambda a: a.reshape(16, -1, 8)[::-1, 5:, ::2],
    "axes in another order": lambda a: a.reshape(16, -1, 8)[:, 1:, :7].transpose(1, 2, 0),
    "a field": lambda a: a.view([("a", "u1"), ("b", a.dtype), ("c", f"V{a.itemsize - 1}")])["b"],
}


@each(VIEWS, "view")
@pytest.mark.parametrize(
    ("dtype", "options"),
    [
        ("<i4", {}),
        (">f8", {"codecs": []}),
        ("<M8[s]", {"codecs": "lz4"}),
        ("S3", {"codecs": "zstd"}),
        ("c16", {"mappable": True}),
    ],
)
def test_same_file(view: Callable[[np.ndarray], np.ndarray], dtype: str, options: Any) -> None:
    """An array with gaps gives the file that its copy without gaps gives, also if it is larger than a chunk."""
    array = view(RAMP[: (16 << 20) // np.dtype(dtype).itemsize // 128 * 128].astype(dtype))
    assert array.nbytes > CHUNK_BYTES
    assert not array.flags.c_contiguous
    assert binpickle.dumps(array, **options) == binpickle.dumps(array.copy(order="K"), **options)


@given(data=st.data(), shape=npst.array_shapes(max_dims=4, max_side=9))
def test_any_view(data: st.DataObject, shape: tuple[int, ...]) -> None:
    """Any view of an array comes back, read-only if it was."""
    array = np.arange(np.prod(shape) * 16).reshape(*shape, 16)
    view = array[data.draw(npst.basic_indices(array.shape, allow_newaxis=True, allow_ellipsis=True))]
    view = np.asarray(view).transpose(data.draw(st.permutations(range(np.ndim(view)))))
    view.flags.writeable = data.draw(st.booleans())
    assert_same(binpickle.loads(binpickle.dumps(view, mappable=True)), view)


@each({"raw": [], "auto": "auto", "encoded": ["zstd"]}, "codecs")
def test_memory(codecs: Any, tmp_path: Path) -> None:
    """A dump of the columns of a matrix does not copy all of them at once."""
    matrix = np.zeros((50_000, 100))
    columns = {i: matrix[:, i] for i in range(100)}
    binpickle.dump(columns, tmp_path / "warm", codecs=codecs)
    tracemalloc.start()
    try:
        binpickle.dump(columns, tmp_path / "a.bpk", codecs=codecs, threads=1)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < matrix.nbytes / 2


def test_codecs_by_function() -> None:
    """A function that chooses codecs gets a copy without gaps, of the dtype and shape of the array in memory."""
    array = np.arange(6000.0).reshape(100, 60)[:, ::2].T
    given: list[Any] = []
    binpickle.dumps(array, codecs=lambda buffer: given.append(buffer.obj))
    assert_same(given[0], array.T.copy())


@each({"in the stream": 20, "a buffer": 4000})
def test_bytes_between_fields(row: int) -> None:
    """A file has the bytes between the fields of a structure as they lie in memory, and none of other objects."""
    structure = np.dtype([("a", "i1"), ("b", "f8")], align=True)
    array = np.arange(row * structure.itemsize).astype(np.uint8).view(structure)[::2]
    in_memory = array.base.view(np.uint8).reshape(-1, structure.itemsize)[::2].tobytes()
    data = binpickle.dumps(array, codecs=[])
    assert in_memory in data
    assert binpickle.loads(data).view(np.uint8).tobytes() == in_memory
