"""Sparse matrices and splines whose states lie are refused when they are loaded, before anything can use them."""

from __future__ import annotations

from typing import Any, Callable

import numpy as np
import pytest
from forging import load, refused, with_state
from same import assert_same

sparse = pytest.importorskip("scipy.sparse")

DENSE = np.array([[0, 1.5, 0, 0], [2, 0, 0, 3]])


def put(**parts: Any) -> Callable[[Any], None]:
    """Return a change that sets attributes."""
    return lambda state: state.update(parts)


def made(kind: str) -> Any:
    """Return a matrix of a format, that remembers whether it is sorted."""
    if kind == "bsr":
        return sparse.csr_matrix(DENSE).tobsr((1, 2))
    matrix = getattr(sparse, f"{kind}_matrix")(DENSE)
    if kind in ("csr", "csc"):
        assert matrix.has_sorted_indices
        assert matrix.has_canonical_format
    return matrix


def ints(*numbers: int) -> Any:
    return np.array(numbers, np.int32)


def lists(*rows: Any) -> Any:
    """Return an array of objects."""
    array = np.empty(len(rows), object)
    array[:] = [list(row) if isinstance(row, tuple) else row for row in rows]
    return array


def coordinates(*along: Any) -> Callable[[Any], None]:
    """Return a change of the coordinates, under the names of any release."""

    def change(state: Any) -> None:
        if "coords" in state:
            state["coords"] = along
        else:
            state.update(zip(("row", "col"), along))

    return change


