"""What makes distributed handle mapped chunks as what they are: pieces of files, not memory. See `enable`."""

from __future__ import annotations

from .enabling import disable, enable

__all__ = ["disable", "enable"]
