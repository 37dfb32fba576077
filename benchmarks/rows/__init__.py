"""The rows of the table, a module for each idea; `benchmarks.cases.ROWS` says which holds which row.

Rule: `cases(scale)` declares data and does nothing else.
"""

from __future__ import annotations

__all__: list[str] = []
