"""Makes the objects of a stream for the strict machine, each after checking what it is made of.

Rule: a stream calls only globals of the safe set, each by its rule, and globals that the caller named, by their own
code. A stream fills, or gives a state to, only objects that it made itself. No token (see `tokens`) gets into a
container: a token stands on the stack for a global, or for an object that still lacks its state.
"""

from __future__ import annotations

import sys
from collections import OrderedDict, defaultdict, deque
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any, Iterable, Iterator

import numpy as np

from ..errors import FormatError, LimitError, UntrustedError
from ..limits import Limits
from .instances import restore, string_keyed
from .nesting import ATOMS, CONTAINERS, Nesting
from .rules.array import array_over
from .rules.checks import expect
from .rules.safe import CALLS, INSTANCES, RECONSTRUCTOR, SAFE, VALUES
from .tokens import UNREAL, Args, Global, Pending
from .trusted import Trusted

__all__ = ["Values"]

_DICTS = frozenset({dict, OrderedDict, defaultdict})
_LISTS = frozenset({list, deque})
# What a trusted function may return, and no stream may change: what others use too, and what has no checks of its own.
_BUILT_IN = ATOMS | CONTAINERS
_KEPT_APART = (type, ModuleType, FunctionType, BuiltinFunctionType, MethodType, np.generic, np.dtype)
_SPECIAL = UNREAL | CONTAINERS


