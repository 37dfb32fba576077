"""Rows 1 to 3 and 19: one large float64 array written, loaded and mapped, against NumPy's own file."""

from __future__ import annotations

from ..cases import GIB, MIB, Case, Scale, amount, ratio
from ..contenders import NUMPY, NUMPY_MAPPED, ours
from ..objects import uniform

__all__ = ["cases"]


def cases(scale: Scale) -> list[Case]:
    """Declare the cases of rows 1, 2, 3 and 19."""
    size = scale.pick(512, 256) * MIB
    name = f"{size // MIB} MiB float64 array"
    both = (NUMPY, ours("raw", codecs=[]), ours("mappable", mappable=True))
    found = [
        Case(
            row="1",
            name=name,
            make=uniform,
            size=size,
            contenders=both,
            steps=("dump",),
            rounds=scale.pick(21, 9),
            targets=tuple(
                target
                for way in ("raw", "mappable")
                for target in (ratio("dump", way, NUMPY.name, 1.20), amount("dump memory", way, 4 * MIB))
            ),
        ),
        Case(
            row="2",
            name=name,
            make=uniform,
            size=size,
            contenders=both,
            steps=("load",),
            rounds=scale.pick(15, 5),
            targets=tuple(
                target
                for way in ("raw", "mappable")
                for target in (ratio("load", way, NUMPY.name, 0.70), amount("load memory", way, size + 4 * MIB))
            ),
        ),
    ]
    found += [written(size, scale.pick(21, 9), in_memory) for in_memory in (False, True)]
    sizes = (MIB, 64 * MIB, 512 * MIB, 4 * GIB) if scale.full else (MIB, 256 * MIB)
    return found + [mapped(size, scale.pick(15, 5)) for size in sizes]


def written(size: int, rounds: int, in_memory: bool) -> Case:
    """Declare one case of row 19."""
    return Case(
        row="19",
        name=f"{size // MIB} MiB float64 array{', tmpfs' if in_memory else ''}",
        make=uniform,
        size=size,
        contenders=(NUMPY, ours("raw", codecs=[]), ours("raw, 1 thread", codecs=[], threads=1)),
        steps=("dump",),
        rounds=rounds,
        targets=(ratio("dump", "raw", NUMPY.name, 1.1), ratio("dump", "raw, 1 thread", NUMPY.name)),
        in_memory=in_memory,
    )


def mapped(size: int, rounds: int) -> Case:
    """Declare one case of row 3."""
    return Case(
        row="3",
        name=f"{size // MIB} MiB array mapped",
        make=uniform,
        size=size,
        contenders=(NUMPY_MAPPED, ours("map", mappable=True, mmap_mode="r")),
        steps=("load",),
        rounds=rounds,
        targets=(
            amount("load", "map", 0.001),
            ratio("load", "map", NUMPY_MAPPED.name),
            # A page or two of padding is more than a thousandth of a small file.
            amount("size", "map", 1.001 * size if size >= 64 * MIB else None),
        ),
        check=lambda build, loaded: bool((build() == loaded).all()),
    )
