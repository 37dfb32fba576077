"""What the documentation claims about speed, size and memory, measured against the peers it names.

Rule: one row of the claims is one module under `rows`, declared as data; every number comes from a process of its own.
`python -m benchmarks` runs the rows and prints the table, `python -m benchmarks plot` draws it. Needs Python 3.9 or
later on Linux, and the dependency group `bench`.
"""

from __future__ import annotations

__all__: list[str] = []
