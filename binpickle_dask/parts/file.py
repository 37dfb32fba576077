"""One `.bpk` file of a folder, a part or `meta.bpk`: loaded, checked, and removed if it is damaged.

Rule: every error names the file and the host. This module imports no dask and no cloudpickle.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Union

import binpickle
from binpickle.errors import AuthenticationError, FormatError, IntegrityError, LimitError, PartError, UnknownCodecError

from ..folder.folder import Folder
from ..folder.hosts import HOST, about, naming_host
from ..folder.manifest import Item
from .mappings import map_file

if TYPE_CHECKING:
    from typing import Literal

    from binpickle.types import BytesLike, MmapMode, Trusted

    AutoMmapMode = Union[MmapMode, Literal["auto"]]

__all__ = ["PartFile", "Reading", "part_error"]


@dataclass(frozen=True)
class Reading:
    """How files are read. Travels in dask graphs.

    Attributes:
        mmap_mode: as in `binpickle.load`.
        verify: as in `binpickle.load`.
        trusted: as in `binpickle.load`.
    """

    mmap_mode: MmapMode = "r"
    verify: bool | None = None
    trusted: Trusted | None = None

    @classmethod
    def of(
        cls,
        folder: Folder,
        mmap_mode: AutoMmapMode = "auto",
        verify: bool | None = None,
        trusted: Trusted | None = None,
    ) -> Reading:
        """Return the reading for a caller's arguments.

        `"auto"` maps files that are not sealed. It copies sealed files, since a mapped file can change after the check.

        Raises:
            ValueError: there is no such `mmap_mode`.
        """
        if mmap_mode not in (None, "r", "c", "auto"):
            raise ValueError(f"mmap_mode must be None, 'r', 'c' or 'auto', not {mmap_mode!r}")
        automatic: MmapMode = None if folder.sealing else "r"
        return cls(automatic if mmap_mode == "auto" else mmap_mode, verify, trusted)


class PartFile:
    """One `.bpk` file of a folder. Fetches the keys when it is made, so it lives for one call and never travels.

    All methods raise `AuthenticationError` if a key is given and the seal is missing or wrong, and `OSError` from the
    operating system, with the host.

    Attributes:
        path: path of the file.
        sealed: the arguments `key` and `context` for functions of `binpickle`; empty if the folder has no keys.
    """

    def __init__(self, folder: Folder, run: str, name: str):
        self.path = folder.path(run, name)
        self.sealed = folder.sealing.arguments(self.path)

    def load(self, reading: Reading, mapping: BytesLike | None = None) -> Any:
        """Load the object of the file, whichever snapshot the file belongs to.

        Args:
            reading: how to read the file.
            mapping: the bytes of the file, if the caller has mapped it already.

        Raises:
            PartError: the file is damaged.
            UntrustedError: the file uses something that is not trusted.
        """
        options: dict[str, Any] = {"verify": reading.verify, "trusted": reading.trusted, "threads": 1, **self.sealed}
        try:
            if reading.mmap_mode == "r":
                data = map_file(self.path) if mapping is None else mapping
                return binpickle.loads(data, copy=False, **options)
            with naming_host():
                return binpickle.load(self.path, mmap_mode=reading.mmap_mode, **options)
        except (AuthenticationError, UnknownCodecError, LimitError) as error:
            about(error, self.path)
            raise
        except (FormatError, IntegrityError) as error:
            raise part_error(f"the file is damaged: {error}", self.path) from error

    def check(self, item: Item, position: int, size: int | None = None) -> None:
        """Compare the size and the root digest of a part with the manifest.

        Args:
            item: the item that the part belongs to.
            position: number of the part in the item.
            size: size of the file in bytes, if the caller knows it.

        Raises:
            PartError: the part is not the one that was saved, or it is damaged.
        """
        if size is None:
            with naming_host():
                size = os.stat(self.path).st_size
        if size != item.nbytes[position]:
            raise part_error(f"the part was changed: it has {size} bytes, not {item.nbytes[position]}", self.path)
        if item.digests and self.digest() != item.digests[position]:
            raise part_error("the part is not the one that was saved: its root digest differs", self.path)

    def digest(self) -> str | None:
        """Return the root digest of the file in hexadecimal, if it has one.

        Raises:
            PartError: the file is damaged.
        """
        try:
            with naming_host(), binpickle.BinPickleFile(self.path, **self.sealed) as file:
                return file.root_digest.hex() if file.root_digest else None
        except AuthenticationError:
            raise
        except (FormatError, IntegrityError) as error:
            raise part_error(f"the file is damaged: {error}", self.path) from error

    def remove_if_damaged(self) -> None:
        """Remove the file if it exists and is damaged. That frees its name; processes that map the file keep it."""
        with naming_host():
            try:
                with binpickle.BinPickleFile(self.path, **self.sealed) as file:
                    damaged = bool(file.find_errors(threads=1))
            except FileNotFoundError:
                return
            except (FormatError, IntegrityError):
                damaged = True
            if damaged:
                os.unlink(self.path)


def part_error(message: str, path: str) -> PartError:
    """Return an error about a part, with the path and the host."""
    return about(PartError(f"{message} (host {HOST})", path, HOST), path)
