"""Where the bytes of a file come from and where they go to.

`origin` opens a `source` for what a caller gives to read, by way of a `spool` if it can be read only once. `target`
opens a `sink` for what a caller gives to write; `atomic` is the sink of a path. `mapping` maps a file into memory.
"""

from __future__ import annotations

from .atomic import NO_HARD_LINKS, write_atomically
from .mapping import CANNOT_MAP, map_descriptor

__all__ = ["CANNOT_MAP", "NO_HARD_LINKS", "map_descriptor", "write_atomically"]
