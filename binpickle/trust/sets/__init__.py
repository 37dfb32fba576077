"""Curated sets: what `trusted` may take, to load the objects of a library without naming each class.

Rule: exact names, as data, made from the installed libraries by a script and reviewed; never prefixes. Each line of a
data file has a name and what a stream may do with it: `value`, or `new`, or `call`, or the last two. These uses hold
whoever names a class, the set or the caller. Guards (see `trust.guards`) check the arguments of calls and the states
of objects that compiled code believes.
"""

from __future__ import annotations

from functools import lru_cache
from pkgutil import get_data

from ...pickling.renames import Name, canonical

__all__ = ["LIBRARIES", "pandas", "pyarrow", "scipy", "sklearn", "torch", "uses"]

LIBRARIES = ("pyarrow", "pandas", "scipy", "sklearn", "torch")
"""The curated sets, each a function here and a data file beside this module: a set before those that include it."""

_PLAIN = frozenset({"argument", "value"})
# What a word in a data file allows besides, in the words of `GlobalUse.uses`.
_USES = {"value": frozenset(), "new": frozenset({"instantiated"}), "call": frozenset({"called"})}


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

    Those of `pyarrow` are included, for columns over arrays of pyarrow. Frames that pandas 1.3 or older wrote are
    refused: they call what a call returned. Time zones load that have names, or an offset; not the zones of dateutil
    with names, which stand for the files that they were read from.
    """
    return _names("pandas") | _names("pyarrow")


def pyarrow() -> frozenset[str]:
    """Return the names that arrays, chunked arrays, record batches, tables, schemas and types of pyarrow need.

    Each array is validated in full before anything uses it. Not among them are unions, maps, views, run-end encoded
    arrays, extension types, and all that stands for a file or a memory of another kind.
    """
    return _names("pyarrow")


def torch() -> frozenset[str]:
    """Return the names that tensors, parameters, and state dicts of modules, optimizers and schedulers of torch need.

    Tensors may be strided, sparse, quantised, nested (not jagged) or on the device `meta`; all others are on the CPU.
    Not among the names are modules and optimizers themselves, whose states hold hooks: functions that run when they
    are used. Name their classes besides, if you trust these with whatever state the file has.
    """
    return _names("torch")


@lru_cache(maxsize=None)
def uses() -> dict[Name, frozenset[str]]:
    """Return what a stream may do with each name of the curated sets, by canonical name: see `GlobalUse.uses`.

    A stream may hold each of them as a value and pass it on. It may instantiate those of use `new`, and call those of
    use `call`, each after a guard has checked the arguments.
    """
    table: dict[Name, frozenset[str]] = {}
    for library in LIBRARIES:
        for line in _lines(library):
            name, *allowed = line.split()
            module, _, qualname = name.partition(":")
            table[canonical(module, qualname)] = _PLAIN.union(*map(_USES.__getitem__, allowed))
    return table


def _names(library: str) -> frozenset[str]:
    return frozenset(line.split()[0] for line in _lines(library))


def _lines(library: str) -> list[str]:
    return (get_data(__name__, f"{library}.txt") or b"").decode("ascii").splitlines()
