"""The internal names of `binpickle_dask` that tests need, so that moving a module changes this file alone."""

from __future__ import annotations

from binpickle_dask.cluster.accounting import CAN_MEASURE, private_memory
from binpickle_dask.cluster.plugins import MappedNannyPlugin, MappedWorkerPlugin
from binpickle_dask.cluster.references import SERIALIZERS, register, to_self
from binpickle_dask.cluster.sizes import count_mapped_as_nothing
from binpickle_dask.cluster.unreachable import Unreachable
from binpickle_dask.folder.folder import Folder
from binpickle_dask.folder.hosts import HOST
from binpickle_dask.parts.file import Reading
from binpickle_dask.parts.loader import PartLoader
from binpickle_dask.parts.mappings import find_place, map_file
from binpickle_dask.parts.writer import PartWriter, Storage

__all__ = [
    "CAN_MEASURE",
    "Folder",
    "HOST",
    "MappedNannyPlugin",
    "MappedWorkerPlugin",
    "PartLoader",
    "PartWriter",
    "Reading",
    "SERIALIZERS",
    "Storage",
    "Unreachable",
    "count_mapped_as_nothing",
    "find_place",
    "map_file",
    "private_memory",
    "register",
    "to_self",
]
