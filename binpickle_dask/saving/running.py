"""Running the graph of a save on whatever scheduler is in use, and collecting the records.

Rule: on a cluster each record is fetched and its future released as it comes, so that a worker that dies takes no
finished work with it, and only records pass through the client.
"""

# mypy: allow-untyped-calls
from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import Any, Callable, Iterator, Mapping, Sequence

from dask.base import get_scheduler
from dask.callbacks import Callback

__all__ = ["Progress", "run"]

Progress = Callable[[int, int], Any]


def run(
    graph: dict[Any, Any],
    keys: Sequence[Any],
    collections: Sequence[Any],
    compute_kwargs: Mapping[str, Any] | None,
    client: Any,
    progress: Progress | None,
) -> list[Any]:
    """Compute keys of a graph, and return the results in any order.

    Args:
        graph: to run.
        keys: of the results, all small.
        collections: say which scheduler is meant if nothing else does.
        compute_kwargs: as for `dask.compute`: `scheduler` and what it takes.
        client: of distributed; overrides `scheduler`.
        progress: called in this thread with how many results are there, and how many there will be.

    Raises:
        TypeError: the client is asynchronous.
        Exception: what a task raises; the others are cancelled.
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
    """The distributed client whose method this is, if it is one."""
    distributed = sys.modules.get("distributed")
    owner = getattr(get, "__self__", None)
    if distributed is None or not isinstance(owner, distributed.Client):
        return None
    if owner.asynchronous:
        raise TypeError("this blocks, so it needs a client that is not asynchronous; or compute=False")
    return owner


@contextmanager
def _seceded() -> Iterator[None]:
    """Let a worker run other tasks meanwhile, if this is in one of its own: else the two would wait for each other."""
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
    client: Any, graph: dict[Any, Any], keys: Sequence[Any], options: dict[str, Any], progress: Progress | None
) -> list[Any]:
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
    """Tells of results as the local schedulers finish them."""

    def __init__(self, keys: Any, progress: Progress | None):
        super().__init__()
        self._keys = keys
        self._total = len(keys)
        self._progress = progress

    def _posttask(self, key: Any, *_: Any) -> None:
        if key in self._keys and self._progress is not None:
            self._keys.discard(key)
            self._progress(self._total - len(self._keys), self._total)
