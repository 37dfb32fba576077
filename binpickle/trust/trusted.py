"""Which globals a stream may use: the built-in safe set, and what the caller named.

Rule: exact names only, no prefixes and no patterns. A name of the safe set stays under its own checks, and a name of a
curated set has the uses and guards of that set, even if the caller names it himself. What the caller named is imported
when the stream first uses it, everything else never.
"""

from __future__ import annotations

from functools import partial
from importlib import import_module
from typing import Any, Callable, Iterable

from ..pickling.renames import Name, canonical, resolve
from .rules.safe import SAFE
from .sets import uses as curated_uses
from .tokens import GlobalUse

__all__ = ["Trusted"]


class Trusted:
    """What the caller trusts.

    Args:
        trusted: classes and functions, or their names as `"module:qualname"`.

    Raises:
        TypeError: it is not a collection of these.
        ValueError: a name is not of that form.
    """

    def __init__(self, trusted: Iterable[Any] = ()):
        if isinstance(trusted, (str, bytes)) or not isinstance(trusted, Iterable):
            hint = ": call it" if callable(trusted) else ""
            raise TypeError(
                f"trusted must be a collection of classes or 'module:qualname' strings, not {trusted!r}{hint}"
            )
        self._loaders: dict[Name, Callable[[], Any]] = dict(map(_entry, trusted))

    def __bool__(self) -> bool:
        return bool(self._loaders)

    def loader(self, name: Name) -> Callable[[], Any] | None:
        """Return what imports a global that the caller named, by its canonical name; `None` for any other."""
        return self._loaders.get(name)

    def uses(self, name: Name) -> frozenset[str] | None:
        """Return what a stream may do with a global that a curated set has; `None` for any other."""
        return curated_uses().get(name) if name in self._loaders else None

    def refused(self, found: Iterable[GlobalUse]) -> list[GlobalUse]:
        """Return those globals that a stream must not use, or not as it does.

        They are neither in the safe set nor named by the caller, or a curated set has them for other uses.
        """
        return [use for use in found if not self._covers(use)]

    def _covers(self, found: GlobalUse) -> bool:
        name = canonical(found.module, found.qualname)
        if name in SAFE:
            return True
        allowed = self.uses(name)
        return name in self._loaders and (allowed is None or allowed.issuperset(found.uses))


def _entry(item: Any) -> tuple[Name, Callable[[], Any]]:
    if isinstance(item, str):
        module, _, qualname = item.partition(":")
        if not (module and qualname):
            raise ValueError(
                f"trusted: {item!r} is not of the form 'module:qualname'; binpickle.trust has whole libraries"
            )
        name = canonical(module, qualname)
        return name, partial(_import, name)
    home, own = getattr(item, "__module__", None), getattr(item, "__qualname__", None)
    if not (callable(item) and isinstance(home, str) and isinstance(own, str)):
        raise TypeError(f"trusted: {item!r} is neither a class nor a 'module:qualname' string")
    return canonical(home, own), lambda: item


def _import(name: Name) -> Any:
    module, qualname = resolve(*name)
    found = import_module(module)
    for part in qualname.split("."):
        found = getattr(found, part)
    return found
