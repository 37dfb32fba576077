"""Seals: how a tag is made, which files a key accepts, and where keys never show."""

from __future__ import annotations

import copy
import hashlib
import hmac
import io
import pickle
import re
import traceback
from pathlib import Path
from typing import Any, Callable

import anyio
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from internals import Keys
from stored_streams import VERSIONS, file_of

import binpickle
from binpickle import AuthenticationError, BinPickleError, BinPickleFile, IntegrityError

KEY, OLD, OTHER = (bytes([n]) * 32 for n in (1, 2, 3))
OBJ = {"a": np.arange(300), "b": [1, "two"]}
HEADER, TRAILER, BEFORE_SEAL = 16, 96, 56
NEVER_SHOWN = b"do not show this to anybody, ever"


def sealed(key: Any = KEY, context: bytes = b"", **more: Any) -> bytes:
    return binpickle.dumps(OBJ, key=key, context=context, **more)


def tag(file: bytes, key: bytes, context: bytes = b"") -> bytes:
    """The tag, from what the specification says."""
    parts = b"binpickle seal 3\0" + len(context).to_bytes(8, "big") + context
    return hmac.new(key, parts + file[:HEADER] + file[-TRAILER:][:BEFORE_SEAL], hashlib.sha256).digest()


def with_seal(file: bytes, seal: bytes) -> bytes:
    start = len(file) - TRAILER + BEFORE_SEAL
    return file[:start] + seal + file[start + 32 :]


def seal_of(file: bytes) -> bytes:
    return file[-TRAILER:][BEFORE_SEAL : BEFORE_SEAL + 32]


def by_file(data: bytes, **options: Any) -> Any:
    with BinPickleFile(io.BytesIO(data), **options) as opened:
        return opened.load()


def by_aload(data: bytes, **options: Any) -> Any:
    async def load() -> Any:
        return await binpickle.aload(io.BytesIO(data), **options)

    return anyio.run(load)


def by_load(data: bytes, **options: Any) -> Any:
    return binpickle.load(io.BytesIO(data), **options)


def by_inspect(data: bytes, **options: Any) -> Any:
    return binpickle.inspect(io.BytesIO(data), **options)


def by_repack(data: bytes, **options: Any) -> Any:
    return binpickle.repack(io.BytesIO(data), io.BytesIO(), **options)


READERS: list[Callable[..., Any]] = [by_file, by_aload, by_load, binpickle.loads, by_inspect, by_repack]


def _kind(key: Any) -> str:
    return type(key).__name__


@given(context=st.binary(max_size=80), key=st.binary(min_size=32, max_size=200))
def test_tag(context: bytes, key: bytes) -> None:
    """The tag is HMAC-SHA256 over the domain, the context with its length, header and trailer."""
    file = sealed(key, context)
    assert seal_of(file) == tag(file, key, context)


@given(mine=st.binary(max_size=20), other=st.binary(max_size=20))
def test_context(mine: bytes, other: bytes) -> None:
    """A seal is good in the context that it was made for, and in no other."""
    file = sealed(context=mine)
    assert binpickle.loads(file, key=KEY, context=mine)["b"] == OBJ["b"]
    if mine != other:
        with pytest.raises(AuthenticationError):
            binpickle.loads(file, key=KEY, context=other)


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize(
    "key", [KEY, [KEY], (OTHER, KEY), bytearray(KEY), lambda: KEY, lambda: [OTHER, KEY]], ids=_kind
)
def test_good_seal(read: Callable[..., Any], key: Any) -> None:
    """Any of the keys that are given may be the one that sealed the file, and a function may give them."""
    read(sealed(), key=key)


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("key", [OTHER, [OTHER, OLD], KEY + b"1", lambda: OTHER], ids=["one", "two", "longer", "given"])
def test_wrong_key(read: Callable[..., Any], key: Any) -> None:
    """With other keys the file is refused, in every way to read it."""
    with pytest.raises(AuthenticationError, match="the seal is not by this key"):
        read(sealed(), key=key)


def test_rotation() -> None:
    """The first of several keys seals; files that the other keys sealed are still read."""
    file = sealed([KEY, OLD])
    assert seal_of(file) == tag(file, KEY)
    for one in (file, sealed(OLD)):
        binpickle.loads(one, key=[KEY, OLD])


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("read", READERS)
def test_no_downgrade(read: Callable[..., Any], version: int) -> None:
    """With a key, a file without a seal is refused, whatever its version."""
    file = file_of(pickle.dumps(1, 4), version=version)
    with pytest.raises(AuthenticationError):
        read(file, key=KEY)


@pytest.mark.parametrize("digests", [False, True])
def test_removed_seal(digests: bool) -> None:
    """A file whose seal was taken out is refused with a key, and loads without."""
    file = with_seal(sealed() if digests else binpickle.dumps(OBJ), bytes(32))
    with pytest.raises(AuthenticationError, match="not sealed"):
        binpickle.loads(file, key=KEY)
    assert binpickle.loads(file)["b"] == OBJ["b"]