FORGED = [
    ("csr", put(_shape=(2,)), "has the shape|its shape has not 2 dimensions"),
    ("csr", put(_shape=[2, 4]), "its shape has not 2 dimensions"),
    ("csr", put(_shape=(-2, 4)), "a length of its shape is not an integer"),
    ("csr", put(_shape=(2, 4.0)), "a length of its shape is not an integer"),
    ("csr", put(maxprint="x"), "maxprint is not an integer"),
    ("csr", put(indptr=ints(0, 1)), r"indptr has the shape \(2,\), not \(3\)"),
    ("csr", put(indptr=np.array([0.0, 1, 3])), "indptr has the dtype"),
    ("csr", put(indptr=np.array([0, 1, 3], ">i4")), "indptr has the dtype"),
    ("csr", put(indptr=[0, 1, 3]), "indptr is a list"),
    ("csr", put(indptr=ints(1, 1, 3)), "indptr does not begin with 0 and grow"),
    ("csr", put(indptr=ints(0, 3, 1)), "indptr does not begin with 0 and grow"),
    ("csr", put(indptr=ints(0, 1, 4)), "indptr ends at 4"),
    ("csr", put(indices=ints(1, 0)), r"indices has the shape \(2,\)"),
    ("csr", put(indices=ints(1, 0, 4)), "indices has numbers that are not from 0 to 3"),
    ("csr", put(indices=ints(1, -1, 3)), "indices has numbers that are not from 0 to 3"),
    ("csr", put(indices=ints(1, 3, 0)), "a flag claims"),
    ("csr", put(indices=ints(1, 3, 3)), "a flag claims"),
    ("csr", put(_has_sorted_indices=True, _has_canonical_format=False, indices=ints(1, 3, 0)), "a flag claims"),
    ("csr", put(_has_sorted_indices="yes"), "_has_sorted_indices is a str"),
    ("csr", put(data=np.ones((3, 1))), "data has the shape"),
    ("csr", put(data=np.array([1, "a", None], object)), "data is not an array of numbers"),
    ("csr", put(data=np.ones(3, ">f8")), "data is not an array of numbers"),
    ("csr", put(data=None), "data is not an array of numbers"),
    ("csr", put(check_format=None), "'check_format' hides a method"),
    ("csc", put(indptr=ints(0, 1, 2, 2)), r"indptr has the shape \(4,\), not \(5\)"),
    ("csc", put(indices=ints(1, 0, 2)), "indices has numbers that are not from 0 to 1"),
    ("bsr", put(data=np.ones((3, 3, 1))), "do not divide the shape"),
    ("bsr", put(data=np.ones((3, 1, 3))), r"blocks of \(1, 3\) do not divide"),
    ("bsr", put(data=np.ones((3, 0, 2))), "do not divide the shape"),
    ("bsr", put(data=np.ones((3, 2))), "data has the shape"),
    ("bsr", put(indices=ints(0, 0, 2)), "indices has numbers that are not from 0 to 1"),
    ("bsr", put(indptr=ints(0, 1, 9)), "indptr ends at 9"),
    ("coo", coordinates(ints(0, 1, 2), ints(1, 0, 3)), "coords has numbers that are not from 0 to 1"),
    ("coo", coordinates(ints(0, 1, 1), ints(1, 0, 4)), "coords has numbers that are not from 0 to 3"),
    ("coo", coordinates(ints(0, 1, 1), ints(1, -1, 3)), "coords has numbers that are not from 0 to 3"),
    ("coo", coordinates(ints(0, 1), ints(1, 0)), r"coords has the shape \(2,\)"),
    ("coo", coordinates(ints(0, 1, 1), [1, 0, 3]), "coords is a list"),
    ("coo", put(coords=(ints(0, 1, 1),)), "it has not coordinates for 2 dimensions"),
    ("coo", coordinates(ints(0, 1, 1), ints(1, 3, 3)), "each coordinate is there once"),
    ("coo", put(has_canonical_format=2), "has_canonical_format is a int"),
    ("dia", put(offsets=ints(-1, 1, 9)), "offsets has numbers that are not from -2 to 4"),
    ("dia", put(offsets=ints(-1, 1, -9)), "offsets has numbers that are not from -2 to 4"),
    ("dia", put(offsets=ints(-1, 1, 1)), "two diagonals have one offset"),
    ("dia", put(offsets=ints(-1, 1)), r"data has the shape \(3, 4\)"),
    ("dia", put(offsets=np.array([-1.0, 1, 2])), "offsets has the dtype"),
    ("dia", put(data=np.ones(3)), "data has the shape"),
    ("lil", put(rows=lists((1,))), r"rows has the shape \(1,\)"),
    ("lil", put(data=lists((1.5,))), r"data has the shape \(1,\)"),
    ("lil", put(rows=ints(0, 1)), "rows has the dtype"),
    ("lil", put(rows=lists((1,), None)), "a row is not two lists"),
    ("lil", put(rows=lists((1,), (0,))), "a row is not two lists of one length"),
    ("lil", put(rows=lists((1,), (0, 4))), "the indices of a row"),
    ("lil", put(rows=lists((1,), (-1, 3))), "the indices of a row"),
    ("lil", put(rows=lists((1,), (3, 0))), "the indices of a row"),
    ("lil", put(rows=lists((1,), (3, 3))), "the indices of a row"),
    ("lil", put(rows=lists((1,), (0, 3.0))), "the indices of a row"),
    ("lil", put(data=lists((1.5,), (2, "3"))), "an item is a str"),
    ("lil", put(dtype="f8"), "its dtype is not one of numbers"),
    ("dok", put(dtype=np.dtype("O")), "its dtype is not one of numbers"),
    ("dok", put(_dict=[]), "its items are not a dict"),
    ("dok", put(_dict={(0, 4): 1.0}), "the key a tuple is not inside"),
    ("dok", put(_dict={(0, -1): 1.0}), "the key a tuple is not inside"),
    ("dok", put(_dict={(0,): 1.0}), "the key a tuple is not inside"),
    ("dok", put(_dict={(0, 1.0): 1.0}), "the key a tuple is not inside"),
    ("dok", put(_dict={(0, 1): "x"}), "an item is a str"),
]


@pytest.mark.parametrize(("kind", "change", "message"), FORGED, ids=[f"{n}-{row[0]}" for n, row in enumerate(FORGED)])
def test_forged_matrices_are_refused(kind, change, message):
    """A matrix whose indices, lengths or flags lie is refused, and the message says what is wrong."""
    with pytest.raises(Exception, match=message) as caught:
        load(with_state(made(kind), change))
    assert type(caught.value).__name__ == "FormatError"


