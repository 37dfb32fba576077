"""From an object to a pickle stream and out-of-band buffers, and back.

Strategy: the C pickler calls one `reducer_override`, which hands arrays to `ArrayReducer` and notes the module of every
class, for the record of library versions. Loading needs only `pickle.Unpickler` and the table of renamed modules.
"""

from __future__ import annotations

import copyreg
import platform
import sys
from functools import lru_cache, partial
from types import SimpleNamespace
from typing import Any, Callable, Container, Dict, Iterable, Mapping, Optional

from .arrays import IN_BAND_BELOW, ArrayReducer
from .culprit import name_culprit
from .out_of_band import OutOfBand
from .protocol import Reduced, pickle
from .renames import resolve

__all__ = ["Pickling", "check_pickler", "installed_versions", "unpickler"]


class Pickling:
    """One run of a pickler over one object.

    Args:
        write: takes the pieces of the stream as the pickler makes them; no piece changes afterwards.
        base: the pickler class to build on.
        in_band_below: arrays of fewer bytes stay in the stream.
    """

    def __init__(self, write: Callable[[Any], Any], base: Any = pickle.Pickler, in_band_below: int = IN_BAND_BELOW):
        self._found: list[Any] = []
        self._arrays = ArrayReducer(in_band_below)
        self._pickler: Any = _pickler_class(base)(
            SimpleNamespace(write=write), protocol=5, buffer_callback=self._found.append
        )
        table = getattr(self._pickler, "dispatch_table", None)  # of the class, or of this pickler alone
        self._table: Mapping[type, Any] = table if isinstance(table, Mapping) else copyreg.dispatch_table
        self._pickler.binpickle_reducers = _Reducers(self._arrays, self._table)

    def dump(self, obj: Any) -> None:
        """Pickle `obj`. Raises whatever its classes raise; the error says where in `obj` it comes from."""
        try:
            self._pickler.dump(obj)
        except Exception as error:
            name_culprit(error, obj, self._pickler.reducer_override, self._table)
            raise

    def out_of_band(self) -> OutOfBand:
        """Return the buffers that the stream refers to."""
        return self._arrays.out_of_band(self._found)

    def libraries(self) -> dict[str, str]:
        """Return the versions of Python and of the libraries whose classes the stream names, sorted by name."""
        modules = self._pickler.binpickle_reducers.modules | {__name__, "python"}
        return installed_versions(sorted({name.partition(".")[0] for name in modules}))


def installed_versions(libraries: Iterable[str]) -> dict[str, str]:
    """Return the versions of those libraries that are imported and have a version; `python` stands for Python."""
    found = {name: _own_version(sys.modules.get(name)) for name in libraries}
    if "python" in found:
        found["python"] = platform.python_version()
    return {name: version for name, version in found.items() if isinstance(version, str)}


def _own_version(module: Any) -> Any:
    """Return the version that a module holds. It is not asked for one: it may warn, raise, or import others."""
    try:
        return vars(module).get("__version__")
    except TypeError:
        return None


def check_pickler(base: Any) -> None:
    """Refuse a class that `Pickling` cannot build on.

    Raises:
        TypeError: `base` is not a pickler class.
        ValueError: `base` writes persistent ids, which only its own unpickler would understand.
    """
    known = (pickle.Pickler, pickle._Pickler)
    if not (isinstance(base, type) and issubclass(base, known)):
        raise TypeError(f"pickler must be a subclass of pickle.Pickler, not {base!r}")
    if any("persistent_id" in vars(cls) for cls in base.__mro__ if cls not in known):
        raise ValueError(f"pickler {base.__name__} has persistent ids, which load could not resolve")


def unpickler(stream: Any, buffers: Iterable[Any]) -> Any:
    """Return an unpickler of a stream (with `read`, `readline`, `readinto`) and its out-of-band buffers."""
    return _Unpickler(stream, buffers=buffers)


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        return super().find_class(*resolve(module, name))


class _Reducers(Dict[type, Optional[Callable[[Any], Reduced]]]):
    """The function that reduces the instances of each class of one run; `None` if pickle reduces them itself.

    Args:
        arrays: reduces arrays.
        table: the classes for which the pickler has functions of its own, which come first.

    Attributes:
        modules: the modules of the classes and functions that the stream names.
    """

    def __init__(self, arrays: ArrayReducer, table: Container[type]):
        super().__init__()
        self.modules: set[str] = set()
        self._arrays = arrays
        self._table = table

    def __missing__(self, cls: type) -> Any:
        _note_module(self.modules, cls)
        names_itself = issubclass(cls, type) or _has(cls, "__qualname__") and _has(cls, "__globals__")
        # Not a method of this object: that cycle would keep all arrays until the garbage collector comes.
        reduce = partial(_note_module, self.modules) if names_itself else self._arrays.reducer_for(cls)
        self[cls] = reduce = None if cls in self._table else reduce
        return reduce


def _note_module(modules: set[str], obj: Any) -> Any:
    """Note the module of a class or function that the stream names; leave the object to pickle."""
    try:
        module = obj.__module__
    except Exception:  # the code of a foreign class, which pickle may not run
        return NotImplemented
    if isinstance(module, str):
        modules.add(module)
    return NotImplemented


def _has(cls: type, name: str) -> bool:
    """Whether a class or one of its bases defines a name; no code of the class is run."""
    return any(name in vars(base) for base in cls.__mro__)


@lru_cache(maxsize=32)
def _pickler_class(base: Any) -> Any:
    """Return a subclass of a pickler class that reduces arrays as `binpickle_reducers` has it.

    What `base` reduces by a `reducer_override` of its own comes first. That of cloudpickle has only functions and
    classes, and comes last: it takes longer than most arrays.
    """
    own: Any = getattr(base, "reducer_override", None)
    first = own is not None and own.__module__.partition(".")[0] != "cloudpickle"

    class Pickler(base):  # type: ignore[misc]
        def reducer_override(self, obj: Any) -> Reduced:
            reduced = own(self, obj) if first else NotImplemented
            if reduced is NotImplemented:
                reduce = self.binpickle_reducers[type(obj)]
                reduced = NotImplemented if reduce is None else reduce(obj)
            if reduced is NotImplemented and own is not None and not first:
                return own(self, obj)
            return reduced

    return Pickler
