"""Whether two objects are the same in value, type, dtype, memory order and writability, all the way down."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["assert_same"]

ATOMS = (str, bytes, bytearray, int, bool, type(None), type, type(len), type(np.sin), type(lambda: 0))


def assert_same(left: Any, right: Any, where: str = "it") -> None:
    """Raise `AssertionError`, naming the place, if `left` and `right` differ."""
    _compare(left, right, where, set())


def _compare(left: Any, right: Any, where: str, seen: set[tuple[int, int]]) -> None:
    assert type(left) is type(right), where
    if (id(left), id(right)) in seen or left is right:
        return
    seen.add((id(left), id(right)))
    if isinstance(left, np.ndarray) and type(left).__module__.startswith("numpy"):
        _compare_arrays(left, right, where, seen)
    elif isinstance(left, (list, tuple)):
        assert len(left) == len(right), where
        for i, (one, other) in enumerate(zip(left, right)):
            _compare(one, other, f"{where}[{i}]", seen)
    elif isinstance(left, dict):
        _compare(list(left), list(right), f"the keys of {where}", seen)
        for key in left:
            _compare(left[key], right[key], f"{where}[{key!r}]", seen)
    elif isinstance(left, ATOMS):
        assert left == right, where
    elif isinstance(left, memoryview):
        assert (left.tobytes(), left.readonly) == (right.tobytes(), right.readonly), where
    elif isinstance(left, (float, complex, set, frozenset, np.generic, np.dtype)):
        assert left == right or repr(left) == repr(right), where
    else:
        _compare(_reduced(left), _reduced(right), where, seen)


def _compare_arrays(left: Any, right: Any, where: str, seen: set[tuple[int, int]]) -> None:
    assert _plain(left) == _plain(right), where
    assert left.shape == right.shape, where
    assert _steps(left) == _steps(right), where
    assert left.flags.writeable == right.flags.writeable, where
    if left.dtype.hasobject:
        _compare(left.tolist(), right.tolist(), where, seen)
    elif left.dtype.names is None:
        assert _content(left) == _content(right), where
    else:  # what lies between fields has no meaning
        for name in left.dtype.names:
            _compare(np.asarray(left[name]), np.asarray(right[name]), f"{where}[{name!r}]", seen)
    if isinstance(left, np.ma.MaskedArray):
        _compare(np.ma.getmaskarray(left), np.ma.getmaskarray(right), f"the mask of {where}", seen)
        _compare(left.fill_value, right.fill_value, f"the fill value of {where}", seen)


def _plain(array: Any) -> Any:
    """Return the dtype; of an empty array in native byte order, since NumPy 1 and 2 load these differently."""
    return array.dtype if array.size or array.dtype.names else array.dtype.newbyteorder("=")


def _content(array: Any) -> bytes:
    """Return the items; any number but 0 is the same truth."""
    return (array.view(np.uint8) != 0).tobytes() if array.dtype.kind == "b" else array.tobytes()


def _steps(array: Any) -> list[int]:
    """Return the strides that have a meaning."""
    return [step for n, step in zip(array.shape, array.strides) if n > 1 and array.size]


def _reduced(obj: Any) -> Any:
    """Return what an object pickles as, its iterators as lists."""
    reduced = obj.__reduce_ex__(4)
    return [list(part) if hasattr(part, "__next__") else part for part in reduced]
