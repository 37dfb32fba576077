"""Row 24: some rows of a large compressed array, against decoding all of it and against zarr; names of many buffers.

Rule: zarr has the same codec, the same level, and chunks of as many bytes. Each call opens its file, and returns rows
from the middle of the array, which begin within a chunk. Its file is in the page cache.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from typing import Any, Callable

import numcodecs
import numpy as np

import binpickle

from ..cases import GIB, MIB, Case, Contender, Measured, Scale, amount, ratio
from ..objects import tiled

__all__ = ["cases"]

ROWS, ALL, ZARR, OPEN, NAMES = "rows", "all of it", "zarr", "open", "open and name"
KEY = bytes(range(32))
CHUNK = 4 * MIB
COLUMNS = 1024


@dataclass(frozen=True)
class Way:
    """A codec, as BinPickle and as zarr have it, and the key of the file, if `array` decodes it only with a key."""

    codec: Any
    zarr: Callable[[], Any]
    key: bytes | None = None


def _zstd_of_zarr() -> Any:
    from zarr.codecs import ZstdCodec

    return ZstdCodec(level=1)


def _blosc_of_zarr() -> Any:
    from zarr.codecs import BloscCodec

    return BloscCodec(cname="lz4", clevel=5, shuffle="shuffle", typesize=8)


WAYS = {
    "zstd 1": Way(numcodecs.Zstd(level=1), _zstd_of_zarr),
    "Blosc lz4": Way(numcodecs.Blosc(cname="lz4", clevel=5, shuffle=numcodecs.Blosc.SHUFFLE), _blosc_of_zarr, KEY),
}


def cases(scale: Scale) -> list[Case]:
    """Declare the cases of row 24."""
    size, rounds = (GIB if scale.full else 256 * MIB), scale.pick(11, 5)
    found = [rows_of(name, count, size, rounds) for name in WAYS for count in (1, 4096)]
    found.append(names_of("200000 arrays in a dict", many, 200_000, rounds, 1.0))
    if find_spec("sklearn"):
        found.append(names_of("a fitted pipeline", pipeline, 1000, rounds, 0.005))
    return found


def rows_of(name: str, count: int, size: int, rounds: int) -> Case:
    """Declare the reading of some rows."""
    way, one = WAYS[name], count == 1
    with_zarr = [Contender(ZARR, partial(zarr_dump, way), partial(zarr_rows, count))] if find_spec("zarr") else []
    dump = partial(binpickle.dump, codecs=[way.codec], key=way.key)
    return Case(
        row="24",
        name=f"{count} row{'s' * (not one)} of {size // MIB} MiB, {name}",
        make=table,
        size=size,
        contenders=(
            Contender(ROWS, dump, partial(read_rows, way, count)),
            Contender(ALL, dump, partial(read_all, way)),
            *with_zarr,
        ),
        steps=("load",),
        rounds=rounds,
        targets=tuple(
            target
            for metric in ("load", "load processor time")
            for target in (
                ratio(metric, ROWS, ALL, 0.005 if one and size == GIB else None),
                ratio(metric, ROWS, ZARR, 1.0),
            )
        )
        + (amount("load memory", ROWS, 4 * CHUNK if one else None), ratio("size", ROWS, ZARR)),
        check=are_rows,
    )


def names_of(name: str, make: Callable[[int], Any], size: int, rounds: int, at_most: float) -> Case:
    """Declare the naming of all buffers of a file, and opening it alone, to be compared with another release."""
    return Case(
        row="24",
        name=f"names of {name}",
        make=make,
        size=size,
        contenders=(
            Contender(NAMES, binpickle.dump, partial(opened, named=True)),
            Contender(OPEN, binpickle.dump, partial(opened, named=False)),
        ),
        steps=("load",),
        rounds=rounds,
        targets=(amount("load", NAMES, at_most), amount("load", OPEN), amount("load memory", NAMES)),
        check=lambda build, names: names is None or all(names),
    )


def table(size: int) -> np.ndarray[Any, Any]:
    """Make an int64 array of `size` bytes that compresses, with rows of 8 KiB."""
    return tiled(max(1, size // (8 * COLUMNS)) * 8 * COLUMNS).reshape(-1, COLUMNS)


def many(count: int) -> dict[str, np.ndarray[Any, Any]]:
    """Make a dict of `count` arrays of 512 bytes, which are buffers each."""
    return {f"layer{number}": np.full(64, number) for number in range(count)}


def pipeline(rows: int) -> Any:
    """Fit a pipeline on `rows` rows."""
    from sklearn.decomposition import PCA
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    inputs = np.random.default_rng(20).normal(size=(max(rows, 100), 100))
    return make_pipeline(StandardScaler(), PCA(80), LogisticRegression()).fit(inputs, inputs[:, 0] > 0)


def some(rows: int, count: int) -> slice:
    """Choose rows in the middle of an array; the first of them is not the first of a chunk."""
    start = min(rows // 2 + 100, max(0, rows - count))
    return slice(start, min(start + count, rows))


def read_rows(way: Way, count: int, path: str) -> Any:
    """Read some rows with BinPickle."""
    with binpickle.BinPickleFile(path, key=way.key) as file:
        where = some(file.buffers[0].shape[0], count)
        return where, file.array(0, rows=where)


def read_all(way: Way, path: str) -> Any:
    """Decode all rows with BinPickle."""
    with binpickle.BinPickleFile(path, key=way.key) as file:
        return slice(None), file.array(0)


def zarr_dump(way: Way, array: Any, path: str) -> None:
    """Write an array with zarr."""
    import zarr

    stored = zarr.create_array(
        path,
        shape=array.shape,
        dtype=array.dtype,
        chunks=(CHUNK // array.strides[0], array.shape[1]),
        compressors=[way.zarr()],
        overwrite=True,
    )
    stored[:] = array


def zarr_rows(count: int, path: str) -> Any:
    """Read some rows with zarr."""
    import zarr

    stored = zarr.open_array(path, mode="r")
    where = some(stored.shape[0], count)
    return where, stored[where]


def are_rows(build: Callable[[], Any], loaded: tuple[slice, Any]) -> bool:
    """Return whether these rows are those of the array."""
    where, rows = loaded
    return np.array_equal(build()[where], rows)


def opened(path: str, named: bool) -> Measured:
    """Open a file, and name its buffers if asked for."""
    with binpickle.BinPickleFile(path) as file:
        return Measured(file.names if named else None)
