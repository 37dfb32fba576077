"""Row 5: one array through one fixed codec on two threads, against the same codec on one.

Rule: three comparisons, so that no slow base flatters: with `dump(threads=1)`, with a plain loop of numcodecs, and,
as the measure of the machine, that same loop on one thread and on two.
"""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numcodecs
import numpy as np

from ..cases import MIB, Case, Contender, Scale, amount, ratio
from ..contenders import ours
from ..objects import walk

__all__ = ["cases"]

PIECE = 4 * MIB

CHAINS: dict[str, list[Any]] = {
    "zstd 1": [numcodecs.Zstd(level=1)],
    "zstd 3": [numcodecs.Zstd(level=3)],
    "lz4": [numcodecs.LZ4()],
    "shuffle + zstd 1": [numcodecs.Shuffle(elementsize=8), numcodecs.Zstd(level=1)],
}

# What two threads must give over one.
GAIN = 1 / 1.75


def cases(scale: Scale) -> list[Case]:
    """Declare a case of row 5 for each codec chain."""
    size = scale.pick(256, 96) * MIB
    return [case(name, size, scale.pick(11, 3)) for name in CHAINS]


def case(name: str, size: int, rounds: int) -> Case:
    """Declare one case of row 5."""
    chain = CHAINS[name]
    return Case(
        row="5",
        name=f"{size // MIB} MiB array, {name}",
        make=walk,
        size=size,
        contenders=(
            ours("2 threads", codecs=chain, threads=2),
            ours("1 thread", codecs=chain, threads=1),
            plain_loop("numcodecs, 1 thread", chain, 1),
            plain_loop("numcodecs, 2 threads", chain, 2),
        ),
        rounds=rounds,
        targets=tuple(
            target
            for step in ("dump", "load")
            for target in (
                ratio(step, "2 threads", "1 thread", GAIN),
                ratio(step, "2 threads", "numcodecs, 1 thread", GAIN),
                ratio(step, "numcodecs, 2 threads", "numcodecs, 1 thread"),
                amount(f"{step} memory", "2 threads", (size if step == "load" else 0) + 32 * MIB),
            )
        ),
    )


def plain_loop(name: str, chain: list[Any], threads: int) -> Contender:
    """Make a contender that encodes piece by piece with numcodecs alone and writes each to the file."""
    return Contender(name, partial(dump_pieces, chain, threads), partial(load_pieces, chain, threads))


def dump_pieces(chain: list[Any], threads: int, array: np.ndarray[Any, Any], path: str) -> None:
    """Write an array as a pickle of its size, then one of each encoded piece."""
    pieces = [array[start : start + PIECE // 8] for start in range(0, array.size, PIECE // 8)]
    with open(path, "wb") as file, ThreadPoolExecutor(threads) as pool:
        pickle.dump(array.size, file)
        encode = partial(through, chain)
        for encoded in pool.map(encode, pieces) if threads > 1 else map(encode, pieces):
            pickle.dump(encoded, file, protocol=5)


def through(chain: list[Any], piece: Any) -> bytes:
    """Encode one piece."""
    for codec in chain:
        piece = codec.encode(piece)
    return bytes(piece)


def load_pieces(chain: list[Any], threads: int, path: str) -> np.ndarray[Any, Any]:
    """Read what `dump_pieces` wrote, decoding each piece into its place."""
    with open(path, "rb") as file, ThreadPoolExecutor(threads) as pool:
        array = np.empty(pickle.load(file))
        starts = range(0, array.size, PIECE // 8)
        encoded = [pickle.load(file) for _ in starts]
        places = [array[start : start + PIECE // 8] for start in starts]
        list((pool.map if threads > 1 else map)(partial(back, chain), encoded, places))
    return array


def back(chain: list[Any], piece: Any, place: np.ndarray[Any, Any]) -> None:
    """Decode one piece into its place."""
    for codec in reversed(chain[1:]):
        piece = codec.decode(piece)
    chain[0].decode(piece, out=place)
