"""Which codecs a file may name, with which parameters, and what is known of each.

Rule: what is not in the table is refused before anything is looked up or imported for it. Each parameter is checked;
those that the table does not have are left out, since decoding does not need them.
"""

from __future__ import annotations

import lzma
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Callable, Mapping

import numpy as np

from ..errors import CodecError, FormatError
from ..format.contents import Spec
from ..format.dtypes import dtype_from_spec
from .decoders import LZMA_DICTIONARY

__all__ = ["LEGACY", "NEVER", "RULES", "THIRD_PARTY", "Rule", "canonical"]

NEVER = frozenset(["categorize", "json2", "pickle", "vlen-array", "vlen-bytes", "vlen-utf8"])
"""Codecs that give objects instead of bytes, or run code."""

LEGACY = frozenset(["blosc-blocks"])
"""Codecs that only version 1 of the format had."""

_Check = Callable[[Any], bool]


@dataclass(frozen=True)
class Rule:
    """What is known of one codec.

    Attributes:
        size: from the spec and a number of bytes to how many they are encoded, at most.
        exact: whether they are exactly as many.
        parameters: those that specs may have, in the order in which specs have them.
        newer: parameters that older releases of numcodecs do not know, with the value that goes without saying.
        typed: encodes by element type.
        only: from the spec to the one element type that it encodes; what it made of others would not come back.
        takes_bytes: works on any bytes.
        needs_helper: may only run outside the main thread.
        hostile_safe: what a hostile file does to its decoder ends in an exception.
    """

    size: Callable[[Spec, int], int]
    exact: bool = True
    parameters: Mapping[str, _Check] = field(default_factory=dict)
    newer: Mapping[str, Any] = field(default_factory=dict)
    typed: bool = False
    only: Callable[[Spec], np.dtype | None] = lambda spec: None
    takes_bytes: bool = True
    needs_helper: bool = False
    hostile_safe: bool = False


def canonical(spec: Spec, rule: Rule) -> Spec:
    """Return a spec with checked parameters only, in fixed order, in the form that the oldest numcodecs understands.

    Raises:
        CodecError: a parameter is not of the type or in the range that it must have.
    """
    name = spec["id"]
    known = {"id": name}
    for key, check in rule.parameters.items():
        if key not in spec or (key in rule.newer and spec[key] == rule.newer[key]):
            continue
        if not check(spec[key]):
            raise CodecError(f"codec {name!r}: parameter {key} cannot be {spec[key]!r:.80}", name)
        known[key] = spec[key]
    return known


def _integer(low: int, high: int) -> _Check:
    return lambda value: type(value) is int and low <= value <= high


def _one_of(*values: Any) -> _Check:
    return lambda value: type(value) is type(values[0]) and value in values


_INT32 = _integer(-(1 << 31), (1 << 31) - 1)
_FLAG = _one_of(False, True)


def _number(value: Any) -> bool:
    return type(value) is float or _integer(-(1 << 63), 1 << 63)(value)


def _numeric_dtype(value: Any) -> bool:
    try:
        return isinstance(value, str) and dtype_from_spec(value).kind in "biufc"
    except FormatError:
        return False


_FILTER_PARAMETERS: dict[str, _Check] = {
    "id": _integer(0, (1 << 63) - 1),
    "preset": _integer(0, 9 | lzma.PRESET_EXTREME),
    "dict_size": _integer(0, LZMA_DICTIONARY),
    **{key: _integer(0, (1 << 32) - 1) for key in ("lc", "lp", "pb", "mode", "nice_len", "mf", "depth")},
    **{key: _integer(0, (1 << 32) - 1) for key in ("dist", "start_offset")},
}


def _lzma_filters(value: Any) -> bool:
    return value is None or (isinstance(value, list) and len(value) <= 4 and all(map(_lzma_filter, value)))


def _lzma_filter(value: Any) -> bool:
    return isinstance(value, dict) and all(
        key in _FILTER_PARAMETERS and _FILTER_PARAMETERS[key](item) for key, item in value.items()
    )


def _lzma_preset(value: Any) -> bool:
    return value is None or _FILTER_PARAMETERS["preset"](value)


def _dtype_in(parameter: str) -> Callable[[Spec], np.dtype | None]:
    return lambda spec: np.dtype(spec[parameter])


def _delta_dtype(spec: Spec) -> np.dtype | None:
    # Differences of integers wrap around, so that bits of any type come back, unless they are stored in fewer.
    dtype = np.dtype(spec["dtype"])
    return dtype if dtype.kind in "fc" or np.dtype(spec.get("astype", dtype)) != dtype else None


def _same(spec: Spec, nbytes: int) -> int:
    return nbytes


