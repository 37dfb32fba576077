"""The inputs that fuzzing begins with: small files of every kind and version, benign streams, and the attack corpus.

Rule: `python -m reliability seeds` makes them once. They are kept in `tests/corpus`, and take less than 2 MiB together.
"""

from __future__ import annotations

import hashlib
import pickle
from typing import Iterator

import numpy as np

import binpickle

from . import TESTS
from .fuzz import CORPUS

__all__ = ["write_seeds"]

_LARGEST = 6 << 10
_CODECS = [
    [],
    "auto",
    ["zstd"],
    ["lz4"],
    ["gzip"],
    ["zlib"],
    ["bz2"],
    ["lzma"],
    [{"id": "shuffle", "elementsize": 8}, "zstd"],
    [{"id": "delta", "dtype": "<i8"}, "lz4"],
    [{"id": "astype", "encode_dtype": "<f4", "decode_dtype": "<f8"}, "zlib"],
    ["blosc"],
]


def write_seeds() -> None:
    """Write the corpus."""
    for target, seeds in (("container", _containers()), ("stream", _streams())):
        folder = CORPUS / target
        folder.mkdir(parents=True, exist_ok=True)
        for data in seeds:
            if len(data) <= _LARGEST:
                (folder / hashlib.sha256(data).hexdigest()[:12]).write_bytes(data)


def _containers() -> Iterator[bytes]:
    array = np.arange(60)
    obj = {"a": array, "b": [array.astype("f4")[::2], np.zeros((3, 4), order="F"), bytearray(9)], "c": array[:0]}
    for codecs in _CODECS:
        try:
            yield binpickle.dumps(obj if codecs in ([], "auto") else array.astype("f8"), codecs=codecs)
        except ValueError:
            yield binpickle.dumps(array, codecs=codecs)
    yield binpickle.dumps(obj, mappable=True, metadata={"a": "b"})
    yield binpickle.dumps(obj, digests=True)
    yield binpickle.dumps(obj, key=bytes(32))
    yield binpickle.dumps({"class": binpickle.Limits, "array": array})
    yield binpickle.dumps([np.zeros(2, [("a", "<i4"), ("b", "S3", (2,))]), np.zeros(3, "M8[ns]"), np.ma.array([1, 2])])
    yield binpickle.dumps([array[i : i + 3] for i in range(0, 60, 3)])
    golden = TESTS / "data"
    for path in sorted(golden.rglob("*.bpk")):
        yield path.read_bytes()


def _streams() -> Iterator[bytes]:
    from assembler import call, stream, text
    from attacks import corpus
    from benign import OBJECTS

    for obj in OBJECTS.values():
        yield pickle.dumps(obj, 5)
        yield pickle.dumps(obj, 5, buffer_callback=lambda _: None)
    yield stream(call("zoneinfo:ZoneInfo", text("Europe/Paris")))
    for attack in corpus():
        yield attack.stream
