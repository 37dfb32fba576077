"""Element types in the index: each has one form, and whatever a file says never makes a type that reaches beyond it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from internals import dtype_from_spec, dtype_spec

from binpickle.errors import FormatError

LARGEST = (1 << 31) - 1
PLAIN = ["|b1", "|i1", "<i2", ">i4", "<u8", "<f2", ">f4", "<f8", "<c8", ">c16", "|S5", "|S0", "<U3", ">U0", "|V8"]
PLAIN += ["<M8", "<M8[ns]", ">m8[25s]", "<M8[999999999Y]"]


def struct(*fields: list, itemsize: int, **more: Any) -> Any:
    return {"fields": list(fields), "itemsize": itemsize, **more}


SPECS = {
    **{spec: (np.dtype(spec), spec) for spec in PLAIN},
    "subarray": (np.dtype([("a", "<f8", (2, 3))]), struct(["a", ["<f8", [2, 3]], 0], itemsize=48)),
    "fields": (np.dtype([("a", "<i4"), ("b", ">f8")]), struct(["a", "<i4", 0], ["b", ">f8", 4], itemsize=12)),
    "aligned": (
        np.dtype([("a", "|i1"), ("b", "<i4")], align=True),
        struct(["a", "|i1", 0], ["b", "<i4", 4], itemsize=8, aligned=True),
    ),
    "overlapping, and room behind": (
        np.dtype({"names": ["a", "b"], "formats": ["<i4", "<i2"], "offsets": [0, 2], "itemsize": 10}),
        struct(["a", "<i4", 0], ["b", "<i2", 2], itemsize=10),
    ),
    "within one another": (
        np.dtype([("a", [("b", "<M8[s]"), ("c", "|S2")])]),
        struct(["a", struct(["b", "<M8[s]", 0], ["c", "|S2", 8], itemsize=10), 0], itemsize=10),
    ),
    "a name that is no identifier": (np.dtype([("\u00e9 x", "|u1")]), struct(["\u00e9 x", "|u1", 0], itemsize=1)),
}
NO_FORM = {
    "objects": np.dtype("O"),
    "objects in a structure": np.dtype([("a", "O")]),
    "objects in a subarray": np.dtype([("a", "O", (2,))]),
    "no fields": np.dtype([]),
    "a subarray of subarrays": np.dtype((np.dtype(("<f8", (2,))), (3,))),
}
UNKNOWN = ["f8", "=f8", "<f3", "|O", "<O8", "<T16", "T", "<i8,<i8", "<m4", "<b8", "int64", "object", "|S", "|S-1"]
UNKNOWN += ["|V1000000000", "<M8[xx]", "<M8[0s]", "<M8[00ns]", "<M8[-1s]", "<M8[s/2]", "|S\u0663", ""]
DEEP: Any = "<f8"
for _ in range(20):
    DEEP = struct(["a", DEEP, 0], itemsize=8)
REFUSED = {
    **{f"plain {spec}": spec for spec in UNKNOWN},
    "nothing": None,
    "a number": 8,
    "no list": [],
    "one item": ["<f8"],
    "three items": ["<f8", [2], 0],
    "negative length": ["<f8", [-1]],
    "length no integer": ["<f8", [True]],
    "large": ["<f8", [1 << 31]],
    "large product": ["<f8", [1 << 16, 1 << 16]],
    "large beside nothing": ["<f8", [0, 1 << 70]],
    "many dimensions": ["|u1", [1] * 33],
    "subarray of subarrays": [["<f8", [2]], [3]],
    "no fields": struct(itemsize=8),
    "no fields, aligned, in fields": struct(["a", struct(itemsize=0, aligned=True), 0], itemsize=8, aligned=True),
    "no item size": {"fields": [["a", "<f8", 0]]},
    "item size no integer": struct(["a", "<f8", 0], itemsize=8.0),
    "item size a flag": struct(["a", "|u1", 0], itemsize=True),
    "negative item size": struct(["a", struct(["b", "|u1", 0], itemsize=LARGEST), 8], itemsize=-1),
    "too large an item": struct(["a", "|u1", 0], itemsize=LARGEST + 1),
    "negative offset": struct(["a", "|u1", -1], itemsize=8),
    "field beyond the end": struct(["a", "<f8", 1], itemsize=8),
    "field far beyond the end": struct(["a", "|V100", LARGEST - 7], itemsize=16),
    "offset beyond C": struct(["a", "|u1", 1 << 64], itemsize=16),
    "field twice": struct(["a", "|u1", 0], ["a", "|u1", 1], itemsize=2),
    "field of two items": struct(["a", "|u1"], itemsize=2),
    "name no text": struct([1, "|u1", 0], itemsize=2),
    "objects in fields": struct(["a", "|O", 0], itemsize=8),
    "not aligned": struct(["a", "<f8", 1], itemsize=16, aligned=True),
    "too deep": DEEP,
}

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 1 << 40) | st.sampled_from([*PLAIN, *UNKNOWN]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.builds(lambda fields, size: struct(*fields, itemsize=size), st.lists(st.lists(inner, max_size=3)), inner)
    ),
)
PLAIN_DTYPES = npst.scalar_dtypes() | npst.byte_string_dtypes() | npst.unicode_string_dtypes()
DTYPES = PLAIN_DTYPES | npst.array_dtypes(PLAIN_DTYPES) | npst.nested_dtypes()


@pytest.mark.parametrize(("dtype", "spec"), SPECS.values(), ids=list(SPECS))
def test_spec(dtype: np.dtype, spec: Any) -> None:
    """Each type has one form, and this gives the type."""
    assert dtype_spec(dtype) == spec
    assert dtype_from_spec(spec) == dtype
    assert dtype_from_spec(spec).isalignedstruct == dtype.isalignedstruct


@pytest.mark.parametrize("dtype", NO_FORM.values(), ids=list(NO_FORM))
def test_no_form(dtype: np.dtype) -> None:
    """Objects, and what a reader would not take, have no form."""
    assert dtype_spec(dtype) is None


@pytest.mark.skipif(not hasattr(np, "dtypes") or not hasattr(np.dtypes, "StringDType"), reason="needs NumPy 2")
def test_no_form_for_strings() -> None:
    """StringDType holds pointers, and has no form."""
    assert dtype_spec(np.dtypes.StringDType()) is None


@pytest.mark.parametrize("spec", REFUSED.values(), ids=list(REFUSED))
def test_refused(spec: Any) -> None:
    """What is not in the grammar raises `FormatError`, before NumPy adds it up in C integers or divides by it."""
    with pytest.raises(FormatError, match="index: "):
        dtype_from_spec(spec)


@given(DTYPES)
@settings(max_examples=100)
def test_round_trip(dtype: np.dtype) -> None:
    """A type that has a form is the same type after it, but for titles, which the form leaves out."""
    spec = dtype_spec(dtype)
    if spec is not None:
        assert dtype_spec(dtype_from_spec(spec)) == spec
        assert dtype_from_spec(spec) == dtype or has_titles(dtype)


def has_titles(dtype: np.dtype) -> bool:
    parts = list((dtype.fields or {}).values()) + ([dtype.subdtype] if dtype.subdtype else [])
    return any(len(part) == 3 or has_titles(part[0]) for part in parts)


@given(JSON)
@settings(max_examples=200)
def test_any_spec(spec: Any) -> None:
    """Anything either is refused or gives a type that stays within its items and holds no pointers."""
    try:
        dtype = dtype_from_spec(spec)
    except FormatError:
        return
    assert not dtype.hasobject
    assert 0 <= dtype.itemsize <= LARGEST
    for field, offset in (found[:2] for found in (dtype.fields or {}).values()):
        assert 0 <= offset <= offset + field.itemsize <= dtype.itemsize
    if 0 < dtype.itemsize < 1 << 20:
        np.ndarray((2,), dtype, bytearray(2 * dtype.itemsize)).tolist()


@pytest.mark.parametrize("flag", [1, "yes", [0], False, None])
def test_aligned_is_true_alone(flag: Any) -> None:
    """A structure is aligned if its flag is `true`; any other value leaves it packed."""
    spec = {"fields": [["a", "<f8", 0]], "itemsize": 8}
    assert dtype_from_spec({**spec, "aligned": True}).isalignedstruct
    assert not dtype_from_spec({**spec, "aligned": flag}).isalignedstruct
