"""A serialization family that sends mapped memory as a reference: path, offset and length.

Rule: the sender decides. It sends a reference if the receiver has proved that it sees the same files, and if the memory
lies in a read-only mapping of a file that still exists. Everything else goes as bytes. Loading never raises.
"""

# mypy: allow-untyped-calls
from __future__ import annotations

from typing import Any

import numpy as np
from distributed.protocol.serialize import deserialize, register_serialization_family, serialize

from ..parts.mappings import Place, find_place, is_there, map_place
from .host import host_proof
from .packing import packed
from .unreachable import Unreachable

__all__ = ["FAMILY", "HANDSHAKE", "SERIALIZERS", "register", "to_self"]

FAMILY = "bpk"
# The receiver sends this when it connects.
HANDSHAKE = {"bpk": host_proof()}
SERIALIZERS = [FAMILY, "dask", "pickle"]

# In bytes. A reference itself takes some hundred bytes, so that it is not worth it for less.
_WORTH = 4096


def register() -> None:
    """Make the family known to distributed in this process."""
    register_serialization_family(FAMILY, _dumps, _loads)


def to_self() -> dict[str, Any]:
    """Return the serialization context for objects that this process itself will load again."""
    return {"recipient": HANDSHAKE}


def _dumps(obj: Any, context: Any = None) -> tuple[dict[str, Any], list[Any]]:
    """Serialize an object, with references in the place of mapped memory.

    Raises:
        NotImplementedError: no memory is mapped, or the receiver may not see the files; distributed then uses the next
            family.
    """
    recipient = (context or {}).get("recipient") or {}
    if recipient.get("bpk") != host_proof():
        raise NotImplementedError
    header, frames = serialize(packed(obj), serializers=("dask", "pickle"), on_error="raise", context=context)
    places = [_place_of(frame) for frame in frames]
    if not any(places):
        raise NotImplementedError
    kept = [frame for frame, place in zip(frames, places) if place is None]
    return {"serializer": FAMILY, "inner": header, "places": places}, kept


def _loads(header: dict[str, Any], frames: list[Any]) -> Any:
    """Load an object; if a file cannot be mapped, return an `Unreachable`."""
    kept = iter(frames)
    path = "?"
    try:
        whole = []
        for found in header["places"]:
            if found is None:
                whole.append(next(kept))
                continue
            path, signature, offset, nbytes = found
            whole.append(map_place(Place(path, tuple(signature), offset, nbytes)))
        return deserialize(header["inner"], whole)
    except Exception as error:
        return Unreachable(path, f"{type(error).__name__}: {error}")


def _place_of(frame: Any) -> tuple[Any, ...] | None:
    """Return the place of a frame as a plain tuple, which msgpack can send; `None` if it must go as bytes."""
    view = memoryview(frame)
    if view.nbytes < _WORTH or not view.readonly or not view.contiguous:
        return None
    place = find_place(np.frombuffer(view.cast("B"), np.uint8).ctypes.data, view.nbytes)
    return tuple(place) if place is not None and is_there(place) else None