@pytest.mark.parametrize("kind", ["bsr", "coo", "csc", "csr", "dia", "dok", "lil"])
@pytest.mark.parametrize("form", ["matrix", "array"])
@pytest.mark.parametrize("shape", [(0, 0), (1, 1), (3, 5), (5, 0)])
def test_honest_matrices_load(kind, form, shape):
    """Matrices and arrays of each format load, of any shape and type of numbers, sorted or not."""
    make = getattr(sparse, f"{kind}_{form}", None)
    if make is None:
        pytest.skip("this release of SciPy has no sparse arrays")
    for dtype in (float, np.float32, int, bool, complex):
        matrix = make((np.random.RandomState(0).rand(*shape) > 0.4).astype(dtype))
        assert_same(load(matrix).toarray(), matrix.toarray(), kind)
        assert np.array_equal(load(matrix.tocsr().T).toarray(), matrix.toarray().T)


@pytest.mark.parametrize("kind", ["coo", "csr", "dok"])
def test_honest_lines_load(kind):
    """Arrays of one dimension load, where SciPy has them."""
    try:
        line = getattr(sparse, f"{kind}_array")(np.array([0, 1.5, 0]))
    except (AttributeError, TypeError, ValueError):
        pytest.skip("this release of SciPy has no sparse arrays of one dimension")
    assert_same(load(line).toarray(), line.toarray(), kind)


def test_rows_are_lists_that_nothing_else_holds():
    """A list that the stream extends after a lil matrix has its state is not that of the matrix."""
    row: list[Any] = []
    row.append(with_state(made("lil"), put(rows=lists((1,), row), data=lists((1.5,), ()))))
    assert load(row)[0].rows[1] == []


def test_index_arrays_are_arrays_that_nothing_else_holds():
    """Who writes to an array of the object that was the indices of a matrix does not write to the matrix."""
    matrix = made("csr")
    loaded, shared = load([matrix, matrix.indices])
    shared[:] = 1 << 30
    assert np.array_equal(loaded.toarray(), matrix.toarray())


def splines() -> Any:
    from scipy.interpolate import make_interp_spline

    places = np.linspace(0, 1, 8)
    return make_interp_spline(places, np.c_[places, places**2], k=3)


KNOTS = np.r_[0, 0, 0, 0, 0.2, 0.4, 0.6, 0.8, 1, 1, 1, 1.0]
SPLINES = [
    ("t", KNOTS[::-1].copy(), "its knots are not sorted"),
    ("t", np.full(12, 0.5), "its knots are not sorted"),
    ("t", np.where(KNOTS == 0.4, np.nan, KNOTS), "its knots are not sorted"),
    ("t", KNOTS.astype("f4"), "its knots has the dtype"),
    ("t", KNOTS.reshape(3, 4), "its knots has the shape"),
    ("t", list(KNOTS), "its knots is a list"),
    ("c", np.ones((7, 2)), "it has 7 coefficients for 12 knots"),
    ("c", np.ones((8, 2), int), "its coefficients has the dtype"),
    ("c", np.float64(1), "its coefficients are not an array"),
    ("k", -1, "its degree is not an integer from 0 to 5"),
    ("k", 6, "its degree is not an integer from 0 to 5"),
    ("axis", 2, "its axis is not an integer from 0 to 1"),
    ("extrapolate", [], "extrapolate is neither a bool nor a string"),
]


@pytest.mark.parametrize(("name", "value", "message"), SPLINES, ids=range(len(SPLINES)))
def test_forged_splines_are_refused(name, value, message):
    """A spline is refused whose knots are not sorted, or do not fit its degree and coefficients."""
    spline = splines()
    state = spline.__reduce_ex__(4)[2]
    if isinstance(state, tuple):  # from SciPy 1.18 on, a spline hands on to another one
        spline = state[0]
    place = name if name in vars(spline) else f"_{name}"
    assert message in refused(with_state(spline, put(**{place: value})))


def test_honest_splines_load():
    """A spline loads and gives the same values."""
    places = np.linspace(0, 1, 30)
    assert_same(load(splines())(places), splines()(places), "spline")
