"""Row "torch": state dicts of torch written, loaded and mapped, against torch's own files and safetensors.

Rule: torch is too large for the group `bench`, so this row has no cases where torch or safetensors is not installed. A
load reports two times: `load` until the tensors are there, and `touched` until each of their pages was read. So ways
that put reading off are compared with ways that do not.
"""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from typing import Any, Callable

import binpickle

from ..cases import MIB, Case, Contender, Measured, Scale, ratio

__all__ = ["cases"]

TORCH, TORCH_MAPPED, SAFETENSORS = "torch.save / torch.load", "torch.load(mmap=True)", "safetensors"
RAW, AUTO, MAPPED = "raw", "auto", "map"
PAGE = 4096


def cases(scale: Scale) -> list[Case]:
    """Declare the cases of the row `torch`."""
    if not (find_spec("torch") and find_spec("safetensors")):
        return []
    size = scale.pick(256, 64) * MIB
    rounds = scale.pick(5, 3)
    return [
        case(f"state dict of 100 float32 tensors, {size // MIB} MiB", weights, size, rounds),
        case("state dict of 10000 float32 tensors of 256", small, 10_000, rounds),
        case(f"int64 ramp of {size // MIB} MiB", ramp, size, rounds),
    ]


def case(name: str, make: Callable[[int], Any], size: int, rounds: int) -> Case:
    """Declare one state dict: saved, loaded and mapped by all."""
    return Case(
        row="torch",
        name=name,
        make=make,
        size=size,
        contenders=tuple(replace(way, load=partial(touching, way.load)) for way in WAYS),
        rounds=rounds,
        targets=(
            *(ratio("size", way, peer) for way in (RAW, AUTO) for peer in (TORCH, SAFETENSORS)),
            *(ratio("dump", way, peer) for way in (RAW, AUTO) for peer in (TORCH, SAFETENSORS)),
            *(ratio("load", way, TORCH) for way in (RAW, AUTO)),
            *(ratio("touched", way, peer) for way in (RAW, AUTO) for peer in (TORCH, SAFETENSORS)),
            *(ratio(step, MAPPED, peer) for step in ("load", "touched") for peer in (TORCH_MAPPED, SAFETENSORS)),
        ),
        check=same_tensors,
    )


def weights(size: int) -> dict[str, Any]:
    """Make 100 matrices of random weights, `size` bytes in all."""
    import torch

    generator = torch.Generator().manual_seed(20)
    return {f"layer.{n}": torch.randn(max(1, size // 6400), 16, generator=generator) for n in range(100)}


def small(count: int) -> dict[str, Any]:
    """Make `count` vectors of 256 random weights: 1 KiB each."""
    import torch

    generator = torch.Generator().manual_seed(20)
    return {f"layer.{n}": torch.randn(256, generator=generator) for n in range(count)}


def ramp(size: int) -> dict[str, Any]:
    """Make one tensor of `size` bytes of consecutive integers, as indices are."""
    import torch

    return {"index": torch.arange(max(1, size // 8))}


def same_tensors(build: Callable[[], Any], loaded: Any) -> bool:
    """Return whether names, dtypes, shapes and values are the same, in any order: safetensors sorts tensors."""
    import torch

    made = build()
    return made.keys() == loaded.keys() and all(
        made[name].dtype == loaded[name].dtype and torch.equal(made[name], loaded[name]) for name in made
    )


def touching(load: Callable[[str], Any], path: str) -> Measured:
    """Load a file, then read a number of each page; give both times."""
    start = time.perf_counter()
    tensors = load(path)
    there = time.perf_counter()
    for tensor in tensors.values():
        tensor.flatten()[:: PAGE // tensor.element_size()].sum()
    return Measured(tensors, {"load": there - start, "touched": time.perf_counter() - start})


def _torch_save(obj: Any, path: str) -> None:
    import torch

    torch.save(obj, path)


def _torch_load(path: str, **arguments: Any) -> Any:
    import torch

    return torch.load(path, weights_only=True, **arguments)


def _safetensors_save(obj: Any, path: str) -> None:
    from safetensors.torch import save_file

    save_file(obj, path)


def _safetensors_load(path: str) -> Any:
    from safetensors.torch import load_file

    return load_file(path)


WAYS = (
    Contender(TORCH, dump=_torch_save, load=_torch_load),
    Contender(TORCH_MAPPED, dump=_torch_save, load=partial(_torch_load, mmap=True), steps=("load",)),
    Contender(SAFETENSORS, dump=_safetensors_save, load=_safetensors_load),
    Contender(RAW, dump=partial(binpickle.dump, codecs=[]), load=binpickle.load),
    Contender(AUTO, dump=binpickle.dump, load=binpickle.load),
    Contender(
        MAPPED,
        dump=partial(binpickle.dump, mappable=True),
        load=partial(binpickle.load, mmap_mode="c"),
        steps=("load",),
    ),
)
