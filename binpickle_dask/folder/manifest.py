"""What a snapshot is, as its manifest says: the run that holds its parts, and the collections that the parts make up.

Rule: a manifest is checked when its bytes become these values. No code behind this checks it again, and nothing in it
is ever unpickled. It stores one list per property with one value per part, so that ten thousand parts stay small.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from functools import lru_cache, reduce
from operator import mul
from typing import Any, Callable, NamedTuple, Sequence

import numpy as np

from binpickle.errors import FormatError

from .layout import check_name, parse_json

__all__ = ["KINDS", "PLAIN_DTYPES", "Item", "Manifest", "PartRecord", "parse_manifest"]

KINDS = ("array", "frame", "bag", "delayed", "other")

# The names of these dtypes describe them fully, and no library but NumPy is needed to create them.
PLAIN_DTYPES = frozenset(np.dtype(code).name for code in "?bBhHiIlLqQefdFD")


class PartRecord(NamedTuple):
    """What the worker that wrote a part reports.

    Attributes:
        name: name of the part's file.
        nbytes: size of the file in bytes.
        digest: root digest of the file in hexadecimal; `None` if it has none.
        host: name of the worker's machine.
        facts: of an array `shape`; of a frame `rows`, and `ends`, the first and the last value of an index in order.
    """

    name: str
    nbytes: int
    digest: str | None
    host: str
    facts: dict[str, Any]


@dataclass(frozen=True)
class Item:
    """One collection of a snapshot.

    Attributes:
        kind: one of `KINDS`.
        prefix: the names of all its parts begin with this.
        numblocks: number of parts along each dimension; all kinds but arrays have one dimension.
        nbytes: size of each part's file in bytes, in C order of the blocks.
        digests: root digest of each part in hexadecimal; empty if the parts have none.
        facts: properties of the whole collection: shape, dtype, chunks, columns, divisions, rows; of an array also
            `plain`: whether its chunks are NumPy arrays whose dtype is one of `PLAIN_DTYPES`.
    """

    kind: str
    prefix: str
    numblocks: tuple[int, ...]
    nbytes: tuple[int, ...] = ()
    digests: tuple[str, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _want(self.kind in KINDS, f"kind {self.kind!r}")
        _want(isinstance(self.prefix, str) and isinstance(self.facts, dict), "prefix or facts of an item")
        check_name(self.prefix + "p")
        _want(all(_is_count(n) for n in self.numblocks + self.nbytes), "numbers of blocks or bytes")
        _want(all(isinstance(digest, str) for digest in self.digests), "digests")
        _check_facts(self.facts)

    @property
    def nparts(self) -> int:
        """Number of parts."""
        return reduce(mul, self.numblocks, 1)  # not by NumPy, whose integers overflow

    def part_name(self, index: Sequence[int]) -> str:
        """Return the file name of the part with this block index."""
        if self.kind != "array":
            return f"{self.prefix}p.{index[0]:05d}.bpk"
        return self.prefix + ".".join(["c", *map(str, index), "bpk"])

    def position(self, index: Sequence[int]) -> int:
        """Return the number of the part with this block index, counted in C order.

        Raises:
            IndexError: there is no such part.
        """
        if len(index) != len(self.numblocks) or not all(0 <= i < n for i, n in zip(index, self.numblocks)):
            raise IndexError(f"no part {tuple(index)}: the parts are {self.numblocks}")
        position = 0
        for i, n in zip(index, self.numblocks):
            position = position * n + i
        return position

    def index(self, position: int) -> tuple[int, ...]:
        """Return the block index of the part with this number."""
        index: list[int] = []
        for n in reversed(self.numblocks):
            position, i = divmod(position, n)
            index.insert(0, i)
        return tuple(index)

    def part_names(self) -> list[str]:
        """Return the file names of all parts in C order."""
        return [self.part_name(self.index(i)) for i in range(self.nparts)]


@dataclass(frozen=True)
class Manifest:
    """One snapshot.

    Attributes:
        snapshot: name of the snapshot.
        run: name of the run that holds its parts.
        token: dask's token of the computation.
        codecs: the codecs of the parts as text; `None` if the parts are stored raw.
        libraries: versions of the libraries that the saver used, by name.
        items: the collections.
        structured: whether the items belong into a structure, which `meta.bpk` holds; else there is one item.
    """

    snapshot: str
    run: str
    token: str
    codecs: str | None
    libraries: dict[str, str]
    items: tuple[Item, ...]
    structured: bool = False

    def __post_init__(self) -> None:
        check_name(self.snapshot)
        check_name(self.run)
        _want(isinstance(self.token, str) and isinstance(self.libraries, dict), "token or libraries")
        _want(self.codecs is None or isinstance(self.codecs, str), "codecs")
        _want(len(self.items) == 1 or self.structured, "number of items")

    @property
    def kind(self) -> str:
        """The kind of the only collection, or `"structure"`."""
        return "structure" if self.structured else self.items[0].kind

    def to_json(self) -> dict[str, Any]:
        """Return the content of the JSON file."""
        return asdict(self)


@lru_cache(maxsize=16)
def parse_manifest(raw: bytes) -> Manifest:
    """Parse the bytes of a manifest. The last few results are kept, so that opening a folder again is fast.

    Raises:
        FormatError: the manifest is malformed.
    """
    data = parse_json(raw)
    try:
        items = tuple(_item(item) for item in data["items"])
        fields = {name: data[name] for name in ("snapshot", "run", "token", "codecs", "libraries", "structured")}
        manifest = Manifest(items=items, **fields)
        _want(all(len(item.nbytes) == item.nparts for item in items), "number of parts")
        _want(all(len(item.digests) in (0, item.nparts) for item in items), "number of digests")
    except (FormatError, KeyError, TypeError, AttributeError) as error:
        raise FormatError(f"the manifest is malformed: {error}") from None
    return manifest


def _item(data: dict[str, Any]) -> Item:
    columns = {name: tuple(data[name]) for name in ("numblocks", "nbytes", "digests")}
    return Item(kind=data["kind"], prefix=data["prefix"], facts=data["facts"], **columns)


def _check_facts(facts: dict[str, Any]) -> None:
    """Check the facts that `Store` shows. No code outside of `kinds` uses the others."""
    chunks = facts.get("chunks", [])
    _want(isinstance(chunks, list) and all(_are(_is_count, sizes) for sizes in chunks), "chunks")
    _want(_are(_is_count, facts.get("shape", [])), "shape")
    _want(_are(_is_text, facts.get("columns", [])), "columns")
    _want(_is_text(facts.get("dtype", "")), "dtype")
    _want(not facts.get("plain") or facts.get("dtype") in PLAIN_DTYPES, "dtype of a plain array")


def _are(test: Callable[[Any], bool], values: Any) -> bool:
    return isinstance(values, list) and all(map(test, values))


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _want(condition: bool, what: str) -> None:
    if not condition:
        raise FormatError(f"invalid {what}")
