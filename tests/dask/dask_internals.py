"""The internal names of `binpickle_dask` that tests need, so that moving a module changes this file alone."""

from __future__ import annotations

from binpickle_dask.cluster.accounting import CAN_MEASURE, private_memory
from binpickle_dask.cluster.plugins import MappedNannyPlugin, MappedWorkerPlugin
from binpickle_dask.cluster.references import SERIALIZERS, register, to_self
from binpickle_dask.cluster.sizes import count_mapped_as_nothing
from binpickle_dask.cluster.unreachable import Unreachable
from binpickle_dask.folder.paths import HOST
from binpickle_dask.folder.sealing import Sealing
from binpickle_dask.parts.loader import PartLoader, Reading
from binpickle_dask.parts.mappings import find_place, map_file
from binpickle_dask.parts.writer import PartWriter

__all__ = [
    "CAN_MEASURE",
    "HOST",
    "MappedNannyPlugin",
    "MappedWorkerPlugin",
    "PartLoader",
    "PartWriter",
    "Reading",
    "SERIALIZERS",
    "Sealing",
    "Unreachable",
    "count_mapped_as_nothing",
    "find_place",
    "map_file",
    "private_memory",
    "register",
    "to_self",
]
