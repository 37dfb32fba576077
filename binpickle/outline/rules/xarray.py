"""The forms of what xarray pickles: a data set is its variables, by name, and a variable is its array.

Rule: whatever a data set keeps besides comes after its variables, so that their arrays have the variables' names.
"""

from __future__ import annotations

from typing import Any

from ...pickling.renames import Name
from ..form import Context, Form, Rule
from ..held import attribute_pairs, attributes_of
from ..instances import dict_parts
from ..items import Made, pairs_of
from ..short import name_of

__all__ = ["CLASSES"]

_ADAPTERS = ("PandasIndexingAdapter", "PandasMultiIndexingAdapter", "NumpyIndexingAdapter")


def _besides(held: dict[str, Any], *shown: str) -> tuple[list[str], list[Any]]:
    """Return the parts of an object that it keeps besides those shown, those that hold something."""
    rest = [(name, item) for name, item in held.items() if name not in shown and item is not None and item != {}]
    return [name for name, _ in rest], [item for _, item in rest]


def _dataset(context: Context, made: Made) -> Form:
    held = attributes_of(context, made)
    texts, children = dict_parts(context, pairs_of(held["_variables"]))
    more, items = _besides(held, "_variables")
    besides = attribute_pairs(context, made) or ()
    return Form(name_of(made.function), [*texts, *more], [*children, *items], besides=besides)


def _data_array(context: Context, made: Made) -> Form:
    held = attributes_of(context, made)
    texts, children = dict_parts(context, pairs_of(held["_coords"]))
    more, items = _besides(held, "_variable", "_coords")
    return Form(name_of(made.function), [*texts, *more], [*children, *items], inner=held["_variable"])


def _variable(context: Context, made: Made) -> Form:
    held = attributes_of(context, made)
    return Form(name_of(made.function), *_besides(held, "_data", "_dims"), inner=held["_data"])


def _adapter(context: Context, made: Made) -> Form:
    return Form(name_of(made.function), inner=attributes_of(context, made)["array"])


CLASSES: dict[Name, Rule] = {
    ("xarray", "Dataset"): _dataset,
    ("xarray", "DataArray"): _data_array,
    ("xarray", "Variable"): _variable,
    ("xarray", "IndexVariable"): _variable,
    **{("xarray", name): _adapter for name in _ADAPTERS},
}
"""The rules of classes, by the package and the class."""
