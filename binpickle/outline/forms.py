"""The form of any item: that of its type, or that of the rule for the function that makes it.

Rule: a rule that does not find what it expects raises, and the object is shown as what it is in the stream.
"""

from __future__ import annotations

from typing import Any

from ..errors import LimitError
from ..pickling.renames import Name
from ..trust.tokens import Global
from .form import UNUSUAL, Context, Form, Rule
from .held import named
from .instances import dict_parts, generic
from .items import Buffer, Items, Made, elements_of, pairs_of
from .rules import arrays, arrow, frames, pandas, random, scalars, stdlib, torch, xarray
from .short import value_text

__all__ = ["form_of"]

_RULES: dict[Name, Rule] = {
    **stdlib.RULES,
    **scalars.RULES,
    **arrays.RULES,
    **arrow.RULES,
    **pandas.RULES,
    **random.RULES,
    **torch.RULES,
}
_CLASSES: dict[Name, Rule] = {**pandas.CLASSES, **xarray.CLASSES}

# What an object wraps may wrap something in turn, and so on: so many times.
_MOST_WRAPPED = 8


def form_of(context: Context, item: Any) -> Form:
    """Return the form of an item.

    Raises:
        LimitError: the stream asks for more work than it may.
    """
    form = outer = _form(context, item)
    for _ in range(_MOST_WRAPPED):
        if form.inner is None:
            break
        form = _form(context, form.inner)
    if form is outer:
        return form
    texts: list[str] = [*form.texts, *outer.texts]
    children: list[Any] = [*form.children, *outer.children]
    made = Form(outer.type, texts, children, data=form.data, view=form.view, value=outer.value or form.value)
    made.shape, made.besides, made.hidden = form.shape, outer.besides or form.besides, outer.hidden or form.hidden
    return made


def _form(context: Context, item: Any) -> Form:
    kind = type(item)
    if kind is Made:
        return _form_of_made(context, item)
    if kind is Form:
        return item  # type: ignore[no-any-return]
    if kind is dict:
        return Form("dict", *dict_parts(context, pairs_of(item)))
    if kind in (list, tuple, Items, set):
        items = elements_of(item) if kind is set else item
        context.budget.pay(len(items))
        name = "frozenset" if kind is Items else kind.__name__
        return Form(name, [*map(str, range(len(items)))], items)
    if kind is Buffer:
        return Form("buffer", data=item)
    if kind is Global:
        return Form("global", value=value_text(item))
    return Form(kind.__name__, value=value_text(item))


def _form_of_made(context: Context, made: Made) -> Form:
    rule = _rule(context, made)
    if rule is not None:
        try:
            return rule(context, made)
        except LimitError:
            raise
        except UNUSUAL:  # it is not made as usual
            return generic(context, made)
    return generic(context, made)


def _rule(context: Context, made: Made) -> Rule | None:
    """Return the rule for an object, by its function or class, or by its attributes."""
    if type(made.function) is not Global:
        return None
    name = made.function.name
    rule = _RULES.get(name) or _CLASSES.get((name[0].partition(".")[0], name[1]))
    if rule is None and made.more is not None and type(made.more.state) is dict:
        held = named(context, made.more.state)
        if frames.is_frame(held):
            return frames.frame
        if torch.is_module(held):
            return torch.module
    return rule
