"""Streams of tensors of torch with random geometry, near the borders of what the guards accept, for the fuzz of use.

Rule: most of them are accepted. What torch does with odd sizes, strides and empty dimensions is what is asked.
"""

from __future__ import annotations

import random
from typing import Any, Callable, Sequence

import numpy as np
from assembler import FALSE, NONE, TRUE, call, dic, dtype, floating, glob, number, stream, text, tup, writable

from binpickle import trust

from .use import Case

__all__ = ["forged_cases"]

_OLDER = {"bool": 1, "uint8": 1, "int16": 2, "bfloat16": 2, "int32": 4, "float32": 4, "complex64": 8, "complex128": 16}
_NEWER = {"float8_e5m2": 1, "int1": 1, "bits8": 1, "uint16": 2, "uint32": 4, "complex32": 4, "uint64": 8}
_LIKE_NUMPY = {"float32": "f4", "float64": "f8", "int64": "i8", "int32": "i4", "bool": "?", "complex64": "c8"}
_HOOKS = call("collections:OrderedDict")
_UTILS = "torch._utils:_rebuild_"
_HUGE = (1 << 20, 1 << 31, 1 << 40)


def forged_cases(use: Callable[[Any], Any]) -> list[Case]:
    """Return a case for each kind of tensor."""
    makers = (_strided, _coordinates, _compressed, _nested, _quantized)
    return [Case(f"forged {make.__name__[1:]}", dict, use, trust.torch(), _stream_of(make)) for make in makers]


def _stream_of(make: Callable[[random.Random], bytes]) -> Callable[[random.Random], bytes]:
    def forge(dice: random.Random) -> bytes:
        made = make(dice)
        if dice.random() < 0.1:
            made = call(f"{_UTILS}parameter", made, FALSE, _HOOKS)
        return stream(made)

    return forge


def _ints(numbers: Sequence[int]) -> bytes:
    return tup(*map(number, numbers))


def _storage(octets: bytes) -> bytes:
    array = call("numpy:ndarray", _ints([len(octets)]), dtype("u1", "|"), writable(octets))
    return call("binpickle.rebuild:torch_storage", array)


def _typed(octets: bytes, name: str) -> bytes:
    return call("binpickle.rebuild:torch_typed_storage", _storage(octets), glob(f"torch:{name}"))


def _octets(dice: random.Random, count: int, most: int) -> bytes:
    return bytes(dice.choice((0, 1, most)) for _ in range(count))


def _row_major(size: Sequence[int]) -> list[int]:
    """Return the strides of an array in the order of C."""
    strides: list[int] = []
    step = 1
    for length in reversed(size):
        strides.insert(0, step)
        step *= max(length, 1)
    return strides


def _of_array(array: np.ndarray, name: str) -> bytes:
    strides = _row_major(array.shape)
    held = _typed(np.ascontiguousarray(array).tobytes(), name)
    return call(f"{_UTILS}tensor_v2", held, number(0), _ints(array.shape), _ints(strides), FALSE, _HOOKS)


def _values(dice: random.Random, shape: Sequence[int]) -> bytes:
    name = dice.choice(list(_LIKE_NUMPY))
    count = int(np.prod(shape))
    return _of_array(np.array([dice.choice((0, 1, 2)) for _ in range(count)], _LIKE_NUMPY[name]).reshape(shape), name)


def _strided(dice: random.Random) -> bytes:
    """Push a tensor of any geometry that fits its storage."""
    name = dice.choice([*_OLDER, *_NEWER])
    width, count = {**_OLDER, **_NEWER}[name], dice.choice((0, 1, 2, 5, 16, 64, 200))
    lengths = (0, 1, 1, 1, 2, 3, 5) if dice.random() < 0.9 else (1, 1, 1, 1, 1, 1, 2)
    size = [dice.choice(lengths) for _ in range(dice.choice((0, 1, 2, 2, 3, 4)) if 5 in lengths else 64)]
    offset = dice.choice((0, 0, 0, 1, max(count - 1, 0), count))
    room, strides = count - 1 - offset, _row_major(size)
    if dice.random() < 0.7:
        for place, length in enumerate(size):
            most = max(0, room) // (length - 1) if length > 1 else 1 << 40
            strides[place] = dice.choice((0, min(1, most), most, dice.randrange(most + 1)))
            room -= max(length - 1, 0) * strides[place]
    octets = _octets(dice, count * width, 1 if name == "bool" else 255)
    given = [number(offset), _ints(size), _ints(strides), dice.choice((TRUE, FALSE, FALSE, FALSE)), _HOOKS]
    flags = [dic(text(dice.choice(("conj", "neg"))), TRUE)] if dice.random() < 0.1 else []
    if name in _NEWER:
        return call(f"{_UTILS}tensor_v3", _storage(octets), *given, glob(f"torch:{name}"), *flags)
    return call(f"{_UTILS}tensor_v2", _typed(octets, name), *given, *flags)


def _layout(name: str) -> bytes:
    return call("torch.serialization:_get_layout", text(f"torch.{name}"))


