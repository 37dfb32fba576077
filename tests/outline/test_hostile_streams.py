"""Whatever a stream holds, an outline comes of it, soon, and nothing that it says of an array is believed."""

from __future__ import annotations

import io
import os
import sys
from dataclasses import replace
from typing import Any, Callable

import hypothesis
import numpy as np
import pytest
from assembler import (
    MEMOIZE,
    NEXT,
    NONE,
    TRUE,
    build,
    call,
    dic,
    dtype,
    get,
    glob,
    keep,
    lst,
    new,
    number,
    raw,
    stream,
    text,
    tup,
)
from attacks import corpus
from benign import OBJECTS
from common import copies, each
from hypothesis import strategies as st
from internals import RESTRICTED_LIMITS, Kind, Node, Pickling, outline, quick_limits
from looking import Looked, look, look_at_stream

from binpickle.errors import IntegrityError

EXAMPLES = 100 if sys.version_info < (3, 8) else 3000 if os.environ.get("CI") else 500
# What a file of less than a megabyte may ask for.
SMALL = RESTRICTED_LIMITS.of_file(1 << 20, 1 << 20)
MANAGER = "pandas.core.internals.managers:BlockManager"
INDEX = "pandas.core.indexes.base:_new_Index"


def kinds_for(stream_: bytes) -> list[Kind]:
    """As many buffers as a stream could ask for, some of them described as arrays, and small."""
    shapes = [Kind(0), Kind(8), Kind(80, np.dtype("f8"), (10,)), Kind(24, np.dtype("i4"), (2, 3), "F")]
    return [shapes[i % len(shapes)] for i in range(min(stream_.count(b"\x97"), 50))]


def follow(data: bytes, kinds: list[Kind] | None = None) -> Looked:
    """Outline a stream with the limits of a small file."""
    kinds = kinds_for(data) if kinds is None else kinds
    return look_at_stream(data, kinds, [bytes(kind.nbytes) for kind in kinds], SMALL)


def survey(looked: Looked, most: int = 1000) -> int:
    """Visit nodes as whoever draws an outline does, and read their arrays; return how many were visited."""
    seen: set[int] = set()
    nodes: list[Node] = [looked.outline.root]
    visited = 0
    while nodes and visited < most:
        node = nodes.pop()
        visited += 1
        if id(node) in seen:
            continue
        seen.add(id(node))
        assert len(node.value) < 100
        assert node.part("there is none") is None
        if node.view is not None:
            looked.array(node)
        parts = list(node.parts())
        assert len({name for name, _ in parts}) == len(parts) == len(node)
        nodes += [part for _, part in parts]
    return visited


@each({attack.name: attack.stream for attack in corpus()}, "data")
def test_attacks(data: bytes) -> None:
    """Streams that restricted loading refuses have an outline, or a problem, and no code of theirs runs."""
    looked = follow(data)
    survey(looked)
    assert looked.outline.problem is None or set(looked.outline.names) <= {""}


def seeds() -> list[bytes]:
    """Streams of many kinds, without the frame around them."""
    found = []
    for obj in OBJECTS.values():
        written = io.BytesIO()
        Pickling(written.write).dump(obj)
        data = written.getvalue()
        if len(data) < 5000:
            found.append(data[:2] + data[11:] if data[2:3] == b"\x95" else data)
    return found


SEEDS = seeds()


@st.composite
def mutated(draw: Callable[[Any], Any]) -> bytes:
    """A stream that is changed in a few places, most often in which remembered object it gets."""
    data = bytearray(draw(st.sampled_from(SEEDS)))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(2, len(data) - 1))
        kind = draw(st.sampled_from(["get", "get", "set", "cut", "copy"]))
        if kind == "get":
            at = data.find(b"h", at)
            data[at + 1 : at + 2] = bytes([draw(st.integers(0, 60))]) if at > 0 else b""
        elif kind == "set":
            data[at] = draw(st.integers(0, 255))
        elif kind == "cut":
            del data[at : at + draw(st.integers(1, 4))]
        else:
            data[at:at] = data[at : at + draw(st.integers(1, 12))]
    return bytes(data) + b"."


@hypothesis.given(mutated())
@hypothesis.settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(hypothesis.HealthCheck))
def test_changed_streams(data: bytes) -> None:
    """A changed stream has an outline, whose arrays lie within their buffers, or a problem and no names."""
    looked = follow(data)
    survey(looked)
    for name in filter(None, looked.outline.names):
        assert looked.outline.find(name) is not None


@hypothesis.given(st.binary(max_size=200))
@hypothesis.settings(max_examples=EXAMPLES, deadline=None)
def test_random_streams(data: bytes) -> None:
    """Bytes at random have an outline, too."""
    survey(follow(b"\x80\x05" + data + b"."))


