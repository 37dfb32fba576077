"""Following a pickle stream, and what comes of it: the outline of its object.

Rule: whatever the stream holds, an outline comes of it. Where the strict machine does not know the stream, or the
stream asks for more than the limits allow, the outline says so, and no buffer has a name. Only what the reader of the
stream raises is raised: that the file is damaged.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Callable, Sequence

from ..errors import BinPickleError
from ..format.contents import Kind
from ..limits import RESTRICTED_LIMITS, Limits
from ..trust.machine import Machine
from .form import Context, Fetch, Form
from .forms import form_of
from .naming import LONE, name_buffers
from .node import Node, Nodes
from .partner import Partner
from .paths import split

__all__ = ["Outline", "outline", "quick_limits", "unknown_outline"]


# So much of a stream is followed for whoever did not ask for it: that takes a second, and so do 200,000 buffers.
_OPCODES, _OPCODES_OF_BUFFER = 2_000_000, 32


def quick_limits(limits: Limits, buffers: int) -> Limits:
    """Return limits for whoever shows names by the way: a stream that takes longer than a second or two has none then.

    Args:
        limits: those of the file, see `Limits.of_file`.
        buffers: how many buffers the file has. An array counts 18 opcodes or more.
    """
    return replace(limits, opcodes=min(limits.opcodes, _OPCODES + _OPCODES_OF_BUFFER * buffers))


class Outline:
    """What an object consists of, as its pickle stream says.

    Attributes:
        names: by which way the object reaches each buffer: parts joined by slashes, `"."` for a lone array, an empty
            string where none can be told. No other name occurs twice.
        root: the node of the whole object.
        problem: why the names could not be told; `None` if they could.
    """

    def __init__(self, names: tuple[str, ...], nodes: Nodes, problem: str | None = None):
        self.names = names
        self.root = nodes.root
        self.problem = problem

    def find(self, name: str) -> Node | None:
        """Return what a way leads to, or `None` if there is no such way.

        Args:
            name: the way, as in `names`: also one of several that lead to the same array, or one to something that is
                no array. An empty string leads to the whole object.
        """
        if not name:
            return self.root
        node: Node | None = self.root
        for part in split(name):
            node = node.part(part) if node is not None else None
        if node is None and name == LONE and self.root.array is not None:
            return self.root
        return node


class _Source:
    """Reads the stream, and keeps what its reader raises.

    Args:
        read: gives at most as many bytes as asked for, and none at the end only.
    """

    def __init__(self, read: Callable[[int], bytes]):
        self._read = read
        self.error: BaseException | None = None

    def __call__(self, nbytes: int) -> bytes:
        try:
            return self._read(nbytes)
        except BaseException as error:
            self.error = error
            raise


def outline(
    read: Callable[[int], bytes],
    kinds: Sequence[Kind],
    buffer_kinds: Sequence[int],
    limits: Limits = RESTRICTED_LIMITS,
    fetch: Fetch | None = None,
) -> Outline:
    """Follow a pickle stream, and tell what its object consists of. Nothing is imported, called or made.

    Args:
        read: gives the stream: at most as many bytes as asked for, and none at the end only.
        kinds: what the buffers are, see `Contents.kinds`.
        buffer_kinds: the number of the kind of each buffer.
        limits: what the stream may ask for (`opcodes`, `memo`, `nesting`, `int_bytes`, `work`; of `decoded_bytes`, what
            one array may seem to have that repeats its memory).
        fetch: gives the bytes of a buffer by its number. Labels of columns are read so, of a few small buffers. If it
            raises a `BinPickleError`, or there is none, columns are numbered.

    Raises:
        Exception: whatever `read` raises, or `fetch` if that is no `BinPickleError`.
    """
    source = _Source(read)
    machine = Machine(source, len(buffer_kinds), limits, Partner())
    context = Context(kinds, buffer_kinds, limits, fetch, form_of)
    try:
        root = machine.run()
        if machine.failure is None:
            nodes = Nodes(context, root)
            return Outline(name_buffers(context, root), nodes)
        problem = str(machine.failure)
    except BinPickleError as error:
        if error is source.error:
            raise
        problem = str(error)
    return unknown_outline(context.count, problem)


def unknown_outline(count: int, problem: str) -> Outline:
    """Return the outline of a stream that could not be followed.

    Args:
        count: the number of buffers.
        problem: why.
    """
    return Outline(("",) * count, Nodes(Context((), (), RESTRICTED_LIMITS, None, form_of), Form("unknown")), problem)
