"""Nested Python structures with dask collections in them, taken apart and put together again.

Rule: what `pack` gives holds a `Slot` in each collection's place, can be pickled, and needs no dask to be filled again.
xarray objects count as structures: their lazy variables are dask arrays.
"""

from __future__ import annotations

import dataclasses
import sys
from typing import Any, Callable, Sequence

__all__ = ["DatasetParts", "OWN_CLASSES", "Slot", "fill", "pack"]


@dataclasses.dataclass(frozen=True)
class Slot:
    """The place of a collection: its number."""

    number: int


@dataclasses.dataclass(frozen=True)
class DatasetParts:
    """An xarray object taken apart.

    Attributes:
        rest: the Dataset without its lazy variables.
        lazy: by name: dimensions, attributes, encoding, whether it is a coordinate, slot of the values.
        order: names of all variables in their order.
        array: name of the only variable, and the name of the DataArray, if it was one.
    """

    rest: Any
    lazy: dict[Any, tuple[Any, Any, Any, bool, Slot]]
    order: list[Any]
    array: Any = None


# What `pack` puts into a structure, by the names that `binpickle.load` takes as `trusted`.
OWN_CLASSES = frozenset(f"{cls.__module__}:{cls.__qualname__}" for cls in (DatasetParts, Slot))


def pack(obj: Any, is_collection: Callable[[Any], bool]) -> tuple[Any, list[Any]]:
    """Return a structure with slots in it, and the collections that belong there.

    Args:
        obj: lists, tuples, sets, dicts, dataclasses, xarray objects, collections and anything else, nested.
        is_collection: says of what is none of these whether it is a collection.
    """
    found: list[Any] = []
    return _pack(obj, is_collection, found), found


def fill(structure: Any, values: Sequence[Any]) -> Any:
    """Return a structure with values in its slots."""
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
    """Return a builtin structure with its parts changed; anything else as it is."""
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
