"""The opcodes that need a partner: those that look up a global, and those that make, fill or finish an object.

Rule: whatever goes wrong in the partner's work, the machine goes on with stand-ins, so that the error can name every
global of the stream. See `machine` for the whole.
"""

from __future__ import annotations

import re
from typing import Any, Callable

from ..errors import BinPickleError, FormatError
from ..limits import Limits
from ..pickling.renames import canonical
from .inert import Inert
from .literals import SET, Literals
from .nesting import ATOMS
from .tokens import STAND_IN, Global, GlobalUse, Pending

__all__ = ["Objects"]

# So many more opcodes does what a partner does count, for the time that it takes.
_PARTNER = 3

# Longer than any name that can be imported, and short enough to be compared and shown.
_MAX_NAME = 1 << 12

# So many more opcodes does a name count that the stream has not used before: it is kept for the report.
_NAME = 64

# `numpy.ndarray(shape, dtype, buffer)` as BinPickle pickles nearly every array, from the opcode that gets the function
# to the one that calls it. Streams of many arrays are mostly made of this, and to match it takes a fraction of the time
# of its 9 to 11 opcodes.
_ARRAY = re.compile(
    rb"h.(?P<shape>(?:(?:K.|M..|J....)\x85|(?:K.|M..|J....){2}\x86|(?:K.|M..|J....){3}\x87))\x94"
    rb"(?:h(?P<near>.)|j(?P<far>....))\x97\x87\x94R",
    re.DOTALL,
).match
_ARRAY_OPCODES = 7  # without the lengths
_MOST_SHAPES = 1 << 10
_WIDTHS = {0x4B: 1, 0x4D: 2, 0x4A: 4}


