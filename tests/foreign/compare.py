"""What the tests of a library did with pickle and with BinPickle.

Rule: values in, values out; it runs and prints nothing.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, Dict, NamedTuple, Sequence

from .accepted import Accepted
from .stand_in import DUMP, FALLBACKS, LOAD

__all__ = ["Comparison", "compare"]

Outcomes = Dict[str, Dict[str, Any]]
"""For each test its `outcome`, its `calls` as `stand_in.calls` counts them, and the `report` of a failure."""


class Comparison(NamedTuple):
    """What the tests of one library did.

    Attributes:
        library: the name of the library.
        version: its version.
        run: how many of its tests ran.
        pickled: how many of these called pickle; the numbers below are of these tests.
        passed: how many passed, with pickle and with BinPickle.
        accepted: how many passed with pickle alone, and may.
        worse: the tests that passed with pickle alone, and may not, with the reports of their failures.
        stale: the rows of the table of accepted tests of which no test differs.
        calls: how many calls BinPickle answered, and how many went to pickle, by reason.
    """

    library: str
    version: str
    run: int
    pickled: int
    passed: tuple[int, int]
    accepted: int
    worse: dict[str, str]
    stale: list[Accepted]
    calls: Counter[str]

    @property
    def row(self) -> list[str]:
        """The texts of a row of the table."""
        numbers = [self.run, self.pickled, *self.passed, self.accepted, self.calls[DUMP], self.calls[LOAD]]
        fallbacks = [f"{self.calls[reason]:,} {reason}" for reason in FALLBACKS if self.calls[reason]]
        return [self.library, self.version, *(f"{number:,}" for number in numbers), ", ".join(fallbacks) or "0"]


def compare(library: str, version: str, plain: Outcomes, ours: Outcomes, accepted: Sequence[Accepted]) -> Comparison:
    """Compare the outcomes with pickle and with BinPickle.

    Args:
        library: the name of the library.
        version: its version.
        plain: the outcomes with pickle.
        ours: the outcomes with BinPickle.
        accepted: the tests that may differ, of all libraries.
    """
    rows = [row for row in accepted if row.test.startswith(f"{library}/")]
    pickled = [test for test in plain if plain[test]["calls"]]
    differing = [test for test in plain if _passed(plain, test) and not _passed(ours, test)]
    worse = [test for test in differing if not any(_fits(row, test) for row in rows)]
    return Comparison(
        library=library,
        version=version,
        run=len(plain),
        pickled=len(pickled),
        passed=(sum(_passed(plain, test) for test in pickled), sum(_passed(ours, test) for test in pickled)),
        accepted=len(differing) - len(worse),
        worse={test: ours.get(test, {}).get("report", "it did not run") for test in worse},
        stale=[row for row in rows if not any(_fits(row, test) for test in differing)],
        calls=sum((Counter(noted["calls"]) for noted in ours.values()), Counter()),
    )


def _passed(outcomes: Outcomes, test: str) -> bool:
    return outcomes.get(test, {}).get("outcome") == "passed"


def _fits(row: Accepted, test: str) -> bool:
    return test == row.test or test.startswith(f"{row.test}[")