def test_seal_of_checksums() -> None:
    """A good seal over checksums vouches for nothing, since they can be forged, and is refused."""
    file = binpickle.dumps(OBJ)
    with pytest.raises(BinPickleError, match="vouch"):
        binpickle.loads(with_seal(file, tag(file, KEY)), key=KEY)


@pytest.mark.parametrize("part", [slice(-TRAILER, -TRAILER + 8), slice(-TRAILER + 8, -TRAILER + 16), slice(300, 340)])
def test_tag_comes_first(part: slice) -> None:
    """The reader looks at no changed index or trailer: the error says only that the seal is wrong."""
    file = bytearray(sealed(OTHER))
    file[part] = b"\xc1" * len(file[part])
    with pytest.raises(AuthenticationError):
        binpickle.loads(bytes(file), key=KEY)


def test_spliced() -> None:
    """Header and trailer of one sealed file do not vouch for the body of another."""
    changed = {**OBJ, "a": np.arange(300)[::-1].copy()}
    one, other = sealed(codecs=[]), binpickle.dumps(changed, key=KEY, codecs=[])
    assert len(one) == len(other)
    with pytest.raises(IntegrityError):
        binpickle.loads(one[:-TRAILER] + other[-TRAILER:], key=KEY)
    with pytest.raises(IntegrityError):
        binpickle.loads(other[:200] + one[200:], key=KEY)


@pytest.mark.parametrize("mmap_mode", ["r", "c"])
def test_mapped(tmp_path: Path, mmap_mode: str) -> None:
    """With a key, mapped bytes are compared with their digests when they are mapped."""
    path = tmp_path / "f.bpk"
    binpickle.dump(OBJ, path, mappable=True, key=KEY)
    loaded = binpickle.load(path, mmap_mode=mmap_mode, key=KEY)
    assert (loaded["a"] == OBJ["a"]).all()
    del loaded
    with BinPickleFile(path, mmap_mode=mmap_mode, key=KEY) as opened:
        offset = opened.buffers[0].offset
    data = bytearray(path.read_bytes())
    data[offset + 100] ^= 1
    path.write_bytes(data)
    with pytest.raises(IntegrityError):
        binpickle.load(path, mmap_mode=mmap_mode, key=KEY)
    with BinPickleFile(path, mmap_mode=mmap_mode, key=KEY) as opened, pytest.raises(IntegrityError):
        opened.array(0)


@pytest.mark.parametrize("sealed_file", [False, True])
def test_root_digest(sealed_file: bool) -> None:
    """The root digest is the SHA-256 of header and trailer up to the seal, the same with a seal and without."""
    file = sealed() if sealed_file else binpickle.dumps(OBJ, digests=True)
    with BinPickleFile(io.BytesIO(file)) as opened:
        root = opened.root_digest
    assert root == hashlib.sha256(file[:HEADER] + file[-TRAILER:][:BEFORE_SEAL]).digest()
    with BinPickleFile(io.BytesIO(sealed(OTHER, b"context"))) as opened:
        assert opened.root_digest == root


def test_no_root_digest() -> None:
    """A file with checksums has none: they identify nothing."""
    with BinPickleFile(io.BytesIO(binpickle.dumps(OBJ))) as opened:
        assert opened.root_digest is None


def repacked(file: bytes, **options: Any) -> bytes:
    target = io.BytesIO()
    binpickle.repack(io.BytesIO(file), target, **options)
    return target.getvalue()


def test_repack_keeps() -> None:
    """Repacked with its key, a file stays sealed by it, in the same context."""
    file = repacked(sealed(context=b"c"), key=KEY, context=b"c", codecs=["zlib"])
    assert seal_of(file) == tag(file, KEY, b"c")


def test_repack_rotates() -> None:
    """Of several keys the first one seals what another one sealed."""
    file = repacked(sealed(OLD), key=[KEY, OLD])
    assert seal_of(file) == tag(file, KEY)


def test_repack_changes() -> None:
    """Another key and another context can be given, for unsealed files too."""
    for source, options in [(sealed(), {"key": KEY}), (binpickle.dumps(OBJ), {})]:
        file = repacked(source, **options, new_key=OTHER, new_context=b"d")
        assert seal_of(file) == tag(file, OTHER, b"d")
        assert binpickle.loads(file, key=OTHER, context=b"d")["b"] == OBJ["b"]


def test_repack_removes() -> None:
    """`new_key=None` removes the seal; the digests stay."""
    file = repacked(sealed(), key=KEY, new_key=None)
    assert not any(seal_of(file))
    with BinPickleFile(io.BytesIO(file)) as opened:
        assert opened.root_digest is not None


