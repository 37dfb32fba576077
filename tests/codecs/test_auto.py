"""What `codecs="auto"` chooses for arrays of which the right choice is known."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from internals import choose, decode, encode_best

RANDOM = np.random.RandomState(7)
LENGTH = 1 << 17


def chosen(data: Any) -> str:
    chain, _ = encode_best(data)
    assert all(step.hostile_safe and not step.needs_helper for step in chain)
    return "+".join(step.id for step in chain)


def sparse() -> np.ndarray:
    data = np.zeros(LENGTH)
    data[RANDOM.randint(0, LENGTH, LENGTH // 20)] = RANDOM.normal(size=LENGTH // 20)
    return data


def structured() -> np.ndarray:
    data = np.zeros(LENGTH // 8, [("id", "<i4"), ("count", "<i8"), ("flag", "?")])
    data["id"] = np.arange(len(data)) * 17
    data["count"] = RANDOM.randint(0, 1 << 20, len(data))
    return data


KNOWN = {
    "raw": {
        "noise": np.frombuffer(RANDOM.bytes(1 << 20), np.uint8),
        "noise as int64": np.frombuffer(RANDOM.bytes(1 << 20), np.int64),
        "normal float64": RANDOM.normal(size=LENGTH),
        "normal float32": RANDOM.normal(size=LENGTH).astype(np.float32),
        "pickled floats": np.frombuffer(pickle.dumps(RANDOM.normal(size=40_000).tolist(), 2), np.uint8),
        "nothing": np.zeros(0),
        "one": np.ones(1),
    },
    "zstd": {
        "rounded float64": RANDOM.normal(0, 10, LENGTH).round(2),
        "rounded complex128": RANDOM.normal(size=LENGTH).round(1) + 1j,
        "sparse float64": sparse(),
        "zeros": np.zeros(LENGTH),
        "bool": RANDOM.random_sample(LENGTH) < 0.1,
        "pickled dict": np.frombuffer(pickle.dumps({f"key{i}": i for i in range(30_000)}, 2), np.uint8),
        "long strings": np.array([b"abc" * 100, b"abd" * 90] * 500),
    },
    "shuffle+zstd": {
        "sorted int64": np.sort(RANDOM.randint(0, 1 << 40, LENGTH)),
        "sorted int32": np.sort(RANDOM.randint(0, 1 << 30, LENGTH).astype(np.int32)),
        "big-endian": np.sort(RANDOM.randint(0, 1 << 30, LENGTH)).astype(">i8"),
        "small numbers": RANDOM.randint(0, 100, LENGTH),
        "times": np.cumsum(RANDOM.randint(0, 10**9, LENGTH)).astype("M8[ns]"),
        "smooth float64": np.sin(np.linspace(0, 50, LENGTH)),
        "smooth complex64": np.exp(1j * np.linspace(0, 50, LENGTH)).astype(np.complex64),
        "structured": structured(),
    },
}
CASES = [(chain, name) for chain, arrays in KNOWN.items() for name in arrays]


@pytest.mark.parametrize(("chain", "name"), CASES, ids=[name for _, name in CASES])
def test_known(chain: str, name: str) -> None:
    """Each kind of data gets the chain that suits it, and always the same."""
    data = KNOWN[chain][name]
    assert chosen(data) == chosen(data.copy()) == chain.replace("raw", "")


@pytest.mark.parametrize("itemsize", [2, 4, 8, 16, 24])
def test_shuffle_by_item(itemsize: int) -> None:
    """The shuffle goes by the whole item, complex numbers included."""
    data = np.zeros((LENGTH, itemsize), np.uint8)
    data[:, 0] = RANDOM.randint(0, 256, LENGTH)
    data[:, 1] = np.arange(LENGTH) >> 9
    chain = choose(data.reshape(-1), itemsize)
    assert chain[0].spec == {"id": "shuffle", "elementsize": itemsize}


@pytest.mark.parametrize("length", [100, 4_000, 30_000, 300_000, 3_000_000])
def test_any_size(length: int) -> None:
    """Small arrays are judged as large ones are."""
    assert chosen(np.arange(length) * 3) == "shuffle+zstd"
    assert chosen((np.arange(length) * 7919 % 1000) / 100) == "zstd"
    assert chosen(np.frombuffer(RANDOM.bytes(length), np.uint8)) == ""


@pytest.mark.parametrize("part", range(5))
def test_seen_everywhere(part: int) -> None:
    """Wherever zeros are, the sample sees them: three tenths of an array pay, one tenth does not."""
    noise = np.frombuffer(RANDOM.bytes(1 << 20), np.uint8)
    fifth = len(noise) // 5
    data = noise.copy()
    data[part * fifth :][: fifth // 2] = 0
    assert chosen(data) == ""
    data[max(part * fifth - fifth // 2, 0) :][: fifth * 3 // 2] = 0
    assert chosen(data) == "zstd"


@given(st.binary(max_size=3000), st.sampled_from(["u1", "<i2", "<f4", "<c16", "S3", "V7"]))
def test_any_data(data: bytes, dtype: str) -> None:
    """Whatever the data is, the chain that is chosen gives it back."""
    array = np.frombuffer(data[: len(data) // np.dtype(dtype).itemsize * np.dtype(dtype).itemsize], dtype)
    chain, encoded = encode_best(array)
    assert bytes(decode(chain, encoded, array.nbytes)) == array.tobytes()
