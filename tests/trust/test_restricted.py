"""Restricted loading of whole files, of every version and by every way to load: what it refuses, says and leaves."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any, Callable

import anyio
import numpy as np
import pytest
from assembler import NEXT, call, glob, lst, number, stream, text, tup
from attacks import Attack, corpus, touched
from benign import objects
from common import each
from golden_contents import same
from hypothesis import given
from hypothesis import strategies as st
from internals import pickle
from numcodecs.abc import Codec
from same import assert_same
from stored_streams import VERSIONS, file_of

import binpickle
from binpickle import (
    BinPickleError,
    BinPickleFile,
    CodecError,
    FormatError,
    LimitError,
    Limits,
    UnknownCodecError,
    UntrustedError,
)

ATTACKS = list(corpus())


class Point:
    """A class of the caller's."""

    def __init__(self, x: Any):
        self.x = x

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Point) and self.x == other.x

    __hash__ = None  # type: ignore[assignment]


POINT = f"{__name__}:Point"


def by_path(data: bytes, folder: Path, **options: Any) -> Any:
    (folder / "f.bpk").write_bytes(data)
    return binpickle.load(folder / "f.bpk", **options)


def by_mapping(data: bytes, folder: Path, **options: Any) -> Any:
    (folder / "f.bpk").write_bytes(data)
    with BinPickleFile(folder / "f.bpk", direct="nowarn", limits=options.pop("limits", None)) as opened:
        return opened.load(**options)


def by_file_object(data: bytes, folder: Path, **options: Any) -> Any:
    return binpickle.load(io.BytesIO(data), **options)


def by_loads(data: bytes, folder: Path, **options: Any) -> Any:
    return binpickle.loads(data, **options)


def by_shared_loads(data: bytes, folder: Path, **options: Any) -> Any:
    return binpickle.loads(data, copy=False, **options)


def by_aload(data: bytes, folder: Path, **options: Any) -> Any:
    async def load() -> Any:
        return await binpickle.aload(io.BytesIO(data), **options)

    return anyio.run(load)


WAYS: list[Callable[..., Any]] = [by_path, by_mapping, by_file_object, by_loads, by_shared_loads, by_aload]
way = pytest.mark.parametrize("load", WAYS)
version = pytest.mark.parametrize("version", VERSIONS)


def stored(obj: Any, version: int) -> bytes:
    """A file of any version that holds an object."""
    buffers: list[Any] = []
    data = pickle.dumps(obj, 5, buffer_callback=buffers.append)
    return file_of(data, [buffer.raw() for buffer in buffers], version)


@way
@version
def test_benign(load: Callable[..., Any], version: int, tmp_path: Path) -> None:
    """What is made of built-in and NumPy types loads with nothing trusted."""
    obj = {"a": np.arange(60.0).reshape(3, 20), "b": [(1, "two"), {3}], "c": np.arange(5)[::2], "d": None}
    loaded = load(stored(obj, version), tmp_path, trusted=())
    same(loaded, obj)


@given(obj=objects)
def test_benign_generated(obj: Any) -> None:
    """Whatever BinPickle dumps of such types, restricted loading gives it back."""
    data = binpickle.dumps(obj)
    assert binpickle.inspect(io.BytesIO(data)).untrusted() == []
    assert_same(binpickle.loads(data, trusted=()), binpickle.loads(data))


TRUSTED: dict[str, Callable[[], Any]] = {
    "list": lambda: [Point],
    "set of names": lambda: {POINT},
    "tuple of names": lambda: (POINT,),
    "frozenset": lambda: frozenset([Point]),
    "iterator": lambda: iter([Point]),
}


@way
@version
@each(TRUSTED, "trusted")
def test_trusted(load: Callable[..., Any], version: int, trusted: Callable[[], Any], tmp_path: Path) -> None:
    """A class that the caller names loads, given as class or by name."""
    assert load(stored([Point(1), Point("x")], version), tmp_path, trusted=trusted()) == [Point(1), Point("x")]


@way
@version
def test_refused(load: Callable[..., Any], version: int, tmp_path: Path) -> None:
    """The error has the complete list, the first of it by itself, and words that say how to allow it."""
    data = stream(lst(call("os:system", text("echo")), glob(POINT), glob("os:system"), call("a.b:c.d")))
    with pytest.raises(UntrustedError) as caught:
        load(file_of(data, version=version), tmp_path, trusted=())
    error = caught.value
    names = ["os:system", POINT, "a.b:c.d"]
    assert [f"{module}:{qualname}" for module, qualname, _ in error.refused] == names
    assert (error.module, error.qualname, error.offset) == error.refused[0]
    for module, qualname, offset in error.refused:
        assert data.index(glob(f"{module}:{qualname}")) <= offset < len(data)
        assert data[offset : offset + 1] == b"\x93"
    assert f"pass trusted={json.dumps(names)} if you trust" in str(error)
    if load in (by_path, by_mapping):
        assert str(error).startswith(str(tmp_path / "f.bpk"))


