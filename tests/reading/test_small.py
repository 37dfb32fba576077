"""Small files of a layout that was loaded before load quickly, and as any other file does."""

from __future__ import annotations

import hashlib
import io
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st
from internals import TRAILER, BytesSource, Recent, Trailer, load_small
from numcodecs import Zstd

import binpickle
from binpickle import BinPickleFile

BASE = np.arange(900, dtype=np.int16)


def objects(i: int) -> dict[str, Any]:
    """Objects of which those of different `i` have files of one layout."""
    noise = np.random.RandomState(i)
    shared = noise.normal(size=400)
    return {
        "plain": {"name": "abc", "value": float(i), "text": "x" * 700},
        "array": {"a": np.arange(1000) + i},
        "noise": {"a": noise.normal(size=500)},
        "types": [np.arange(300) + i, np.ones(200) * i, np.full(700, i, np.uint8), np.full((30, 20), i, "c8")],
        "views": [shared, shared[100:300], shared[::-1], shared.reshape(20, 20).T],
        "gaps": [np.full(n, i, np.uint8) for n in range(513, 530)],
        "dates": np.arange(i, i + 100).astype("M8[s]"),
        "empty": [np.zeros(0), np.zeros((3, 0)), np.full(600, i)],
        "bytes": [np.ma.MaskedArray(BASE + i, i % 2 == BASE % 2), bytearray(bytes([i]) * 900)],
        "read-only": np.frombuffer(bytes([i]) * 800, np.uint8),
    }


WAYS: dict[str, dict[str, Any]] = {
    "auto": {},
    "raw": {"codecs": []},
    "mappable": {"mappable": True},
    "zstd": {"codecs": [Zstd(1)]},
    "digests": {"codecs": [], "digests": True, "metadata": {"by": "me"}},
}
CASES = [(name, way) for name in objects(0) for way in WAYS]


def outcome(load: Any, data: Any) -> Any:
    """Return what loading returns, as bytes, or its error."""
    try:
        return binpickle.dumps(load(data), codecs=[])
    except Exception as error:
        return type(error), str(error)


def usually(data: bytes) -> Any:
    """Load a file without making use of what is known of others."""
    with BinPickleFile(io.BytesIO(data)) as opened:
        return opened.load()


def known(name: str = "array", **options: Any) -> bytes:
    """Return a file of a layout that is known."""
    files = [binpickle.dumps(objects(i)[name], **options) for i in range(3)]
    for file in files:
        binpickle.loads(file)
    return files[-1]


def flat(obj: Any) -> list[np.ndarray]:
    items = obj.values() if isinstance(obj, dict) else obj if isinstance(obj, list) else [obj]
    return [item for item in items if isinstance(item, np.ndarray)]


@pytest.mark.parametrize(("name", "way"), CASES)
def test_same(name: str, way: str) -> None:
    """A file of a known layout gives the object that it gives otherwise, in memory of its own."""
    data = known(name, **WAYS[way])
    assert load_small(BytesSource(data)) is not None
    got, expected = binpickle.loads(data), usually(data)
    assert binpickle.dumps(got, **WAYS[way]) == binpickle.dumps(expected, **WAYS[way])
    for array, like in zip(flat(got), flat(expected)):
        assert array.flags.writeable == like.flags.writeable
        assert array.__array_interface__["data"][0] % array.dtype.alignment == 0
    for one in flat(got):
        assert sum(np.shares_memory(one, other) for other in flat(got)) == (one.size > 0)
    assert not any(np.shares_memory(one, other) for one in flat(got) for other in flat(binpickle.loads(data)))


def test_memory() -> None:
    """A small array that is kept keeps neither the pickle stream nor the other arrays in memory."""
    arrays = [np.full(600, 1, np.int16), np.full(700, 2, np.float32), np.arange(9000)]
    data = binpickle.dumps(["y" * 90_000, *arrays], codecs=[])
    for array in binpickle.loads(data)[1:]:
        owner = array
        while owner.base is not None:
            owner = owner.base
        assert owner.nbytes <= array.nbytes + 64


@pytest.mark.parametrize("context", ["", None, 0, []])
def test_context_that_is_no_bytes(context: Any) -> None:
    """A context of the wrong type is refused for small files, too."""
    with pytest.raises(TypeError, match="context"):
        binpickle.loads(known(), context=context)


