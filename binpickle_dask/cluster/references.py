"""A serialization family that sends mapped memory as what it is: path, offset and length.

Rule: what travels is decided by the sender, from proof that the receiver sees the same files, and only for memory that
lies in a read-only mapping of a file that is still there. Everything else goes as bytes. Loading never raises.
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
# What the receiver is asked to tell when it connects.
HANDSHAKE = {"bpk": host_proof()}
SERIALIZERS = [FAMILY, "dask", "pickle"]

# A reference itself takes some hundred bytes.
_WORTH = 4096


def register() -> None:
    """Make the family known to distributed in this process."""
    register_serialization_family(FAMILY, _dumps, _loads)


def to_self() -> dict[str, Any]:
    """Return the context of serialization for what this process will load again."""
    return {"recipient": HANDSHAKE}


def _dumps(obj: Any, context: Any = None) -> tuple[dict[str, Any], list[Any]]:
    """Serialize an object, with references in place of what is mapped.

    Raises:
        NotImplementedError: there is nothing to refer to, or the receiver may not see it: the next family is used.
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


def _place_of(frame: Any) -> Any:
    view = memoryview(frame)
    if view.nbytes < _WORTH or not view.readonly or not view.contiguous:
        return None
    place = find_place(np.frombuffer(view.cast("B"), np.uint8).ctypes.data, view.nbytes)
    return tuple(place) if place is not None and is_there(place) else None
