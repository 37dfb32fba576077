"""`enable` and `disable`: whether the workers of a cluster handle mapped chunks as pieces of files.

Rule: both only register and unregister the plugins; `plugins` holds all that a worker does.
"""

# mypy: allow-untyped-calls
from __future__ import annotations

import warnings
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from binpickle.errors import FormatWarning

from .plugins import NAME, MappedNannyPlugin, MappedWorkerPlugin

if TYPE_CHECKING:
    from distributed import Client, Worker

__all__ = ["disable", "enable"]


def enable(client: Client, *, by_reference: bool = True, memory: bool = True) -> None:
    """Make the workers of a cluster handle mapped chunks as pieces of files. Workers that join later do so, too.

    Args:
        client: a client of the cluster.
        by_reference: mapped chunks travel between workers of one host as path and offset, some hundred bytes whatever
            their size, and are mapped on arrival. So do views of chunks, and frames whose columns are NumPy's or
            pyarrow's. Spilling writes a reference. Workers prove that they see the same files by boot id, mount
            namespace and user. Other workers, and clients, get the bytes.
        memory: workers and nannies do not count the pages of mapped files when they spill, pause or end a worker, since
            the system can take these pages back at any time. Linux only.

    Warns:
        FormatWarning: this release of distributed does not allow a feature. Results are right without it.
    """
    client.register_plugin(MappedWorkerPlugin(by_reference, memory), name=NAME)
    if memory:
        client.register_plugin(MappedNannyPlugin(), name=NAME)
    off = sorted({feature for features in client.run(_features_off).values() for feature in features})
    if off:
        warnings.warn(f"not enabled with this release of distributed: {'; '.join(off)}", FormatWarning, stacklevel=2)


def disable(client: Client) -> None:
    """Undo `enable` on all workers of a cluster. Does nothing where it was not enabled."""
    for nanny in (False, True):
        with suppress(ValueError):  # the plugin is not registered
            client.unregister_worker_plugin(NAME, nanny=nanny)


def _features_off(dask_worker: Worker) -> list[str]:
    plugin: Any = dask_worker.plugins.get(NAME)
    return list(plugin.off) if plugin is not None else ["the plugin"]
