"""From an object to a pickle stream and out-of-band buffers, and back.

Rule: pure. No module here opens a file or starts a thread. `pickler` runs the pickler, `arrays` reduces arrays,
`out_of_band` describes the buffers, `renames` finds classes that moved, and `protocol` imports pickle.
"""