def test_restricted_while_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable of the environment that restricts loads holds from the moment at which it is set."""

    class Setting(io.RawIOBase):
        def __init__(self, data: bytes):
            self._data = io.BytesIO(data)

        def read(self, nbytes: int = -1) -> bytes:
            monkeypatch.setenv("BINPICKLE_TRUST", "")
            return self._data.read(nbytes)

    data = binpickle.dumps(textwrap.dedent)
    assert binpickle.loads(data) is textwrap.dedent
    with pytest.raises(binpickle.UntrustedError):
        binpickle.load(Setting(data))


def test_path_and_file(tmp_path: Path) -> None:
    """Paths and file objects of a known layout load, from their positions."""
    path = tmp_path / "a.bpk"
    path.write_bytes(known())
    for _ in range(2):
        assert binpickle.load(path)["a"][5] == 7
        with open(path, "rb") as file:
            assert binpickle.load(file)["a"][5] == 7
        assert binpickle.load(io.BytesIO(path.read_bytes()))["a"][5] == 7


@pytest.mark.parametrize("name", ["array", "noise", "gaps", "plain"])
@pytest.mark.parametrize("way", ["auto", "digests"])
def test_damage(name: str, way: str) -> None:
    """Whatever byte of a file of a known layout is damaged, the outcome is the usual one."""
    data = known(name, **WAYS[way])
    for at in range(0, len(data), max(1, len(data) // 1500)):
        damaged = bytearray(data)
        damaged[at] ^= 1 << at % 8
        assert outcome(binpickle.loads, damaged) == outcome(usually, bytes(damaged))


def test_cut() -> None:
    """A file of a known layout that was cut, or that goes on, is refused as usual."""
    data = known()
    for wrong in (*(data[:n] for n in range(0, len(data), 7)), data + b"x", b"x" + data, data + data):
        assert outcome(binpickle.loads, wrong) == outcome(usually, wrong)


def forged(data: bytes, at: int, replacement: bytes, length: int) -> bytes:
    """Replace bytes of the index of a file, with a trailer that fits."""
    trailer = Trailer.unpack(data[-TRAILER.size :])
    start, at = trailer.index_offset, at % trailer.index_length
    index = data[start : start + trailer.index_length]
    index = index[:at] + replacement + index[at + length :]
    size = start + len(index) + TRAILER.size
    return data[:start] + index + Trailer(start, len(index), size, hashlib.sha256(index).digest()).pack()


@given(st.integers(0, 1000), st.binary(max_size=3), st.integers(0, 3), st.sampled_from(["array", "noise", "gaps"]))
@settings(max_examples=300)
def test_forged_index(at: int, replacement: bytes, length: int, name: str) -> None:
    """Whatever bytes of the index are forged, the outcome is the usual one."""
    data = forged(known(name), at, replacement, length)
    assert outcome(binpickle.loads, data) == outcome(usually, data)


def test_stored_lengths() -> None:
    """Encoded chunks of other lengths are of the same layout, if the lengths add up."""
    data = known("array")
    other = binpickle.dumps({"a": np.arange(1000) ** 3})
    assert len(other) != len(data)
    assert binpickle.loads(other)["a"][-1] == 999**3
    assert load_small(BytesSource(other)) is not None


def test_others() -> None:
    """Sealed files, large ones, files of earlier versions and those of many buffers are loaded as usual."""
    sealed = binpickle.dumps(objects(1)["array"], key=b"k" * 32)
    large = binpickle.dumps(np.arange(1 << 16), codecs=[])
    many = binpickle.dumps([np.full(600, i, np.uint8) for i in range(65)], codecs=[])
    old = (Path(__file__).parents[1] / "data" / "golden" / "v1-msgpack06" / "blosc-many-blocks.bpk").read_bytes()
    for data in (sealed, large, many, old):
        for _ in range(3):
            binpickle.loads(data)
        assert load_small(BytesSource(data)) is None


def test_error_names_the_file(tmp_path: Path) -> None:
    """A malformed stream in a file of a known layout is an error that names the file."""
    path = tmp_path / "a.bpk"
    good = known("plain")
    at = good.index(b"\x8c\x04name")
    stop = Trailer.unpack(good[-TRAILER.size :]).index_offset
    body = bytearray(good[:stop])
    body[at] = 0xFF
    checksum = xxhash.xxh3_128_digest(bytes(body[16:]))
    old = xxhash.xxh3_128_digest(good[16:stop])
    index = good[stop : -TRAILER.size].replace(old, checksum)
    path.write_bytes(bytes(body) + index + Trailer(stop, len(index), len(good), hashlib.sha256(index).digest()).pack())
    with pytest.raises(binpickle.FormatError, match="malformed") as caught:
        binpickle.load(path)
    assert caught.value.file == str(path)


def test_recent() -> None:
    """What was put last is kept, and the oldest goes."""
    recent: Recent[int, str] = Recent(2)
    for i in range(3):
        recent.put(i, str(i))
    assert [recent.get(i) for i in range(3)] == [None, "1", "2"]
    recent.clear()
    assert recent.get(2) is None
