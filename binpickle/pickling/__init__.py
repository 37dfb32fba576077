"""From an object to a pickle stream and out-of-band buffers, and back.

Rule: pure. No module here opens a file or starts a thread. `pickler` runs the pickler, and `arrays` reduces arrays:
those with gaps by `strided`, those within the states of other classes by `states`, those of torch and Arrow by
`storages` and `arrow`. `out_of_band` describes the buffers, `renames` finds classes that moved, `culprit` finds what
cannot be pickled, and `protocol` imports pickle.
"""
