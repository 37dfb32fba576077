"""The forms of element types and scalars of NumPy, and the texts of keys, which scalars may be.

Rule: a value is shown as NumPy shows it, if it is a number or a date; it never is an object.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...errors import FormatError
from ...format.dtypes import dtype_name
from ...pickling.renames import Name
from ...trust.tokens import Global
from ..dtypes import dtype_of
from ..form import Context, Form, Rule
from ..items import Made
from ..short import value_text

__all__ = ["RULES", "key_text"]

_SCALAR: Name = ("numpy._core.multiarray", "scalar")
_NUMBERS = "biufcmM"


def key_text(context: Context, key: Any) -> str:
    """Return a key as a part of a name: a string as it is, anything else as `str` would show it, shortened."""
    if type(key) is str:
        return key
    if type(key) is Made and type(key.function) is Global and key.function.name == _SCALAR:
        return _scalar_text(context, key.arguments) or "scalar"
    return value_text(key)


def _dtype(context: Context, made: Made) -> Form:
    dtype = dtype_of(context, made)
    if dtype is None:
        raise FormatError("an element type that is not known here")
    return Form("numpy:dtype", value=dtype_name(dtype))


def _scalar(context: Context, made: Made) -> Form:
    dtype = dtype_of(context, made.arguments[0])
    if dtype is None:
        raise FormatError("a scalar of an element type that is not known here")
    return Form(f"numpy:{dtype.type.__name__}", value=_scalar_text(context, made.arguments))


def _scalar_text(context: Context, arguments: Any) -> str:
    if type(arguments) is not tuple or len(arguments) != 2:
        return ""
    dtype, data = dtype_of(context, arguments[0]), arguments[1]
    if dtype is None or dtype.hasobject or type(data) is not bytes or len(data) != dtype.itemsize:
        return ""
    return str(np.frombuffer(data, dtype)[0]) if dtype.kind in _NUMBERS else ""


RULES: dict[Name, Rule] = {("numpy", "dtype"): _dtype, _SCALAR: _scalar}
"""The rules of element types and scalars, by canonical name."""
