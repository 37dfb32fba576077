"""Nested Python structures with dask collections in them, taken apart and put together again.

Rule: a packed structure holds a `Slot` in the place of each collection. It can be pickled, and filled without dask.
xarray objects count as structures: their lazy variables are dask arrays. Files name the classes here by their path, so
this module never moves.
"""

from __future__ import annotations

import dataclasses
import sys
from typing import Any, Callable, Sequence

__all__ = ["DatasetParts", "OWN_CLASSES", "Slot", "fill", "pack"]


@dataclasses.dataclass(frozen=True)
class Slot:
    """Stands in the place of a collection, whose number it holds."""

    number: int


@dataclasses.dataclass(frozen=True)
class DatasetParts:
    """An xarray object taken apart.

    Attributes:
        rest: the Dataset without its lazy variables.
        lazy: for each lazy variable by name: dimensions, attributes, encoding, whether it is a coordinate, and the slot
            of its values.
        order: names of all variables in their order.
        array: for a DataArray, the name of the only variable and the name of the DataArray; else `None`.
    """

    rest: Any
    lazy: dict[Any, tuple[Any, Any, Any, bool, Slot]]
    order: list[Any]
    array: Any = None


# The classes that `pack` adds to a structure, by the names that `binpickle.load` takes as `trusted`.
OWN_CLASSES = frozenset(f"{cls.__module__}:{cls.__qualname__}" for cls in (DatasetParts, Slot))


def pack(obj: Any, is_collection: Callable[[Any], bool]) -> tuple[Any, list[Any]]:
    """Return a structure with slots in it, and the collections that belong into the slots.

    Args:
        obj: nested lists, tuples, sets, dicts, dataclasses, xarray objects and collections; other objects stay.
        is_collection: returns whether an object is a collection.
    """
    found: list[Any] = []
    return _pack(obj, is_collection, found), found


def fill(structure: Any, values: Sequence[Any]) -> Any:
    """Return a structure with values in the places of its slots."""
    if isinstance(structure, Slot):
        return values[structure.number]
    if isinstance(structure, DatasetParts):
        return _fill_dataset(structure, values)
    return _rebuild(structure, lambda part: fill(part, values))


def _pack(obj: Any, is_collection: Callable[[Any], bool], found: list[Any]) -> Any:
    if _is_xarray(obj):
        return _pack_dataset(obj, found)
    if is_collection(obj):
        found.append(obj)
        return Slot(len(found) - 1)
    return _rebuild(obj, lambda part: _pack(part, is_collection, found))


def _rebuild(obj: Any, change: Callable[[Any], Any]) -> Any:
    """Return a builtin structure with its parts changed, and any other object unchanged."""
    if type(obj) in (list, tuple, set):
        return type(obj)(change(part) for part in obj)
    if type(obj) is dict:
        return {change(key): change(value) for key, value in obj.items()}
    if isinstance(obj, tuple) and hasattr(obj, "_fields"):
        return type(obj)(*map(change, obj))
    if dataclasses.is_dataclass(obj) and not isinstance(obj, (type, Slot, DatasetParts)):
        fields = {field.name: getattr(obj, field.name) for field in dataclasses.fields(obj) if field.init}
        changed = {name: change(value) for name, value in fields.items()}
        return obj if all(changed[name] is fields[name] for name in fields) else dataclasses.replace(obj, **changed)
    return obj


def _is_xarray(obj: Any) -> bool:
    xarray = sys.modules.get("xarray")
    return xarray is not None and isinstance(obj, (xarray.Dataset, xarray.DataArray))


def _pack_dataset(obj: Any, found: list[Any]) -> Any:
    array = None
    if not hasattr(obj, "data_vars"):
        taken = {*obj.coords, *obj.dims}
        name = "values" if "values" not in taken else "values of " + "".join(map(str, taken))
        obj, array = obj.to_dataset(name=name), (name, obj.name)
    lazy = {}
    for name, variable in obj.variables.items():
        if variable.chunks is not None:
            found.append(variable.data)
            slot = Slot(len(found) - 1)
            lazy[name] = (variable.dims, variable.attrs, variable.encoding, name in obj.coords, slot)
    return DatasetParts(obj.drop_vars(list(lazy)), lazy, list(obj.variables), array)


def _fill_dataset(parts: DatasetParts, values: Sequence[Any]) -> Any:
    import xarray

    dataset = parts.rest
    for name, (dims, attrs, encoding, is_coordinate, slot) in parts.lazy.items():
        variable = xarray.Variable(dims, values[slot.number], attrs, encoding)
        assign = dataset.assign_coords if is_coordinate else dataset.assign
        dataset = assign({name: variable})
    if parts.array is not None:
        return dataset[parts.array[0]].rename(parts.array[1])
    variables = {name: dataset[name] for name in parts.order if name in dataset.data_vars}
    return dataset.drop_vars(list(variables)).assign(variables)
