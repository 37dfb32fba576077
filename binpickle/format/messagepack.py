"""Maps in MessagePack as indices of all versions hold them: strings as keys, each once.

Rule: a key that stands twice is refused, or two readers could see different files in the same bytes.
"""

from __future__ import annotations

from typing import Any, Sequence

from ..errors import FormatError

__all__ = ["unique_map"]


def unique_map(pairs: Sequence[tuple[Any, Any]]) -> dict[str, Any]:
    """Return the map of some pairs: the `object_pairs_hook` of every reader of an index.

    Raises:
        FormatError: a key is not a string, or stands twice.
    """
    mapping = dict(pairs)
    if not set(map(type, mapping)) <= {str}:
        raise FormatError("index: a key is not a string")
    if len(mapping) != len(pairs):
        raise FormatError("index: a key stands twice in one map")
    return mapping