F8 = dtype("f8")
ARRAYS = {
    "beyond the buffer": call("numpy:ndarray", tup(number(11)), F8, NEXT),
    "an offset": call("numpy:ndarray", tup(number(10)), F8, NEXT, number(8)),
    "a negative offset": call("numpy:ndarray", tup(number(1)), F8, NEXT, number(-8)),
    "strides": call("numpy:ndarray", tup(number(3)), F8, NEXT, number(0), tup(number(40))),
    "negative strides": call("numpy:ndarray", tup(number(3)), F8, NEXT, number(0), tup(number(-8))),
    "too few strides": call("numpy:ndarray", tup(number(3), number(3)), F8, NEXT, number(0), tup(number(8))),
    "objects": call("numpy:ndarray", tup(number(10)), dtype("O8", "|", -1, 63), NEXT),
    "a huge array of repeated memory": call("numpy:ndarray", tup(number(1 << 40)), F8, NEXT, number(0), tup(number(0))),
    "a huge array without items": call("numpy:ndarray", tup(number(1 << 62), number(1 << 62), number(0)), F8, NEXT),
    "a negative shape": call("numpy:ndarray", tup(number(-1)), F8, NEXT),
    "a shape that is none": call("numpy:ndarray", tup(text("x")), F8, NEXT),
    "a dtype that is none": call("numpy:ndarray", tup(number(10)), text("f8"), NEXT),
    "axes that are none": call("numpy._core.numeric:_frombuffer", NEXT, F8, tup(number(10)), text("K"), tup(number(3))),
    "a tensor": call(
        "torch._utils:_rebuild_tensor_v2",
        call(
            "binpickle.rebuild:torch_typed_storage",
            call("binpickle.rebuild:torch_storage", call("numpy:ndarray", tup(number(10)), F8, NEXT)),
            glob("torch:float64"),
        ),
        number(5),
        tup(number(6)),
        tup(number(1)),
    ),
}


@each(ARRAYS, "data")
def test_views_that_are_wrong(data: bytes) -> None:
    """An array that would not lie in its buffer, or not be plain bytes, is the buffer as the index describes it."""
    looked = follow(stream(data), [Kind(80, np.dtype("f8"), (10,))])
    node = looked.outline.root
    assert node.array is not None
    assert node.array == (0, None)
    assert node.view is not None
    assert node.view.shape == (10,)


def test_bytes_that_are_too_few() -> None:
    """An array in the stream that would not lie in its bytes is no array."""
    looked = follow(stream(call("numpy:ndarray", tup(number(3)), F8, raw(bytes(16)))))
    assert looked.outline.root.array is None
    assert looked.outline.root.type == "numpy:ndarray"


def nested(depth: int) -> bytes:
    """Tuples in tuples, each with a buffer."""
    return stream(b"N" + (NEXT + b"\x86") * depth)


def shared_state(count: int) -> bytes:
    """Instances that share one state of many attributes."""
    state = dic(*(text(f"a{i}") + tup(NONE, TRUE, NONE, get(0)) for i in range(count)))
    return stream(keep(lst(NONE)), keep(state), lst(*(build(new("m:C"), get(1)) for _ in range(count))))


def shared_frames(count: int) -> bytes:
    """Frames that share one manager of many blocks, which share one array."""
    block = call(
        "pandas._libs.internals:_unpickle_block", get(0), call("builtins:slice", number(0), number(1)), number(2)
    )
    columns = call(INDEX, glob("pandas:RangeIndex"), dic(*map(text, ("start",)), number(0), text("stop"), number(9)))
    manager = call(MANAGER, tup(*[block] * count), lst(columns, columns))
    frame = build(new("pandas:DataFrame"), dic(text("_mgr"), get(1)))
    return stream(
        keep(call("numpy:ndarray", tup(number(1), number(10)), F8, NEXT)), keep(manager), lst(*[frame] * count)
    )


def wide_frames(count: int) -> bytes:
    """Frames that claim millions of columns."""
    million = [text("start"), number(0), text("stop"), number(10**9), text("step"), number(1)]
    columns = call(INDEX, glob("pandas:RangeIndex"), dic(*million))
    block = call(
        "pandas._libs.internals:_unpickle_block",
        get(0),
        call("builtins:slice", number(0), number(10**9), number(1)),
        number(2),
    )
    frame = build(new("pandas:DataFrame"), dic(text("_mgr"), call(MANAGER, tup(block), lst(columns, columns))))
    empty = call("numpy:ndarray", tup(number(10**9), number(0)), F8, NEXT)
    return stream(keep(empty), lst(*[frame] * count))


