"""The pickle tests of other libraries, with BinPickle in pickle's place: `nox -s foreign`.

Rule: a test that passes with pickle passes with BinPickle too, or `accepted.py` says why it cannot. `selection.py` says
which tests run, `stand_in.py` is what stands in pickle's place, and `plugin.py` puts it there and notes what happens.
"""
