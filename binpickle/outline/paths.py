"""Names of parts as JSON Pointers have them, RFC 6901, without the first slash.

Rule: the parts of one node have different names. A name that occurred before gets `~2`, `~3` and so on, without the
numbers that begin with 1: escaping makes `~1` of a slash, and so `~10` of a slash and a zero.
"""

from __future__ import annotations

from typing import Iterable, Iterator, Sequence

__all__ = ["escape", "split", "unique"]


def escape(part: str) -> str:
    """Return a part as it stands in a name: `~0` for a tilde, `~1` for a slash."""
    if "~" in part or "/" in part:
        return part.replace("~", "~0").replace("/", "~1")
    return part


def split(name: str) -> Iterator[str]:
    """Yield the parts of a name, unescaped. A tilde before another character than 0 and 1 stays."""
    for part in name.split("/"):
        yield part.replace("~1", "/").replace("~0", "~") if "~" in part else part


def unique(texts: Sequence[str], taken: Iterable[str] = ()) -> tuple[Sequence[str], Sequence[str]]:
    """Return the names of parts, each once: unescaped, and escaped.

    Args:
        texts: the names, unescaped.
        taken: names that no part may have.
    """
    if not taken and len(set(texts)) == len(texts):
        return texts, _escaped(texts)
    seen, plain, escaped = set(taken), [], []
    counts: dict[str, int] = {}
    for text in texts:
        suffix = ""
        while text + suffix in seen:
            counts[text] = _after(counts.get(text, 1))
            suffix = f"~{counts[text]}"
        seen.add(text + suffix)
        plain.append(text + suffix)
        escaped.append(escape(text) + suffix)
    return plain, escaped


def _after(number: int) -> int:
    """Return the next number that does not begin with 1."""
    text = str(number + 1)
    return 2 * 10 ** (len(text) - 1) if text[0] == "1" else number + 1


def _escaped(texts: Sequence[str]) -> Sequence[str]:
    joined = "".join(texts)
    return list(map(escape, texts)) if "~" in joined or "/" in joined else texts
