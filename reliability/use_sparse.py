"""The cases of `use` for SciPy: sparse matrices and arrays of every format, and splines."""

from __future__ import annotations

import random
from typing import Any, Iterator

import numpy as np

from binpickle import trust

from .use import Case

__all__ = ["sparse_cases", "use_sparse"]

_MOST = 1 << 20  # of a side; a huge matrix with few items is sound, and some of its uses take as long as a side is
_FORMATS = ("bsr", "coo", "csc", "csr", "dia", "dok", "lil")


def sparse_cases() -> Iterator[Case]:
    """Yield a case for each format, of several shapes, and for a spline."""
    from scipy import sparse

    dense = np.array([[0, 1.5, 0, 0, 2, 0], [2, 0, 0, 3, 0, 0], [0, 0, 0, 0, 0, 1], [1, 1, 0, 0, 0, 1]])
    for kind in _FORMATS:
        for form in ("matrix", "array"):
            make = getattr(sparse, f"{kind}_{form}", None)
            if make is None:
                continue
            yield Case(f"{kind}_{form}", lambda make=make: _flagged(make(dense)), use_sparse, trust.scipy())
            whole = (dense[:, :4] * 2).astype(np.int64)
            yield Case(f"{kind}_{form}, whole", lambda make=make, whole=whole: make(whole), use_sparse, trust.scipy())
    block = sparse.csr_matrix(dense)
    yield Case("bsr_matrix of blocks", lambda: block.tobsr((2, 3)), use_sparse, trust.scipy())
    yield from _lines(sparse)
    yield Case("spline", _spline, _use_spline, trust.sklearn())


def _lines(sparse: Any) -> Iterator[Case]:
    """Yield arrays of one dimension and of three, where the release has them."""
    line = np.array([0, 1.0, 0, 2])
    for kind in ("coo", "csr", "dok"):
        try:
            made = getattr(sparse, f"{kind}_array")(line)
        except (AttributeError, ValueError, TypeError):
            continue
        yield Case(f"{kind}_array, line", lambda made=made: made, use_sparse, trust.scipy())
    try:
        cube = sparse.coo_array((np.ones(3), ([0, 1, 1], [0, 1, 2], [3, 0, 1])), shape=(2, 3, 4))
    except (AttributeError, ValueError, TypeError):
        return
    yield Case("coo_array, cube", lambda: cube, use_sparse, trust.scipy())


def _flagged(matrix: Any) -> Any:
    """Return a matrix that remembers whether it is sorted."""
    for name in ("has_sorted_indices", "has_canonical_format"):
        getattr(matrix, name, None)
    return matrix


def _spline() -> Any:
    from scipy.interpolate import make_interp_spline

    places = np.linspace(0, 1, 12)
    return make_interp_spline(places, np.c_[places, places**2], k=3)


def _use_spline(spline: Any) -> None:
    for ask in (
        lambda: spline(np.linspace(-1, 2, 30)),
        lambda: spline(np.linspace(0, 1, 5), nu=1),
        lambda: spline.derivative()(0.5),
        lambda: spline.antiderivative()(0.5),
        lambda: spline.integrate(0, 1),
        lambda: type(spline).design_matrix(np.linspace(0.1, 0.9, 5), spline.t, spline.k).toarray(),
        lambda: repr(spline),
    ):
        _try(ask)


def use_sparse(matrix: Any) -> None:
    """Use a sparse matrix or array as people do: some ways each time, in another order."""
    if max(matrix.shape, default=0) > _MOST:
        return
    for ask in random.sample(_QUESTIONS, 15):
        _try(lambda ask=ask: _look(ask(matrix)))


def _look(found: Any) -> None:
    repr(found)
    str(found)
    if hasattr(found, "toarray") and np.prod(found.shape, dtype=float) < 1e7:
        found.toarray()


_QUESTIONS = [
    lambda m: m,
    lambda m: m.T,
    lambda m: m.copy(),
    lambda m: m + m,
    lambda m: m - m,
    lambda m: m * 2,
    lambda m: m @ m.T,
    lambda m: m.multiply(m),
    lambda m: m @ np.ones(m.shape[-1]),
    lambda m: m @ np.ones((m.shape[-1], 2)),
    lambda m: m == m,
    lambda m: m != 1,
    lambda m: m > m,
    lambda m: m.maximum(m),
    lambda m: m.sum(),
    lambda m: m.sum(0),
    lambda m: m.sum(1),
    lambda m: m.mean(1),
    lambda m: m.max(1),
    lambda m: m.argmax(0),
    lambda m: m[0],
    lambda m: m[1:3],
    lambda m: m[:, 1],
    lambda m: m[[0, -1]],
    lambda m: m[:, [1, 0]],
    lambda m: m[::-1, ::2],
    lambda m: m[1, 1],
    lambda m: m.diagonal(),
    lambda m: m.nonzero(),
    lambda m: m.count_nonzero(),
    lambda m: m.getnnz(0),
    lambda m: m.astype(np.float32),
    lambda m: abs(m),
    lambda m: m.power(2),
    lambda m: m.reshape((-1, 2)),
    lambda m: m.conj(),
    lambda m: m.trace(),
    lambda m: m.toarray(),
    lambda m: m.todense(),
    lambda m: m.tobsr(),
    lambda m: m.tocoo(),
    lambda m: m.tocsc(),
    lambda m: m.tocsr(),
    lambda m: m.todia(),
    lambda m: m.todok(),
    lambda m: m.tolil(),
    lambda m: _with(m, lambda c: c.sort_indices()),
    lambda m: _with(m, lambda c: c.sum_duplicates()),
    lambda m: _with(m, lambda c: c.eliminate_zeros()),
    lambda m: _with(m, lambda c: c.resize(3, 3)),
    lambda m: _with(m, lambda c: c.setdiag(5)),
    lambda m: _with(m, lambda c: c.__setitem__((0, 1), 9)),
    lambda m: _with(m, lambda c: c.__setitem__((slice(1, 3), 0), 9)),
    lambda m: m.check_format(full_check=True),
    lambda m: _stacked(m),
    lambda m: _solved(m),
]


def _with(matrix: Any, change: Any) -> Any:
    changed = matrix.copy()
    change(changed)
    return changed


def _stacked(matrix: Any) -> Any:
    from scipy import sparse

    return sparse.hstack([sparse.vstack([matrix, matrix]), sparse.vstack([matrix, matrix])])


def _solved(matrix: Any) -> Any:
    from scipy.sparse import csgraph, linalg

    square = matrix[:4, :4]
    _try(lambda: linalg.norm(matrix))
    _try(lambda: csgraph.connected_components(square))
    return linalg.spsolve(square.tocsc() + 5 * np.eye(4), np.ones(4))


def _try(ask: Any) -> None:
    try:
        ask()
    except Exception:  # an error is no crash
        return
