"""The forms of frames and series of pandas: their columns, the blocks that hold them, and their indexes.

Rule: a block of several columns has the name `[a,b]`, of its columns; beyond three the first and how many more there
are. Each column has a name of its own, which `parts` does not list, for it is a row of a block. An array of another
class than NumPy's is one column, and has the name of the column.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Callable, Sequence

from ...errors import FormatError
from ...format.views import View, view_of
from ...trust.tokens import Global
from ..form import Context, Form
from ..held import attribute_pairs, attributes_of, named, state_of
from ..items import Buffer, Made, is_call
from ..short import name_of, value_text
from .labels import MOST_COLUMNS, integers_of, labels_of
from .scalars import key_text

__all__ = ["frame", "is_frame"]

_MANAGERS = frozenset({"BlockManager", "SingleBlockManager"})
_SLICE = ("builtins", "slice")
_FORM = "0.14.1"
_SHOWN = 3
# What it takes to look at a block, and to describe a column, in units of work.
_BLOCK, _COLUMN = 8, 8
# What pandas keeps of a frame besides, which nobody looks for.
_OWN = frozenset({"_mgr", "_data", "_typ", "_metadata", "_flags", "_name", "_item_cache", "_attrs"})


def is_frame(held: dict[str, Any]) -> bool:
    """Whether attributes are those of a frame or series."""
    manager = held.get("_mgr", held.get("_data"))
    return type(manager) is Made and type(manager.function) is Global and manager.function.name[1] in _MANAGERS


def frame(context: Context, made: Made) -> Form:
    """Return the form of a frame or series, whose state is one of attributes."""
    held = attributes_of(context, made)
    axes, blocks = _manager(context, held.get("_mgr", held.get("_data")))
    context.budget.pay(_BLOCK * len(blocks))
    texts, children, columns = [], [], []
    if len(axes) == 1:
        texts, children = ["values", "index"], [blocks[0][0], axes[0]]
    else:
        labels = labels_of(context, axes[0])
        for values, places in blocks:
            text, child, own = _block(context, values, places, labels)
            texts.append(text)
            children.append(child)
            columns.append(own)
        texts += ["columns", "index"]
        children += axes
    for name, item in held.items():
        if name not in _OWN and not (type(item) is dict and not item):
            texts.append(name)
            children.append(item)
    value = "" if held.get("_name") is None else value_text(held["_name"])
    hidden, pairs = partial(_hidden, columns), attribute_pairs(context, made) or ()
    return Form(name_of(made.function), texts, children, value=value, besides=pairs, hidden=hidden)


def _hidden(columns: list[Callable[[], list[tuple[str, Any]]]]) -> list[tuple[str, Any]]:
    return [pair for own in columns for pair in own()]


def _manager(context: Context, manager: Any) -> tuple[list[Any], list[tuple[Any, Any]]]:
    """Return the axes of a manager of blocks, and values and places of each block."""
    state = state_of(manager)
    if type(state) is tuple and len(state) == 4:
        held = named(context, named(context, state[3])[_FORM])
        blocks = [named(context, block) for block in held["blocks"]]
        axes, pairs = held["axes"], [(block["values"], block["mgr_locs"]) for block in blocks]
    else:
        context.budget.pay(len(manager.arguments[0]))
        made, axes = manager.arguments[:2]
        pairs = [_values_and_places(block) for block in made]
    if not 1 <= len(axes) <= 2 or (len(axes) == 1 and len(pairs) != 1):
        raise FormatError("a frame has other axes than pandas gives it")
    return list(axes), pairs


def _values_and_places(block: Any) -> tuple[Any, Any]:
    """Return the arguments of `_unpickle_block`."""
    values, places, _ = block.arguments
    return values, places


def _block(
    context: Context, values: Any, places: Any, labels: Sequence[Any]
) -> tuple[str, Any, Callable[[], list[tuple[str, Any]]]]:
    """Return the name of a block, its item, and what gives its columns."""
    form = context.form_of(values)
    where = _places(context, places)
    rows = _rows(context, form)
    if rows is None:
        return _label(context, labels, where, 0), values, list
    count = min(rows, MOST_COLUMNS)
    names = [_label(context, labels, where, i) for i in range(min(count, _SHOWN))]
    text = f"[{','.join(names)}]" if rows <= _SHOWN else f"[{names[0]},+{rows - 1}]"
    return text, values, partial(_columns, context, form, where, labels, count)


def _rows(context: Context, form: Form) -> int | None:
    """Return how many columns an array is, one in each row; `None` if it is one column as a whole."""
    shape: Any = None
    if form.data is not None:
        view = _view(context, form)
        shape = None if view is None else view.shape
    elif form.shape is not None:
        shape = form.shape
    return shape[0] if shape is not None and len(shape) == 2 else None


def _view(context: Context, form: Form) -> View | None:
    view = form.view() if form.view is not None else None
    return view_of(context.kind_of(form.data)) if view is None and type(form.data) is Buffer else view


def _places(context: Context, places: Any) -> Sequence[int] | None:
    """Return which columns of the frame a block has; `None` if it cannot be told."""
    if is_call(places, _SLICE):
        start, stop, step = places.arguments
        step = 1 if step is None else step
        if type(start) is int and type(step) is int and step and type(stop) in (int, type(None)):
            return range(start, -1 if stop is None else stop, step)
        return None
    return integers_of(context, places) if type(places) is Made else None


def _label(context: Context, labels: Sequence[Any], places: Sequence[int] | None, i: int) -> str:
    """Return the label of a column of a block, or its number in the frame, or in the block."""
    if places is None or i >= len(places):
        return f"?{i}"
    place = places[i]
    return key_text(context, labels[place]) if 0 <= place < len(labels) else str(place)


def _columns(
    context: Context, form: Form, places: Sequence[int] | None, labels: Sequence[Any], count: int
) -> list[tuple[str, Any]]:
    """Return the columns of a block with their labels."""
    context.budget.pay(_COLUMN * count)
    return [(_label(context, labels, places, i), _column(context, form, i)) for i in range(count)]


def _column(context: Context, form: Form, i: int) -> Form:
    if form.data is None:  # of objects
        width = form.shape[1]  # type: ignore[index]
        items = form.children[i * width : (i + 1) * width]
        return Form("numpy:ndarray", [*map(str, range(len(items)))], items)
    return Form("numpy:ndarray", data=form.data, view=partial(_row, context, form, i))


def _row(context: Context, form: Form, i: int) -> View | None:
    view = _view(context, form)
    return None if view is None else view.rows(i)
