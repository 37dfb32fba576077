"""Compares `inspect` with pickletools and two scanners, on the attack corpus and on harmless streams.

Rule: the scanners get the bare pickle stream. Only their verdict counts, and what they print does not.
"""

from __future__ import annotations

import io
import pickle
import pickletools
from importlib.metadata import version
from pathlib import Path
from typing import Any, Callable, NamedTuple

from binpickle import BinPickleError, trust
from binpickle.limits import RESTRICTED_LIMITS

from .figures import write_between

__all__ = ["PAGE", "Sample", "compare", "write_comparison"]

PAGE = Path(__file__).parents[1] / "docs" / "security.md"
_KINDS = {"UntrustedError": "names what is not trusted", "LimitError": "asks for too much"}
_MALFORMED = "lies, or is malformed"
_HARMLESS = "harmless"


class Sample(NamedTuple):
    """A stream and its kind."""

    kind: str
    stream: bytes
    buffers: list[Any]
    trusted: Any
    limits: Any


def samples() -> list[Sample]:
    """Return the attack corpus, and the harmless streams of the tests of restricted loading."""
    from attacks import corpus
    from benign import OBJECTS

    found = [
        Sample(
            _KINDS.get(attack.error.__name__, _MALFORMED), attack.stream, attack.buffers, attack.trusted, attack.limits
        )
        for attack in corpus()
    ]
    return found + [Sample(_HARMLESS, pickle.dumps(obj, 5), [], (), RESTRICTED_LIMITS) for obj in OBJECTS.values()]


def compare() -> dict[str, dict[str, tuple[int, int]]]:
    """Return for each tool and kind how many streams the tool objects to, and how many streams there are."""
    found: dict[str, dict[str, tuple[int, int]]] = {}
    streams = samples()
    for name, objects in _tools().items():
        counts = found[name] = {}
        for sample in streams:
            hits, total = counts.get(sample.kind, (0, 0))
            counts[sample.kind] = hits + _verdict(objects, sample), total + 1
    return found


def write_comparison() -> None:
    """Write the table into the page."""
    found = compare()
    kinds = list(next(iter(found.values())))
    head = " | ".join(f"{kind} ({next(iter(found.values()))[kind][1]})" for kind in kinds)
    rows = [f"| objects to streams that | {head} |", "|---|" + "---:|" * len(kinds)]
    for name, counts in found.items():
        rows.append(f"| {name} | " + " | ".join(f"{counts[kind][0]}" for kind in kinds) + " |")
    write_between(PAGE, "scanners", "\n".join(rows))


def _verdict(objects: Callable[[Sample], bool], sample: Sample) -> bool:
    """Return whether a tool objects to a stream. A tool that fails objects."""
    try:
        return objects(sample)
    except Exception:  # tools raise many kinds of errors for unexpected streams
        return True


def _tools() -> dict[str, Callable[[Sample], bool]]:
    return {
        "`pickletools.dis`, that it can be read": _pickletools,
        f"picklescan {version('picklescan')}, dangerous": lambda sample: _picklescan(sample, {"dangerous"}),
        f"picklescan {version('picklescan')}, or suspicious": lambda sample: _picklescan(
            sample, {"dangerous", "suspicious"}
        ),
        f"fickling {version('fickling')}, likely unsafe or worse": lambda sample: _fickling(sample, 3),
        f"fickling {version('fickling')}, not likely safe": lambda sample: _fickling(sample, 1),
        "`binpickle inspect`": _inspect,
        "`binpickle.load(f, trusted=...)`": _load,
    }


def _pickletools(sample: Sample) -> bool:
    pickletools.dis(sample.stream, io.StringIO())
    return False


def _picklescan(sample: Sample, bad: set[str]) -> bool:
    from picklescan.scanner import scan_pickle_bytes

    result = scan_pickle_bytes(io.BytesIO(sample.stream), "stream.pkl")
    return result.scan_err or any(found.safety.value in bad for found in result.globals)


def _fickling(sample: Sample, least: int) -> bool:
    from fickling.analysis import Severity, check_safety
    from fickling.fickle import Pickled

    order = list(Severity)
    severity = check_safety(Pickled.load(io.BytesIO(sample.stream))).severity
    return order.index(severity) >= least


def _inspect(sample: Sample) -> bool:
    used = trust.scan(io.BytesIO(sample.stream).read, len(sample.buffers), sample.limits)
    return bool(trust.untrusted(used, sample.trusted))


def _load(sample: Sample) -> bool:
    read, count = io.BytesIO(sample.stream).read, len(sample.buffers)
    try:
        trust.load(read, iter(sample.buffers), count, sample.trusted, sample.limits)
    except BinPickleError:
        return True
    return False
