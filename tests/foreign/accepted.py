"""The tests that pass with pickle and need not pass with BinPickle, with the reason for each.

Rule: a row is for what is part of pickle's promise and not of BinPickle's. A test that shows a mistake of BinPickle has
no row: the mistake is mended. A row that no test needs any more fails the session.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["ACCEPTED", "Accepted"]

_BYTES = "looks at the bytes of the pickle"
_ORDER = "wants bytes in the order of this machine; BinPickle keeps their order, as pickle does in protocol 5"
_OWNER = "wants that a bytes object has the memory of the array"


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
]
