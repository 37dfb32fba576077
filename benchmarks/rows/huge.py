"""Row 13: one buffer of 5 GiB through each family of codecs; it must work, in bounded memory."""

from __future__ import annotations

from typing import Any

import numcodecs

from ..cases import GIB, MIB, Case, Scale, amount
from ..contenders import ours
from ..objects import tiled, tiles_intact

__all__ = ["cases"]

SIZE = 5 * GIB

FAMILIES: dict[str, Any] = {
    "raw": [],
    "auto": "auto",
    "zstd": [numcodecs.Zstd(level=1)],
    "lz4": [numcodecs.LZ4()],
    "blosc": [numcodecs.Blosc(cname="lz4")],
    "zlib": [numcodecs.Zlib(level=1)],
    "gzip": [numcodecs.GZip(level=1)],
    "bz2": [numcodecs.BZ2(level=1)],
    "lzma": [numcodecs.LZMA(preset=0)],
    "shuffle + zstd": [numcodecs.Shuffle(elementsize=8), numcodecs.Zstd(level=1)],
    "delta + zstd": [numcodecs.Delta(dtype="i8"), numcodecs.Zstd(level=1)],
}


def cases(scale: Scale) -> list[Case]:
    """Declare a case of row 13 for each family."""
    return [case(name) for name in FAMILIES]


def case(name: str) -> Case:
    """Declare one case of row 13."""
    return Case(
        row="13",
        name=f"one buffer of 5 GiB, {name}",
        make=tiled,
        size=SIZE,
        contenders=(ours(name, codecs=FAMILIES[name]),),
        rounds=1,
        targets=(
            amount("dump", name),
            amount("load", name),
            amount("size", name),
            amount("dump memory", name, 32 * MIB),
            amount("load memory", name, SIZE + 32 * MIB),
        ),
        check=lambda build, loaded: tiles_intact(loaded, SIZE),
    )
