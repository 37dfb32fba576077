"""The graph of a save: the task that computes a chunk becomes the task that also writes the chunk.

Rule: a chunk that no other task needs is never a result of its own, so it cannot travel before it is written, and takes
no memory afterwards. A part that exists already is loaded by the tasks that need it, and is not computed again.
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
    """One part to write: the key of the chunk, the name of the file, and the writer."""

    chunk: Any
    name: str
    writer: PartWriter


def chunk_graph(collections: Sequence[Any]) -> tuple[Graph, list[list[Any]]]:
    """Return the optimized graph of collections, and the keys of each collection's chunks, in C order."""
    graph: Graph = {}
    keys: dict[int, list[Any]] = {}
    # Expressions and graphs are optimized apart: given both, dask gives up the expressions, and warns.
    for group in (True, False):
        numbers = [i for i, collection in enumerate(collections) if _is_expression(collection) is group]
        if numbers:
            expression = collections_to_expr([collections[i] for i in numbers], optimize_graph=True).optimize()
            graph.update(convert_legacy_graph(dict(expression.__dask_graph__())))
            # Optimizing renames the keys of expressions; it keeps the keys of graphs, but may change their order.
            nested = expression.__dask_keys__() if group else [collections[i].__dask_keys__() for i in numbers]
            keys.update(zip(numbers, (list(flatten([found])) for found in nested)))
    return graph, [keys[i] for i in range(len(collections))]


def write_graph(graph: Graph, jobs: Sequence[Job], present: Sequence[Job], label: str) -> tuple[Graph, list[Any]]:
    """Return the graph that writes parts, and the keys of its results, which are the parts' records.

    Args:
        graph: the graph that computes the chunks.
        jobs: the parts to write.
        present: the parts that exist already.
        label: name of the new keys; no other save has it.
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
    """Follow aliases to the key that is computed. A key that a cluster holds already is in no graph."""
    while isinstance(graph.get(key), Alias):
        key = graph[key].target
    return key


def _is_expression(collection: Any) -> bool:
    return not isinstance(collection, Delayed) and hasattr(collection, "expr")
