"""Loading and looking into pickle streams whose author need not be trusted.

Rule: everything here is pure: the bytes of a stream and its buffers come in, an object or a list of names goes out.
Users need the curated sets only: `load(file, trusted=binpickle.trust.sklearn() | {MyClass})`.
"""

from __future__ import annotations

from .loading import load, scan, untrusted
from .sets import pandas, pyarrow, scipy, sklearn, torch
from .tokens import GlobalUse

__all__ = ["GlobalUse", "load", "pandas", "pyarrow", "scan", "scipy", "sklearn", "torch", "untrusted"]

for _public in (GlobalUse, load, pandas, pyarrow, scan, scipy, sklearn, torch, untrusted):
    _public.__module__ = __name__  # where users find them, whatever the layout inside
