"""Long runs that try to break BinPickle: `python -m reliability`, or `nox -s fuzz` and `nox -s crash`.

Rule: inputs are opened, inspected, verified and loaded with `trusted=()`, never with plain pickle, which would run
whatever code a changed stream happens to name. For every change `tests/reliability` runs the same functions, shortened.
"""