@version
def test_advice_works(version: int, tmp_path: Path) -> None:
    """What the error says to pass is what loads the file."""
    file = stored([Point(1)], version)
    with pytest.raises(UntrustedError) as caught:
        binpickle.loads(file, trusted=())
    advice = str(caught.value)
    names = json.loads(advice[advice.index("[") : advice.rindex("]") + 1])
    assert binpickle.loads(file, trusted=names) == [Point(1)]


@way
@pytest.mark.parametrize("trusted", [True, "os:system", b"os", [5], [None]], ids=str)
def test_trusted_is_a_collection(load: Callable[..., Any], trusted: Any, tmp_path: Path) -> None:
    """Anything but a collection of classes and names is the caller's mistake."""
    with pytest.raises(TypeError, match="trusted"):
        load(stored(1, 3), tmp_path, trusted=trusted)


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
@version
def test_attacks_in_files(attack: Attack, version: int) -> None:
    """Every attack is refused from a file of every version in the way that it is refused as a stream."""
    touched.clear()
    file = file_of(attack.stream, attack.buffers, version)
    with pytest.raises(BinPickleError) as caught:
        binpickle.loads(file, trusted=attack.trusted, limits=attack.limits)
    assert isinstance(caught.value, UntrustedError) == (attack.error is UntrustedError)
    assert not touched


NAMES = ["os:system", "builtins:eval", "collections:OrderedDict", "numpy:dtype", POINT, "a:b", "a:b.c"]
names = st.lists(st.sampled_from(NAMES), max_size=5)
pieces = st.lists(
    st.one_of(
        st.sampled_from(NAMES).map(glob),
        st.sampled_from(NAMES).map(lambda name: call(name, number(1))),
        st.sampled_from(NAMES).map(lambda name: glob(name) + b"0N"),
        st.just(NEXT),
        st.just(tup(text("x"), NEXT)),
        st.just(b"\xff"),
    ),
    max_size=6,
)


def refused_by_load(file: bytes, trusted: list[str]) -> list[tuple[str, str, int]]:
    """What loading refuses as untrusted; nothing if it loads, or fails in another way."""
    try:
        binpickle.loads(file, trusted=trusted)
    except UntrustedError as error:
        return error.refused
    except BinPickleError:
        pass
    return []


@given(pieces=pieces, trusted=names, version=st.sampled_from(VERSIONS), damage=st.integers(-1, 3))
def test_inspect_tells_what_load_refuses(pieces: list[bytes], trusted: list[str], version: int, damage: int) -> None:
    """`inspect(f).untrusted(t)` is empty just when `load(f, trusted=t)` raises no `UntrustedError`."""
    file = bytearray(file_of(stream(lst(*pieces)), [b"0123", b"4567", b"89ab"], version))
    if damage >= 0:  # a buffer that does not fit its checksum
        place = file.find([b"0123", b"4567", b"89ab", b"BPCK"][damage])
        file[place + 1] ^= damage < 3
    try:
        untrusted = binpickle.inspect(io.BytesIO(bytes(file))).untrusted(trusted)
    except FormatError as error:
        with pytest.raises(type(error)):
            binpickle.loads(bytes(file), trusted=trusted)
        return
    if {"os:system", "builtins:eval"} & set(trusted):  # what is trusted runs: these two are only looked at
        return
    assert refused_by_load(bytes(file), trusted) == [(use.module, use.qualname, use.offset) for use in untrusted]


@version
def test_nothing_imported(version: int) -> None:
    """What is refused is not imported, and nothing that comes after it is either."""
    data = stream(lst(call("antigravity:geohash"), call("this:c"), call("binpickle_missing:x")))
    with pytest.raises(UntrustedError):
        binpickle.loads(file_of(data, version=version), trusted=["this:c", "binpickle_missing:x"])
    assert not {"antigravity", "this", "binpickle_missing"} & set(sys.modules)


@version
def test_nothing_decoded(version: int) -> None:
    """After a refusal no buffer is read: one that is damaged is not met."""
    buffers = [bytes(100_000), bytes(range(256)) * 400]
    file = bytearray(file_of(stream(lst(call("os:system"), NEXT, NEXT)), buffers, version))
    file[file.find(buffers[1]) + 1000] ^= 1
    done: list[int] = []
    with pytest.raises(UntrustedError):
        binpickle.loads(bytes(file), trusted=(), progress=lambda now, total: done.append(now))
    assert max(done, default=0) < 100_000


