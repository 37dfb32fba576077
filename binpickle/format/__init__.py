"""What a file is, as values: header, index, trailer, and how buffers and chunks lie. Pure: bytes in, values out."""

from __future__ import annotations

from .header import HEADER_FORMAT, Flags, Header

__all__ = ["HEADER_FORMAT", "Flags", "Header"]
