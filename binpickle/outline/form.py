"""What a node of the tree is: its type, its parts, and the array that it is, if it is one.

Rule: a form is made of one item and of what the item holds itself. It never descends by recursion, so that neither
cycles nor deep nesting matter, and what it looks at is paid for from one budget.
"""

from __future__ import annotations

from typing import Any, Callable, NamedTuple, Sequence

import numpy as np

from ..errors import BinPickleError, FormatError
from ..format.contents import Kind
from ..format.views import View
from ..limits import Limits
from ..trust.budget import Budget
from .items import Buffer, Made

__all__ = ["UNUSUAL", "ArrayPlace", "Context", "Fetch", "Form", "Rule"]

UNUSUAL = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What rules raise where something is missing that they take for granted; `FormatError` is a `ValueError`."""

# So many units of work for each opcode that the stream may have: each object is looked at a few times.
_UNITS = 4
# As many bytes do labels of columns take at most, in one buffer and in all.
_LARGEST_READ, _MOST_READ = 1 << 20, 1 << 23


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
        shape: the shape of an array of objects, whose items are the first children; else `None`.
        inner: an item that the node only wraps: its array and its parts are those of the node, too.
        besides: names and items by turns of what is not listed, since most of it is listed under other names: the
            attributes as they stand in the stream. Arrays that are nowhere else have names by these.
        hidden: returns names and items, in pairs, that are only found by who asks for them: columns.
    """

    __slots__ = ("besides", "children", "data", "hidden", "inner", "shape", "texts", "type", "value", "view")

    def __init__(
        self,
        type: str,
        texts: Sequence[str] = (),
        children: Sequence[Any] = (),
        *,
        data: Any = None,
        view: Callable[[], View | None] | None = None,
        value: str = "",
        shape: tuple[int, ...] | None = None,
        inner: Any = None,
        besides: Sequence[Any] = (),
        hidden: Callable[[], Sequence[tuple[str, Any]]] | None = None,
    ):
        self.type = type
        self.texts = texts
        self.children = children
        self.data = data
        self.view = view
        self.value = value
        self.shape = shape
        self.inner = inner
        self.besides = besides
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
        form_of: returns the form of any item.

    Attributes:
        budget: pays for what forms look at.
        largest: as many bytes may an array have.
        labels: the labels of the indexes that are known, by the ids of their items.
        dtypes: the element types that are known, by the ids of their items.
    """

    def __init__(
        self,
        kinds: Sequence[Kind],
        buffer_kinds: Sequence[int],
        limits: Limits,
        fetch: Fetch | None,
        form_of: Callable[[Context, Any], Form],
    ):
        self._kinds = kinds
        self._buffer_kinds = np.asarray(buffer_kinds)
        self.budget = Budget(min(limits.work, _UNITS * limits.opcodes))
        self.largest = limits.decoded_bytes
        self._fetch = fetch
        self.labels: dict[int, Sequence[Any]] = {}
        self.dtypes: dict[int, np.dtype | None] = {}
        self._calls: dict[int, tuple[Any, Made]] = {}
        self._fetched = 0
        self._form_of = form_of
        self._inside = False

    def kind_of(self, number: int) -> Kind:
        """Return the kind of a buffer."""
        return self._kinds[int(self._buffer_kinds[number])]

    def form_of(self, item: Any) -> Form:
        """Return the form of an item for the rule of another one; that of the item must do without.

        Raises:
            FormatError: a rule asks for the form of an item while it makes one for another rule.
            LimitError: the stream asks for more work than it may.
        """
        if self._inside:
            raise FormatError("an object is part of itself")
        self._inside = True
        try:
            form = self._form_of(self, item)
        finally:
            self._inside = False
        self.budget.pay(1 + len(form.children))
        return form

    def call(self, key: Any, function: Any, arguments: Any) -> Made:
        """Return the item of a call that the stream describes and does not make: always the same for the same key."""
        known = self._calls.get(id(key))
        if known is None:
            known = self._calls[id(key)] = key, Made(function, arguments)
        return known[1]

    def read(self, data: Any) -> Any:
        """Return the bytes of a small buffer, or of what is in the stream; `None` if they cannot be had."""
        if type(data) is not Buffer:
            return data
        nbytes = self.kind_of(data).nbytes
        if self._fetch is None or nbytes > _LARGEST_READ or self._fetched + nbytes > _MOST_READ:
            return None
        self._fetched += nbytes
        try:
            return self._fetch(int(data))
        except BinPickleError:
            return None  # whoever reads the buffer itself is told

    @property
    def count(self) -> int:
        """How many buffers there are."""
        return len(self._buffer_kinds)


Rule = Callable[[Context, Any], Form]
"""Returns the form of an object that a certain function makes; raises `FormatError` if it is not made as usual."""
