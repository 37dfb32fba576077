"""Names agree with the loaded object: whoever walks it by the parts of a name finds the array."""

from __future__ import annotations

import os
import sys
from typing import Any

import hypothesis
import numpy as np
from benign import arrays
from hypothesis import strategies as st
from internals import escape
from looking import look, names_of

import binpickle

EXAMPLES = 30 if sys.version_info < (3, 8) else 500 if os.environ.get("CI") else 100


class Held:
    """An instance with attributes."""

    def __init__(self, attributes: dict[str, Any]):
        self.__dict__.update(attributes)


def objects(held: Any) -> np.ndarray:
    """An array of objects, of two dimensions."""
    made = np.empty((2, len(held)), object)
    for i, item in enumerate(held):
        made[i % 2, i // 2] = item
    return made


KEYS = st.text(st.sampled_from("a1~/.") | st.characters(), max_size=3) | st.integers(-2, 9) | st.none() | st.booleans()
TREES = st.recursive(
    arrays | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(KEYS, inner, max_size=4)
        | st.dictionaries(st.sampled_from("abc"), inner, max_size=3).map(Held)
        | st.lists(inner, max_size=3).map(objects)
        | st.lists(inner, min_size=1, max_size=2).map(lambda items: [*items, *items])  # shared
    ),
    max_leaves=12,
)


def ways(obj: Any, prefix: str = "", deepest: int = 12) -> Any:
    """Yield every way through an object, and what it leads to; parts of equal text are told apart."""
    if not deepest:
        return  # it contains itself
    parts: list[tuple[str, Any]] = []
    if isinstance(obj, dict):
        parts = [(str(key), value) for key, value in obj.items()]
    elif isinstance(obj, (list, tuple)):
        parts = [(str(i), item) for i, item in enumerate(obj)]
    elif isinstance(obj, Held):
        parts = list(vars(obj).items())
    elif isinstance(obj, np.ndarray) and obj.dtype == object:
        parts = [(str(i), item) for i, item in enumerate(obj.flat)]
    taken = set() if prefix else {""}
    for text, item in parts:
        n, suffix = 1, ""
        while text + suffix in taken:
            n += 1
            suffix = f"~{n}"
        taken.add(text + suffix)
        yield prefix + escape(text) + suffix, item
        yield from ways(item, prefix + escape(text) + suffix + "/", deepest - 1)


@hypothesis.settings(max_examples=EXAMPLES, deadline=None)
@hypothesis.given(TREES, st.booleans())
def test_ways_through_the_object_are_names(obj: Any, mappable: bool) -> None:
    """Every way through an object is found, and an array there is the array in the object."""
    data = binpickle.dumps(obj, mappable=mappable)
    looked = look(data)
    assert looked.outline.problem is None
    found = dict(ways(binpickle.loads(data), ""))
    for name, item in found.items():
        node = looked.outline.find(name)
        assert node is not None
        if isinstance(item, np.ndarray) and not item.dtype.hasobject:
            array = looked.array(node)
            assert (array.dtype, array.shape) == (item.dtype, item.shape)
            assert array.tobytes() == item.tobytes()
    named = [name for name in looked.outline.names if name not in ("", ".")]
    assert len(set(named)) == len(named)
    assert set(named) <= found.keys() or isinstance(obj, np.ndarray)


@hypothesis.settings(max_examples=EXAMPLES, deadline=None)
@hypothesis.given(st.lists(KEYS, max_size=6))
def test_names_occur_once(keys: list[Any]) -> None:
    """No two buffers have the same name, whatever the keys are, and no name is empty."""
    names = names_of([{key: np.arange(100.0) for key in keys}])
    assert len(set(names)) == len(names)
    assert "" not in names
