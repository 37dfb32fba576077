"""The ways to write and read that several rows compare: those of BinPickle, and those of its peers.

Rule: each way is the code that a user of the library would write, at its best. The functions import optional packages
themselves, and a warm-up call keeps the cost of these imports out of the timed call.
"""

from __future__ import annotations

import pickle
from functools import partial
from typing import Any

import numpy as np

import binpickle

from .cases import Contender

__all__ = ["NUMPY", "NUMPY_MAPPED", "PICKLE", "blosc2_frames", "ours", "through_joblib"]


def ours(name: str, mmap_mode: str | None = None, **arguments: Any) -> Contender:
    """Make a contender of `binpickle.dump` with these arguments, and of `binpickle.load`."""
    threads = arguments.get("threads")
    return Contender(
        name,
        dump=lambda obj, path: binpickle.dump(obj, path, **arguments),
        load=lambda path: binpickle.load(path, mmap_mode=mmap_mode, threads=threads),
    )


def _numpy_save(array: Any, path: str) -> None:
    with open(path, "wb") as file:
        np.save(file, array)


NUMPY = Contender("np.save / np.load", dump=_numpy_save, load=np.load)
NUMPY_MAPPED = Contender('np.load(mmap_mode="r")', dump=_numpy_save, load=partial(np.load, mmap_mode="r"))


def _pickle_dump(obj: Any, path: str) -> None:
    with open(path, "wb") as file:
        pickle.dump(obj, file, protocol=5)


def _pickle_load(path: str) -> Any:
    with open(path, "rb") as file:
        return pickle.load(file)


PICKLE = Contender("pickle 5", dump=_pickle_dump, load=_pickle_load)


def through_joblib(name: str, rounds: int = 3, mmap_mode: str | None = None, compress: Any = 0) -> Contender:
    """Make a contender of `joblib.dump` and `joblib.load`."""

    def dump(obj: Any, path: str) -> None:
        import joblib

        joblib.dump(obj, path, compress=compress)

    def load(path: str) -> Any:
        import joblib

        return joblib.load(path, mmap_mode=mmap_mode)

    return Contender(name, dump, load, rounds=rounds)


def blosc2_frames(name: str, clevel: int) -> Contender:
    """Make a contender that keeps a dict of arrays as Blosc2 frames (zstd, all threads) in one pickle."""

    def dump(arrays: Any, path: str) -> None:
        import blosc2

        settings = {"codec": blosc2.Codec.ZSTD, "clevel": clevel, "nthreads": blosc2.detect_number_of_cores()}
        _pickle_dump({key: blosc2.pack_array2(array, cparams=settings) for key, array in arrays.items()}, path)

    def load(path: str) -> Any:
        import blosc2

        blosc2.set_nthreads(blosc2.detect_number_of_cores())
        return {key: blosc2.unpack_array2(frame) for key, frame in _pickle_load(path).items()}

    return Contender(name, dump, load)