class Objects(Literals):
    """Stack, memo, globals, and the handlers of the opcodes that a partner has a part in.

    Args:
        nbuffers: number of out-of-band buffers that belong to the stream.
        limits: what the stream may ask for.
        values: the partner that makes the objects, `Values` or `Inert`.

    Attributes:
        failure: the error after which the machine went on with stand-ins, or `None`.
    """

    def __init__(self, nbuffers: int, limits: Limits, values: Any):
        super().__init__(limits)
        self._buffers_left = nbuffers
        self._values = values
        self._globals: dict[tuple[str, str], tuple[Global, int]] = {}
        self._shapes: dict[bytes, tuple[int, ...]] = {}
        self._base = 0  # where in the stream the window begins
        self.failure: Exception | None = None

    def globals(self) -> list[GlobalUse]:
        """Return the globals that the stream looked up, in the order of their first lookup."""
        return [
            GlobalUse(module, qualname, offset, tuple(sorted(found.uses)))
            for (module, qualname), (found, offset) in self._globals.items()
        ]

    def _attempt(self, operation: Callable[..., Any], *arguments: Any) -> Any:
        """Let the partner do something; if it fails, go on with stand-ins."""
        self._opcodes += _PARTNER
        try:
            return operation(*arguments)
        except Exception as error:  # whatever the types that the caller named raise
            return self._fail(error)

    def _fail(self, error: Exception) -> Any:
        """Go on with stand-ins."""
        self.failure = error
        self._values = Inert()
        return STAND_IN

    def _stack_global(self, data: bytes, pos: int) -> int:
        qualname, module = self._stack.pop(), self._stack.pop()
        if type(module) is not str or type(qualname) is not str or not module or not qualname:
            raise FormatError(f"pickle stream: a global at {self._base + pos - 1} has no name")
        if len(module) + len(qualname) > _MAX_NAME:
            raise FormatError(f"pickle stream: a global at {self._base + pos - 1} has a name that is too long")
        found = self._globals.get((module, qualname))
        if found is None:
            self._opcodes += _NAME
            found = self._globals[module, qualname] = Global(canonical(module, qualname)), self._base + pos - 1
            self._attempt(self._values.admit, found[0])
        self._stack.append(found[0])
        return pos

    def _reduce(self, data: bytes, pos: int) -> int:
        arguments, function = self._stack.pop(), self._stack.pop()
        self._push_call(self._attempt(self._values.call, function, arguments))
        return pos

    def _newobj(self, data: bytes, pos: int) -> int:
        arguments, cls = self._stack.pop(), self._stack.pop()
        self._push_call(self._attempt(self._values.new, cls, arguments, {}))
        return pos

    def _newobj_ex(self, data: bytes, pos: int) -> int:
        keywords, arguments, cls = self._stack.pop(), self._stack.pop(), self._stack.pop()
        self._push_call(self._attempt(self._values.new, cls, arguments, keywords))
        return pos

    def _array_call(self, function: Global, data: bytes, pos: int) -> int:
        """Do what the opcodes at a position do if they call a function as arrays are made; return the position after.

        Returns:
            The position after the call; 0 if something else stands there, or something is wrong: nothing was done then.
        """
        match = _ARRAY(data, pos)
        if match is None or not self._buffers_left:
            return 0
        lengths, near, far = match.groups()
        index = near[0] if near is not None else int.from_bytes(far, "little")
        memo = self._memo
        if index >= len(memo):
            return 0
        shape = self._shapes.get(lengths)
        if shape is None:
            shape = self._shape(lengths)
        memo.append(shape)
        buffer = self._take_buffer()  # first, for the partner is another one if this fails
        arguments = self._attempt(self._values.tuple_of, [shape, memo[index], buffer])
        memo.append(arguments)
        self._push_call(self._attempt(self._values.call, function, arguments))
        self._opcodes += _ARRAY_OPCODES + len(shape)
        return match.end()

    def _shape(self, lengths: bytes) -> tuple[int, ...]:
        """Return the numbers that some opcodes push, and keep them for the next array of the shape."""
        shape, pos = [], 0
        while pos < len(lengths) - 1:
            end = pos + 1 + _WIDTHS[lengths[pos]]
            shape.append(int.from_bytes(lengths[pos + 1 : end], "little", signed=end - pos > 4))
            pos = end
        if len(self._shapes) == _MOST_SHAPES:
            self._shapes.clear()
        self._shapes[lengths] = made = tuple(shape)
        return made

    def _push_call(self, made: Any) -> None:
        if type(made) is Pending:
            made.memo_index = len(self._memo)
        self._stack.append(made)

    def _build(self, data: bytes, pos: int) -> int:
        state, target = self._stack.pop(), self._stack.pop()
        built = self._attempt(self._values.build, target, state)
        if type(target) is Pending:
            self._remember(target, built)
        self._stack.append(built)
        return pos

    def _remember(self, pending: Pending, built: Any) -> None:
        """Put a finished object in the memo, in place of what it was made from."""
        index = pending.memo_index
        if index < len(self._memo) and self._memo[index] is pending:
            self._memo[index] = built

    def _tuple(self, data: bytes, pos: int) -> int:
        self._push_tuple(self._since_mark())
        return pos

    def _tuple1(self, data: bytes, pos: int) -> int:
        self._push_tuple([self._stack.pop()])
        return pos

    def _tuple2(self, data: bytes, pos: int) -> int:
        second = self._stack.pop()
        self._push_tuple([self._stack.pop(), second])
        return pos

    def _tuple3(self, data: bytes, pos: int) -> int:
        third, second = self._stack.pop(), self._stack.pop()
        self._push_tuple([self._stack.pop(), second, third])
        return pos

    def _push_tuple(self, items: list[Any]) -> None:
        if ATOMS.issuperset(map(type, items)):  # it is what it is, whoever the partner
            self._stack.append(tuple(items))
            return
        self._stack.append(self._attempt(self._values.tuple_of, items))

    def _frozenset(self, data: bytes, pos: int) -> int:
        items = self._since_mark()
        self._opcodes += SET
        self._stack.append(self._attempt(self._values.frozenset_of, items))
        return pos

    def _append(self, data: bytes, pos: int) -> int:
        item = self._stack.pop()
        self._attempt(self._values.extend, self._stack[-1], [item])
        return pos

    def _appends(self, data: bytes, pos: int) -> int:
        items = self._since_mark()
        self._attempt(self._values.extend, self._stack[-1], items)
        return pos

    def _setitem(self, data: bytes, pos: int) -> int:
        value, key = self._stack.pop(), self._stack.pop()
        self._attempt(self._values.set_items, self._stack[-1], [key, value])
        return pos

    def _setitems(self, data: bytes, pos: int) -> int:
        items = self._since_mark()
        if len(items) % 2:
            raise FormatError(f"pickle stream: a key without a value at {self._base + pos - 1}")
        self._attempt(self._values.set_items, self._stack[-1], items)
        return pos

    def _additems(self, data: bytes, pos: int) -> int:
        items = self._since_mark()
        self._attempt(self._values.add_items, self._stack[-1], items)
        return pos

    def _next_buffer(self, data: bytes, pos: int) -> int:
        if not self._buffers_left:
            raise FormatError(f"pickle stream: it asks at {self._base + pos - 1} for a buffer that the file has not")
        self._stack.append(self._take_buffer())
        return pos

    def _take_buffer(self) -> Any:
        self._buffers_left -= 1
        try:
            return self._values.next_buffer()
        except BinPickleError as error:  # a damaged buffer, which must not hide what the stream goes on to name
            return self._fail(error)

    def _readonly_buffer(self, data: bytes, pos: int) -> int:
        buffer = self._stack.pop()
        self._stack.append(self._attempt(self._values.read_only, buffer))
        return pos