def frames_in_frames(depth: int) -> bytes:
    """Frames whose blocks are frames."""
    columns = call(INDEX, glob("pandas:RangeIndex"), dic(text("start"), number(0)))
    held = NEXT
    for _ in range(depth):
        block = call("pandas._libs.internals:_unpickle_block", held, NONE, number(2))
        held = build(new("pandas:DataFrame"), dic(text("_mgr"), call(MANAGER, tup(block), lst(columns, columns))))
    return stream(held)


def wrapped(depth: int) -> bytes:
    """Indexes of indexes."""
    held = NEXT
    for _ in range(depth):
        held = call(INDEX, glob("pandas:Index"), dic(text("data"), held))
    return stream(held)


def doubled(times: int) -> bytes:
    """A tuple that holds another one twice, and so on, as a key."""
    held = b"".join(MEMOIZE + get(i) + b"\x86" for i in range(times))
    return stream(b"}" + text("x") + held + NEXT + b"s")


SHARED = {
    "nested tuples": (nested, 20_000),
    "a shared state": (shared_state, 3_000),
    "shared frames": (shared_frames, 2_000),
    "frames of very many columns": (wide_frames, 1_000),
    "frames in frames": (frames_in_frames, 300),
    "indexes of indexes": (wrapped, 5_000),
    "a key that doubles": (doubled, 200),
    "equal hashes": (lambda n: stream(dic(*(number(i * ((1 << 61) - 1)) + NEXT for i in range(n)))), 20_000),
    "equal keys": (lambda n: stream(dic(*(text("a") + NEXT for _ in range(n)))), 20_000),
    "endless long names": (lambda n: stream(dic(*(text("x" * 500) + lst(NEXT) for _ in range(n)))), 1_000),
}


@each(SHARED, "make,count")
def test_sharing_and_nesting(make: Callable[[int], bytes], count: int) -> None:
    """Streams that share, nest and claim very much have an outline in a time that grows with the stream."""
    data = make(count)
    looked = follow(data, [Kind(80)] * data.count(NEXT))
    survey(looked)
    for name in list(filter(None, looked.outline.names))[:100]:
        assert looked.outline.find(name) is not None


def test_endless_stream() -> None:
    """A stream without an end is followed until the limits end it, and the outline says so."""
    read = iter([b"\x80\x05"])
    looked = outline(lambda n: next(read, b"NNNNNNNN0" * 1000)[:n], [], [], replace(SMALL, opcodes=100_000))
    assert looked.problem is not None
    assert "opcodes" in looked.problem


def test_quick_limits() -> None:
    """Who shows names by the way follows two million opcodes, or more for many buffers, within the limits."""
    assert quick_limits(RESTRICTED_LIMITS, 0).opcodes == 2_000_000
    assert quick_limits(RESTRICTED_LIMITS, 200_000).opcodes > 18 * 200_000
    assert quick_limits(replace(SMALL, opcodes=1000), 200_000).opcodes == 1000


def test_problems() -> None:
    """A stream that the machine does not know has a problem, a root without parts, and names that are empty."""
    looked = look_at_stream(b"\x80\x04N.", [Kind(8)], [bytes(8)])
    assert looked.outline.problem == "pickle stream: it is not of protocol 5"
    assert looked.outline.names == ("",)
    assert looked.outline.root.type == "unknown"
    assert len(looked.outline.root) == 0
    assert looked.outline.find("a") is None


def test_damage_passes() -> None:
    """What the reader of the stream raises is raised: the caller tells of damage as elsewhere."""

    def read(nbytes: int) -> bytes:
        raise IntegrityError("chunk 1 is damaged")

    with pytest.raises(IntegrityError, match="chunk 1"):
        outline(read, [], [])


def test_damaged_labels() -> None:
    """A buffer that cannot be fetched only costs the labels that are in it."""

    def fetch(number_: int) -> bytes:
        raise IntegrityError("chunk 1 is damaged")

    pd = pytest.importorskip("pandas")
    looked = look(pd.DataFrame(np.ones((100, 100)), columns=np.arange(100.0)))
    written = io.BytesIO()
    pickling = Pickling(written.write)
    pickling.dump(pd.DataFrame(np.ones((100, 100)), columns=np.arange(100.0) + 7))
    kinds = [Kind(len(buffer)) for buffer in copies(pickling.out_of_band())]
    made = outline(io.BytesIO(written.getvalue()).read, kinds, range(len(kinds)), RESTRICTED_LIMITS, fetch)
    assert "[0.0,+99]" in looked.outline.names
    assert "[0,+99]" in made.names