def _four_more(spec: Spec, nbytes: int) -> int:
    return nbytes + 4


def _compressed(spec: Spec, nbytes: int) -> int:
    # More than the worst of them adds to data that it cannot compress: LZMA, 1.5 %.
    return nbytes + nbytes // 8 + (64 << 10)


def _retyped(decoded: str, encoded: str) -> Callable[[Spec, int], int]:
    """Return the size of a filter that changes the type of the elements from one parameter's to another's."""
    return lambda spec, nbytes: (
        nbytes // np.dtype(spec[decoded]).itemsize * np.dtype(spec.get(encoded, spec[decoded])).itemsize
    )


_compressor = partial(Rule, _compressed, exact=False, hostile_safe=True)
_filter = partial(Rule, typed=True, takes_bytes=False, hostile_safe=True)
_checksum = partial(Rule, _four_more)

_LEVEL = {"level": _INT32}
_LOCATION = {"location": _one_of("start", "end")}
_DTYPES = {"dtype": _numeric_dtype, "astype": _numeric_dtype}
_BLOSC = {
    "cname": _one_of("blosclz", "lz4", "lz4hc", "snappy", "zlib", "zstd"),
    "clevel": _integer(0, 9),
    "shuffle": _integer(-1, 2),
    "blocksize": _integer(0, (1 << 31) - 1),
}
_LZMA = {
    "format": _one_of(lzma.FORMAT_XZ, lzma.FORMAT_ALONE, lzma.FORMAT_RAW),
    "check": _one_of(-1, lzma.CHECK_NONE, lzma.CHECK_CRC32, lzma.CHECK_CRC64, lzma.CHECK_SHA256),
    "preset": _lzma_preset,
    "filters": _lzma_filters,
}

RULES: dict[str, Rule] = {
    "zstd": _compressor(parameters={**_LEVEL, "checksum": _FLAG}, newer={"checksum": False}),
    "lz4": _compressor(parameters={"acceleration": _INT32}),
    "zlib": _compressor(parameters=_LEVEL),
    "gzip": _compressor(parameters=_LEVEL),
    "bz2": _compressor(parameters=_LEVEL),
    "lzma": _compressor(parameters=_LZMA),
    "blosc": _compressor(parameters=_BLOSC, typed=True, needs_helper=True, hostile_safe=False),
    # Blocks of any size, each with a header of its own: there is no bound.
    "blosc-blocks": Rule(lambda spec, nbytes: 1 << 62, exact=False, needs_helper=True),
    # It takes whole elements only, so it does not work on any bytes.
    "shuffle": Rule(_same, parameters={"elementsize": _INT32}, takes_bytes=False, hostile_safe=True),
    "delta": _filter(_retyped("dtype", "astype"), only=_delta_dtype, parameters=_DTYPES),
    "astype": _filter(
        _retyped("decode_dtype", "encode_dtype"),
        only=_dtype_in("decode_dtype"),
        parameters={"encode_dtype": _numeric_dtype, "decode_dtype": _numeric_dtype},
    ),
    "quantize": _filter(_retyped("dtype", "astype"), only=_dtype_in("dtype"), parameters={"digits": _INT32, **_DTYPES}),
    "fixedscaleoffset": _filter(
        _retyped("dtype", "astype"),
        only=_dtype_in("dtype"),
        parameters={"scale": _number, "offset": _number, **_DTYPES},
    ),
    "bitround": _filter(_same, parameters={"keepbits": _integer(0, 64)}),
    "packbits": _filter(lambda spec, nbytes: -(-nbytes // 8) + 1, only=lambda spec: np.dtype(bool)),
    "fletcher32": _checksum(hostile_safe=True),
    "crc32": _checksum(parameters=_LOCATION, newer={"location": "start"}),
    "adler32": _checksum(parameters=_LOCATION, newer={"location": "start"}),
    "crc32c": _checksum(parameters=_LOCATION),
    "jenkins_lookup3": _checksum(
        parameters={"initval": _integer(0, (1 << 32) - 1), "prefix": lambda value: value is None}
    ),
    "base64": Rule(lambda spec, nbytes: -(-nbytes // 3) * 4),
    # A number takes 9 bytes at most; an array of several dimensions repeats some of its shape.
    "msgpack2": Rule(
        lambda spec, nbytes: 16 * nbytes + (64 << 10),
        exact=False,
        parameters={"raw": _FLAG, "use_single_float": _FLAG, "use_bin_type": _FLAG},
    ),
}
"""The codecs that files may name."""

THIRD_PARTY = Rule(lambda spec, nbytes: 16 * nbytes + (1 << 20), exact=False, typed=True)
"""What is assumed of a codec that `register_codec` added."""
