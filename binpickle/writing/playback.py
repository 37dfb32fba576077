"""What a run of a pickler gave, kept so that a dump can have it once more.

Rule: what is kept does not change with the object, except for the buffers: `copying` replaces these.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Callable, Mapping

from ..pickling.arrays import IN_BAND_BELOW
from ..pickling.out_of_band import OutOfBand
from ..pickling.pickler import Pickling
from ..pickling.protocol import pickle

__all__ = ["Playback", "Recording", "Run", "in_band_below"]


def in_band_below(mappable: bool) -> int:
    """Return how many bytes an array must have to go out of band: a mappable file maps small arrays, too."""
    return 0 if mappable else IN_BAND_BELOW


class Run:
    """One run of a pickler.

    Args:
        obj: the object.
        pickler: the pickler class to build on.
        mappable: whether the run is for a mappable file.
        check: called for each piece of the stream; if it raises, the run ends.

    Attributes:
        stream: the pieces of the stream.
        found: the buffers.
        libraries: the versions of the libraries whose classes the stream names.
    """

    def __init__(self, obj: Any, pickler: Any, mappable: bool, check: Callable[[], object]):
        self.stream: list[bytes] = []
        pickling = Pickling(partial(_keep, self.stream, check), pickler, in_band_below(mappable))
        pickling.dump(obj)
        self.found = pickling.out_of_band()
        self.libraries = pickling.libraries()

    @property
    def nbytes(self) -> int:
        """The bytes of the stream and of the buffers; memory that several buffers share counts once."""
        nbytes, within = self.found.nbytes, self.found.within
        return sum(map(len, self.stream)) + sum(nbytes) - sum([nbytes[i] for i in within])

    @property
    def has_small_buffers(self) -> bool:
        """Whether a buffer is so small that it belongs into the stream of a file that is not mappable."""
        return any(nbytes < IN_BAND_BELOW for nbytes in self.found.nbytes)


def _keep(stream: list[bytes], check: Callable[[], object], piece: Any) -> None:
    check()
    stream.append(piece if type(piece) is bytes else bytes(piece))  # a `bytearray` in the object may change


class Recording:
    """What the dumps of one object need, for all files that it was recorded for.

    Args:
        runs: by whether a file is mappable.
        pickler: the pickler class of the runs.
    """

    def __init__(self, runs: Mapping[bool, Run], pickler: Any):
        self._runs = runs
        self._pickler = pickler

    @property
    def nbytes(self) -> int:
        """The bytes of the stream and of the buffers; of the larger run, if there are two."""
        return max(run.nbytes for run in self._runs.values())

    @property
    def buffers(self) -> int:
        """The number of buffers; of the run that has more, if there are two."""
        return max(len(run.found.buffers) for run in self._runs.values())

    def player(self, mappable: bool, pickler: Any) -> Callable[..., Playback]:
        """Return what a dump with these options uses in place of the class `Pickling`.

        Raises:
            ValueError: the object was not recorded for such options.
        """
        if pickler not in (self._pickler, pickle.Pickler):
            raise ValueError(f"this object was not staged with pickler={pickler.__name__}: give the pickler to stage()")
        run = self._runs.get(bool(mappable))
        if run is None:
            raise ValueError(f"this object was staged with mappable={not mappable}: give stage() no mappable=")
        return lambda write, *_: Playback(run, write)


class Playback:
    """Gives a writer what a run of a pickler gave; takes the place of `Pickling`.

    Args:
        run: the run.
        write: see `Pickling`.
    """

    def __init__(self, run: Run, write: Callable[[Any], Any]):
        self._run = run
        self._write = write

    def dump(self, _: Any) -> None:
        """Write the stream."""
        for piece in self._run.stream:
            self._write(piece)

    def out_of_band(self) -> OutOfBand:
        """Return the buffers."""
        return self._run.found

    def libraries(self) -> Mapping[str, str]:
        """Return the versions of the libraries, as they were."""
        return self._run.libraries
