"""An open file as a mapping from names to arrays."""

from __future__ import annotations

import io
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Iterator

import numpy as np
import pytest

import binpickle
from binpickle import BinPickleFile

WEIGHT, BIAS, SMALL = np.arange(1000.0), np.ones((20, 30), np.float32), np.arange(3)
OBJECT = {"encoder": {"weight": WEIGHT, "bias": BIAS, "small": SMALL}, "again": [WEIGHT], "epoch": 12, "a/b": BIAS + 1}
NAMES = ["encoder/weight", "encoder/bias", "a~1b"]


@pytest.fixture
def opened() -> Iterator[BinPickleFile]:
    """A file with named arrays, of which one is shared and one stands in the pickle stream."""
    with BinPickleFile(io.BytesIO(binpickle.dumps(OBJECT))) as opened:
        yield opened


def test_mapping(opened: BinPickleFile) -> None:
    """An open file is a mapping of the names of its buffers to their arrays."""
    assert isinstance(opened, Mapping)
    assert list(opened) == list(opened.keys()) == NAMES == list(opened.names)
    assert len(opened) == 3
    assert [name for name, _ in opened.items()] == NAMES
    for array, expected in zip(opened.values(), [WEIGHT, BIAS, BIAS + 1]):
        np.testing.assert_array_equal(array, expected)


def test_truth_and_identity() -> None:
    """A file without names is true, and files are equal only to themselves, unlike dicts."""
    with BinPickleFile(io.BytesIO(binpickle.dumps(1))) as one, BinPickleFile(io.BytesIO(binpickle.dumps(1))) as other:
        assert bool(one)
        assert len(one) == 0
        assert one != other
        assert len({one, other}) == 2


@pytest.mark.parametrize("name", [*NAMES, "again/0", "encoder/small"])
def test_arrays(opened: BinPickleFile, name: str) -> None:
    """Every way to an array gives it, also one that is not listed, and one to an array in the pickle stream."""
    expected: Any = OBJECT
    for part in name.split("/"):
        expected = expected[int(part) if isinstance(expected, list) else part.replace("~1", "/")]
    assert name in opened
    for array in (opened[name], opened.get(name), opened.array(name), opened.arrays([name])[0]):
        np.testing.assert_array_equal(array, expected)
        assert array.dtype == expected.dtype
    np.testing.assert_array_equal(opened.array(name, rows=slice(1, 3)), expected[1:3])
    np.testing.assert_array_equal(opened.array(name, rows=-1), expected[-1])


def test_above_arrays(opened: BinPickleFile) -> None:
    """A name above arrays gives nested dicts of what is below it; what the object shares is shared."""
    encoder = opened["encoder"]
    assert list(encoder) == ["weight", "bias", "small"]
    np.testing.assert_array_equal(encoder["bias"], BIAS)
    whole = opened[""]
    assert list(whole) == ["encoder", "again", "a/b"]
    assert list(whole["again"]) == ["0"]
    assert whole["again"]["0"] is whole["encoder"]["weight"]


def test_objects_that_contain_themselves() -> None:
    """Of an object that contains itself the dicts do so, too."""
    obj: dict[str, Any] = {"a": WEIGHT}
    obj["self"] = obj
    with BinPickleFile(io.BytesIO(binpickle.dumps(obj))) as opened:
        found = opened[""]
    assert found["self"] is found


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("encoder/weigth", "nothing is named 'encoder/weigth'; names like it are 'encoder/weight'"),
        ("epoch", "'epoch' is 12 and holds no array"),
        ("encoder/weight/0", "nothing is named"),
        (3, "nothing is named 3"),
    ],
)
def test_unknown(opened: BinPickleFile, name: Any, message: str) -> None:
    """What is no array and holds none is no key; the error says what is like it, or what it is."""
    assert name not in opened
    assert opened.get(name, "default") == "default"
    with pytest.raises(KeyError) as caught:
        opened[name]
    assert message in caught.value.args[0]


def test_array_of_a_group(opened: BinPickleFile) -> None:
    """`array` of a name above arrays says which parts there are."""
    with pytest.raises(KeyError, match="is no array .*but has weight, bias, small"):
        opened.array("encoder")


def test_buffers_by_name(opened: BinPickleFile) -> None:
    """Buffers are found by name, and sliced; an array in the stream has none."""
    assert opened.buffers["encoder/bias"] == opened.buffers[1]
    np.testing.assert_array_equal(opened.buffers["encoder/bias"][3:5], BIAS[3:5])
    with pytest.raises(KeyError, match="its bytes stand in the pickle stream"):
        opened.buffers["encoder/small"]


def test_columns() -> None:
    """A column of a frame is found by its name, though several columns are one buffer."""
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"a": np.arange(1000), "b": np.arange(1000) * 2, "c": 1.5})
    with BinPickleFile(io.BytesIO(binpickle.dumps({"frame": frame}))) as opened:
        np.testing.assert_array_equal(opened["frame/b"], frame["b"])
        np.testing.assert_array_equal(opened.array("frame/b", rows=slice(10, 20)), frame["b"][10:20])