def _coordinates(dice: random.Random) -> bytes:
    """Push a sparse tensor of coordinates."""
    size = [dice.choice((1, 2, 3, 4, 4, 0, *_HUGE)) for _ in range(dice.choice((0, 1, 2, 2, 2, 3, 5)))]
    dense = [dice.choice((0, 1, 2, 3)) for _ in range(dice.choice((0, 0, 0, 1, 2)))]
    count = dice.choice((0, 1, 2, 3, 6))
    places = [[dice.choice((0, length - 1, dice.randrange(max(length, 1)))) for _ in range(count)] for length in size]
    indices, says = np.array(places, "i8").reshape(len(size), count), dice.choice((TRUE, FALSE, NONE))
    if size and count and dice.random() < 0.5:
        indices, says = np.unique(indices, axis=1), TRUE
    values = _values(dice, [indices.shape[1], *dense])
    parts = tup(_of_array(indices, "int64"), values, _ints([*size, *dense]), says)
    return call(f"{_UTILS}sparse_tensor", _layout("sparse_coo"), parts)


def _compressed(dice: random.Random) -> bytes:
    """Push a sparse tensor of compressed rows, columns, or blocks of these."""
    rows, blocked = dice.random() < 0.5, dice.random() < 0.5
    batch = [dice.choice((0, 1, 2, 3)) for _ in range(dice.choice((0, 0, 0, 1, 2)))]
    lines, width, count = dice.choice((0, 1, 2, 3, 4)), dice.choice((1, 2, 3, 4, 4, 0, *_HUGE)), dice.randrange(5)
    ends, places = [], []
    for _ in range(int(np.prod(batch))):
        cuts = [0, *sorted(dice.randrange(count + 1) for _ in range(lines - 1)), *[count] * bool(lines)]
        line = [range(min(width, 1 << 20)) for _ in cuts[1:]]
        picked = [sorted(dice.sample(free, min(b - a, len(free)))) for free, a, b in zip(line, cuts, cuts[1:])]
        flat = sum(picked, [])
        ends.append(cuts)
        places.append(flat + [0] * (count - len(flat)))
    name, kind = dice.choice((("int64", "i8"), ("int32", "i4")))
    block = [dice.choice((1, 2, 3)), dice.choice((1, 2))] if blocked else [1, 1]
    matrix = [lines, width] if rows else [width, lines]
    dense = [dice.choice((0, 1, 2)) for _ in range(dice.choice((0, 0, 0, 1)))]
    size = [*batch, *(length * part for length, part in zip(matrix, block)), *dense]
    parts = [
        _of_array(np.array(ends, kind).reshape([*batch, lines + 1]), name),
        _of_array(np.array(places, kind).reshape([*batch, count]), name),
        _values(dice, [*batch, count, *(block if blocked else []), *dense]),
        _ints(size),
    ]
    layout = f"sparse_{'bs' if blocked else 'cs'}{'r' if rows else 'c'}"
    return call(f"{_UTILS}sparse_tensor", _layout(layout), tup(*parts))


def _nested(dice: random.Random) -> bytes:
    """Push a nested tensor."""
    shape = dice.choice((0, 1, 2, 3)), dice.choice((0, 1, 1, 2, 2, 3))
    sizes = np.array([dice.choice((0, 1, 2, 3)) for _ in range(shape[0] * shape[1])], "i8").reshape(shape)
    strides = np.ones_like(sizes)
    for place in range(shape[1] - 2, -1, -1):
        strides[:, place] = strides[:, place + 1] * sizes[:, place + 1]
    counts = sizes.prod(axis=1)
    given = [_of_array(part, "int64") for part in (sizes, strides, np.cumsum(counts) - counts)]
    return call(f"{_UTILS}nested_tensor", _values(dice, [int(counts.sum())]), *given)


def _quantized(dice: random.Random) -> bytes:
    """Push a quantised tensor."""
    name, width = dice.choice((("quint8", 1), ("qint8", 1), ("qint32", 4)))
    size = [dice.choice((0, 1, 2, 3, 4)) for _ in range(dice.choice((0, 1, 2, 2, 3, 4, 5)))]
    strides = _row_major(size)
    if dice.random() < 0.4:
        order = dice.sample(range(len(size)), len(size))
        size, strides = [size[place] for place in order], [strides[place] for place in order]
    if dice.random() < 0.2:
        strides = [dice.choice((0, 1, 2)) for _ in strides]
    if dice.random() < 0.5:
        scale, zero = dice.choice((0.0, 0.1, -1.0, 1e300, 1e-300)), dice.choice((0, 1, 128, -5, -(1 << 31)))
        parameters = tup(glob("torch:per_tensor_affine"), floating(scale), number(zero))
    else:
        axis = dice.randrange(len(size) or 1)
        count, (zeros, kind) = [*size, 1][axis], dice.choice((("int64", "i8"), ("float32", "f4")))
        scales = _of_array(np.full(count, dice.choice((0.0, 0.1, 1e30))), "float64")
        points = _of_array(np.full(count, dice.choice((0, 3, 1 << 40)), kind), zeros)
        parameters = tup(glob("torch:per_channel_affine"), scales, points, number(axis))
    held = _typed(_octets(dice, width * dice.choice((0, 1, 5, 24, 100)), 255), name)
    given = [number(dice.choice((0, 0, 1))), _ints(size), _ints(strides), parameters, FALSE, _HOOKS]
    return call(f"{_UTILS}qtensor", held, *given)
