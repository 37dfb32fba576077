"""The tests that pass with pickle and need not pass with BinPickle, with the reason for each.

Rule: a row is for what is part of pickle's promise and not of BinPickle's. A test that shows a mistake of BinPickle has
no row: the mistake is mended. A row that no test needs any more fails the session.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["ACCEPTED", "Accepted"]

_BYTES = "looks for text in the bytes of a pickle"
_LENGTH = "compares how long pickles are"
_PIECES = "puts a pickle together of pieces"
_SEVERAL = "writes several pickles to one file, and a file of BinPickle holds one object"
_ORDER = "wants numbers in the byte order of this machine; BinPickle keeps theirs, as pickle does from protocol 5 on"
_OWNER = "wants that a bytes object owns the memory of an array"


class Accepted(NamedTuple):
    """A test that may fail.

    Attributes:
        test: how its name begins: the cases of a test with parameters share a row.
        reason: why it may fail.
    """

    test: str
    reason: str


ACCEPTED = [
    Accepted("numpy/_core/tests/test_dtype.py::TestPickling::test_structured", _BYTES),
    Accepted("numpy/_core/tests/test_multiarray.py::TestFlags::test_writeable_pickle", _OWNER),
    Accepted("numpy/_core/tests/test_multiarray.py::TestPickling::test_datetime64_byteorder", _ORDER),
    Accepted("numpy/_core/tests/test_regression.py::TestRegression::test_pickle_module", _BYTES),
    Accepted("pandas/tests/arrays/arrow/test_pickle.py::test_pickle_roundtrip", _LENGTH),
    Accepted("pandas/tests/io/test_compression.py::test_compression_size", _LENGTH),
    Accepted("pandas/tests/io/test_pickle.py::test_read_pickle_legacy_timestamp_keeps_tz", _PIECES),
    Accepted("pandas/tests/io/test_pickle.py::test_unpickle_legacy_timestamp_aware_input", _PIECES),
    Accepted("pandas/tests/io/test_pickle.py::test_unpickle_legacy_timestamp_keeps_tz", _PIECES),
    Accepted("pandas/tests/io/test_pickle.py::test_unpickle_legacy_timestamp_naive", _PIECES),
    Accepted("pandas/tests/io/test_pickle.py::test_unpickle_timestamp_by_component", _PIECES),
    Accepted("astropy/io/misc/tests/test_pickle_helpers.py::test_fnpickling_many", _SEVERAL),
]
