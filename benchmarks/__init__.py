"""Measures the speed, size and memory that the documentation claims, and the same of the peers that it names.

Rule: a module under `rows` declares its rows as data, and every number is measured in a process of its own.
`python -m benchmarks` runs the rows and prints the table, `python -m benchmarks plot` draws it. Needs Python 3.9 or
later on Linux, and the dependency group `bench`.
"""

from __future__ import annotations

__all__: list[str] = []
