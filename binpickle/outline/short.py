"""Short texts: for keys that are no strings, and for what a drawing shows of small values.

Rule: a text takes the same time however large or nested the value is, and no code of the value's class runs.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from ..trust.tokens import Global
from .items import Buffer, Items, Made, pairs_of

__all__ = ["name_of", "value_text"]

_MOST_CHARACTERS = 80
_MOST_ITEMS = 8
_DEEPEST = 3
_LONG_INTEGER = 200  # bits: Python takes long to write down larger ones, and refuses to from some length on


def value_text(value: Any) -> str:
    """Return a short text for a value, as `repr` would show it; for an object the name of its class."""
    return _cut(_text(value, _DEEPEST))


def name_of(function: Any) -> str:
    """Return the name of what was called, as `module:qualname`; of a built-in function or type without the module."""
    return _joined(*function.name) if type(function) is Global else "call"


@lru_cache(maxsize=256)
def _joined(module: str, qualname: str) -> str:
    return qualname if module == "builtins" else f"{module}:{qualname}"


def _text(value: Any, depth: int) -> str:
    kind = type(value)
    if kind in (str, bytes, bytearray):
        return repr(value[: _MOST_CHARACTERS + 1])
    if kind is int:
        return repr(value) if value.bit_length() < _LONG_INTEGER else f"an integer of {value.bit_length()} bits"
    if value is None or kind in (bool, float):
        return repr(value)
    if kind is Global:
        return name_of(value)
    if kind is Made:
        return f"{name_of(value.function).rpartition(':')[2]}()"
    if kind is Buffer:
        return "buffer"
    if kind is dict:
        return "{...}" if pairs_of(value) else "{}"
    if kind in (tuple, list, Items, set):
        return _row(value, depth)
    return kind.__name__


def _row(items: Any, depth: int) -> str:
    """Return the text of a container."""
    begin, end = "()" if type(items) is tuple else "[]" if type(items) is list else "{}"
    if type(items) is set:
        return "{...}" if items else "set()"
    if not items or not depth:
        return f"{begin}{'...' if items else ''}{end}"
    texts = [_text(item, depth - 1) for item in items[:_MOST_ITEMS]]
    comma = "," if len(items) == 1 and type(items) is tuple else ""
    return f"{begin}{', '.join(texts)}{comma}{', ...' if len(items) > _MOST_ITEMS else ''}{end}"


def _cut(text: str) -> str:
    return text if len(text) <= _MOST_CHARACTERS else text[: _MOST_CHARACTERS - 3] + "..."
