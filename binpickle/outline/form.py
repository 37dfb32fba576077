"""What a node of the tree is: its type, its parts, and the array that it is, if it is one.

Rule: a form is made of one item and of what the item holds itself. It never descends by recursion, so that neither
cycles nor deep nesting matter, and what it looks at is paid for from one budget.
"""

from __future__ import annotations

from typing import Any, Callable, NamedTuple, Sequence

import numpy as np

from ..format.contents import Kind
from ..format.views import View
from ..limits import Limits
from ..trust.budget import Budget

__all__ = ["ArrayPlace", "Context", "Fetch", "Form", "Rule"]


class ArrayPlace(NamedTuple):
    """Where an array is.

    Attributes:
        source: the number of its buffer, or its bytes, if they are in the stream.
        view: what lies there; `None` stands for the whole of the buffer as the index describes it.
    """

    source: int | bytes
    view: View | None = None


class Form:
    """What a node is.

    Attributes:
        type: the name of its class, or of the function that makes it.
        texts: the names of its parts, unescaped. A name may occur twice.
        children: the items of its parts.
        data: what its array lies in, a `Buffer` or bytes; `None` if it is no array.
        view: returns what lies there, or `None` if that is not known.
        value: a short text for a small value.
        inner: an item that the node only wraps: its array and its parts are those of the node, too.
        hidden: more parts as pairs of name and item: ways to what is listed under another name, or only once asked for.
    """

    __slots__ = ("children", "data", "hidden", "inner", "texts", "type", "value", "view")

    def __init__(
        self,
        type: str,
        texts: Sequence[str] = (),
        children: Sequence[Any] = (),
        *,
        data: Any = None,
        view: Callable[[], View | None] | None = None,
        value: str = "",
        inner: Any = None,
        hidden: Callable[[], Sequence[tuple[str, Any]]] | None = None,
    ):
        self.type = type
        self.texts = texts
        self.children = children
        self.data = data
        self.view = view
        self.value = value
        self.inner = inner
        self.hidden = hidden


Fetch = Callable[[int], Any]
"""Returns the bytes of a buffer."""


class Context:
    """What forms need besides the items.

    Args:
        kinds: the kinds of the buffers.
        buffer_kinds: the kind of each buffer.
        limits: how much work the stream may ask for, and how large an array may seem to be.
        fetch: gives the bytes of a buffer, of which labels of columns are read; `None` if nothing does.

    Attributes:
        budget: pays for what forms look at.
        largest: as many bytes may an array have.
    """

    def __init__(self, kinds: Sequence[Kind], buffer_kinds: Sequence[int], limits: Limits, fetch: Fetch | None = None):
        self._kinds = kinds
        self._buffer_kinds = np.asarray(buffer_kinds)
        self.budget = Budget(limits.work)
        self.largest = limits.decoded_bytes
        self.limits = limits
        self.fetch = fetch
        self.dtypes: dict[int, np.dtype | None] = {}

    def kind_of(self, number: int) -> Kind:
        """Return the kind of a buffer."""
        return self._kinds[int(self._buffer_kinds[number])]

    @property
    def count(self) -> int:
        """How many buffers there are."""
        return len(self._buffer_kinds)


Rule = Callable[[Context, Any], Form]
"""Returns the form of an object that a certain function makes; raises `FormatError` if it is not made as usual."""
