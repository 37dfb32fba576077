"""Where the bytes of a file come from and where they go to.

`origin` opens a `source` for what a caller gives to read, by way of a `spool` if it can be read only once. `target`
opens a `sink` for what a caller gives to write; `atomic` is the sink of a path. It finds a `place` in a `folder`, fills
a `temporary` file, and keeps the `status` of a file that it replaces, by `systemcalls` of which some may be refused.
`mapping` maps a file into memory.
"""

from __future__ import annotations

from .mapping import CANNOT_MAP, map_descriptor
from .target import write_atomically

__all__ = ["CANNOT_MAP", "map_descriptor", "write_atomically"]