def test_many_unknown_names() -> None:
    """The message for an unknown name takes no longer in a file of very many names."""
    data = binpickle.dumps({f"a{i}": np.zeros(100) for i in range(5000)})
    with BinPickleFile(io.BytesIO(data)) as opened, pytest.raises(KeyError, match="nothing is named 'nowhere'"):
        opened["nowhere"]


def test_damaged_array() -> None:
    """The message for a damaged chunk names the arrays in it, in `load`, `array` and `find_errors`."""
    data = bytearray(binpickle.dumps({"model": {"coef_": np.random.default_rng(0).random(1000)}}, codecs=[]))
    data[4000] ^= 1
    with BinPickleFile(io.BytesIO(data)) as opened:
        (error,) = opened.find_errors()
        assert "(model/coef_) is damaged" in error
        for call in (opened.load, lambda: opened.array(0)):
            with pytest.raises(binpickle.IntegrityError, match=r"\(model/coef_\) is damaged"):
                call()


def test_damaged_stream() -> None:
    """If the pickle stream is damaged there are no names, and the damage is told as ever."""
    data = bytearray(binpickle.dumps({"coef_": np.arange(1000.0)}, codecs=[]))
    at = bytes(data).index(b"coef_")
    data[at] ^= 1
    with BinPickleFile(io.BytesIO(data)) as opened:
        assert opened.names == ("",)
        assert "(pickle stream) is damaged" in str(opened.names_problem)
        assert len(opened) == 0
        with pytest.raises(KeyError, match="the file has no names"):
            opened["coef_"]
        np.testing.assert_array_equal(opened.array(0), np.arange(1000.0))
        with pytest.raises(binpickle.IntegrityError, match=r"\(pickle stream\)"):
            opened.load()


def test_damage_of_both() -> None:
    """If the stream is damaged as well as an array, and a helper decodes it, the messages tell buffers by number."""
    key = bytes(32)
    obj = {"coef_": np.random.default_rng(0).random(1000), "text": "ab" * 5000}
    data = bytearray(binpickle.dumps(obj, codecs=["blosc"], key=key))
    with BinPickleFile(io.BytesIO(data), key=key) as opened:
        chunks = [entry.offset for entry in opened.entries]
    for at in chunks:
        assert at is not None
        data[at + 40] ^= 1
    with BinPickleFile(io.BytesIO(data), key=key) as opened:
        errors = opened.find_errors()
    assert sorted(error.partition(" is damaged")[0] for error in errors) == [
        "chunk 0 (pickle stream)",
        "chunk 1 (buffer 0)",
    ]


def test_limits() -> None:
    """A stream of too many opcodes has no names, unless the limits that the file is opened with allow them."""
    data = binpickle.dumps([WEIGHT, *range(1000)])
    with BinPickleFile(io.BytesIO(data), limits=binpickle.Limits(opcodes=100)) as opened:
        assert opened.names == ("",)
        assert "more than 100 opcodes" in str(opened.names_problem)
    with BinPickleFile(io.BytesIO(data), limits=binpickle.Limits()) as opened:
        assert opened.names == ("0",)
        assert opened.names_problem is None


def test_closed(opened: BinPickleFile) -> None:
    """Names that were told stay when the file is closed; arrays cannot be read any more."""
    names = opened.names
    opened.close()
    assert opened.names == names
    with pytest.raises(ValueError, match="closed"):
        opened["encoder/weight"]
    with BinPickleFile(io.BytesIO(binpickle.dumps(OBJECT))) as other:
        pass
    with pytest.raises(ValueError, match="closed"):
        other.names  # noqa: B018


def test_pickled(tmp_path: Path) -> None:
    """An open file that is pickled has the same names when it is open again."""
    binpickle.dump(OBJECT, tmp_path / "a.bpk")
    with BinPickleFile(tmp_path / "a.bpk") as opened, pickle.loads(pickle.dumps(opened)) as again:
        assert again.names == opened.names


def test_prefetch_by_name(tmp_path: Path) -> None:
    """`prefetch` and `warm` take names, of arrays and of what lies above them."""
    binpickle.dump(OBJECT, tmp_path / "a.bpk", mappable=True)
    with BinPickleFile(tmp_path / "a.bpk", mmap_mode="r") as opened:
        assert opened.warm(["encoder/weight"]) == (8000, 8000)
        done, total = opened.warm(["encoder"])
        assert 8000 + BIAS.nbytes <= done == total < len(Path(tmp_path / "a.bpk").read_bytes())
        loaded = opened.load(prefetch=["encoder"])
    np.testing.assert_array_equal(loaded["encoder"]["bias"], BIAS)
