"""The parts of an object as branches of a tree, with their sizes, and which of them a drawing shows.

Rule: what several parts of an object share counts where the stream has it first, so that the sizes of all parts of an
object add up to its own. A drawing has no more lines than somebody reads, so it opens the largest parts first.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count
from typing import TYPE_CHECKING, Iterator, Mapping, Sequence

from ..format.shapes import element_count

if TYPE_CHECKING:
    from ..outline import ArrayPlace, Node

__all__ = ["Branch", "Opened", "grow", "lines", "open_largest"]

Opened = Mapping["Branch", Sequence["Branch"]]
"""For each branch that is open the parts of it that are shown, in their order."""


@dataclass(eq=False)
class Branch:
    """One part of an object: a line of a tree, and what lies below it.

    Attributes:
        name: the last part of its name.
        node: what is there.
        nbytes: the decoded bytes of the arrays in it.
        stored_nbytes: the bytes of the file that these take.
        is_shared: whether the stream has it in another part before.
        parts: what lies below it, in the order of the stream.
    """

    name: str
    node: Node
    nbytes: int = 0
    stored_nbytes: float = 0
    is_shared: bool = False
    parts: list[Branch] = field(default_factory=list)


def grow(name: str, root: Node, nbytes: Sequence[int], stored: Sequence[int]) -> Branch:
    """Return the tree of an object.

    Args:
        name: what to call the object.
        root: the object.
        nbytes: for each buffer its decoded length.
        stored: for each buffer the bytes that it takes in the file.
    """
    sizes = _Sizes(nbytes, stored)
    trunk = Branch(name, root)
    seen, todo, grown = {id(root)}, [trunk], [trunk]
    while todo:
        branch = todo.pop()
        if branch.node.array is not None:
            branch.nbytes, branch.stored_nbytes = sizes.take(branch.node.array)
        for part, node in branch.node.parts():
            child = Branch(part, node, is_shared=id(node) in seen)
            branch.parts.append(child)
            seen.add(id(node))
        own = [child for child in branch.parts if not child.is_shared]
        todo += reversed(own)
        grown += own
    for branch in reversed(grown):  # the parts of an object stand behind it
        branch.nbytes += sum(child.nbytes for child in branch.parts)
        branch.stored_nbytes += sum(child.stored_nbytes for child in branch.parts)
    return trunk


def open_largest(trunk: Branch, most_lines: int, most_parts: int) -> Opened:
    """Return the branches to open, so that a drawing has about `most_lines` lines.

    Args:
        trunk: the whole tree, which is opened whatever it takes.
        most_lines: about how many lines the drawing may have.
        most_parts: how many parts of one branch are shown, the largest ones.
    """
    opened: dict[Branch, Sequence[Branch]] = {}
    order = count()  # of branches of one size the first comes first
    waiting = [(0, next(order), trunk)]
    left = most_lines
    while waiting and left > 0:
        _, _, branch = heappop(waiting)
        shown = _largest(branch.parts, most_parts)
        opened[branch] = shown
        left -= len(shown) + (len(shown) < len(branch.parts))
        for child in shown:
            if child.parts:
                heappush(waiting, (-child.nbytes, next(order), child))
    return opened


def lines(trunk: Branch, opened: Opened) -> Iterator[tuple[int, Branch, int]]:
    """Yield the lines of a drawing, from the top: the depth, the branch, and 0.

    Where a branch shows some of its parts only, a line below these has how many others there are instead of the 0.
    """
    todo = [(0, trunk, 0)]
    while todo:
        depth, branch, more = todo.pop()
        yield depth, branch, more
        shown = () if more else opened.get(branch, ())
        if shown and len(shown) < len(branch.parts):
            todo.append((depth + 1, branch, len(branch.parts) - len(shown)))
        todo += [(depth + 1, child, 0) for child in reversed(shown)]


def _largest(parts: Sequence[Branch], most: int) -> Sequence[Branch]:
    """Return the largest parts in their order; of parts of one size the first."""
    if len(parts) <= most:
        return parts
    chosen = sorted(range(len(parts)), key=lambda i: (-parts[i].nbytes, i))[:most]
    return [parts[i] for i in sorted(chosen)]


class _Sizes:
    """Tells the sizes of arrays. The bytes of a buffer that several arrays share count once.

    Args:
        nbytes: for each buffer its decoded length.
        stored: for each buffer the bytes that it takes in the file.
    """

    def __init__(self, nbytes: Sequence[int], stored: Sequence[int]):
        self._nbytes = nbytes
        self._stored = stored
        self._left: dict[int, int] = {}

    def take(self, place: ArrayPlace) -> tuple[int, float]:
        """Return the decoded bytes of an array that no array before has, and the bytes that they take in the file."""
        if isinstance(place.source, bytes):
            return len(place.source), len(place.source)
        whole = self._nbytes[place.source]
        left = self._left.get(place.source, whole)
        view = place.view
        wanted = whole if view is None else view.dtype.itemsize * element_count(view.shape)
        taken = min(wanted, left)
        self._left[place.source] = left - taken
        return taken, self._stored[place.source] * taken / whole if whole else 0.0
