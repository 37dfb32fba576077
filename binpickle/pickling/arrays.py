"""How arrays go out of band, including arrays that NumPy's own pickling leaves in the stream.

Rule: the stream names public constructors that every NumPy and every Python has (`numpy.ndarray`, `numpy.recarray`,
`numpy.matrix`, `numpy.ma.MaskedArray`, `zoneinfo.ZoneInfo`), so that it loads without BinPickle. Only arrays of other
classes and the storages of torch (see `storages`), which these cannot make, need `binpickle.rebuild`. No reducer may
return a bound method: pickle writes it as a call of `getattr`, which scanners and restricted loading refuse.
"""

from __future__ import annotations

from array import array as typed_array
from typing import Any, Callable, Sequence, Tuple, Union

import numpy as np

from .. import rebuild
from ..format.contents import Kind
from ..format.shapes import element_count
from .arrow import ArrowBuffers
from .out_of_band import OutOfBand, find_shared
from .protocol import PickleBuffer, Reduced, module_of
from .states import BytesOfBuffer, inherits_pickling, replace_state
from .storages import Storages
from .strided import Strided, fetch, opaque, pickle_buffer

__all__ = ["ArrayReducer", "IN_BAND_BELOW"]

# A few hundred bytes in the stream cost less than a row of the index (limits of 256 to 1024 bytes measured the same).
IN_BAND_BELOW = 512

Order = Union[str, Tuple[int, ...]]
"""See `Kind.order`: `"C"`, `"F"`, or the axes, slowest first."""

# `PickleBuffer` takes arrays of these kinds as they are. Dates are not among them: NumPy exports no buffer of dates. A
# structure ("V") may hold dates; then `PickleBuffer` raises ValueError.
_PLAIN_KINDS = frozenset("biufcSUV")

# What NumPy calls the numbers of the module `array` by the same letters.
_TYPECODES = frozenset("bBhHiIlLqQfd")