class Values:
    """What one run of the machine makes.

    Args:
        trusted: what the caller trusts.
        buffers: the out-of-band buffers, in the order in which the stream asks for them.
        limits: how deeply objects may be nested, and how large arrays may be that repeat their memory.
    """

    def __init__(self, trusted: Trusted, buffers: Iterable[Any], limits: Limits):
        self._trusted = trusted
        self._buffers: Iterator[Any] = iter(buffers)
        self._nesting = Nesting(limits.nesting)
        self._largest = limits.decoded_bytes
        self._made: dict[int, Any] = {}  # what types and functions that the caller named have made, by id

    def admit(self, found: Global) -> None:
        """Take a global that the stream looked up.

        Raises:
            UntrustedError: it is neither safe nor trusted.
        """
        if found.name not in SAFE:
            found.load = self._trusted.loader(found.name)
            if found.load is None:
                raise UntrustedError(f"{found} is not trusted")

    def tuple_of(self, items: list[Any]) -> Any:
        """Make a tuple."""
        if _SPECIAL.isdisjoint(map(type, items)):
            return tuple(items)
        made = tuple(items) if UNREAL.isdisjoint(map(type, items)) else Args(items)
        self._nesting.note(made, items)
        return made

    def frozenset_of(self, items: list[Any]) -> Any:
        """Make a frozenset."""
        elements = self._elements(items)
        made = frozenset(elements)
        self._nesting.note(made, elements)
        return made

    def extend(self, target: Any, items: list[Any]) -> None:
        """Append to a list or deque, or to a list of a class that the caller named."""
        items = self._real_items(target, items)
        if type(target) in _LISTS:
            target.extend(items)
            return
        target = self._own(target)
        if hasattr(target, "extend"):
            target.extend(items)
            return
        for item in items:
            target.append(item)

    def set_items(self, target: Any, items: list[Any]) -> None:
        """Set items of a dict, or of a dict of a class that the caller named.

        Args:
            target: the dict.
            items: keys and values by turns.
        """
        items = self._real_items(target, items)
        keys, values = items[::2], items[1::2]
        self._check_keys(keys)
        if type(target) in _DICTS:
            target.update(zip(keys, values))
            return
        target = self._own(target)
        for key, value in zip(keys, values):
            target[key] = value

    def add_items(self, target: Any, items: list[Any]) -> None:
        """Add to a set, or to a set of a class that the caller named."""
        elements = self._elements(items)
        if type(target) is set:
            target.update(elements)
            return
        add = self._own(target).add
        for element in elements:
            add(element)

    def call(self, function: Any, arguments: Any) -> Any:
        """Call what the stream names, with a tuple of arguments."""
        _check_call(function, arguments)
        if function.load is not None:
            return self._make(self._load(function), self.result(arguments))
        if function.name == RECONSTRUCTOR:
            return self._reconstruct(*arguments)
        made = _rule(CALLS, function)(*arguments)
        if isinstance(made, np.ndarray) and made.nbytes > self._largest:  # by strides of 0
            raise LimitError(f"pickle stream: an array has more than {self._largest} bytes", "decoded_bytes")
        return made

    def new(self, cls: Any, arguments: Any, keywords: Any) -> Any:
        """Instantiate the class that the stream names, without initializing it."""
        _check_call(cls, arguments)
        if cls.load is None:
            if keywords:
                raise FormatError(f"{cls} is instantiated with keywords")
            return _rule(INSTANCES, cls)(*arguments)
        made = self._load(cls)
        if not isinstance(made, type):
            raise FormatError(f"{cls} is instantiated and is not a class")
        if _plain_array(made):
            return self._make(made, self.result(arguments))
        return self._keep(
            made.__new__(made, *self.result(arguments), **string_keyed(keywords, "the arguments of a class"))
        )

    def build(self, target: Any, state: Any) -> Any:
        """Give an object that this stream made its state, and return it."""
        state = self.result(state)
        if type(target) is Pending:
            return self._note(target.build(state), state)
        restore(self._own(target), state)
        return target

    def next_buffer(self) -> Any:
        """Take the next out-of-band buffer."""
        for buffer in self._buffers:
            return buffer
        raise FormatError("pickle stream: it asks for more buffers than the file has")

    def read_only(self, buffer: Any) -> Any:
        """Return a buffer that cannot be written to."""
        if type(buffer) not in (bytes, bytearray, memoryview, np.ndarray):
            raise FormatError(f"a {type(buffer).__name__} stands where a buffer should")
        view = memoryview(buffer)
        if view.readonly:
            return buffer
        if sys.version_info >= (3, 8):
            return view.toreadonly()
        array = np.frombuffer(buffer, np.uint8)
        array.flags.writeable = False
        return memoryview(array)

    def result(self, value: Any) -> Any:
        """Return what an item of the stack stands for: itself, mostly.

        Raises:
            FormatError: it is a global that may only be called, or an object that is not finished.
        """
        kind = type(value)
        if kind not in UNREAL:
            return value
        if kind is Pending:
            return value.value
        if kind is Global:
            return self._load(value) if value.load is not None else _rule(VALUES, value)
        if value.real is None:
            value.real = tuple(map(self.result, value))
            self._nesting.note(value.real, value.real)
        return value.real

    def _real_items(self, target: Any, items: list[Any]) -> list[Any]:
        """Return what goes into a container, every item of it real."""
        if _SPECIAL.isdisjoint(map(type, items)):
            return items
        if not UNREAL.isdisjoint(map(type, items)):
            items = list(map(self.result, items))
        self._nesting.note(target, items)
        return items

    def _elements(self, items: list[Any]) -> list[Any]:
        """Return what goes into a set."""
        items = list(map(self.result, items))
        self._check_keys(items)
        return items

    def _check_keys(self, keys: list[Any]) -> None:
        """Refuse keys that cannot be hashed in reasonable time."""
        for key in keys:
            if type(key) is tuple:
                self._nesting.check_key(key)

    def _load(self, found: Global) -> Any:
        """Import a global that the caller named."""
        try:
            return found.load()  # type: ignore[misc]
        except Exception as error:
            raise FormatError(f"{found} is trusted and cannot be imported: {error}") from error

    def _make(self, function: Any, arguments: tuple[Any, ...]) -> Any:
        """Call what the caller named."""
        if not callable(function):
            raise FormatError(f"{function!r} is called and is not callable")
        if isinstance(function, type) and _plain_array(function):
            return self._keep(array_over(*arguments).view(function))
        return self._keep(function(*arguments))

    def _reconstruct(self, cls: Any, base: Any, state: Any) -> Any:
        """Do what `copyreg._reconstructor` does, for a class that the caller named."""
        if type(cls) is not Global or type(base) is not Global or cls.load is None or base.name[0] != "builtins":
            raise FormatError("copyreg._reconstructor makes only instances of classes that are trusted by name")
        made, root = self._load(cls), _rule(VALUES, base)
        if root is object:
            return self._keep(object.__new__(made))
        instance = root.__new__(made, expect(state, f"the state of {cls}", root))
        root.__init__(instance, state)
        return self._keep(instance)

    def _keep(self, made: Any) -> Any:
        """Remember an object as one that this stream may fill and give a state."""
        if type(made) not in _BUILT_IN and not isinstance(made, _KEPT_APART):
            self._made[id(made)] = made
        return made

    def _own(self, target: Any) -> Any:
        """Return `target`, if what the caller named has made it for this stream."""
        if self._made.get(id(target), self) is not target:
            raise FormatError(f"a {type(target).__name__} is filled or given a state that this stream did not make")
        return target

    def _note(self, made: Any, state: Any) -> Any:
        """Note how deeply an array of objects is nested."""
        if type(made) in CONTAINERS and made.dtype.hasobject:
            self._nesting.note(made, state[4])
        return made


def _check_call(function: Any, arguments: Any) -> None:
    if type(function) is not Global:
        raise FormatError(f"a {type(function).__name__} is called, not a global")
    if not isinstance(arguments, tuple):
        raise FormatError(f"{function} is called without a tuple of arguments")


def _rule(rules: dict[Any, Any], found: Global) -> Any:
    """Return what a table has for a global."""
    try:
        return rules[found.name]
    except KeyError:
        raise FormatError(f"{found} is used in a way that it has not to be") from None


def _plain_array(cls: type) -> bool:
    """Whether a class is an array that NumPy's own constructor makes, which believes what it is told of objects."""
    return issubclass(cls, np.ndarray) and cls.__new__ in (np.ndarray.__new__, np.recarray.__new__)
