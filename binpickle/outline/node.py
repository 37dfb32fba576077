"""The nodes of an outline: what is drawn and asked for.

Rule: a node is made when it is asked for. The same object of the stream is the same node, whichever way leads to it, so
that a walk can tell where it was before.
"""

from __future__ import annotations

from typing import Any, Iterator, Sequence

from ..errors import LimitError
from ..format.contents import Kind
from ..format.views import View, view_of
from ..trust.nesting import ATOMS
from .form import ArrayPlace, Context, Form
from .forms import form_of
from .instances import dict_parts
from .items import Buffer
from .paths import unique

__all__ = ["Node", "Nodes"]


class Node:
    """One object, or one part of an object, as the stream describes it.

    Attributes:
        type: the name of its class as `module:qualname`, without the module for built-in types; of what a function
            makes, the name of the function.
        value: a short text, for small values: a number, a string, an element type. It is text of the file: escape it.
    """

    __slots__ = ("__weakref__", "_children", "_form", "_nodes", "_place", "_table", "_texts", "type", "value")

    def __init__(self, nodes: Nodes, form: Form):
        self._nodes = nodes
        self._form = form
        self._texts: Any = None
        self._children: Any = form.children
        self._table: dict[str, Any] | None = None
        self._place: Any = False
        self.type = form.type
        self.value = form.value

    def __repr__(self) -> str:
        return f"<Node {self.type} {self.value}>"

    @property
    def array(self) -> ArrayPlace | None:
        """Where the array is that this node is; `None` if it is no array that could be read."""
        if self._place is False:
            self._place = self._nodes.place(self._form)
        return self._place  # type: ignore[no-any-return]

    @property
    def view(self) -> View | None:
        """The array that lies there, as the stream or else the index describes it; `None` if this node is none."""
        place = self.array
        if place is None or place.view is not None:
            return place.view if place is not None else None
        return view_of(self._nodes.kind_of(place.source))

    def __len__(self) -> int:
        """How many parts there are."""
        return len(self._children)

    def __bool__(self) -> bool:
        return True

    def parts(self) -> Iterator[tuple[str, Node]]:
        """Yield the parts in the order of the stream, each with its name, unescaped; no name occurs twice."""
        for text, child in zip(self._names(), self._children):
            yield text, self._nodes.node(child)

    def part(self, text: str) -> Node | None:
        """Return the part of a name, unescaped, or `None` if there is none. It knows more names than `parts` lists."""
        if self._table is None:
            names, form = self._names(), self._form
            hidden, texts, besides = self._nodes.more(form)
            more = unique([*(name for name, _ in hidden), *texts], names)[0] if hidden or besides else ()
            self._table = dict(zip(names, self._children))
            self._table.update(zip(more, [*(child for _, child in hidden), *besides]))
        if text not in self._table:
            return None
        return self._nodes.node(self._table[text])

    def _names(self) -> Any:
        if self._texts is None:
            taken = ("",) if self._nodes.is_root(self) and "" in self._form.texts else ()
            self._texts = unique(self._form.texts, taken)[0]
        return self._texts


class Nodes:
    """Makes the nodes of one outline.

    Args:
        context: what forms need.
        root: the item of the whole object.
    """

    def __init__(self, context: Context, root: Any):
        self._context = context
        self._made: dict[int, Node] = {}
        self._root = root
        self._alive: list[Any] = []
        self.root = self.node(root)

    def node(self, item: Any) -> Node:
        """Return the node of an item."""
        if type(item) in ATOMS:
            return Node(self, self._form(item))
        node = self._made.get(id(item))
        if node is None:
            if type(item) is Form:  # the items of the stream live as long as the root does
                self._alive.append(item)
            node = self._made[id(item)] = Node(self, self._form(item))
        return node

    def more(self, form: Form) -> tuple[Sequence[tuple[str, Any]], list[str], list[Any]]:
        """Return what a form has but does not list: hidden parts, and names and items of what it has besides."""
        try:
            hidden = form.hidden() if form.hidden is not None else ()
            return (hidden, *dict_parts(self._context, form.besides))
        except LimitError:
            return (), [], []

    def kind_of(self, number: Any) -> Kind:
        """Return the kind of a buffer."""
        return self._context.kind_of(number)

    def _form(self, item: Any) -> Form:
        try:
            return form_of(self._context, item)
        except LimitError:  # an object that refers to others over and over
            return Form("unknown")

    def is_root(self, node: Node) -> bool:
        """Whether a node is that of the whole object."""
        return node is getattr(self, "root", None)

    def place(self, form: Form) -> ArrayPlace | None:
        """Return where the array of a form is."""
        data = form.data
        view = form.view() if form.view is not None and data is not None else None
        if type(data) is Buffer:
            if view is not None and view == view_of(self._context.kind_of(data)):
                view = None
            return ArrayPlace(int(data), view)
        if data is None or view is None:
            return None
        return ArrayPlace(bytes(data), view)
