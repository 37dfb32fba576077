"""The names in a folder of snapshots, and the form of its small JSON files. `docs/dask.md` draws the folder.

Rule: this module touches no file. A name that was read from a file is checked before it becomes part of a path.
"""

from __future__ import annotations

import json
import re
import uuid
from typing import Any

from binpickle.errors import FormatError

__all__ = ["META", "POINTER", "RUN_FILE", "SNAPSHOTS", "check_name", "is_name", "json_bytes", "new_name", "parse_json"]

POINTER = "_bpk.json"
SNAPSHOTS = "_snapshots"
RUN_FILE = "RUN.json"
META = "meta.bpk"

_FORMAT = "binpickle_dask"
_VERSION = 1
# A letter or digit comes first, so that no name is hidden, is `..`, or begins with `_` as the folder's own files do.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,120}")


def is_name(name: object) -> bool:
    """Return whether this can be the name of a run, a snapshot or a part; no such name leads out of the folder."""
    return isinstance(name, str) and _NAME.fullmatch(name) is not None and ".." not in name


def check_name(name: Any) -> str:
    """Return the name of a run, a snapshot or a part.

    Raises:
        FormatError: this cannot be such a name.
    """
    if not is_name(name):
        raise FormatError(f"{name!r} is not the name of a run, a snapshot or a part")
    return str(name)


def new_name() -> str:
    """Return a random name for a run or a snapshot; no other saver chooses the same."""
    return uuid.uuid4().hex[:20]


def json_bytes(data: dict[str, Any]) -> bytes:
    """Return the bytes of a JSON file of a folder."""
    return json.dumps({"format": _FORMAT, "version": _VERSION, **data}, allow_nan=False).encode("utf-8")


def parse_json(raw: bytes) -> dict[str, Any]:
    """Parse the bytes of a JSON file of a folder.

    Raises:
        FormatError: the bytes are not JSON, not of such a file, or of a version that this release does not read.
    """
    try:
        data = json.loads(raw.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise FormatError(f"the file is not JSON: {error}") from None
    if not isinstance(data, dict) or data.get("format") != _FORMAT:
        raise FormatError(f"the file is not one of {_FORMAT}")
    if data.get("version") != _VERSION:
        raise FormatError(f"the file has version {data.get('version')!r}, this release reads version {_VERSION}")
    return data
