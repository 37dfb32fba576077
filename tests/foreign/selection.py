"""Which libraries and which of their tests run.

Rule: a test runs if its code says "pickle", or names a function, method or fixture of its module whose code does. Text
alone decides, so that the tests of a new release of a library are found without a list.
"""

from __future__ import annotations

import ast
import inspect
import re
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Iterator

__all__ = ["LIBRARIES", "folder_of", "pickles", "says_pickle"]

LIBRARIES = ("numpy", "pandas", "scipy", "astropy", "pyarrow", "xarray")

_PICKLE = re.compile("pickl", re.IGNORECASE)


def folder_of(library: str) -> Path:
    """Return the folder of an installed package."""
    found = find_spec(library)
    if found is None or found.origin is None:
        raise ImportError(f"{library} is not installed")
    return Path(found.origin).parent


def says_pickle(module: Path) -> bool:
    """Whether the code of a test module says "pickle": no other module needs to be imported."""
    return bool(_PICKLE.search(_text(module)))


def pickles(item: Any) -> bool:
    """Whether a test runs, which is in a module that says "pickle"."""
    if _PICKLE.search(item.nodeid):
        return True
    function = inspect.unwrap(getattr(item, "function", None) or len)
    code = getattr(function, "__code__", None)  # an inherited test is in another module
    return any(function.__name__ in _names(path) for path in {str(item.path), getattr(code, "co_filename", "")} - {""})


@lru_cache(maxsize=None)
def _names(path: str) -> frozenset[str]:
    """Return the names of the functions in a module that say "pickle", or name one that does."""
    words = _words(path)
    found = {name for name, used in words.items() if any(map(_PICKLE.search, used))}
    while True:
        more = {name for name, used in words.items() if not found.isdisjoint(used)} - found
        if not more:
            return frozenset(found)
        found |= more


def _words(path: str) -> dict[str, set[str]]:
    """Return the words in the code of the functions and methods of a module, decorators included, by their names."""
    text = _text(Path(path))
    lines = text.splitlines()
    words: dict[str, set[str]] = {}
    for node in _functions(ast.parse(text)):
        first = min(part.lineno for part in (node, *node.decorator_list))
        words.setdefault(node.name, set()).update(re.findall(r"\w+", "\n".join(lines[first - 1 : node.end_lineno])))
    return words


def _functions(owner: Any) -> Iterator[Any]:
    for node in owner.body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node
        elif isinstance(node, ast.ClassDef):
            yield from _functions(node)


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")
