"""Switching on, for a whole cluster, that mapped chunks are handled as pieces of files."""

from __future__ import annotations

import warnings
from contextlib import suppress
from typing import Any

from binpickle.errors import FormatWarning

from .plugins import NAME, MappedNannyPlugin, MappedWorkerPlugin

__all__ = ["disable", "enable"]


def enable(client: Any, *, by_reference: bool = True, memory: bool = True) -> None:
    """Make the workers of a cluster handle mapped chunks as what they are. Workers that come later do so, too.

    Args:
        client: of the cluster.
        by_reference: chunks that are mapped travel between workers of one host as path and offset, some hundred bytes
            whatever their size, and are mapped on arrival; so do views, and frames with their columns of NumPy and of
            pyarrow. Spilling writes a reference. That two workers see the same files is proved by boot id, mount
            namespace and user. To others, and to clients, go bytes.
        memory: workers and nannies do not count the pages of mapped files, which the system can take back at any time,
            when they spill, pause or end a worker. Linux only.

    Warns:
        FormatWarning: this release of distributed does not allow one of them; results are right without.
    """
    client.register_plugin(MappedWorkerPlugin(by_reference, memory), name=NAME)
    if memory:
        client.register_plugin(MappedNannyPlugin(), name=NAME)
    off = sorted({feature for features in client.run(_features_off).values() for feature in features})
    if off:
        warnings.warn(f"not enabled with this release of distributed: {'; '.join(off)}", FormatWarning, stacklevel=2)


def disable(client: Any) -> None:
    """Undo `enable`, as far as it was done."""
    for nanny in (False, True):
        with suppress(ValueError):  # there is no such plugin
            client.unregister_worker_plugin(NAME, nanny=nanny)


def _features_off(dask_worker: Any) -> list[str]:
    plugin: Any = dask_worker.plugins.get(NAME)
    return list(plugin.off) if plugin is not None else ["the plugin"]
