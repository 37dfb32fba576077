"""What an object consists of, and by which name it reaches each buffer, told from the pickle stream alone.

Rule: everything here is pure: the bytes of a stream and the table of its buffers come in, names and nodes go out. The
strict machine of `trust` follows the stream; in place of objects it leaves a tree of items (`items`), and `forms` says
what each item is: an array, a dict, a frame, an instance. Nothing is imported, called or made that the stream names.
"""

from __future__ import annotations

from .follow import Outline, outline, quick_limits, unknown_outline
from .form import ArrayPlace
from .node import Node
from .paths import escape

__all__ = ["ArrayPlace", "Node", "Outline", "escape", "outline", "quick_limits", "unknown_outline"]
