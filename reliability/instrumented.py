"""The process that atheris runs in: `python -m reliability.instrumented TARGET OPTIONS FOLDERS`.

Rule: nothing imports BinPickle before the block below, because atheris sees only the lines of modules imported there.
"""

from __future__ import annotations

import random
import sys

import atheris

with atheris.instrument_imports(include=["binpickle"]):
    from .fuzz import MUTATORS, read_corpus
    from .targets import TARGETS

__all__ = ["main"]


def main() -> None:
    """Fuzz until libFuzzer ends this process."""
    target = sys.argv.pop(1)
    seeds = read_corpus(target)

    def change(data: bytes, most: int, seed: int) -> bytes:
        dice = random.Random(seed)
        changed = MUTATORS[target](data, dice.choice(seeds), dice)
        return changed if len(changed) <= most else data

    atheris.Setup(sys.argv, lambda data: TARGETS[target](data) and None, custom_mutator=change)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
