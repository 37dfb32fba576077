"""The changes that can be made to a module: a check less, another operator, a constant that is off by one.

Rule: a change replaces one node of the syntax tree, and nothing that only people read: no docstring, no annotation, no
message. Whoever reads the code after the change would call it a mistake.
"""

from __future__ import annotations

import ast
import copy
from pathlib import Path
from typing import Any, Iterator, NamedTuple

__all__ = ["Change", "changed", "changes_of"]


class Change(NamedTuple):
    """One change of one module.

    Attributes:
        path: the module, from the root of the tree.
        line: where it is.
        what: what kind of change.
        place: start and end in the module, in bytes.
        old: the text that it replaces.
        new: the text that it puts there.
    """

    path: str
    line: int
    what: str
    place: tuple[int, int]
    old: str
    new: str

    def __str__(self) -> str:
        old, new = (" ".join(text.split()) for text in (self.old, self.new))
        return f"{self.path}:{self.line}: {self.what}: {old:.80} -> {new:.80}"


_SWAPS: dict[type, tuple[type, ...]] = {
    ast.Lt: (ast.LtE, ast.Gt),
    ast.LtE: (ast.Lt,),
    ast.Gt: (ast.GtE, ast.Lt),
    ast.GtE: (ast.Gt,),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
    ast.Add: (ast.Sub,),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.Add,),
    ast.FloorDiv: (ast.Mult,),
    ast.LShift: (ast.RShift,),
    ast.RShift: (ast.LShift,),
    ast.BitAnd: (ast.BitOr,),
    ast.BitOr: (ast.BitAnd,),
    ast.And: (ast.Or,),
    ast.Or: (ast.And,),
}
_DROPPED = (ast.Assign, ast.AugAssign, ast.Expr, ast.Raise, ast.Delete)


def changes_of(path: Path, root: Path) -> list[Change]:
    """Return all changes that can be made to a module."""
    source = path.read_text(encoding="utf-8")
    lines = [0]
    for line in source.encode().splitlines(keepends=True):
        lines.append(lines[-1] + len(line))
    found = []
    for node, what, new in _nodes(ast.parse(source)):
        place = (lines[node.lineno - 1] + node.col_offset, lines[node.end_lineno - 1] + node.end_col_offset)
        old = source.encode()[place[0] : place[1]].decode()
        found.append(Change(path.relative_to(root).as_posix(), node.lineno, what, place, old, new))
    return found


def changed(source: str, change: Change) -> str:
    """Return the text of a module with a change."""
    data = source.encode()
    start, end = change.place
    return (data[:start] + change.new.encode() + data[end:]).decode()


def _nodes(tree: ast.AST) -> Iterator[tuple[Any, str, str]]:
    """Yield what is replaced, how the change is called, and the text that comes there."""
    for node in _code(tree):
        if isinstance(node, (ast.If, ast.While, ast.IfExp)):
            yield from _conditions(node)
        if isinstance(node, _DROPPED) and not _is_text(node):
            yield node, "a statement less", "pass"
        if isinstance(node, ast.Return) and node.value is not None and not _is_none(node.value):
            yield node, "it returns nothing", "return None"
        for other in _others(node):
            yield node, "another operator or constant", f"({ast.unparse(other)})"


def _conditions(node: Any) -> Iterator[tuple[Any, str, str]]:
    test = ast.unparse(node.test)
    yield node.test, "a condition turned round", f"(not ({test}))"
    raises = isinstance(node, ast.If) and isinstance(node.body[0], ast.Raise)
    yield node.test, "a check less" if raises else "a branch less", "(False)"


def _others(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the expression with another operator, or another constant."""
    if isinstance(node, ast.Compare):
        for n, operator in enumerate(node.ops):
            for swap in _SWAPS.get(type(operator), ()):
                other = copy.deepcopy(node)
                other.ops[n] = swap()
                yield other
    elif isinstance(node, (ast.BoolOp, ast.BinOp)):
        for swap in _SWAPS.get(type(node.op), ()):
            other = copy.copy(node)
            other.op = swap()
            yield other
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield node.operand
    elif isinstance(node, ast.Constant):
        if isinstance(node.value, bool):
            yield ast.Constant(not node.value)
        elif isinstance(node.value, int):
            yield ast.Constant(node.value + 1)
            yield ast.Constant(node.value - 1)


def _code(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes that a machine runs, and no part of an f-string, whose places Python 3.11 does not know."""
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if not isinstance(child, ast.AST) or isinstance(child, (ast.JoinedStr, ast.Import, ast.ImportFrom)):
                continue
            if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
                continue
            yield child
            yield from _code(child)


def _is_text(node: ast.AST) -> bool:
    """Whether a statement is a docstring, or names what a module exports."""
    if isinstance(node, ast.Assign):
        return ast.unparse(node.targets[0]) in ("__all__", "__slots__")
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _is_none(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and node.value is None
