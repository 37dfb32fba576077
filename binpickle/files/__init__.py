"""Where the bytes of a file come from and where they go to.

`origin` opens a `source` for what a caller gives to read, by way of a `spool` if it can be read only once. `target`
opens a `sink` for what a caller gives to write; `atomic` is the sink of a path.
"""

from __future__ import annotations

from .atomic import NO_HARD_LINKS, write_atomically

__all__ = ["NO_HARD_LINKS", "write_atomically"]
