"""The graph of a save: each chunk's task becomes the task that also writes the chunk.

Rule: a chunk that nothing else needs is never a result of its own, so it cannot travel before it is written, and is
gone once it is. A part that is there already is loaded where others need it, and what led to it is not computed.
"""

# mypy: allow-untyped-calls
from __future__ import annotations

from collections import Counter
from typing import Any, Dict, NamedTuple, Sequence

from dask._task_spec import Alias, Task, TaskRef, convert_legacy_graph
from dask._task_spec import List as TaskList
from dask.base import collections_to_expr
from dask.core import flatten
from dask.delayed import Delayed
from dask.optimization import cull

from ..parts.writer import Deferred, PartWriter

__all__ = ["Job", "chunk_graph", "write_graph"]

Graph = Dict[Any, Any]


class Job(NamedTuple):
    """One part to write: the key of the chunk, the file's name, and who writes it."""

    chunk: Any
    name: str
    writer: PartWriter


def chunk_graph(collections: Sequence[Any]) -> tuple[Graph, list[list[Any]]]:
    """Return the optimized graph of collections, and each one's keys, in C order."""
    graph: Graph = {}
    keys: dict[int, list[Any]] = {}
    # Together, dask would have to give up the expressions, and warns.
    for group in (True, False):
        numbers = [i for i, collection in enumerate(collections) if _is_expression(collection) is group]
        if numbers:
            expression = collections_to_expr([collections[i] for i in numbers], optimize_graph=True).optimize()
            graph.update(convert_legacy_graph(dict(expression.__dask_graph__())))
            # Optimizing renames what expressions give, but leaves the names of graphs, whose order it may change.
            nested = expression.__dask_keys__() if group else [collections[i].__dask_keys__() for i in numbers]
            keys.update(zip(numbers, (list(flatten([found])) for found in nested)))
    return graph, [keys[i] for i in range(len(collections))]


def write_graph(graph: Graph, jobs: Sequence[Job], present: Sequence[Job], label: str) -> tuple[Graph, list[Any]]:
    """Return the graph that writes parts, and the keys of its results: their records.

    Args:
        graph: of the chunks.
        jobs: the parts to write.
        present: those that are there.
        label: unique to the save; the keys' names begin with it.
    """
    graph = dict(graph)
    for job in present:
        graph[job.chunk] = Task(job.chunk, job.writer.load, job.name)
    targets = [_target(graph, job.chunk) for job in jobs]
    graph, dependencies = cull(graph, [target for target in targets if target in graph])
    needed = Counter(key for keys in dependencies.values() for key in set(keys))
    needed.update(targets)
    inline: set[Any] = {key for key in targets if needed[key] == 1 and isinstance(graph.get(key), Task)}
    writes: Graph = {}
    for i, (job, target) in enumerate(zip(jobs, targets)):
        node = graph.pop(target) if target in inline else None
        writes[(label, i)] = _write((label, i), job, target, node)
    return {**graph, **writes}, list(writes)


def _write(key: Any, job: Job, target: Any, node: Any) -> Task:
    if node is None:
        return Task(key, job.writer, job.name, TaskRef(target))
    inputs = tuple(node.dependencies)
    return Task(key, job.writer, job.name, Deferred(node, inputs), TaskList(*map(TaskRef, inputs)))


def _target(graph: Graph, key: Any) -> Any:
    """Follow aliases to the key that is computed; what a cluster holds already is in no graph."""
    while isinstance(graph.get(key), Alias):
        key = graph[key].target
    return key


def _is_expression(collection: Any) -> bool:
    return not isinstance(collection, Delayed) and hasattr(collection, "expr")
