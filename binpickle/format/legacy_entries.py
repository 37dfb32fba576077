"""What one index entry of format versions 1 and 2 says: checksum, codecs, element type.

Rule: checked for its form only. Whether a codec that is named here exists is found out when something is decoded, so an
unknown one keeps no file from opening; `info` was for display only, so a strange one keeps no file from loading.
"""

from __future__ import annotations

import re
from operator import itemgetter
from typing import Any, Callable, Iterator, Mapping, NamedTuple, Tuple

import numpy as np

from ..errors import FormatError
from .contents import Kind, Spec
from .dtypes import dtype_from_spec
from .header import MAX_CODECS
from .shapes import MAX_DIMENSIONS, element_count, is_array, is_shape

__all__ = ["VERSIONS", "Chain", "Fields", "array_info", "kinds"]

Chain = Tuple[Spec, ...]

# The deepest codec config met, lzma with filters, is a map that holds a list of maps.
_MAX_SPEC_DEPTH = 4
# The `chain` codec of version 1 nests; its writers did so once or twice.
_MAX_CHAIN_DEPTH = 16

_NATIVE_DTYPE = re.compile(
    r"bool|u?int(?:8|16|32|64)|float(?:16|32|64|96|128)|complex(?:64|128|192|256)"
    r"|(?:datetime|timedelta)64(?:\[(?:[1-9][0-9]{0,8})?[A-Za-z]{1,2}\])?"
)


class Fields(NamedTuple):
    """The fields of one version's index entries.

    Attributes:
        names: of all fields.
        algorithm: name of the checksum of entries and index.
        checksum: from an entry to its checksum in canonical form, or to `None` where it is malformed.
        codecs: from an entry to its field of codecs.
        chain: from the field of codecs to specs in encode order; raises `FormatError`.
    """

    names: frozenset[str]
    algorithm: str
    checksum: Callable[[Mapping[str, Any]], bytes | None]
    codecs: Callable[[Mapping[str, Any]], Any]
    chain: Callable[[Any], Chain]


def _adler32(entry: Mapping[str, Any]) -> bytes | None:
    value = entry["checksum"]
    return value.to_bytes(4, "big") if type(value) is int and 0 <= value < 1 << 32 else None


def _sha256(entry: Mapping[str, Any]) -> bytes | None:
    value = entry["hash"]
    return value if type(value) is bytes and len(value) == 32 else None


def _chain_1(codec: Any) -> Chain:
    chain = tuple(_flatten(codec, 0))
    if len(chain) > MAX_CODECS:
        raise FormatError(f"index: a chain of {len(chain)} codecs; at most {MAX_CODECS} are allowed")
    return chain


def _flatten(codec: Any, depth: int) -> Iterator[Spec]:
    """Yield the specs, in encode order, that a codec of version 1 stands for."""
    name, config = (None, {}) if codec is None else _check_codec(codec, depth)
    if name == "chain":
        for step in config["codecs"]:
            yield from _flatten(step, depth + 1)
    elif name == "numcodec":
        yield _check_spec(config)
    elif name == "gz":  # a zlib stream, in spite of the name
        yield {"id": "zlib"}
    elif name == "blosc":  # an array of Blosc frames
        yield {"id": "blosc-blocks"}
    elif name not in (None, "null"):
        # A name that version 1 never had: kept apart from numcodecs' ids, which say other things of the bytes.
        yield {"id": f"v1:{name}"}


def _check_codec(codec: Any, depth: int) -> tuple[str | None, dict[str, Any]]:
    if depth > _MAX_CHAIN_DEPTH:
        raise FormatError("index: codec chains are nested too deeply")
    if type(codec) is not list or len(codec) != 2 or type(codec[1]) is not dict:
        raise FormatError("index: a codec is neither nil nor a name and a config")
    name, config = codec
    if name is not None and type(name) is not str:
        raise FormatError("index: the name of a codec is not a string")
    if name == "chain" and type(config.get("codecs")) is not list:
        raise FormatError("index: a codec chain has no list of codecs")
    return name, config


def _chain_2(codecs: Any) -> Chain:
    if type(codecs) is not list or len(codecs) > MAX_CODECS:
        raise FormatError(f"index: a codec chain is not a list of at most {MAX_CODECS} codecs")
    return tuple(_check_spec(spec) for spec in codecs)


def _check_spec(spec: Any) -> Spec:
    if type(spec) is not dict or type(spec.get("id")) is not str:
        raise FormatError("index: a codec config is not a map with an id")
    _check_json(spec, 0)
    return spec


def _check_json(value: Any, depth: int) -> None:
    """Refuse what JSON, numcodecs' form for configs, does not have."""
    if depth > _MAX_SPEC_DEPTH:
        raise FormatError("index: a codec config is nested too deeply")
    if type(value) is dict and all(type(key) is str for key in value):
        for item in value.values():
            _check_json(item, depth + 1)
    elif type(value) is list:
        for item in value:
            _check_json(item, depth + 1)
    elif value is not None and type(value) not in (bool, int, float, str):
        raise FormatError(f"index: a codec config holds a {type(value).__name__}, which JSON does not have")


VERSIONS: dict[int, Fields] = {
    1: Fields(
        names=frozenset(["offset", "enc_length", "dec_length", "checksum", "codec"]),
        algorithm="adler32",
        checksum=_adler32,
        codecs=itemgetter("codec"),
        chain=_chain_1,
    ),
    2: Fields(
        names=frozenset(["offset", "enc_length", "dec_length", "hash", "info", "codecs"]),
        algorithm="sha256",
        checksum=_sha256,
        codecs=itemgetter("codecs"),
        chain=_chain_2,
    ),
}


def array_info(info: Any) -> Any:
    """Return `info` where it has the one form that was ever written, `["ndarray", dtype, [shape...]]`, else `None`."""
    if type(info) is not list or len(info) != 3 or info[0] != "ndarray" or type(info[1]) is not str:
        return None
    return info if is_shape(info[2]) and len(info[2]) <= MAX_DIMENSIONS else None


def kinds(info: list[Any], nbytes: list[int]) -> tuple[np.ndarray, tuple[Kind, ...]]:
    """Say what buffers are.

    Args:
        info: for each buffer what `array_info` gave.
        nbytes: their lengths.

    Returns:
        For each buffer an index, int64, into the second result. A buffer whose `info` names no plain element type or
        disagrees with its length is plain bytes.
    """
    numbers: dict[Any, int] = {}
    distinct: list[Kind] = []
    ids = []
    for said, size in zip(info, nbytes):
        key = (size, said[1], tuple(said[2])) if said else (size, None, None)
        number = numbers.setdefault(key, len(distinct))
        if number == len(distinct):
            distinct.append(_kind(*key))
        ids.append(number)
    return np.array(ids, np.int64), tuple(distinct)


def _kind(nbytes: int, dtype_text: str | None, shape: tuple[int, ...] | None) -> Kind:
    dtype = None if dtype_text is None else _dtype(dtype_text)
    if dtype is None or shape is None or not dtype.itemsize or not is_array(dtype, shape):
        return Kind(nbytes)
    return Kind(nbytes, dtype, shape) if dtype.itemsize * element_count(shape) == nbytes else Kind(nbytes)


def _dtype(text: str) -> np.dtype | None:
    """Return the dtype that `str` gave this text for, or `None` where it is none of the plain types known here."""
    try:
        return np.dtype(text) if _NATIVE_DTYPE.fullmatch(text) else dtype_from_spec(text)
    except (TypeError, ValueError):
        return None
