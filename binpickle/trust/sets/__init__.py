"""Curated sets: what `trusted` may take, to load the objects of a library without naming each class.

Rule: exact names, as data, made from the installed libraries by a script and reviewed; never prefixes. They name code
that runs nothing a stream brings along. It does not check all it is told, though: compiled classes (trees, sparse
matrices, neighbor trees, Arrow arrays) can end the process when a crafted state lies about their sizes.
"""

from __future__ import annotations

from pkgutil import get_data

__all__ = ["pandas", "scipy", "sklearn"]


def sklearn() -> frozenset[str]:
    """Return the names that fitted estimators of scikit-learn need, those of `scipy` included.

    Not among them are the distributions of scipy.stats (their state holds code), which a random search may hold.
    """
    return _names("sklearn")


def scipy() -> frozenset[str]:
    """Return the names that sparse arrays and matrices need. `check_format(full_check=True)` checks a loaded one."""
    return _names("scipy")


def pandas() -> frozenset[str]:
    """Return the names that frames, series, indices, their arrays and types, and scalars of pandas need.

    Frames that pandas 1.3 or older wrote are refused: they call what a call returned. Time zones load that have names,
    or an offset; not the zones of dateutil with names, which stand for the files that they were read from.
    """
    return _names("pandas")


def _names(library: str) -> frozenset[str]:
    data = get_data(__name__, f"{library}.txt") or b""
    return frozenset(data.decode("ascii").split())
