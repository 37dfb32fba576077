"""The command `inspect`: which names a file would import, and whether all of them are trusted.

Rule: names are shown whole, and those that are not trusted all and first, so that neither the length of a name nor the
number of other names hides one.
"""

from __future__ import annotations

import sys
from typing import Any, Iterable, Sequence

import binpickle
from binpickle import BinPickleError, Inspection
from binpickle.trust import GlobalUse

from ..show.facts import seal_text
from ..show.text import count_text, json_text, nbytes_text
from .failures import error_text, print_error
from .keys import key_arguments
from .plain_screen import ROWS
from .screen import open_screen

__all__ = ["inspect", "trusted_names"]

_SETS = ("pandas", "pyarrow", "scipy", "sklearn", "torch")
_UNTRUSTED, _UNREADABLE = 1, 3  # 2 is for wrong arguments, as everywhere
_REFUSED, _NAMED, _BUILT_IN = "not trusted", "trusted", "built in"


def inspect(
    file: str,
    trust: Sequence[str] | None = None,
    in_json: bool = False,
    every: bool = False,
    key_files: Sequence[str] | None = None,
    context: str | None = None,
) -> int:
    """Show what the pickle stream of a file would import, running and importing nothing.

    Args:
        file: path of the file.
        trust: names to trust, as `module:qualname`, or curated sets of `binpickle.trust`, as `sklearn`.
        in_json: print JSON for programs.
        every: show all trusted names, however many there are; names that are not trusted are always shown.
        key_files: paths of keys; the file must be sealed with one of them.
        context: the context that the file was sealed in.

    Returns:
        1 if a name is not trusted, 3 if the file is damaged or cannot be read, else 0.
    """
    trusted = trusted_names(trust or ())
    sealing = key_arguments(key_files, context)
    try:
        seen = binpickle.inspect(file, **sealing)
    except (BinPickleError, OSError) as error:
        print_error(error_text(error))
        return _UNREADABLE
    states = _states(seen, trusted)
    if in_json:
        print(json_text(_as_json(file, seen, states)))
    else:
        _show(file, seen, states, every)
    refused = states.count(_REFUSED)
    if refused:
        verb = "is" if refused == 1 else "are"
        print_error(f"{refused} of {count_text(len(states), 'name')} in {file} {verb} not trusted")
    return _UNTRUSTED if refused else 0


def trusted_names(names: Iterable[str]) -> frozenset[str]:
    """Return the value of `trusted=` that the names on the command line stand for.

    Raises:
        ValueError: a name is neither a curated set nor of the form `module:qualname`.
    """
    found: set[str] = set()
    for name in names:
        if name in _SETS:
            found |= getattr(binpickle.trust, name)()
        elif all(name.partition(":")):
            found.add(name)
        else:
            raise ValueError(f"--trust {name}: neither module:qualname nor one of the sets {', '.join(_SETS)}")
    return frozenset(found)


def _states(seen: Inspection, trusted: frozenset[str]) -> list[str]:
    """Return for each global of a file whether it is trusted, and by whom: built in, or named by the user."""
    refused, foreign = ({use.name for use in seen.untrusted(names)} for names in (trusted, ()))
    return [_REFUSED if use.name in refused else _NAMED if use.name in foreign else _BUILT_IN for use in seen.globals]


def _show(path: str, seen: Inspection, states: list[str], every: bool) -> None:
    pairs, left_out = _facts(path, seen), {}
    for state in (_REFUSED, _NAMED, _BUILT_IN):
        uses = [use for use, found in zip(seen.globals, states) if found == state]
        shown = uses if every or state == _REFUSED else uses[:ROWS]
        pairs += [(state, f"{use.name} at {use.offset}, {' and '.join(use.uses) or 'dropped'}") for use in shown]
        left_out[state] = len(uses) - len(shown)
    screen = open_screen(sys.stdout)
    screen.facts(pairs)
    for state, count in left_out.items():
        screen.more(count, f", {state}")


def _facts(path: str, seen: Inspection) -> list[tuple[str, str]]:
    return [
        ("file", path),
        ("format", f"version {seen.version}"),
        ("stream", nbytes_text(seen.stream_nbytes)),
        ("buffers", f"{len(seen.buffers):,}: {nbytes_text(seen.buffers_nbytes)}"),
        ("codecs", ", ".join(seen.codecs) or "none"),
        ("seal", seal_text(seen.authenticated) if seen.sealed else "none"),
        ("imports", count_text(len(seen.globals), "name")),
    ]


def _as_json(path: str, seen: Inspection, states: list[str]) -> dict[str, Any]:
    return {
        "path": path,
        "version": seen.version,
        "size": seen.size,
        "stream_nbytes": seen.stream_nbytes,
        "buffers": len(seen.buffers),
        "nbytes": seen.buffers_nbytes,
        "codecs": list(seen.codecs),
        "sealed": seen.sealed,
        "authenticated": seen.authenticated,
        "metadata": dict(seen.metadata),
        "libraries": dict(seen.libraries),
        "trusted": _REFUSED not in states,
        "globals": [_global_json(use, state) for use, state in zip(seen.globals, states)],
    }


def _global_json(use: GlobalUse, state: str) -> dict[str, Any]:
    where = {"module": use.module, "qualname": use.qualname, "offset": use.offset}
    return {**where, "uses": list(use.uses), "state": state}