@version
def test_damage_does_not_hide(version: int) -> None:
    """A damaged buffer that is read before a global is looked up does not change what is refused."""
    file = bytearray(file_of(stream(lst(NEXT, call("os:system"))), [b"0123456789"], version))
    file[file.find(b"0123456789")] ^= 1
    with pytest.raises(UntrustedError):
        binpickle.loads(bytes(file), trusted=())
    with pytest.raises(BinPickleError) as caught:
        binpickle.loads(bytes(file), trusted=["os:system"])
    assert "damaged" in str(caught.value)


def test_many_buffers_are_in_proportion() -> None:
    """A list of 100,000 views of one array, a file of 2,000 bytes, loads; how many are too many is for the caller."""
    array = np.zeros(64)
    file = binpickle.dumps([array[:] for _ in range(100_000)], codecs=["zstd"])
    assert len(file) < 2000
    assert len(binpickle.loads(file, trusted=())) == 100_000
    with pytest.raises(LimitError, match="100000 buffers in"):
        binpickle.loads(file, trusted=(), limits=Limits(buffers_per_byte=10))


@way
@version
@pytest.mark.parametrize(
    ("limit", "value"),
    [("decoded_bytes", 3000), ("stored_bytes", 3000), ("buffers", 1), ("opcodes", 20), ("memo", 3), ("nesting", 2)],
)
def test_limits(load: Callable[..., Any], version: int, limit: str, value: int, tmp_path: Path) -> None:
    """A file that asks for more than a limit is refused with the limit's name, and loads without it."""
    obj = [[np.arange(300), np.arange(200)], [[["a"], "b", "c"]]]
    file = stored(obj, version)
    with pytest.raises(LimitError) as caught:
        load(file, tmp_path, trusted=(), limits=Limits(**{limit: value}))
    assert caught.value.limit == limit
    load(file, tmp_path, trusted=())


def test_limits_of_an_open_file() -> None:
    """What was opened under generous limits is held to the finite ones when it is loaded restricted."""
    file = file_of(stream(number(1)), [bytes(1 << 20)], times=1 << 17)  # 128 GiB
    with BinPickleFile(io.BytesIO(file)) as opened:
        with pytest.raises(LimitError) as caught:
            opened.load(trusted=())
        assert caught.value.limit == "decoded_bytes"
    with pytest.raises(LimitError):
        binpickle.inspect(io.BytesIO(file))


class Whatever(Codec):
    """A codec of the caller's."""

    codec_id = "whatever"

    def encode(self, buf: Any) -> bytes:
        return bytes(memoryview(buf).cast("B"))

    def decode(self, buf: Any, out: Any = None) -> bytes:
        return bytes(memoryview(buf).cast("B"))


def _registered() -> str:
    binpickle.register_codec(Whatever)
    return "whatever"


@way
@pytest.mark.parametrize("codec", ["blosc", "crc32", "msgpack2", "base64", _registered()])
def test_codecs(load: Callable[..., Any], codec: str, tmp_path: Path) -> None:
    """Codecs that are not safe on hostile input are refused, and named; plain loading takes them."""
    array = np.arange(2000)
    file = binpickle.dumps(array, codecs=[codec])
    with pytest.raises(UnknownCodecError, match="not safe on files of unknown origin") as caught:
        load(file, tmp_path, trusted=())
    assert caught.value.codec_id == codec
    same(load(file, tmp_path), array)


def test_codecs_under_a_key() -> None:
    """Under a good seal, whoever wrote the file had the key, and these codecs are used."""
    array, key = np.arange(2000), bytes(32)
    file = binpickle.dumps(array, codecs=["blosc"], key=key)
    assert_same(binpickle.loads(file, trusted=(), key=key), array)
    with pytest.raises(CodecError):
        binpickle.loads(file, trusted=())


@pytest.mark.parametrize("look", ["array", "stream", "inspect", "repack"])
def test_other_ways_to_look(look: str) -> None:
    """What decodes files of unknown origin without `trusted` refuses the same codecs."""
    file = io.BytesIO(binpickle.dumps([np.arange(2000), b"x" * 5000], codecs=["blosc"]))
    looks: dict[str, Callable[[], Any]] = {
        "array": lambda: BinPickleFile(file).array(0),
        "stream": lambda: BinPickleFile(file).stream(),
        "inspect": lambda: binpickle.inspect(file),
        "repack": lambda: binpickle.repack(file, io.BytesIO()),
    }
    with pytest.raises(UnknownCodecError, match="blosc"):
        looks[look]()


def test_plain_load_stays_pickle() -> None:
    """Without `trusted`, load is pickle: it takes what its classes are."""
    assert binpickle.loads(stored(Point(1), 3)) == Point(1)
