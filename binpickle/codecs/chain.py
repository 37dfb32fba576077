"""Codec chains: made from what a caller or a file says, applied to chunks, undone.

Rule: bytes in, bytes out. Every function may run in any thread, but steps with `needs_helper` not in the main one. What
callers may write, their files may say: the same checks stand before both.
"""

from __future__ import annotations

from typing import Any, Callable, Sequence, Tuple, Union

import numpy as np
from numcodecs.abc import Codec

from ..errors import CodecError, FormatError, UnknownCodecError
from ..format.contents import Spec
from ..format.header import MAX_CODECS, MAX_ENCODED_CHUNK
from ..format.runs import Piece
from .buffers import Buffer, Size, bytes_of
from .step import REGISTERED, Step, library_codec, make_step, unknown_codec
from .table import CODECS, LEGACY, NEVER

__all__ = [
    "RAW",
    "Chain",
    "Element",
    "chain_for",
    "chain_from_specs",
    "decode",
    "decode_pieces",
    "encode",
    "parse_codecs",
    "register_codec",
    "stream_chain",
]

# What lies between the codecs of a file of unknown origin. Filters mostly keep the size, or shrink it; those that widen
# the numbers make at most 8 times as many bytes. Each could make 16 times what the one before it made.
_GROWTH = 16
# A compressor is hardly given what another one made larger: fast ones would feed slow ones with endless streams. Zeros
# are the exception, of which LZ4 leaves one part in 250 to the next compressor.
_LEAST_SHRINKAGE = 64
_SLACK = 1 << 10
# Half floats take a second for 100 MB in some filters, and files have two or three filters before a compressor.
_MOST_FILTERS = 4

Chain = Tuple[Step, ...]
"""Steps in encode order."""

RAW: Chain = ()
"""The chain of what is stored as it is."""

Element = Union[Step, Callable[[memoryview], Any]]
"""One of the caller's codecs: a step, or a function that chooses for each buffer."""


def parse_codecs(codecs: Any) -> tuple[Element, ...]:
    """Check the caller's `codecs` argument.

    Args:
        codecs: a list (or `None` for an empty one) of numcodecs codecs, config dicts, codec ids, and functions that
            take a buffer and return any of these, a list of them, or `None`. A `None` in a list is left out. One of
            them without a list will do.

    Raises:
        TypeError: something else is given.
        ValueError: `load` would refuse a codec: not allowed, not installed, badly parametrised, or one too many.
    """
    if codecs is None:
        return ()
    if not isinstance(codecs, (list, tuple)):
        codecs = [codecs]
    elements = tuple(codec if _is_function(codec) else _step(codec) for codec in codecs if codec is not None)
    _limit(elements, ValueError)
    return elements


def chain_for(elements: Sequence[Element], buffer: memoryview) -> Chain:
    """Return the chain for one buffer. Each function among the elements is called once.

    Raises:
        TypeError: a function returned something that is no codec.
        ValueError: a function returned a codec that `load` would refuse.
    """
    chain: list[Step] = []
    for element in elements:
        if isinstance(element, Step):
            chain.append(element)
        else:
            chosen = element(buffer)
            chosen = chosen if isinstance(chosen, (list, tuple)) else [chosen]
            chain.extend(_step(codec) for codec in chosen if codec is not None)
    _limit(chain, ValueError)
    return tuple(chain)


def stream_chain(elements: Sequence[Element]) -> Chain:
    """Return the steps for the pickle stream: those that encode any bytes."""
    return tuple(element for element in elements if isinstance(element, Step) and element.takes_bytes)


def chain_from_specs(specs: Sequence[Spec], *, legacy: bool = False) -> Chain:
    """Return the chain that a file names.

    Args:
        specs: config dicts in encode order.
        legacy: allow what only format version 1 had.

    Raises:
        UnknownCodecError: a codec is not allowed or not installed.
        CodecError: a codec has no such parameters.
        FormatError: there are too many codecs, or one has no id.
    """
    _limit(specs, FormatError)
    for spec in specs:
        if not isinstance(spec, dict) or not isinstance(spec.get("id"), str):
            raise FormatError(f"a codec is a map with an id, and not {spec!r:.80}")
        if spec["id"] in LEGACY and not legacy:
            raise unknown_codec(spec["id"])
    return tuple(make_step(spec) for spec in specs)


def encode(chain: Chain, chunk: np.ndarray) -> memoryview:
    """Encode one chunk.

    Args:
        chain: what to apply.
        chunk: 1-d, contiguous, of the element type of the buffer: filters and Blosc go by it.

    Returns:
        The encoded bytes; under `RAW` those of the chunk itself.

    Raises:
        ValueError: a codec cannot encode the chunk.
    """
    data = chunk.view(np.int64) if chunk.dtype.kind in "mM" else chunk
    for step in chain:
        encoded = step.encode(data)
        data = encoded.reshape(-1, order="A") if isinstance(encoded, np.ndarray) else np.frombuffer(encoded, np.uint8)
    return bytes_of(data)


