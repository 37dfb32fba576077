"""The table of renames leads every name to an object of the installed NumPy."""

from __future__ import annotations

import importlib

import numpy as np
import pytest
from internals import renames

SAME = [
    (("numpy.core.multiarray", "_reconstruct"), ("numpy._core.multiarray", "_reconstruct")),
    (("numpy.core.multiarray", "scalar"), ("numpy._core.multiarray", "scalar")),
    (("numpy.core.numeric", "_frombuffer"), ("numpy._core.numeric", "_frombuffer")),
    (("numpy.core._multiarray_umath", "log1p"), ("numpy._core._multiarray_umath", "log1p")),
    (("numpy.core.records", "recarray"), ("numpy", "recarray"), ("numpy.rec", "recarray")),
    (("numpy.core.records", "record"), ("numpy", "record"), ("numpy.rec", "record")),
    (("numpy.ma.core", "MaskedArray"), ("numpy.ma", "MaskedArray")),
    (("numpy.matrixlib.defmatrix", "matrix"), ("numpy", "matrix")),
    (("numpy", "bool"), ("numpy", "bool_")),
    (("numpy.core.memmap", "memmap"), ("numpy", "memmap")),
    (("numpy", "AxisError"), ("numpy.exceptions", "AxisError")),
]
DEPRECATED = [(("numpy", "chararray"), ("numpy.char", "chararray"), ("numpy.core.defchararray", "chararray"))]


@pytest.mark.parametrize("spellings", SAME + DEPRECATED, ids=lambda spellings: spellings[0][1])
def test_spellings_of_one_object_have_one_canonical_name(spellings):
    """All spellings of an object, its canonical one included, give the same canonical name."""
    names = {renames.canonical(*spelling) for spelling in spellings}
    assert len(names) == 1
    assert renames.canonical(*names.pop()) in {renames.canonical(*spelling) for spelling in spellings}


@pytest.mark.parametrize("spellings", SAME, ids=lambda spellings: spellings[0][1])
def test_every_spelling_resolves_to_one_object_here(spellings):
    """A name that any NumPy wrote imports the same object here, without a warning."""
    found = set()
    for module, name in (renames.resolve(*spelling) for spelling in spellings):
        found.add(getattr(importlib.import_module(module), name))
    assert len(found) == 1


@pytest.mark.parametrize("cls", [np.bool_, np.recarray, np.record, np.matrix, np.memmap, np.ma.MaskedArray, np.ndarray])
def test_own_names_resolve_to_themselves(cls):
    """The name under which this NumPy pickles a class leads back to the class."""
    module, name = renames.resolve(cls.__module__, cls.__qualname__)
    assert getattr(importlib.import_module(module), name) is cls


@pytest.mark.parametrize("pair", [("numpy.core", "multiarray"), ("numpy.corex.y", "z"), ("builtins", "bool"), ("", "")])
def test_other_names_stay(pair):
    """A name that the table does not hold comes back as it is: there are no prefixes."""
    assert renames.canonical(*pair) == pair
    assert renames.resolve(*pair) == pair


def test_losses_of_sklearn_are_found_in_their_module():
    """Gradient boosting models of scikit-learn 1.3 to 1.6 name a module that no other release has."""
    assert renames.resolve("_loss", "CyHalfBinomialLoss") == ("sklearn._loss._loss", "CyHalfBinomialLoss")
    assert renames.resolve("_loss", "Other") == ("_loss", "Other")
