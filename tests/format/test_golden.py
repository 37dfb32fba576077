"""Files that older releases wrote load to exactly what was dumped."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import golden_contents
import pytest
from common import ROOT
from legacy_files import unpack_index
from numcodecs.registry import codec_registry

import binpickle
from binpickle.errors import IntegrityError

DATA = ROOT / "tests" / "data"
RECORDS = [
    (folder / record["file"], record)
    for folder in (DATA / "golden", DATA / "v1-more")
    for record in json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
]
LIBRARIES = ("pandas", "scipy")
# NumPy 1 reads what NumPy 2 pickled, as the loader knows what was renamed; but not the flags of aligned structures.
NUMPY_2 = {"structured"}
# Codecs that the oldest supported numcodecs does not have.
MISSING = {"fletcher32", "jenkins_lookup3"} - set(codec_registry)


def each(records: list[Any]) -> pytest.MarkDecorator:
    names = [path.relative_to(DATA).with_suffix("").as_posix() for path, _ in records]
    return pytest.mark.parametrize(("path", "record"), records, ids=names)


def expected(record: dict[str, Any]) -> Any:
    """Build what the file holds; skip the test where what loading takes is missing or too old."""
    needs = record["needs"]
    for library in LIBRARIES:
        if library in needs:
            pytest.importorskip(library, minversion=needs[library])
    if record["content"] in NUMPY_2:
        pytest.importorskip("numpy", minversion=needs["numpy"])
    if any(f'"id": "{codec}"' in used for codec in MISSING for used in record["codecs_used"]):
        pytest.skip("the installed numcodecs has no such codec")
    return golden_contents.build(record["content"], record["args"])


OBJECTS = [row for row in RECORDS if not row[1]["no_object"]]
EMPTY = [row for row in RECORDS if row[1]["no_object"]]


@each(OBJECTS)
def test_load(path: Path, record: dict[str, Any]) -> None:
    """`load` gives what was dumped."""
    want = expected(record)
    golden_contents.same(binpickle.load(path), want)


@each(OBJECTS)
def test_loads(path: Path, record: dict[str, Any]) -> None:
    """`loads` gives what was dumped."""
    want = expected(record)
    golden_contents.same(binpickle.loads(path.read_bytes()), want)


@each(OBJECTS)
def test_open_file(path: Path, record: dict[str, Any]) -> None:
    """`BinPickleFile` gives what was dumped, and finds nothing wrong."""
    want = expected(record)
    with binpickle.BinPickleFile(path) as opened:
        golden_contents.same(opened.load(), want)
        assert opened.find_errors() == []
        assert all("is not safe on files of unknown origin" in error for error in opened.find_errors(decode=True))


@each(OBJECTS)
def test_mapped(path: Path, record: dict[str, Any]) -> None:
    """Mapping what can be mapped changes nothing of the values."""
    want = expected(record)
    with binpickle.BinPickleFile(path, direct="nowarn") as opened:
        golden_contents.same(opened.load(), want)


@each([row for row in OBJECTS if row[1]["made_mappable"]])
def test_made_mappable(path: Path, record: dict[str, Any]) -> None:
    """What was written for mapping is mapped, without a warning."""
    want = expected(record)
    golden_contents.same(binpickle.load(path, mmap_mode="r"), want)


@each(RECORDS)
def test_described(path: Path, record: dict[str, Any]) -> None:
    """Version, flags and mappability are those of the file."""
    with binpickle.BinPickleFile(path) as opened:
        assert (opened.version, opened.header.version) == (record["version"], record["version"])
        assert opened.header.flags == record["flags"]
        assert opened.header.length == record["size"]
        assert len(opened.buffers) == max(record["entries"] - 1, 0)
        assert opened.is_mappable or not record["no_codec_anywhere"]


@each(RECORDS)
def test_entries(path: Path, record: dict[str, Any]) -> None:
    """Entries are those of the file's index, the pickle stream last."""
    index = unpack_index(path.read_bytes())
    with binpickle.BinPickleFile(path) as opened:
        entries = opened.entries
    fields = ("offset", "enc_length", "dec_length")
    assert [[getattr(entry, name) for name in fields] for entry in entries] == [
        [row[name] for name in fields] for row in index
    ]
    if record["version"] == 2:
        assert [list(entry.codecs) for entry in entries] == [row["codecs"] for row in index]
        assert [entry.info and list(entry.info) for entry in entries] == [row["info"] for row in index]


@each(EMPTY)
def test_no_object(path: Path, record: dict[str, Any]) -> None:
    """A file without an entry opens, and has no object to load."""
    with binpickle.BinPickleFile(path) as opened:
        assert opened.find_errors() == []
        with pytest.raises(ValueError, match="no object"):
            opened.load()


@pytest.mark.parametrize(
    "name", ["golden/v1-python311/default-several", "golden/v2/default-several", "golden/v2/mappable-several"]
)
@pytest.mark.parametrize("entry", [0, 3, 5])
def test_damaged(name: str, entry: int, tmp_path: Path) -> None:
    """A stored byte that changed is found by `find_errors` and by `load`."""
    data = bytearray((DATA / f"{name}.bpk").read_bytes())
    data[unpack_index(bytes(data))[entry]["offset"] + 5] ^= 4
    path = tmp_path / "damaged.bpk"
    path.write_bytes(data)
    with binpickle.BinPickleFile(path) as opened:
        assert len(opened.find_errors()) == 1
        with pytest.raises(IntegrityError):
            opened.load()


@each(OBJECTS)
def test_followed_by_other_bytes(path: Path, record: dict[str, Any]) -> None:
    """What follows the end that the header gives is ignored, as the old releases did."""
    want = expected(record)
    golden_contents.same(binpickle.loads(path.read_bytes() + b"garbage"), want)


@each(RECORDS)
def test_truncated(path: Path, record: dict[str, Any]) -> None:
    """A file that is cut off anywhere is refused when it is opened."""
    data = path.read_bytes()
    for length in (0, 4, 15, 16, len(data) // 2, len(data) - 20, len(data) - 1):
        with pytest.raises(binpickle.errors.FormatError):
            binpickle.loads(data[:length])