def decode(
    chain: Chain, stored: Buffer, nbytes: int, out: np.ndarray | None = None, *, hostile: bool = False
) -> Buffer:
    """Decode one chunk.

    Args:
        chain: what it was encoded by.
        stored: the encoded bytes.
        nbytes: how many bytes they decode to.
        out: where to put these: `nbytes` items of uint8, contiguous and writable.
        hostile: refuse codecs that are not safe to decode in a file of unknown origin.

    Returns:
        `out`, or else the decoded bytes, perhaps the stored ones themselves.

    Raises:
        CodecError: the chunk does not decode to `nbytes` bytes; or, if `hostile`, far more bytes than these would lie
            between its codecs.
        UnknownCodecError: a codec is refused because of `hostile`.
        ValueError: `out` is of another length.
    """
    if out is not None and out.nbytes != nbytes:
        raise ValueError(f"out has {out.nbytes} bytes instead of {nbytes}")
    data = _between(chain, stored, nbytes, hostile)
    if chain:
        data = chain[0].decode(bytes_of(data), Size(nbytes, True), out)
    if out is not None and data is out:
        return out
    view = bytes_of(data)
    if view.nbytes != nbytes:
        raise CodecError(f"the chunk has {view.nbytes} bytes instead of {nbytes}")
    if out is None:
        return view
    np.copyto(out, np.frombuffer(view, np.uint8))
    return out


def decode_pieces(chain: Chain, stored: Buffer, nbytes: int, pieces: Sequence[Piece], *, hostile: bool = False) -> None:
    """Decode pieces of one chunk: the first codec of its chain gives only these, if it can. The chain is not `RAW`.

    Raises:
        CodecError, UnknownCodecError: see `decode`, whose other arguments these are.
    """
    chain[0].decode_pieces(bytes_of(_between(chain, stored, nbytes, hostile)), nbytes, pieces)


def _between(chain: Chain, stored: Buffer, nbytes: int, hostile: bool) -> Buffer:
    """Return what the first codec made of a chunk: all other steps are undone."""
    if hostile:
        _refuse_unsafe(chain)
    sizes = [Size(nbytes, True)]
    for step in chain:
        sizes.append(step.encoded_size(sizes[-1]))
        if hostile and len(sizes) <= len(chain):
            sizes[-1] = _bounded(step, sizes, bytes_of(stored).nbytes)
    data = stored
    for i in range(len(chain) - 1, 0, -1):
        data = chain[i].decode(bytes_of(data), sizes[i], None)
    return data


def register_codec(cls: type[Codec]) -> None:
    """Let files name a codec that does not come with numcodecs, in this process, for plain loading.

    Args:
        cls: a subclass of `numcodecs.abc.Codec`, known to files by its `codec_id`.

    Raises:
        TypeError: it is no such class.
        ValueError: it has no id, or that of a codec which is built in, or which no file may name.
    """
    if not isinstance(cls, type) or not issubclass(cls, Codec):
        raise TypeError(f"not a subclass of numcodecs.abc.Codec: {cls!r:.80}")
    codec_id = cls.codec_id
    if not isinstance(codec_id, str) or not codec_id:
        raise ValueError(f"{cls.__qualname__} has no codec_id")
    if codec_id in CODECS or codec_id in NEVER:
        raise ValueError(f"codec id {codec_id!r} is taken")
    REGISTERED[codec_id] = cls


def _refuse_unsafe(chain: Chain) -> None:
    for step in chain:
        if not step.hostile_safe:
            hint = "only a plain load() decodes it, if you trust who wrote the file"
            raise UnknownCodecError(f"codec {step.id!r} is not safe on files of unknown origin: {hint}", step.id)


def _bounded(step: Step, sizes: Sequence[Size], stored: int) -> Size:
    """Return the last size, as far as a file of unknown origin may ask for it: the bytes between two codecs.

    Args:
        step: the codec that these bytes are decoded by.
        sizes: how many bytes lie before and behind the codecs so far, in encode order; the first are the chunk.
        stored: the bytes that the file stores.

    Raises:
        CodecError: a filter makes many times the bytes of the chunk, or several filters together do; or there are very
            many filters.
    """
    size, nbytes = sizes[-1], sizes[0].most
    if len(sizes) - 1 > _MOST_FILTERS and all(n.exact for n in sizes[: _MOST_FILTERS + 2]):
        raise CodecError(f"more than {_MOST_FILTERS} filters in a chain: only a plain load() decodes so many", step.id)
    if not size.exact:  # what a compressor gave: hardly any bytes, or about as many as are stored
        return Size(min(size.most, _GROWTH * stored + nbytes // _LEAST_SHRINKAGE + _SLACK), False)
    if (
        sum(n.most for n in sizes[1:]) > _GROWTH * nbytes + _SLACK
        or size.most > max(MAX_ENCODED_CHUNK, nbytes) + _SLACK
    ):
        raise CodecError(
            f"codec {step.id!r} makes {size.most} bytes of a chunk of {nbytes}: only a plain load() decodes so many",
            step.id,
        )
    return size


def _is_function(codec: Any) -> bool:
    return callable(codec) and not isinstance(codec, (Codec, type))


def _step(codec: Any) -> Step:
    """Return the step for a codec, config dict or id that the caller gave."""
    try:
        if isinstance(codec, str):
            codec = library_codec({"id": codec})
        elif isinstance(codec, dict) and isinstance(codec.get("id"), str):
            codec = library_codec(codec)
        if not isinstance(codec, Codec):
            raise TypeError(f"neither a numcodecs codec, nor a config dict with an id, nor an id: {codec!r:.80}")
        spec = _plain({"id": codec.codec_id, **codec.get_config()})
        library_codec(spec)  # as `load` will make it
        return make_step(spec, codec)
    except CodecError as error:
        raise ValueError(str(error)) from error


def _plain(value: Any) -> Any:
    """Return a config value without NumPy's scalars; raises `ValueError` if a file cannot hold it."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        return value.item()
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise ValueError(f"a codec's config cannot be stored: {value!r:.80}")


def _limit(codecs: Sequence[Any], error: type[ValueError]) -> None:
    if len(codecs) > MAX_CODECS:
        raise error(f"{len(codecs)} codecs are too many: a chain has at most {MAX_CODECS}")
