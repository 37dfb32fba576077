"""Makes the objects of a stream for the strict machine, each after checking what it is made of.

Rule: a stream calls globals of the safe set, each by its rule; names of the curated sets, by what their guards allow;
and other globals that the caller named, by their own code. No token (see `tokens`) gets into a container: a token
stands on the stack for a global, or for an object that still lacks its state.
"""

from __future__ import annotations

import sys
from collections import OrderedDict
from typing import Any, Iterable, Iterator

import numpy as np

from ..errors import FormatError, LimitError, UntrustedError
from ..limits import Limits
from .budget import Budget
from .containers import Containers
from .guards import ARGUMENTS
from .instances import Instances, string_keyed
from .memory import Addresses, refuse_memory
from .nesting import Nesting
from .rules.array import array_over
from .rules.checks import expect
from .rules.safe import CALLS, INSTANCES, RECONSTRUCTOR, SAFE, VALUES
from .tokens import UNREAL, Args, Global, Pending
from .trusted import Trusted

__all__ = ["Values"]

# What it costs at least to call something, or to give it its state, in units of work.
_CALL = 8
_STATE = 6


class Values:
    """What one run of the machine makes.

    Args:
        trusted: what the caller trusts.
        buffers: the out-of-band buffers, in the order in which the stream asks for them.
        limits: how deeply objects may be nested, how large arrays may be that repeat their memory, and how much work
            making all of it may be.
    """

    def __init__(self, trusted: Trusted, buffers: Iterable[Any], limits: Limits):
        self._trusted = trusted
        self._buffers: Iterator[Any] = iter(buffers)
        self._budget = Budget(limits.work)
        self._nesting = Nesting(limits.nesting)
        self._largest = limits.decoded_bytes
        self._instances = Instances(self._budget)
        addresses = Addresses() if trusted else None  # built-in types have no attributes
        self._containers = Containers(self._budget, self._nesting, self._instances, addresses)

    def admit(self, found: Global) -> None:
        """Take a global that the stream looked up.

        Raises:
            UntrustedError: it is neither safe nor trusted.
        """
        if found.name not in SAFE:
            found.load = self._trusted.loader(found.name)
            found.allowed = self._trusted.uses(found.name)
            if found.load is None:
                raise UntrustedError(f"{found} is not trusted")

    def tuple_of(self, items: list[Any]) -> Any:
        """Make a tuple."""
        made = tuple(items) if UNREAL.isdisjoint(map(type, items)) else Args(items)
        self._nesting.note(made, items)
        return made

    def frozenset_of(self, items: list[Any]) -> Any:
        """Make a frozenset."""
        return self._containers.frozenset_of(self._real(items))

    def extend(self, target: Any, items: list[Any]) -> None:
        """Append to a list or deque."""
        self._containers.extend(target, self._real(items))

    def set_items(self, target: Any, items: list[Any]) -> None:
        """Set items of a dict, from keys and values by turns."""
        self._containers.set_items(target, self._real(items))

    def add_items(self, target: Any, items: list[Any]) -> None:
        """Add to a set."""
        self._containers.add_items(target, self._real(items))

    def call(self, function: Any, arguments: Any) -> Any:
        """Call what the stream names, with a tuple of arguments."""
        _check_use(function, "called")
        _check_arguments(function, arguments)
        self._budget.pay(_CALL + len(arguments))
        if function.load is None:
            return self._by_rule(function, arguments)
        if function.allowed is not None:
            arguments = self._check_by_guard(function, arguments)
        try:
            made = self._make(self._load(function), self.result(arguments))
        except ImportError as error:  # what rebuilds tensors of torch is a function of BinPickle
            raise FormatError(f"{function} is trusted and cannot be used: {error}") from error
        self._nesting.note_wrapped(made, arguments)
        return made

    def new(self, cls: Any, arguments: Any, keywords: Any) -> Any:
        """Instantiate the class that the stream names, without initializing it."""
        _check_use(cls, "instantiated")
        _check_arguments(cls, arguments)
        self._budget.pay(_STATE + len(arguments) + len(keywords))
        if cls.load is None:
            if keywords:
                raise FormatError(f"{cls} is instantiated with keywords")
            return _rule(INSTANCES, cls)(*arguments)
        if cls.allowed is not None and (arguments or keywords):
            if keywords or cls.name not in ARGUMENTS:
                raise FormatError(f"{cls} is instantiated with arguments")
            arguments = self._check_by_guard(cls, arguments)
        made = self._new(self._load(cls), self.result(arguments), string_keyed(keywords, "the arguments of a class"))
        if arguments or keywords:
            self._nesting.note_wrapped(made, [*arguments, *keywords.values()])
        return made

    def build(self, target: Any, state: Any) -> Any:
        """Give an object that this stream made its state, and return it."""
        self._budget.pay(_STATE)
        state = self.result(state)
        if type(target) is Pending:
            made = target.build(state)
            self._nesting.note_wrapped(made, state if type(state) is tuple else (state,))
            return made
        self._nesting.note_wrapped(target, (state,))
        self._instances.restore(target, state)
        return target

    def next_buffer(self) -> Any:
        """Take the next out-of-band buffer."""
        for buffer in self._buffers:
            return buffer
        raise FormatError("pickle stream: it asks for more buffers than the file has")

    def read_only(self, buffer: Any) -> Any:
        """Return a buffer that cannot be written to."""
        self._budget.pay(_STATE)
        if type(buffer) not in (bytes, bytearray, memoryview, np.ndarray) or not _is_of_bytes(buffer):
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

    def finish(self, value: Any) -> Any:
        """Return the object of the stream, which has ended.

        Raises:
            FormatError: it is none, or an object in it has no state, or one that it cannot have.
        """
        loaded = self.result(value)
        self._instances.finish()
        self._containers.finish()
        return loaded

    def _real(self, items: list[Any]) -> list[Any]:
        """Return what goes into a container, every item of it real."""
        return items if UNREAL.isdisjoint(map(type, items)) else list(map(self.result, items))

    def _by_rule(self, function: Global, arguments: tuple[Any, ...]) -> Any:
        """Call a function of the safe set."""
        if function.name == RECONSTRUCTOR:
            return self._reconstruct(*arguments)
        made = _rule(CALLS, function)(self._budget, *arguments)
        if isinstance(made, np.ndarray) and made.nbytes > self._largest:  # by strides of 0
            raise LimitError(f"pickle stream: an array has more than {self._largest} bytes", "decoded_bytes")
        if type(made) is OrderedDict:  # it may get a state
            self._instances.keep(made)
        self._nesting.note_wrapped(made, arguments)
        return made

    def _check_by_guard(self, function: Global, arguments: tuple[Any, ...]) -> Any:
        """Return the arguments to call or instantiate a name of a curated set with, checked: these or others."""
        self._budget.pay_arrays(arguments)
        instead = ARGUMENTS[function.name](self._budget, *arguments)
        return arguments if instead is None else self.tuple_of(list(instead))

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
            return self._instances.make(_view, (function, self._budget, *arguments))
        return self._instances.make(function, arguments)

    def _new(self, cls: Any, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
        """Instantiate a class that the caller named."""
        if not isinstance(cls, type):
            raise FormatError(f"{cls!r} is instantiated and is not a class")
        if _plain_array(cls):
            return self._make(cls, arguments)
        return self._instances.make(cls.__new__, (cls, *arguments), keywords)

    def _reconstruct(self, cls: Any, base: Any, state: Any) -> Any:
        """Do what `copyreg._reconstructor` does, for a class that the caller named."""
        if type(cls) is not Global or type(base) is not Global or cls.load is None or base.name[0] != "builtins":
            raise FormatError("copyreg._reconstructor makes only instances of classes that are trusted by name")
        if cls.allowed is not None and "instantiated" not in cls.allowed:
            raise FormatError(f"{cls} must not be instantiated")
        made, root = self._load(cls), _rule(VALUES, base)
        if root is object:
            return self._instances.make(object.__new__, (made,))
        self._budget.pay_bytes(sys.getsizeof(state))
        if root is dict:
            refuse_memory(state)
        instance = self._instances.make(root.__new__, (made, expect(state, f"the state of {cls}", root)))
        root.__init__(instance, state)
        self._nesting.note_wrapped(instance, (state,))
        return instance


def _is_of_bytes(buffer: Any) -> bool:
    """Whether a buffer has bytes: an array of objects is one of pointers."""
    return type(buffer) is not np.ndarray or (buffer.dtype.char == "B" and buffer.ndim == 1)


def _check_use(function: Any, use: str) -> None:
    """Refuse to use what is no global, and what a curated set has for other uses."""
    if type(function) is not Global:
        raise FormatError(f"a {type(function).__name__} is called, not a global")
    if function.allowed is not None:
        function.uses.add(use)
        if use not in function.allowed:
            raise UntrustedError(f"{function} must not be {use}")


def _check_arguments(function: Global, arguments: Any) -> None:
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


def _view(cls: type, budget: Budget, *arguments: Any) -> Any:
    return array_over(budget, *arguments).view(cls)
