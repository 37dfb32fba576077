"""What a snapshot is, as its manifest says: the run that holds its parts, and the items that the parts make up.

Rule: a manifest that is read is checked when it becomes these values; nothing downstream checks again, and nothing in
it is ever unpickled. Its lists are columns with one value for each part, so that ten thousand parts stay small.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from functools import lru_cache
from typing import Any, Callable, NamedTuple, Sequence

import numpy as np

from binpickle.errors import FormatError

from .paths import about, check_name, manifest_path, parse_json, read_manifest_file
from .sealing import UNSEALED, Sealing

__all__ = ["KINDS", "PLAIN_DTYPES", "Item", "Manifest", "PartRecord", "cached_manifest", "read_manifest"]

KINDS = ("array", "frame", "bag", "delayed", "other")

# Names that say all of an element type, and that nothing else than NumPy's arrays needs.
PLAIN_DTYPES = frozenset(np.dtype(code).name for code in "?bBhHiIlLqQefdFD")


class PartRecord(NamedTuple):
    """What the worker that wrote a part says of it.

    Attributes:
        name: of the file.
        nbytes: its size.
        digest: its root digest in hexadecimal, if it has one.
        host: of the worker.
        facts: by kind: shape of a chunk, rows and first and last index value of a partition.
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
        prefix: what the names of its parts begin with.
        numblocks: number of parts along each dimension; one dimension for all but arrays.
        nbytes: size of each part's file, in C order of the blocks.
        digests: root digest of each part in hexadecimal; empty if they have none.
        facts: what is known of the whole: shape, dtype, chunks, columns, divisions, rows; of an array also whether it
            is plain: its chunks are NumPy's, and the name of the dtype says all of it.
    """

    kind: str
    prefix: str
    numblocks: tuple[int, ...]
    nbytes: tuple[int, ...] = ()
    digests: tuple[str, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _want(self.kind in KINDS, f"kind {self.kind!r}")
        _want(isinstance(self.prefix, str) and isinstance(self.facts, dict), "an item's prefix and facts")
        check_name(self.prefix + "p")
        _want(all(_is_count(n) for n in self.numblocks + self.nbytes), "numbers of blocks and bytes")
        _want(all(isinstance(digest, str) for digest in self.digests), "digests")
        _check_facts(self.facts)

    @property
    def nparts(self) -> int:
        """How many parts it has."""
        count = 1
        for n in self.numblocks:
            count *= n
        return count

    def part_name(self, index: Sequence[int]) -> str:
        """Return the file name of a part, by its block index."""
        if self.kind != "array":
            return f"{self.prefix}p.{index[0]:05d}.bpk"
        return self.prefix + ".".join(["c", *map(str, index), "bpk"])

    def position(self, index: Sequence[int]) -> int:
        """Return where in the columns a part is.

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
        """Return the block index of a part, by its place in the columns."""
        index: list[int] = []
        for n in reversed(self.numblocks):
            position, i = divmod(position, n)
            index.insert(0, i)
        return tuple(index)

    def part_names(self) -> list[str]:
        """Return the file names of all parts, in the order of the columns."""
        return [self.part_name(self.index(i)) for i in range(self.nparts)]


@dataclass(frozen=True)
class Manifest:
    """One snapshot.

    Attributes:
        snapshot: its name.
        run: the folder that holds its parts.
        token: identifies the computation.
        codecs: the codecs of the parts, in words; `None` if they are raw.
        libraries: the writer's versions.
        items: the collections.
        structured: whether the items are parts of a structure (which `meta.bpk` holds), not one collection alone.
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
        _want(isinstance(self.token, str) and isinstance(self.libraries, dict), "token and libraries")
        _want(self.codecs is None or isinstance(self.codecs, str), "codecs")
        _want(len(self.items) == 1 or self.structured, "the number of items")

    @property
    def kind(self) -> str:
        """The kind of what was saved."""
        return "structure" if self.structured else self.items[0].kind

    def to_json(self) -> dict[str, Any]:
        """Return what the file says."""
        return asdict(self)


def read_manifest(root: str, snapshot: str, sealing: Sealing = UNSEALED) -> Manifest:
    """Read and check a manifest.

    Args:
        root: the folder.
        snapshot: in it.
        sealing: what its seal must be made with.

    Raises:
        AuthenticationError: a key is given, and the seal is missing or wrong.
        SnapshotGoneError: the folder does not hold it, or no longer does.
        NotSharedError: this machine does not see the folder.
        FormatError: it is malformed.
        OSError: from the operating system, with the host.
    """
    raw = read_manifest_file(root, snapshot, sealing.check)
    try:
        manifest = _parsed(raw)
        _want(manifest.snapshot == snapshot, "the name of the snapshot")
    except FormatError as error:
        raise about(error, manifest_path(root, snapshot)) from None
    return manifest


@lru_cache(maxsize=16)
def _parsed(raw: bytes) -> Manifest:
    """Return what the bytes of a manifest say: who opens a folder again has them read again, but not parsed."""
    data = parse_json(raw)
    try:
        items = tuple(_item(item) for item in data["items"])
        fields = {name: data[name] for name in ("snapshot", "run", "token", "codecs", "libraries", "structured")}
        manifest = Manifest(items=items, **fields)
        _want(all(len(item.nbytes) == item.nparts for item in items), "the number of parts")
        _want(all(len(item.digests) in (0, item.nparts) for item in items), "the number of digests")
    except (FormatError, KeyError, TypeError, AttributeError) as error:
        raise FormatError(f"not a manifest: {error}") from None
    return manifest


@lru_cache(maxsize=64)
def cached_manifest(root: str, snapshot: str, sealing: Sealing = UNSEALED) -> Manifest:
    """Return a manifest, read once in each process: it never changes. Raises what `read_manifest` does."""
    return read_manifest(root, snapshot, sealing)


def _item(data: dict[str, Any]) -> Item:
    columns = {name: tuple(data[name]) for name in ("numblocks", "nbytes", "digests")}
    return Item(kind=data["kind"], prefix=data["prefix"], facts=data["facts"], **columns)


def _check_facts(facts: dict[str, Any]) -> None:
    """Check what `Store` shows of the facts; the others are for this package, and need no more than to be there."""
    chunks = facts.get("chunks", [])
    _want(isinstance(chunks, list) and all(_are(_is_count, sizes) for sizes in chunks), "chunks")
    _want(_are(_is_count, facts.get("shape", [])), "shape")
    _want(_are(_is_text, facts.get("columns", [])), "columns")
    _want(_is_text(facts.get("dtype", "")), "dtype")
    _want(not facts.get("plain") or facts.get("dtype") in PLAIN_DTYPES, "a plain array")


def _are(test: Callable[[Any], bool], values: Any) -> bool:
    return isinstance(values, list) and all(map(test, values))


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _want(condition: bool, what: str) -> None:
    if not condition:
        raise FormatError(f"{what} cannot be right")