class ArrayReducer:
    """Reduces the arrays of one run of a pickler, and notes the kind of each buffer.

    Args:
        in_band_below: arrays of fewer bytes stay in the stream, as `bytes` or `bytearray`.
    """

    def __init__(self, in_band_below: int = IN_BAND_BELOW):
        self._in_band_below = in_band_below
        self._buffers: list[Any] = []
        self._kind_ids: list[int] = []
        self._kinds: dict[tuple[np.dtype, tuple[int, ...], Order], int] = {}
        self._views = False  # whether an array was a view, so that buffers may share memory
        self._stand_ins: dict[int, Strided] = {}
        self._storages = Storages()
        self._arrow = ArrowBuffers()

    def reducer_for(self, cls: type) -> Callable[[Any], Reduced] | None:
        """Return the function that reduces the instances of exactly `cls`; `None` if pickle reduces them itself."""
        if cls is np.ndarray:
            return self._ndarray
        if issubclass(cls, np.dtype):
            return _aligned_dtype
        if cls is typed_array:
            return self._typed_array
        if module_of(cls) == "zoneinfo" and cls.__name__ == "ZoneInfo":
            return _zone_info
        reducers: dict[type, Callable[[Any], Reduced]] = {
            np.memmap: self._memmap,
            np.matrix: self._matrix,
            np.recarray: self._recarray,
            np.ma.MaskedArray: self._masked,
        }
        if issubclass(cls, np.ndarray):
            return reducers.get(cls) or (self._plain_subclass if inherits_pickling(cls) else self._subclass)
        if cls.__name__ == "ArrayImpl" and module_of(cls).partition(".")[0] == "jaxlib":
            return self._jax
        return self._storages.reducer_for(cls) or self._arrow.reducer_for(cls)

    def out_of_band(self, found: Sequence[Any]) -> OutOfBand:
        """Describe the buffers that the pickler found, including buffers that other classes made.

        Args:
            found: `PickleBuffer`s in the order of the stream.
        """
        kinds = [_kind(key) for key in self._kinds]
        ids, buffers = self._kind_ids, list(found)
        foreign = len(buffers) != len(self._buffers) or any(a is not b for a, b in zip(buffers, self._buffers))
        if foreign:
            known = {id(buffer): kind_id for buffer, kind_id in zip(self._buffers, ids)}
            others = {id(b): self._kind_of_other(b) for b in buffers if id(b) not in known}
            new = {kind: len(kinds) + i for i, kind in enumerate(dict.fromkeys(others.values()))}
            ids = [known[id(b)] if id(b) in known else new[others[id(b)]] for b in buffers]
            kinds += new
            buffers = [b if memoryview(b).c_contiguous else PickleBuffer(b.raw()) for b in buffers]
        within = find_shared(buffers, [kinds[i].nbytes for i in ids]) if self._views or foreign else {}
        if not self._stand_ins:
            return OutOfBand(buffers, kinds, ids, within)
        buffers = [self._stand_ins.get(id(buffer), buffer) for buffer in buffers]
        return OutOfBand(buffers, kinds, ids, within, fetch)

    def _ndarray(self, array: np.ndarray) -> Reduced:
        # The hot path: 25,000 arrays take about 30 ms here.
        dtype = array.dtype
        nbytes = array.nbytes
        if nbytes >= self._in_band_below and dtype.kind in _PLAIN_KINDS and array.flags.c_contiguous:
            try:
                buffer = PickleBuffer(array)
            except ValueError:  # a structure that holds dates
                return array.__reduce_ex__(5) if dtype.hasobject else (np.ndarray, self._arguments(array))
            key = dtype, array.shape, "C"
            kind_id = self._kinds.get(key)
            if kind_id is None:
                if dtype.hasobject:
                    return array.__reduce_ex__(5)
                kind_id = self._kinds[key] = len(self._kinds)
            self._buffers.append(buffer)
            self._kind_ids.append(kind_id)
            if array.base is not None:
                self._views = True
            return np.ndarray, (array.shape, dtype, buffer)
        if dtype.hasobject:
            return array.__reduce_ex__(5)
        return np.ndarray, self._arguments(array)

    def _arguments(self, array: np.ndarray, strided: bool = False) -> tuple[Any, ...]:
        """Return the arguments with which `numpy.ndarray` rebuilds an array of any layout.

        Args:
            array: the array.
            strided: give strides instead of an order, which `numpy.recarray` does not take at the same place.
        """
        if array.nbytes == 0:
            return array.shape, array.dtype
        stored = array[tuple(slice(0, 1) if step == 0 else slice(None) for step in array.strides) + (...,)]
        axes = sorted(range(array.ndim), key=lambda axis: -abs(stored.strides[axis]))
        flat = stored.transpose(axes)
        data = self._data(flat, stored.shape, axes)
        steps = dict(zip(axes, _contiguous_strides(flat.shape, array.itemsize, range(array.ndim))))
        repeated = [step == 0 and n > 1 for step, n in zip(array.strides, array.shape)]
        strides = tuple(0 if again else steps[axis] for axis, again in enumerate(repeated))
        if strides == _contiguous_strides(array.shape, array.itemsize, range(array.ndim)):
            return array.shape, array.dtype, data
        if not strided and strides == _contiguous_strides(array.shape, array.itemsize, range(array.ndim)[::-1]):
            return array.shape, array.dtype, data, 0, None, "F"
        return array.shape, array.dtype, data, 0, strides

    def _data(self, flat: np.ndarray, shape: tuple[int, ...], axes: Sequence[int]) -> Any:
        """Return what the stream holds for the memory of an array: a buffer, or its bytes if it is small.

        Args:
            flat: the array as its memory runs, perhaps with gaps.
            shape: its shape before its axes were put in order.
            axes: its axes, slowest first.
        """
        if flat.nbytes < self._in_band_below:
            data = opaque(flat).tobytes()
            return bytearray(data) if flat.flags.writeable else data
        if flat.flags.c_contiguous:
            buffer = pickle_buffer(flat)
            self._views = self._views or flat.base is not None
        else:
            buffer = self._strided(flat)
        self._buffers.append(buffer)
        self._kind_ids.append(self._kinds.setdefault((flat.dtype, shape, _order(axes)), len(self._kinds)))
        return buffer

    def _strided(self, flat: np.ndarray) -> Any:
        """Return a buffer that the pickler finds in place of an array with gaps; it tells only who may write."""
        stand_in = np.empty(1, np.uint8)
        stand_in.flags.writeable = flat.flags.writeable
        buffer = PickleBuffer(stand_in)
        self._stand_ins[id(buffer)] = Strided(flat)
        return buffer

    def _kind_of_other(self, buffer: Any) -> Kind:
        """Return the kind of a buffer that another class made."""
        data = np.frombuffer(buffer.raw(), np.uint8)
        form = memoryview(buffer).format or "B"
        dtype = self._arrow.dtype_of(data.__array_interface__["data"][0], data.nbytes)
        if dtype is None:  # whoever takes the buffer expects a memoryview of bytes
            return Kind(data.nbytes, items=np.dtype(form) if form in _TYPECODES else None)
        return Kind(data.nbytes, dtype, (data.nbytes // dtype.itemsize,))

    def _plain_subclass(self, array: np.ndarray) -> Reduced:
        """Reduce an array of a class that leaves its pickling to NumPy, which would copy it."""
        plain = np.ndarray.view(array, np.ndarray)  # the class may have attributes of its own by the names of NumPy's
        if plain.dtype.hasobject or plain.nbytes < max(self._in_band_below, 1):
            return NotImplemented
        return rebuild.array_of_class, (type(array), *self._arguments(plain))

    def _subclass(self, array: np.ndarray) -> Reduced:
        """Reduce an array of a class that has pickling of its own."""
        reduced = array.__reduce_ex__(5)
        return self._without_bytes(reduced, np.ndarray.view(array, np.ndarray))

    def _jax(self, array: Any) -> Reduced:
        """Reduce an array of jax, whose memory on the host NumPy shares."""
        reduced = array.__reduce_ex__(5)
        return self._without_bytes(reduced, np.asarray(array))

    def _without_bytes(self, reduced: Reduced, array: np.ndarray) -> Reduced:
        """Return what an object reduces to, with the bytes of its array out of band."""
        if array.dtype.hasobject or array.nbytes < max(self._in_band_below, 1):
            return reduced
        return replace_state(reduced, array, self._bytes_of)

    def _bytes_of(self, array: np.ndarray, fortran: bool) -> Any:
        axes = range(array.ndim)[:: -1 if fortran else 1]
        return BytesOfBuffer(self._data(array.transpose(axes), array.shape, axes))

    def _typed_array(self, items: typed_array[Any]) -> Reduced:
        """Reduce an array of Python's module `array`."""
        nbytes = len(items) * items.itemsize
        if nbytes < max(self._in_band_below, 1):
            return NotImplemented
        empty: Any = typed_array(items.typecode).__reduce_ex__(5)
        function, (cls, code, layout, _), state = empty
        dtype = np.dtype(code) if code in _TYPECODES else np.dtype(f"u{items.itemsize}")
        data = np.frombuffer(memoryview(items).cast("B"), dtype)
        return function, (cls, code, layout, self._bytes_of(data, False)), state

    def _memmap(self, array: np.memmap) -> Reduced:
        return self._ndarray(np.asarray(array))

    def _matrix(self, array: np.matrix) -> Reduced:
        if array.dtype.hasobject:
            return NotImplemented
        return np.matrix, (np.asarray(array), None, False)

    def _recarray(self, array: np.recarray) -> Reduced:
        if array.dtype.hasobject or array.dtype.type is not np.record:
            return NotImplemented
        return np.recarray, self._arguments(np.asarray(array), strided=True)

    def _masked(self, array: np.ma.MaskedArray) -> Reduced:
        data, mask = np.ma.getdata(array), np.ma.getmask(array)
        if type(data) is not np.ndarray or set(array.__dict__.get("_optinfo", ())):
            return self._subclass(array)
        if data.dtype.hasobject:
            return NotImplemented
        fill = array.fill_value
        if bool(np.all(fill == np.ma.default_fill_value(array))):
            fill = None
        return np.ma.MaskedArray, (data, mask, None, False, True, 0, fill, True, bool(array.hardmask))


def _aligned_dtype(dtype: np.dtype) -> Reduced:
    """Reduce an aligned structure to a call for every NumPy: NumPy 1 refuses the flags that NumPy 2 pickles."""
    fields = dtype.fields
    if not dtype.isalignedstruct or dtype.metadata or fields is None or any(len(f) > 2 for f in fields.values()):
        return NotImplemented
    names = list(dtype.names or ())
    formats, offsets = ([fields[name][part] for name in names] for part in (0, 1))
    layout: Any = {"names": names, "formats": formats, "offsets": offsets, "itemsize": dtype.itemsize, "aligned": True}
    return np.dtype, ((np.record, np.dtype(layout)) if dtype.type is np.record else layout,)


def _zone_info(zone: Any) -> Reduced:
    """Reduce a named time zone to a call of its class; Python's own reduction needs `getattr`."""
    _, (key, from_cache) = zone.__reduce__()
    return (type(zone), (key,)) if from_cache else NotImplemented


def _order(axes: Sequence[int]) -> Order:
    if list(axes) == sorted(axes):
        return "C"
    return "F" if list(axes) == sorted(axes, reverse=True) else tuple(axes)


def _kind(key: tuple[np.dtype, tuple[int, ...], Order]) -> Kind:
    dtype, shape, order = key
    return Kind(dtype.itemsize * element_count(shape), dtype, shape, order)


def _contiguous_strides(shape: tuple[int, ...], itemsize: int, axes: Sequence[int]) -> tuple[int, ...]:
    """Return the strides of an array without gaps whose memory runs through `axes`, slowest first."""
    strides = [0] * len(shape)
    step = itemsize
    for axis in reversed(axes):
        strides[axis] = step
        step *= shape[axis]
    return tuple(strides)
