"""The option `--codec`: a codec by its id, perhaps with a level, as in `zstd:5`.

Rule: a level is the one number of a codec that says how hard it tries. `dump` takes all other parameters.
"""

from __future__ import annotations

from typing import Any

__all__ = ["codec"]

# What numcodecs calls this number.
_LEVELS = {
    "blosc": "clevel",
    "bz2": "level",
    "gzip": "level",
    "lz4": "acceleration",
    "lzma": "preset",
    "zlib": "level",
    "zstd": "level",
}


def codec(text: str) -> str | dict[str, Any]:
    """Return the codec that a word of the command line names: its id, or its config if there is a level.

    Raises:
        ValueError: the level is no number, or this codec has none.
    """
    name, colon, level = text.partition(":")
    if not colon:
        return name
    if name not in _LEVELS:
        raise ValueError(f"--codec {text}: only {', '.join(sorted(_LEVELS))} have a level")
    try:
        return {"id": name, _LEVELS[name]: int(level)}
    except ValueError:
        raise ValueError(f"--codec {text}: the level is not a whole number") from None
