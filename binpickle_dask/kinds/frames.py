"""dask frames, Series and Indexes. Each partition is one part. See `registry` for the three functions.

Rule: a loaded frame has the dtypes, the order of columns and the divisions of the saved one. Unknown divisions become
known if the partitions turn out to be in order.
"""

# mypy: allow-untyped-calls
from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Sequence

import dask.config
import dask.dataframe as dd
import numpy as np

from ..folder.manifest import Item, PartRecord
from ..parts.loader import PartLoader

__all__ = ["begin", "finish", "load"]


def begin(frame: Any) -> tuple[tuple[int, ...], dict[str, Any], dict[str, Any]]:
    """Return the number of partitions, the names and dtypes of the columns, and the empty frame with its divisions."""
    meta = frame._meta
    facts: dict[str, Any] = {"type": type(meta).__name__}
    if hasattr(meta, "columns"):
        facts.update(columns=[str(name) for name in meta.columns], dtypes=[str(dtype) for dtype in meta.dtypes])
    else:
        facts["dtype"] = str(meta.dtype)
    return (int(frame.npartitions),), facts, {"meta": meta, "divisions": tuple(frame.divisions)}


def finish(item: Item, meta: dict[str, Any], records: Sequence[PartRecord]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return facts and meta, completed by the rows of each partition and by divisions that were unknown."""
    divisions = meta["divisions"]
    if None in divisions:
        divisions = _divisions([record.facts["ends"] for record in records]) or divisions
    rows = [record.facts["rows"] for record in records]
    facts = {**item.facts, "rows": rows, "divisions": None if None in divisions else [str(at) for at in divisions]}
    return facts, {**meta, "divisions": divisions}


def load(item: Item, meta: Callable[[], dict[str, Any]], loader: PartLoader, columns: Any = None) -> Any:
    """Return the frame whose graph loads the parts.

    Args:
        item: the item of the manifest.
        meta: returns the meta that `finish` returned.
        loader: loads the parts.
        columns: names of the columns to load, a list or one string; by default all.

    Raises:
        KeyError: there is no such column.
        ValueError: a Series or an Index has no columns, or names do not identify the columns of this frame.
    """
    known = meta()
    empty = known["meta"]
    read: Callable[..., Any] = loader
    keywords = {}
    if columns is not None:
        if not hasattr(empty, "columns"):
            raise ValueError(f"columns= needs a frame, and this is a {item.facts.get('type')}")
        empty = empty[_known(columns, empty)]
    if hasattr(empty, "columns") and _can_choose(empty.columns):
        read = _FrameLoader(loader)
        keywords["columns"] = list(empty.columns)
    # By default dask would turn columns of objects into strings.
    with dask.config.set({"dataframe.convert-string": False}):
        return dd.from_map(
            read, range(item.nparts), meta=empty, divisions=known["divisions"], label="from-bpk", **keywords
        )


@dataclass(frozen=True)
class _FrameLoader:
    """Loads partitions for `from_map`. dask puts projections into the keyword `columns`, by its name."""

    loader: PartLoader

    def __call__(self, index: int, columns: list[Any] | None = None) -> Any:
        frame = self.loader(index)
        return frame if columns is None or list(frame.columns) == columns else frame[columns]

    def __dask_tokenize__(self) -> tuple[Any, ...]:
        return self.loader.__dask_tokenize__()


def _can_choose(names: Any) -> bool:
    """Return whether names identify columns: they must be unique, and a list of booleans would be taken for a mask."""
    return bool(names.is_unique) and not any(isinstance(name, (bool, np.bool_)) for name in names)


def _known(columns: Any, empty: Any) -> list[Any]:
    """Return the names of the columns to load, in a list, once all are known to exist."""
    found = [columns] if isinstance(columns, str) else list(columns)
    missing = [name for name in found if name not in empty.columns]
    if missing:
        raise KeyError(f"no columns {missing}: there are {list(empty.columns)}")
    if not _can_choose(empty.columns):
        raise ValueError(f"columns cannot be chosen by these names, since names are booleans or not unique: {found}")
    return found


def _divisions(ends: Sequence[Any]) -> tuple[Any, ...] | None:
    """Return the first index value of each partition, and the last of all; `None` if partitions are not in order."""
    if any(end is None for end in ends):
        return None
    try:
        # Categories may have an order of their own, which dask does not use when it looks for a partition.
        if any(first > last for first, last in ends) or any(a[1] >= b[0] for a, b in zip(ends, ends[1:])):
            return None
    except TypeError:  # the values do not compare
        return None
    return tuple(first for first, _ in ends) + (ends[-1][1],)
