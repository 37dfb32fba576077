"""Where the bytes of a file come from (`source`) and where they go (`sink`, `atomic`)."""

from __future__ import annotations

from .atomic import NO_HARD_LINKS, write_atomically

__all__ = ["NO_HARD_LINKS", "write_atomically"]