@pytest.mark.parametrize("options", [{}, {"new_key": None}, {"new_key": OTHER}])
def test_repack_needs_the_key(options: dict[str, Any]) -> None:
    """A sealed file is not repacked without its key, so that a seal is never made over what nobody checked."""
    with pytest.raises(AuthenticationError, match="give its key"):
        repacked(sealed(), **options)


@pytest.mark.parametrize(
    ("key", "error"),
    [
        (b"", ValueError),
        (KEY[:31], ValueError),
        ([], ValueError),
        ([KEY, b"short"], ValueError),
        ("x" * 32, TypeError),
        (["x" * 32], TypeError),
        (5, TypeError),
        ({1: KEY}, TypeError),
        (lambda: None, TypeError),
        (lambda: "x" * 32, TypeError),
        (lambda: [], ValueError),
    ],
    ids=range(11),
)
def test_bad_keys(key: Any, error: type[Exception]) -> None:
    """A wrong key is an error, also if a function returns it; no file is written without a seal."""
    with pytest.raises(error):
        binpickle.dumps(OBJ, key=key)
    for read in READERS:
        with pytest.raises(error):
            read(sealed(), key=key)


@pytest.mark.parametrize("context", ["text", None, 5])
def test_bad_context(context: Any) -> None:
    """A context is bytes."""
    with pytest.raises(TypeError, match="context must be bytes"):
        binpickle.dumps(OBJ, key=KEY, context=context)


@pytest.mark.parametrize("read", [by_file, by_load, binpickle.loads, by_aload])
def test_verify_false(read: Callable[..., Any]) -> None:
    """A key and `verify=False` contradict each other."""
    with pytest.raises(ValueError, match="verify=False"):
        read(sealed(), key=KEY, verify=False)


def test_function_of_key_raises() -> None:
    """An error of the function that returns the key is raised, and nothing is read."""

    def key() -> bytes:
        raise PermissionError("the vault is closed")

    with pytest.raises(PermissionError, match="vault"):
        binpickle.loads(sealed(), key=key)


def _failures() -> list[Callable[[], Any]]:
    key = NEVER_SHOWN
    file = sealed(key)
    return [
        lambda: binpickle.loads(sealed(), key=key),
        lambda: binpickle.loads(sealed(), key=[key, key]),
        lambda: binpickle.loads(binpickle.dumps(OBJ), key=key),
        lambda: binpickle.loads(file[:-1], key=key),
        lambda: binpickle.loads(file[:300] + b"?" + file[301:], key=key),
        lambda: binpickle.loads(file, key=key, context=b"other"),
        lambda: binpickle.loads(file, key=[key, "text"]),
        lambda: binpickle.loads(file, key=[key, b"short"]),
        lambda: binpickle.loads(file, key=key[:20]),
        lambda: binpickle.loads(file, key=key, verify=False),
        lambda: binpickle.loads(file, key=key.decode()),
        lambda: binpickle.dumps(OBJ, key={key: key}),
        lambda: binpickle.repack(io.BytesIO(sealed()), io.BytesIO(), key=key),
        lambda: pickle.dumps(BinPickleFile(io.BytesIO(file), key=key)),
        lambda: pickle.dumps(Keys([key])),
        lambda: copy.deepcopy(Keys([key])),
    ]


@pytest.mark.parametrize("fail", _failures(), ids=range(len(_failures())))
def test_keys_in_no_error(fail: Callable[[], Any]) -> None:
    """No part of a key stands in an error, its arguments, its causes, or its printed traceback."""
    with pytest.raises(Exception, match=".") as caught:
        fail()
    shown = "".join(traceback.format_exception(type(caught.value), caught.value, caught.value.__traceback__))
    error: Any = caught.value
    while error is not None:
        shown += f"{error!s} {error!r} {error.args!r} {vars(error)!r}"
        error = error.__cause__ or error.__context__
    assert not re.search("do not show|anybody", shown)


def test_keys_in_no_repr() -> None:
    """Neither keys nor an open file show the key, and a file that was opened with one is not pickled."""
    keys = Keys([NEVER_SHOWN, KEY])
    with BinPickleFile(io.BytesIO(sealed(NEVER_SHOWN)), key=NEVER_SHOWN) as opened:
        shown = f"{keys!r} {keys} {opened!r} {opened._repr_html_()} {opened.header} {opened.summary}"
        assert "show this" not in shown
        with pytest.raises(TypeError, match="without a key"):
            pickle.dumps(opened)


def test_key_not_in_file() -> None:
    """The file does not hold the key."""
    assert NEVER_SHOWN not in sealed(NEVER_SHOWN)


def test_every_kind_of_damage_is_one_base() -> None:
    """All refusals are `BinPickleError`, and those of the seal `IntegrityError`."""
    assert issubclass(AuthenticationError, IntegrityError)
    assert issubclass(IntegrityError, BinPickleError)
