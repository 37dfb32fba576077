"""Running the graph of a save on the scheduler in use, and collecting the records.

Rule: on a cluster each record is fetched, and its future released, as soon as it is there. So a worker that dies takes
no finished work with it, and only records pass through the client.
"""

# mypy: allow-untyped-calls
from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import Any, Iterator, Mapping, Sequence

from dask.base import get_scheduler
from dask.callbacks import Callback

from ..parts.verify import Progress
from .graph import Graph

__all__ = ["run"]


def run(
    graph: Graph,
    keys: Sequence[Any],
    *,
    collections: Sequence[Any],
    compute_kwargs: Mapping[str, Any] | None,
    client: Any,
    progress: Progress | None,
) -> list[Any]:
    """Compute keys of a graph, and return the results in any order.

    Args:
        graph: the graph to run.
        keys: the keys of the results, which must be small.
        collections: their default scheduler is used if no other is given.
        compute_kwargs: as for `dask.compute`: `scheduler` and its arguments.
        client: a client of distributed; overrides `scheduler`.
        progress: called in this thread with the number of results so far, and the number of results in total.

    Raises:
        TypeError: the client is asynchronous.
        Exception: the error of a task; all other tasks are cancelled.
    """
    if not keys:
        return []
    options = dict(compute_kwargs or {})
    scheduler = options.pop("scheduler", None) if client is None else client
    get = get_scheduler(scheduler=scheduler, collections=list(collections))
    client = _client_of(get)
    if client is not None:
        options.pop("scheduler", None)
        with _seceded():
            return _stream(client, graph, keys, options, progress)
    with _Counting(set(keys), progress):
        return list(get(graph, list(keys), **options))


def _client_of(get: Any) -> Any:
    """Return the distributed client that a `get` function is a method of, if there is one."""
    distributed = sys.modules.get("distributed")
    owner = getattr(get, "__self__", None)
    if distributed is None or not isinstance(owner, distributed.Client):
        return None
    if owner.asynchronous:
        raise TypeError("saving blocks, so it needs a client that is not asynchronous; or use compute=False")
    return owner


@contextmanager
def _seceded() -> Iterator[None]:
    """Let a worker run other tasks meanwhile, if this runs in a task: the save would wait for a thread of its own."""
    from distributed import rejoin, secede
    from distributed.worker import thread_state

    in_task = bool(getattr(thread_state, "key", False))
    if in_task:
        secede()
    try:
        yield
    finally:
        if in_task:
            rejoin()


def _stream(
    client: Any, graph: Graph, keys: Sequence[Any], options: dict[str, Any], progress: Progress | None
) -> list[Any]:
    """Run a graph on a cluster; on an error cancel all tasks that have not ended."""
    from distributed import as_completed

    records: list[Any] = []
    futures = client.get(graph, list(keys), sync=False, **options)
    waiting = {future.key: future for future in futures}
    del futures
    try:
        for batch in as_completed(list(waiting.values())).batches():
            records += client.gather(batch)
            for future in batch:
                del waiting[future.key]
                future.release()
            if progress is not None:
                progress(len(records), len(keys))
    finally:
        if waiting and client.status == "running":
            client.cancel(list(waiting.values()))
    return records


class _Counting(Callback):
    """Reports results to `progress` as the local schedulers finish them."""

    def __init__(self, keys: Any, progress: Progress | None):
        super().__init__()
        self._keys = keys
        self._total = len(keys)
        self._progress = progress

    def _posttask(self, key: Any, *_: Any) -> None:
        if key in self._keys and self._progress is not None:
            self._keys.discard(key)
            self._progress(self._total - len(self._keys), self._total)
