"""dask frames, Series and Indexes: one part for each partition.

Rule: what comes back is what was saved: dtypes, order of columns, divisions. Divisions that were unknown are known
afterwards, if the partitions turn out to be in order.
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

__all__ = ["finish", "load", "plan"]


def plan(frame: Any) -> tuple[tuple[int, ...], dict[str, Any], dict[str, Any]]:
    """Return the number of partitions, the facts known beforehand, and what JSON cannot say of it."""
    meta = frame._meta
    facts: dict[str, Any] = {"type": type(meta).__name__}
    if hasattr(meta, "columns"):
        facts.update(columns=[str(name) for name in meta.columns], dtypes=[str(dtype) for dtype in meta.dtypes])
    else:
        facts["dtype"] = str(meta.dtype)
    return (int(frame.npartitions),), facts, {"meta": meta, "divisions": tuple(frame.divisions)}


def finish(item: Item, meta: dict[str, Any], records: Sequence[PartRecord]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return facts and the rest with what the parts tell: rows and divisions."""
    divisions = meta["divisions"]
    if None in divisions:
        divisions = _divisions([record.facts["ends"] for record in records]) or divisions
    rows = [record.facts["rows"] for record in records]
    facts = {**item.facts, "rows": rows, "divisions": None if None in divisions else [str(at) for at in divisions]}
    return facts, {**meta, "divisions": divisions}


def load(item: Item, meta: Callable[[], dict[str, Any]], loader: PartLoader, columns: Any = None) -> Any:
    """Return the frame that loads the parts.

    Args:
        item: of the manifest.
        meta: returns what `finish` gave.
        loader: of the parts.
        columns: to load; by default all.

    Raises:
        KeyError: there is no such column.
        ValueError: `columns` for what has none, or whose names do not tell them apart.
    """
    known = meta()
    empty = known["meta"]
    load_part: Any = loader
    keywords = {}
    if columns is not None:
        if not hasattr(empty, "columns"):
            raise ValueError(f"columns are for frames, this is a {item.facts.get('type')}")
        empty = empty[_known(columns, empty)]
    if hasattr(empty, "columns") and _can_choose(empty.columns):
        load_part = _FrameLoader(loader)
        keywords["columns"] = list(empty.columns)
    # Otherwise dask would turn columns of objects into strings.
    with dask.config.set({"dataframe.convert-string": False}):
        return dd.from_map(
            load_part, range(item.nparts), meta=empty, divisions=known["divisions"], label="from-bpk", **keywords
        )


@dataclass(frozen=True)
class _FrameLoader:
    """What `from_map` calls; the keyword lets dask push projections into it."""

    loader: PartLoader

    def __call__(self, index: int, columns: list[Any] | None = None) -> Any:
        frame = self.loader(index)
        return frame if columns is None or list(frame.columns) == columns else frame[columns]

    def __dask_tokenize__(self) -> tuple[Any, ...]:
        return self.loader.__dask_tokenize__()


def _can_choose(names: Any) -> bool:
    """Return whether each column can be had by its name: booleans would choose otherwise."""
    return bool(names.is_unique) and not any(isinstance(name, (bool, np.bool_)) for name in names)


def _known(columns: Any, empty: Any) -> list[Any]:
    found = [columns] if isinstance(columns, str) else list(columns)
    missing = [name for name in found if name not in empty.columns]
    if missing:
        raise KeyError(f"no columns {missing}: there are {list(empty.columns)}")
    if not _can_choose(empty.columns):
        raise ValueError(f"columns cannot be chosen by these names, which are not unique or booleans: {found}")
    return found


def _divisions(ends: Sequence[Any]) -> tuple[Any, ...] | None:
    """Return where the partitions begin, and where the last one ends; `None` if they are not in order."""
    if any(end is None for end in ends):
        return None
    try:
        # Categories may be in an order of their own, in which dask would not look for them.
        if any(first > last for first, last in ends) or any(a[1] >= b[0] for a, b in zip(ends, ends[1:])):
            return None
    except TypeError:  # of types that do not compare
        return None
    return tuple(first for first, _ in ends) + (ends[-1][1],)
