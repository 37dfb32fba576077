"""One codec of a chain: from its spec to what encodes and decodes by it.

Rule: specs come from files. They get the codecs of `table` and those that `register_codec` added; numcodecs' own
registry imports what it is asked for, so nothing that a file says ever reaches it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Sequence

import numpy as np
from numcodecs.abc import Codec
from numcodecs.registry import codec_registry

from ..errors import CodecError, UnknownCodecError
from ..format.contents import Spec
from ..format.runs import Piece, gather, whole_of
from .buffers import Buffer, Size, bytes_of
from .decoders import Decoder, PieceDecoder, library_decoder
from .table import CODECS, LEGACY, NEVER, THIRD_PARTY, CodecFacts, Encoder, canonical

__all__ = ["REGISTERED", "Step", "library_codec", "make_step", "unknown_codec"]

# To decode more pieces one by one costs more than to decode a chunk as a whole.
_FEW_PIECES = 16


@dataclass(frozen=True)
class Step:
    """One codec of a chain. Steps of equal spec are equal.

    Attributes:
        spec: its config dict, as it goes into files.
    """

    spec: Spec = field(compare=False)
    _key: str = field(repr=False)
    _facts: CodecFacts = field(compare=False, repr=False)
    _encoder: Encoder = field(compare=False, repr=False)
    _decoder: Decoder = field(compare=False, repr=False)
    _piece_decoder: PieceDecoder | None = field(default=None, compare=False, repr=False)

    @property
    def id(self) -> str:
        """The numcodecs id."""
        return str(self.spec["id"])

    @property
    def takes_bytes(self) -> bool:
        """Whether it encodes any bytes, as compressors, checksums and third-party codecs do.

        Filters by element do not, `shuffle` among them: it refuses what is no multiple of its element size.
        """
        return self._facts.takes_bytes

    @property
    def needs_helper(self) -> bool:
        """Whether it may only run outside the main thread: in there Blosc starts threads, and its output varies."""
        return self._facts.needs_helper

    @property
    def hostile_safe(self) -> bool:
        """Whether its decoder is safe to run on a file of unknown origin."""
        return self._facts.hostile_safe

    def encoded_size(self, size: Size) -> Size:
        """Return how many bytes come out of encoding so many."""
        return Size(self._facts.size(self.spec, size.most), size.exact and self._facts.exact)

    def encode(self, data: np.ndarray) -> Buffer:
        """Encode a 1-d array; raises `ValueError`."""
        only = self._facts.only(self.spec)
        if only is not None and only != data.dtype:
            hint = "let a function choose the codecs of each buffer"
            raise ValueError(f"codec {self.id!r} would spoil {data.dtype} data, it is for {only}: {hint}")
        try:
            encoded: Buffer = self._encoder(data if self._facts.typed else data.view(np.uint8))
            self.encoded_size(Size(data.nbytes, True)).check(bytes_of(encoded).nbytes)
        except MemoryError:
            raise
        except Exception as error:
            raise ValueError(f"codec {self.id!r} cannot encode {data.dtype} data: {_told(error)}") from error
        return encoded

    def decode(self, data: memoryview, size: Size, out: np.ndarray | None) -> Buffer:
        """Decode into what `size` admits; raises `CodecError`."""
        try:
            self.encoded_size(size).check(data.nbytes)
            decoded = self._decoder(data, size, out)
            if out is None or decoded is not out:
                size.check(bytes_of(decoded).nbytes)
        except Exception as error:
            raise CodecError(f"codec {self.id!r} cannot decode the data: {_told(error)}", self.id) from error
        return decoded

    def decode_pieces(self, data: memoryview, nbytes: int, pieces: Sequence[Piece]) -> None:
        """Decode pieces of `nbytes` bytes into their places, and no more than these where possible.

        Raises:
            CodecError: the data does not decode to `nbytes` bytes.
        """
        whole = whole_of(pieces, nbytes)
        if whole is None and self._piece_decoder is not None and len(pieces) <= _FEW_PIECES:
            self._decode_only(self._piece_decoder, data, nbytes, pieces)
            return
        out = None if whole is None else whole.out
        decoded = self.decode(data, Size(nbytes, True), out)
        chunk = decoded if decoded is out else np.frombuffer(bytes_of(decoded) or b"", np.uint8, nbytes)
        for piece in pieces:
            if piece.out is not chunk:
                gather(chunk, piece)

    def _decode_only(self, decode: PieceDecoder, data: memoryview, nbytes: int, pieces: Sequence[Piece]) -> None:
        try:
            self.encoded_size(Size(nbytes, True)).check(data.nbytes)
            for piece in pieces:
                decode(data, piece)
        except Exception as error:
            raise CodecError(f"codec {self.id!r} cannot decode the data: {_told(error)}", self.id) from error


REGISTERED: dict[str, type[Codec]] = {}
"""The classes that `register_codec` added, by codec id."""

# The classes that came with numcodecs, whoever registered others under their ids. Old releases lack some.
_LIBRARY: dict[str, type[Codec]] = {
    codec_id: cls for codec_id, cls in codec_registry.items() if cls.__module__.partition(".")[0] == "numcodecs"
}


def make_step(spec: Spec, codec: Codec | None = None) -> Step:
    """Return the step for a spec.

    Args:
        spec: a config dict.
        codec: what to encode by, if the caller gave it.

    Raises:
        UnknownCodecError: the codec is not allowed or not installed.
        CodecError: it has no such parameters.
    """
    codec_id = spec["id"]
    if codec_id not in CODECS and codec_id not in REGISTERED:
        raise unknown_codec(codec_id)
    facts = CODECS.get(codec_id, THIRD_PARTY)
    known = canonical(spec, facts) if codec_id in CODECS else spec
    of_pieces = None if facts.piece_decoder is None else facts.piece_decoder(known)
    return Step(known, repr(known), facts, _encoder(known, facts, codec), _decoder(known, facts), of_pieces)


def _decoder(spec: Spec, facts: CodecFacts) -> Decoder:
    if facts.decoder is not None:
        return facts.decoder(spec)
    if spec["id"] in REGISTERED:  # nothing of a third-party codec runs before decoding by it was allowed
        return lambda data, size, out: library_decoder(library_codec(spec))(data, size, out)
    return library_decoder(library_codec(spec))


def _encoder(spec: Spec, facts: CodecFacts, codec: Codec | None) -> Encoder:
    if facts.encoder is not None:
        return facts.encoder(spec)
    if codec is None:  # a step of a file, which may never have to encode, nor be able to in this release of numcodecs
        return lambda data: library_codec(spec).encode(data)
    encoder: Encoder = codec.encode
    return encoder


def library_codec(spec: Spec) -> Codec:
    """Return the numcodecs codec for a config dict, if files may name it.

    Raises:
        UnknownCodecError: the codec is not allowed or not installed.
        CodecError: it has no such parameters.
    """
    codec_id = spec["id"]
    cls = REGISTERED.get(codec_id) or (_LIBRARY.get(codec_id) if codec_id in CODECS else None)
    if cls is None:
        raise unknown_codec(codec_id)
    try:
        return cls.from_config({key: value for key, value in spec.items() if key != "id"})
    except Exception as error:
        raise CodecError(f"codec {codec_id!r} has no such parameters: {_told(error)}", codec_id) from error


def unknown_codec(codec_id: str) -> UnknownCodecError:
    """Return the error that says what to do about a codec that a file may not name."""
    if codec_id in NEVER:
        hint = "gives objects, not bytes, or runs code: no file may name it"
    elif codec_id in CODECS and codec_id not in LEGACY:
        hint = "is not in the installed release of numcodecs: install a newer one, with what the codec needs"
    else:
        from difflib import get_close_matches  # only for this message

        near = get_close_matches(codec_id, sorted(CODECS), n=1)
        meant = f" (is {near[0]!r} meant?)" if near else ""
        hint = f"is not known{meant}: if it is one of your own, pass its class to binpickle.register_codec"
    return UnknownCodecError(f"codec {codec_id!r:.80} {hint}", codec_id)


def _told(error: Exception) -> str:
    told = str(error)[:300]
    return told if told and isinstance(error, ValueError) else f"{type(error).__name__}: {told}"
