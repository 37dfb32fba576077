"""How the strict machine rebuilds NumPy's random generators: from states that it checked.

Rule: the generators' C code trusts the positions in their states, and reads past its tables when these are wrong.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Callable

import numpy as np

from ...errors import FormatError
from ..budget import Budget
from ..tokens import Global, Pending
from .checks import expect, expect_int, expect_ints, expect_one_of, shown

__all__ = ["CALLS", "MENTIONED"]

_PICKLE = "numpy.random._pickle"
_BIT_GENERATOR_CTOR = (_PICKLE, "__bit_generator_ctor")
_SEED_SEQUENCE = ("numpy.random.bit_generator", "SeedSequence")

_CLASSES = {
    name: getattr(np.random, name)
    for name in ("MT19937", "PCG64", "PCG64DXSM", "Philox", "SFC64")
    if hasattr(np.random, name)  # PCG64DXSM came with NumPy 1.21
}
_HOMES = {
    ("numpy.random._mt19937", "MT19937"): "MT19937",
    ("numpy.random._pcg64", "PCG64"): "PCG64",
    ("numpy.random._pcg64", "PCG64DXSM"): "PCG64DXSM",
    ("numpy.random._philox", "Philox"): "Philox",
    ("numpy.random._sfc64", "SFC64"): "SFC64",
}

# NumPy 1 has no way to give a seed sequence back to a generator.
_KEEPS_SEED = int(np.__version__.partition(".")[0]) >= 2

# What Cython makes of the names of a seed sequence's attributes, by MD5, SHA-1 and SHA-256.
_CHECKSUMS = (0x3EAA222, 0xC464C19, 0xF88304A)

_128 = (1 << 128) - 1
_32 = (1 << 32) - 1
# What mixes a pool of entropy takes time by the square of its size. NumPy's own size is 4.
_MAX_POOL = 256
_MAX_WORDS = 1 << 10
# What it costs to make a generator, which asks the operating system for entropy, in units of work.
_GENERATOR = 300


def _array(value: Any, dtype: str, size: int) -> np.ndarray:
    expect(value, "the state of a random generator", np.ndarray)
    if value.dtype != np.dtype(dtype) or value.shape != (size,):
        raise FormatError("the state of a random generator has an array of a wrong type or size")
    return value  # type: ignore[no-any-return]


def _mt19937(state: Any) -> dict[str, Any]:
    inner = expect(state["state"], "the state of MT19937", dict)
    position = expect_int(inner["pos"], "the position of MT19937", 0, 624)
    return {"state": {"key": _array(inner["key"], "u4", 624), "pos": position}}


def _pcg64(state: Any) -> dict[str, Any]:
    inner = expect(state["state"], "the state of PCG64", dict)
    numbers = {name: expect_int(inner[name], f"{name} of PCG64", 0, _128) for name in ("state", "inc")}
    return {"state": numbers, **_half(state)}


def _philox(state: Any) -> dict[str, Any]:
    inner = expect(state["state"], "the state of Philox", dict)
    arrays = {"counter": _array(inner["counter"], "u8", 4), "key": _array(inner["key"], "u8", 2)}
    buffer = _array(state["buffer"], "u8", 4)
    position = expect_int(state["buffer_pos"], "the position of Philox", 0, 4)
    return {"state": arrays, "buffer": buffer, "buffer_pos": position, **_half(state)}


def _sfc64(state: Any) -> dict[str, Any]:
    inner = expect(state["state"], "the state of SFC64", dict)
    return {"state": {"state": _array(inner["state"], "u8", 4)}, **_half(state)}


def _half(state: Any) -> dict[str, int]:
    """The 32 bits that a generator of 64 keeps for its next call."""
    return {
        "has_uint32": expect_int(state["has_uint32"], "has_uint32", 0, 1),
        "uinteger": expect_int(state["uinteger"], "uinteger", 0, _32),
    }


_STATES: dict[str, Callable[[Any], dict[str, Any]]] = {
    "MT19937": _mt19937,
    "PCG64": _pcg64,
    "PCG64DXSM": _pcg64,
    "Philox": _philox,
    "SFC64": _sfc64,
}


def _checked(name: str, state: Any) -> dict[str, Any]:
    """Return the state of a generator, made anew of checked parts."""
    given = expect(state, "the state of a random generator", dict)["bit_generator"]
    expect_one_of(given, f"the generator of a state of {name}", name)
    return {"bit_generator": name, **_STATES[name](state)}


def _class_name(value: Any) -> str:
    """Return which bit generator a stream means, by name or by class."""
    name = _HOMES.get(value.name) if type(value) is Global else expect(value, "a bit generator", str)
    if name not in _CLASSES:
        raise FormatError(f"there is no bit generator {shown(name)} here")
    return name


def _bit_generator(budget: Budget, name: Any = "MT19937") -> Pending:
    """Begin a bit generator."""
    known = _class_name(name)
    budget.pay(_GENERATOR)
    return Pending(lambda state: _finish_bit_generator(known, state))


def _finish_bit_generator(name: str, state: Any) -> Any:
    """Finish a bit generator: NumPy 2 gives its state and its seed sequence, NumPy 1 only the state."""
    state, *seeds = expect(state, "the state of a bit generator", tuple) if type(state) is tuple else (state,)
    made = _CLASSES[name]()
    checked = _checked(name, state)
    if seeds and _KEEPS_SEED:
        made.__setstate__((checked, expect(seeds.pop(), "a seed", np.random.SeedSequence, type(None))))
    else:
        made.state = checked
    return made


def _inner(name: Any, constructor: Any) -> tuple[Any, str]:
    """Return the bit generator that belongs to a generator, and its name."""
    if constructor is not None and (type(constructor) is not Global or constructor.name != _BIT_GENERATOR_CTOR):
        raise FormatError("a random generator has other arguments than NumPy gives it")
    if type(name) in _CLASSES.values():
        return name, type(name).__name__
    known = _class_name(name)
    return _CLASSES[known](), known


def _generator(budget: Budget, name: Any = "MT19937", constructor: Any = None) -> Any:
    """Rebuild a `numpy.random.Generator`, or begin it where its state is to follow."""
    budget.pay(_GENERATOR)
    bits, known = _inner(name, constructor)
    made = np.random.Generator(bits)
    if bits is name:
        return made

    def finish(state: Any) -> Any:
        bits.state = _checked(known, state)
        return made

    return Pending(finish)


def _random_state(budget: Budget, name: Any = "MT19937", constructor: Any = None) -> Pending:
    """Begin a `numpy.random.RandomState`."""
    budget.pay(_GENERATOR)
    bits, known = _inner(name, constructor)
    made = np.random.RandomState(bits)

    def finish(state: Any) -> Any:
        checked = _checked(known, state)
        checked["has_gauss"] = expect_int(state["has_gauss"], "has_gauss", 0, 1)
        checked["gauss"] = expect(state["gauss"], "gauss", float)
        made.set_state(checked)
        return made

    return Pending(finish)


def _seed_sequence(budget: Budget, cls: Any, checksum: Any, state: Any) -> Pending:
    """Begin a seed sequence."""
    if type(cls) is not Global or cls.name != _SEED_SEQUENCE or state is not None:
        raise FormatError("SeedSequence has other arguments than NumPy gives it")
    expect_one_of(checksum, "the checksum of SeedSequence", *_CHECKSUMS)
    return Pending(partial(_finish_seed_sequence, budget))


def _finish_seed_sequence(budget: Budget, state: Any) -> np.random.SeedSequence:
    entropy, spawned, pool, size, spawn_key = expect(state, "the state of a seed sequence", tuple)
    words = _words(entropy) + len(expect(spawn_key, "the spawn key of a seed sequence", tuple))
    expect_int(size, "the pool of a seed sequence", 4, _MAX_POOL)
    budget.pay(_GENERATOR + words * (words + size) + size * size)
    made = np.random.SeedSequence(
        entropy,
        spawn_key=expect_ints(spawn_key, "the spawn key of a seed sequence", most=_MAX_WORDS),
        pool_size=size,
        n_children_spawned=expect_int(spawned, "the children of a seed sequence", 0, _32),
    )
    if not np.array_equal(made.pool, _array(pool, "u4", size)):
        raise FormatError("the pool of a seed sequence does not follow from its entropy")
    return made


def _words(entropy: Any) -> int:
    """Return the number of 32-bit words that entropy has."""
    if type(entropy) is int:
        return 1 + entropy.bit_length() // 32
    if isinstance(entropy, np.integer):
        return 2
    numbers = tuple(expect(entropy, "the entropy of a seed sequence", list, tuple))
    return 2 * len(expect_ints(numbers, "entropy", most=_MAX_WORDS))


CALLS: dict[tuple[str, str], Callable[..., Any]] = {
    _BIT_GENERATOR_CTOR: _bit_generator,
    (_PICKLE, "__generator_ctor"): _generator,
    (_PICKLE, "__randomstate_ctor"): _random_state,
    ("numpy.random.bit_generator", "__pyx_unpickle_SeedSequence"): _seed_sequence,
}
"""What makes random generators, by canonical name."""

MENTIONED = frozenset(_HOMES) | {_SEED_SEQUENCE}
"""What these take as an argument."""
