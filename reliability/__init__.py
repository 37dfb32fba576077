"""Long runs that try to break BinPickle: `python -m reliability`, or `nox -s fuzz` and `nox -s crash`.

Rule: what is fuzzed here is opened, inspected, verified and loaded with `trusted=()`, never by plain pickle, which
would run whatever a mutation happens to spell. `tests/reliability` runs the same code at sizes for every change.
"""
