"""Makes the workers of a distributed cluster handle mapped chunks as pieces of files, not as memory. See `enable`."""

from __future__ import annotations

from .enabling import disable, enable

__all__ = ["disable", "enable"]
