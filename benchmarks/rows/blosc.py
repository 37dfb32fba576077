"""Row 18: one array through Blosc on all cores, against Blosc2 with the same codec, level, shuffle and threads."""

from __future__ import annotations

import os
import pickle
from functools import partial
from typing import Any

import numcodecs
import numpy as np

from ..cases import MIB, Case, Contender, Scale, amount, ratio
from ..contenders import ours
from ..objects import walk

__all__ = ["cases"]

CORES = len(os.sched_getaffinity(0))
LEVELS = {"zstd": 3, "lz4": 5}


def cases(scale: Scale) -> list[Case]:
    """Declare a case of row 18 for each codec within Blosc."""
    size = scale.pick(256, 128) * MIB
    return [case(codec, level, size, scale.pick(11, 3)) for codec, level in LEVELS.items()]


def case(codec: str, level: int, size: int, rounds: int) -> Case:
    """Declare one case of row 18."""
    peer = f"Blosc2 {codec} {level}"
    chain = [numcodecs.Blosc(cname=codec, clevel=level, shuffle=numcodecs.Blosc.SHUFFLE)]
    return Case(
        row="18",
        name=f"{size // MIB} MiB array, Blosc {codec} {level}, {CORES} threads",
        make=walk,
        size=size,
        contenders=(ours("blosc", codecs=chain, threads=CORES), blosc2_frame(peer, codec, level)),
        targets=(
            ratio("size", "blosc", peer),
            ratio("dump", "blosc", peer, 1.1),
            ratio("load", "blosc", peer, 1.1),
            amount("dump memory", "blosc", 32 * MIB),
            amount("load memory", "blosc", size + 32 * MIB),
        ),
        rounds=rounds,
    )


def blosc2_frame(name: str, codec: str, level: int) -> Contender:
    """Make a contender that keeps one array as a Blosc2 frame within a pickle."""
    return Contender(name, partial(dump_frame, codec, level), load_frame)


def dump_frame(codec: str, level: int, array: np.ndarray[Any, Any], path: str) -> None:
    """Encode with all threads, and write the frame."""
    import blosc2

    settings = {
        "codec": {"zstd": blosc2.Codec.ZSTD, "lz4": blosc2.Codec.LZ4}[codec],
        "clevel": level,
        "filters": [blosc2.Filter.SHUFFLE],
        "nthreads": CORES,
    }
    with open(path, "wb") as file:
        pickle.dump(blosc2.pack_array2(array, cparams=settings), file, protocol=5)


def load_frame(path: str) -> Any:
    """Read the frame, and decode with all threads."""
    import blosc2

    blosc2.set_nthreads(CORES)
    with open(path, "rb") as file:
        return blosc2.unpack_array2(pickle.load(file))
