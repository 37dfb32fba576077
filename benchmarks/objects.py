"""The objects that are dumped: seeded, so that every process builds the same one.

Rule: `make(size)` takes one number, bytes or a count as its docstring says, and is quick: each measurement builds anew.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from .cases import MIB

__all__ = [
    "columns",
    "dicts",
    "floats",
    "forests",
    "long_array",
    "long_bytes",
    "long_text",
    "many_8k",
    "many_random",
    "many_walks",
    "megabytes",
    "mixed",
    "numbers",
    "ramps",
    "scattered",
    "several",
    "shapes",
    "text",
    "tiled",
    "tiles_intact",
    "uniform",
    "vocabulary",
    "walk",
]

TILE = 16 * MIB


def _rng() -> np.random.Generator:
    return np.random.default_rng(20)


def uniform(size: int) -> np.ndarray[Any, Any]:
    """Make one float64 array of `size` bytes that does not compress."""
    return _rng().random(size // 8)


def walk(size: int) -> np.ndarray[Any, Any]:
    """Make one float64 array of `size` bytes: a random walk in tenths, which zstd brings to a quarter."""
    return np.round(np.cumsum(_rng().standard_normal(size // 8)), 1)


def several(size: int) -> list[np.ndarray[Any, Any]]:
    """Make sixteen such walks, `size` bytes in all."""
    return np.split(walk(size // 128 * 128), 16) if size < MIB else [walk(size // 16) + k for k in range(16)]


def mixed(size: int) -> dict[str, np.ndarray[Any, Any]]:
    """Make eight arrays as they occur in practice, `size` bytes in all, from incompressible to nearly empty."""
    rng = _rng()
    part = size // 8
    n = part // 8
    return {
        "walk": np.cumsum(rng.standard_normal(n)),
        "rounded": np.round(rng.standard_normal(n) * 100, 2),
        "sorted": np.cumsum(rng.integers(0, 1000, n)),
        "categories": rng.choice(20, part // 2, p=np.arange(1, 21) / 210).astype("i2"),
        "sparse": np.where(rng.random(n) < 0.02, rng.standard_normal(n), 0.0),
        "flags": rng.random(part) < 0.1,
        "normal32": rng.standard_normal(part // 4, dtype="f4"),
        "times": np.cumsum(rng.integers(900, 1100, n) * 10**6),
    }


def tiled(size: int) -> np.ndarray[Any, Any]:
    """Make one int64 array of `size` bytes, a sorted tile repeated; quick even at many GiB."""
    tile = _tile()
    array = np.empty(size // 8, dtype=np.int64)
    for start in range(0, array.size, tile.size):
        array[start : start + tile.size] = tile[: array.size - start]
    return array


def tiles_intact(array: np.ndarray[Any, Any], size: int) -> bool:
    """Return whether an array is what `tiled(size)` makes, without a second copy of it."""
    tile = _tile()
    starts = range(0, array.size, tile.size)
    return array.nbytes == size and all(
        np.array_equal(array[start : start + tile.size], tile[: array.size - start]) for start in starts
    )


def _tile() -> np.ndarray[Any, Any]:
    return np.cumsum(_rng().integers(0, 1000, TILE // 8))


def many_random(count: int) -> list[np.ndarray[Any, Any]]:
    """Make `count` arrays of 100 float64 that do not compress."""
    rng = _rng()
    return [rng.random(100) for _ in range(count)]


def many_walks(count: int) -> list[np.ndarray[Any, Any]]:
    """Make `count` arrays of 100 float64 that compress."""
    rows = walk(count * 800).reshape(count, 100)
    return [row.copy() for row in rows]


def many_8k(count: int) -> list[np.ndarray[Any, Any]]:
    """Make `count` arrays of 1024 float64 that do not compress."""
    rng = _rng()
    return [rng.random(1024) for _ in range(count)]


def ramps(count: int) -> list[dict[str, Any]]:
    """Make `count` dicts of one shape, each with another array of 8 kB that compresses."""
    return [{"a": np.arange(1000) + number} for number in range(count)]


def shapes(count: int) -> list[dict[str, Any]]:
    """Make `count` dicts with arrays of about 8 kB, no two of one shape and one key."""
    return [{f"a{number}": np.arange(600 + number)} for number in range(count)]


def dicts(count: int) -> list[dict[str, Any]]:
    """Make `count` small dicts of plain values, as a cache or a service keeps them."""
    return [
        {"id": number, "name": f"run {number}", "loss": number / 7, "tags": ["a", "b"], "done": number % 2 == 0}
        for number in range(count)
    ]


def megabytes(count: int) -> list[dict[str, Any]]:
    """Make `count` dicts, each with an array of 1 MB that does not compress."""
    rng = _rng()
    return [{"a": rng.random(125_000)} for _ in range(count)]


def scattered(count: int) -> list[list[np.ndarray[Any, Any]]]:
    """Make `count` lists of 100 arrays of 10 kB that do not compress."""
    rng = _rng()
    return [[rng.random(1250) for _ in range(100)] for _ in range(count)]


def forests(count: int) -> list[Any]:
    """Make `count` copies of a random forest of 7 MB in 258 buffers."""
    from sklearn.ensemble import RandomForestRegressor

    inputs = _rng().normal(size=(900, 20))
    model = RandomForestRegressor(n_estimators=86, n_jobs=1, random_state=0, max_features=6)
    model.fit(inputs, inputs[:, :5].sum(axis=1) ** 2)
    return [copy.deepcopy(model) for _ in range(count)]


def vocabulary(count: int) -> dict[str, int]:
    """Make a dict of `count` words to numbers, as a vectoriser holds."""
    return {f"token{number:x}": number for number in range(count)}


def floats(count: int) -> list[float]:
    """Make a list of `count` distinct floats."""
    return list(map(float, _rng().random(count)))


def numbers(count: int) -> list[str]:
    """Make a list of `count` distinct short strings."""
    return list(map(str, range(count)))


def text(size: int) -> list[str]:
    """Make a list of sentences of 200 characters, `size` bytes in all."""
    rng = _rng()
    words = ["".join(map(chr, rng.integers(97, 123, length))) for length in rng.integers(2, 12, 5000)]
    page = " ".join(words[index] for index in rng.integers(0, len(words), 200_000))
    starts = rng.integers(0, len(page) - 200, max(1, size // 200))
    return [page[start : start + 200] for start in starts.tolist()]


def long_bytes(size: int) -> dict[str, Any]:
    """Make a dict that holds `bytes` of noise, `size` of them."""
    return {"data": _rng().bytes(size), "name": "noise"}


def long_array(size: int) -> dict[str, Any]:
    """Make a dict that holds a `bytearray` of noise, of `size` bytes."""
    return {"data": bytearray(_rng().bytes(size)), "name": "noise"}


def long_text(size: int) -> dict[str, Any]:
    """Make a dict that holds one string of sentences, of about `size` bytes in UTF-8."""
    return {"data": "é".join(text(size)), "name": "text"}


def columns(rows: int) -> Any:
    """Make a DataFrame of `rows` rows: numbers, datetimes, strings and categories."""
    import pandas as pd

    rng = _rng()
    names = np.array([f"customer {number}" for number in range(max(1, rows // 10))])
    return pd.DataFrame(
        {
            "when": pd.Timestamp("2020-01-01") + pd.to_timedelta(np.cumsum(rng.integers(0, 90, rows)), unit="s"),
            "who": names[rng.integers(0, len(names), rows)],
            "where": pd.Categorical(np.array(["north", "east", "south", "west"])[rng.integers(0, 4, rows)]),
            "price": np.round(rng.gamma(2.0, 20.0, rows), 2),
            "pieces": rng.poisson(3, rows),
        }
    )
