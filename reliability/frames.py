"""Changed frames of a codec, decoded next to memory that the decoder must not touch.

Rule: the frame and the output both end where a page begins that nobody can read or write, so a signal ends the child
at the first byte beyond either. The bytes before the output are compared afterwards.
"""

from __future__ import annotations

import ctypes
import mmap
import random
from typing import Any, Sequence

import numpy as np

from binpickle.codecs.chain import Chain, chain_from_specs, decode, encode
from binpickle.codecs.table import CODECS
from binpickle.errors import BinPickleError

from .mutation import mutate_bytes
from .targets import Broken

__all__ = ["SPECS", "Guarded", "try_frames"]

_NBYTES = 512
_PROT_NONE = 0
_CANARY = 0xA5

SPECS: dict[str, list[dict[str, Any]]] = {
    "delta": [{"dtype": "<i8"}],
    "astype": [{"encode_dtype": "<f4", "decode_dtype": "<f8"}],
    "quantize": [{"digits": 3, "dtype": "<f8", "astype": "<f4"}],
    "fixedscaleoffset": [{"offset": 1, "scale": 2, "dtype": "<f8", "astype": "<i2"}],
    "bitround": [{"keepbits": 5}],
    "packbits": [{}],
    "shuffle": [{"elementsize": 8}, {"elementsize": 2}],
    "fletcher32": [{}],
    "zstd": [{}, {"level": 9}],
    "lz4": [{}],
    "zlib": [{}],
    "gzip": [{}],
    "bz2": [{}],
    "lzma": [{}, {"format": 3, "filters": [{"id": 33, "preset": 1}], "check": -1}],
}
"""The parameters to try, for each codec that restricted loading uses."""


class Guarded:
    """Memory that ends where a page begins that nobody can read or write.

    Args:
        nbytes: the size of the memory in bytes.
    """

    def __init__(self, nbytes: int = 1 << 16):
        self._map = mmap.mmap(-1, nbytes + mmap.PAGESIZE)
        self._bytes = np.frombuffer(self._map, np.uint8)[:nbytes]
        start = ctypes.addressof(ctypes.c_char.from_buffer(self._map))
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.mprotect(ctypes.c_void_p(start + nbytes), mmap.PAGESIZE, _PROT_NONE):
            raise OSError(ctypes.get_errno(), "mprotect")

    def last(self, nbytes: int) -> np.ndarray:
        """Return the last `nbytes` bytes before the page."""
        return self._bytes[len(self._bytes) - nbytes :]


def try_frames(codec_id: str, seed: int, numbers: range) -> int:
    """Decode frames, most of them changed, to the right length and to wrong lengths.

    Args:
        codec_id: a key of `SPECS`.
        seed: the seed of all changes.
        numbers: the numbers of the frames to try; seed and number determine a frame.

    Returns:
        How many frames were decoded. The other frames were refused.

    Raises:
        Broken: bytes before the output changed, or a decoder returned the wrong number of bytes.
    """
    chains = [chain_from_specs([{"id": codec_id, **spec}]) for spec in SPECS[codec_id]]
    samples = [_sample(chain, n) for chain in chains for n in (_NBYTES, 64, 8)]
    source, target = Guarded(), Guarded()
    return sum(_try_frame(samples, source, target, random.Random(f"{seed}/{number}")) for number in numbers)


def _sample(chain: Chain, nbytes: int) -> tuple[Chain, bytes, int]:
    only = CODECS[chain[0].id].only(chain[0].spec)
    dtype = np.dtype(bool if chain[0].id == "packbits" else only or np.uint8 if chain[0].id != "bitround" else "<f4")
    values = (np.arange(nbytes // dtype.itemsize) % 7).astype(dtype)
    return chain, bytes(encode(chain, values)), values.nbytes


def _try_frame(
    samples: Sequence[tuple[Chain, bytes, int]], source: Guarded, target: Guarded, dice: random.Random
) -> bool:
    chain, frame, nbytes = dice.choice(samples)
    if dice.random() < 0.95:
        frame = mutate_bytes(frame, dice.choice(samples)[1], dice)
    if dice.random() < 0.3:
        nbytes = dice.choice([0, 1, nbytes - 1, nbytes + 1, nbytes * 2, dice.randrange(2000)])
    stored, out, before = source.last(len(frame)), target.last(nbytes), target.last(nbytes + 256)[:256]
    stored[:] = np.frombuffer(frame, np.uint8)
    before[:] = _CANARY
    try:
        decoded = decode(chain, stored.data if dice.random() < 0.5 else memoryview(stored), nbytes, out, hostile=True)
    except BinPickleError:
        decoded = None
    if (before != _CANARY).any():
        raise Broken(f"{chain[0].id}: bytes before the output changed")
    if decoded is not None and memoryview(decoded).nbytes != nbytes:
        raise Broken(f"{chain[0].id}: {memoryview(decoded).nbytes} bytes instead of {nbytes}")
    return decoded is not None
