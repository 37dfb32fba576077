"""NumPy's renamed modules and classes, and a few of others: an explicit table, used by every loader.

Rule: a global that a pickle stream names goes through `resolve` before it is looked up, so that streams written under
NumPy 1 load under NumPy 2 and the reverse. Nothing is imported here and nothing is guessed: a name that the table does
not hold comes back as it is. Tables that must list each object once (the safe set of `trust`) use `canonical` names.
"""

from __future__ import annotations

from typing import Tuple

import numpy as np

__all__ = ["Name", "canonical", "resolve"]

Name = Tuple[str, str]
"""A global as pickle streams name it: module and qualified name."""

_CORE = (
    "_dtype",
    "_exceptions",
    "_internal",
    "_methods",
    "_multiarray_umath",
    "_ufunc_config",
    "arrayprint",
    "defchararray",
    "einsumfunc",
    "fromnumeric",
    "function_base",
    "getlimits",
    "memmap",
    "multiarray",
    "numeric",
    "numerictypes",
    "overrides",
    "records",
    "shape_base",
    "umath",
)
"""The modules that NumPy 2.0 moved from `numpy.core` to `numpy._core` (the old names warn, or are gone)."""

_EXCEPTIONS = (
    "AxisError",
    "ComplexWarning",
    "ModuleDeprecationWarning",
    "TooHardError",
    "VisibleDeprecationWarning",
)
"""What NumPy 1.25 moved from `numpy` to `numpy.exceptions`."""

_LOSSES = (
    "CyAbsoluteError",
    "CyExponentialLoss",
    "CyHalfBinomialLoss",
    "CyHalfGammaLoss",
    "CyHalfMultinomialLoss",
    "CyHalfPoissonLoss",
    "CyHalfSquaredError",
    "CyHalfTweedieLoss",
    "CyHalfTweedieLossIdentity",
    "CyHuberLoss",
    "CyPinballLoss",
)
"""What scikit-learn 1.3 to 1.6 pickle under the name of a module that only they have."""

_MOVED: dict[str, str] = {f"numpy.core.{name}": f"numpy._core.{name}" for name in _CORE}

# Where files of this repository's commits before 1.0 name BinPickle's own classes.
_OURS = {
    "contents": ("Limits",),
    "info": ("BPKInfo", "FileStatus"),
    "inspection": ("Inspection",),
    "opened": ("BinPickleFile", "_reopen"),
    "write": ("BinPickler",),
}

# Where one spelling works in every NumPy it is the canonical one, whatever `__module__` the class has today.
_RENAMED: dict[Name, Name] = {
    ("numpy", "bool"): ("numpy", "bool_"),
    ("numpy", "chararray"): ("numpy.char", "chararray"),
    ("numpy._core.defchararray", "chararray"): ("numpy.char", "chararray"),
    ("numpy._core.memmap", "memmap"): ("numpy", "memmap"),
    ("numpy._core.records", "recarray"): ("numpy", "recarray"),
    ("numpy._core.records", "record"): ("numpy", "record"),
    ("numpy.rec", "recarray"): ("numpy", "recarray"),
    ("numpy.rec", "record"): ("numpy", "record"),
    ("numpy.ma.core", "MaskedArray"): ("numpy.ma", "MaskedArray"),
    ("numpy.matrixlib.defmatrix", "matrix"): ("numpy", "matrix"),
    **{("numpy", name): ("numpy.exceptions", name) for name in _EXCEPTIONS},
    **{(f"binpickle.{module}", name): ("binpickle", name) for module, names in _OURS.items() for name in names},
    ("binpickle.trust.tokens", "GlobalUse"): ("binpickle.trust", "GlobalUse"),
    ("torch._utils", "_rebuild_tensor_v3"): ("binpickle.rebuild", "torch_tensor_v3"),
    ("torch.storage", "_load_from_bytes"): ("binpickle.rebuild", "torch_on_device"),
    ("torch._utils", "_rebuild_sparse_tensor"): ("binpickle.rebuild", "torch_sparse_tensor"),
    **{("_loss", name): ("sklearn._loss._loss", name) for loss in _LOSSES for name in (loss, f"__pyx_unpickle_{loss}")},
}


def _back(version: tuple[int, ...]) -> tuple[dict[str, str], dict[Name, Name]]:
    """The modules and names that a NumPy of this version has under an older name than the canonical one."""
    modules: dict[str, str] = {}
    names: dict[Name, Name] = {}
    if version < (2,):
        modules.update((new, old) for old, new in _MOVED.items())
        # numpy.char is an attribute there, not a module that can be imported.
        names[("numpy.char", "chararray")] = ("numpy", "chararray")
    if version < (1, 25):
        modules["numpy.exceptions"] = "numpy"
    return modules, names


_BACK_MODULES, _BACK_NAMES = _back(tuple(int(part) for part in np.__version__.split(".")[:2]))


def canonical(module: str, name: str) -> Name:
    """The one spelling of a global, whichever NumPy wrote it.

    Args:
        module: the module as the stream names it.
        name: the qualified name as the stream names it.

    Returns:
        The same pair for everything that NumPy has not renamed.
    """
    moved = _MOVED.get(module, module)
    return _RENAMED.get((moved, name), (moved, name))


def resolve(module: str, name: str) -> Name:
    """Where the NumPy that is installed has a global that any NumPy may have written.

    Args:
        module: the module as the stream names it.
        name: the qualified name as the stream names it.

    Returns:
        The pair to import. It is the same pair for everything that NumPy has not renamed.
    """
    pair = canonical(module, name)
    return _BACK_NAMES.get(pair) or (_BACK_MODULES.get(pair[0], pair[0]), pair[1])
