"""The interface as users type it: checked by mypy in strict mode, never run.

Rule: whatever the documentation promises about a call stands here once, so that a change of types is seen.
"""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import BinaryIO, Mapping, Sequence, TextIO

import anyio
import anyio.abc
import numpy as np

import binpickle
from binpickle import errors
from binpickle.types import CodecsLike, KeyLike, MmapMode, PathOrReadable, PathOrWritable, Progress, Trusted


class Ridge:
    """Something that only its owner knows."""


class Pickler(pickle.Pickler):
    """A pickler of the caller's own."""


def show(done: int, total: int | None) -> None:
    """What reports progress."""


def choose(buffer: memoryview) -> str | None:
    """What chooses a codec, or none, for each buffer."""
    return "zstd" if buffer.nbytes > 4096 else None


def newest_first() -> Sequence[bytes]:
    """Where keys come from."""
    return [bytes(32), bytes(32)]


def dumping(obj: object, path: Path, stream: BinaryIO) -> None:
    binpickle.dump(obj, "model.bpk")
    binpickle.dump(obj, path, mappable=True, threads=1, durable=True, exclusive=True)
    binpickle.dump(obj, stream, codecs=[], digests=True)
    binpickle.dump(obj, io.BytesIO(), codecs=["shuffle", {"id": "zstd", "level": 3}, choose], progress=show)
    binpickle.dump(obj, path, metadata={"author": "me"}, key=bytes(32), context=b"model/7", pickler=Pickler)
    data: bytes = binpickle.dumps(obj, mappable=True, key=newest_first, digests=True, threads=2)
    binpickle.loads(data)


def staging(obj: object, path: Path) -> None:
    with binpickle.stage(obj, mappable=False, pickler=Pickler, threads=2) as staged:
        binpickle.dump(staged, path)
        staged.restage(obj, threads=1)
        size: int = staged.nbytes
    again: binpickle.Staged = binpickle.stage(obj)
    again.close()
    binpickle.dumps(again)[:size]


def loading(path: Path, stream: BinaryIO, data: bytearray) -> None:
    anything = binpickle.load("model.bpk")
    array = np.asarray(anything)
    array.sum()
    binpickle.load(path, mmap_mode="r", verify=True)
    binpickle.load(path, mmap_mode="r", prefetch=True)
    binpickle.load(path, mmap_mode="c", prefetch=[0, "weights"])
    binpickle.load(path, mmap_mode="c", verify=False, limits=binpickle.Limits(decoded_bytes=1 << 30))
    binpickle.load(stream, trusted=(), threads=4, progress=show)
    binpickle.load(path, trusted=[Ridge, "sklearn.linear_model._ridge:Ridge"])
    binpickle.load(path, trusted=binpickle.trust.sklearn() | {"mine:Model"})
    binpickle.load(path, key=[bytes(32)], context=b"model/7")
    binpickle.loads(data, copy=False, verify=None)
    binpickle.loads(memoryview(data), trusted={Ridge})


async def in_an_event_loop(obj: object, path: Path, sink: anyio.abc.ByteSendStream) -> None:
    await binpickle.adump(obj, path, mappable=True)
    await binpickle.adump(obj, anyio.Path("model.bpk"), limiter=anyio.CapacityLimiter(2), progress=show)
    await binpickle.adump(obj, sink, codecs=["lz4"])
    staged: binpickle.Staged = await binpickle.astage(obj, limiter=anyio.CapacityLimiter(2), mappable=True)
    await binpickle.adump(await binpickle.astage(obj, into=staged), path)
    async for piece in binpickle.adump_iter(obj, codecs=["lz4"], limiter=anyio.CapacityLimiter(2)):
        piece.decode()
    await binpickle.adump_iter(obj).aclose()
    anything = await binpickle.aload(path, mmap_mode="r", limiter=anyio.CapacityLimiter(2))
    anything = await binpickle.aload(path, mmap_mode="r", prefetch=(0, 1))
    print(anything)


def looking_inside(path: Path) -> None:
    with binpickle.BinPickleFile(path, mmap_mode="r", verify=True) as file:
        metadata: Mapping[str, str] = file.metadata
        libraries: Mapping[str, str] = file.libraries
        version: int = file.version
        damaged: list[str] = file.find_errors()
        fetched, wanted = file.warm([0], threads=2, progress=show)
        anything = file.load(prefetch=[0])
        print(fetched, wanted, anything)
        mappable: bool = file.is_mappable
        digest: bytes | None = file.root_digest
        for number, buffer in enumerate(file.buffers):
            print(buffer.dtype, buffer.shape, buffer.nbytes, buffer.stored_nbytes, buffer.codecs, buffer.mapped)
            array: np.ndarray = file.array(number)
            print(array.mean(), buffer.offset)
            rows: np.ndarray = file.array(number, rows=slice(0, 5), axis=buffer.slowest_axis or 0)
            row: np.ndarray = file.array(number, np.int64(3))
            print(rows, row, buffer[5], buffer[10:20])
        several: list[np.ndarray] = file.arrays(range(2), threads=2)
        parts: dict[int, np.ndarray] = file.arrays({0: slice(0, 5), 1: 7})
        print(several, parts, file.buffers)
        file.load()
        print(metadata, libraries, version, damaged, mappable, digest, len(file.stream()))
    file.close()
    info = binpickle.file_info(path)
    if info.status is binpickle.FileStatus.BINPICKLE:
        print(info.size, info.is_valid, info.version)
    inspection: binpickle.Inspection = binpickle.inspect(path)
    for used in inspection.untrusted([Ridge]):
        print(used.module, used.qualname, used.offset)


def as_before(path: Path) -> None:
    with binpickle.BinPickler.mappable(path) as pickler:
        pickler.dump([1, 2, 3])
    with binpickle.BinPickler.compressed(path, "gzip") as pickler:
        pickler.dump([1, 2, 3])
    with binpickle.BinPickler(path, align=True, codecs=["lz4"]) as pickler:
        pickler.dump([1, 2, 3])
    with binpickle.BinPickleFile(path, direct=True) as file:
        file.load()


def changing(path: Path) -> None:
    binpickle.repack(path, "served.bpk", mappable=True)
    binpickle.repack(path, path, key=bytes(32), new_key=binpickle.SAME, new_context=b"model/8")
    binpickle.repack(path, "shipped.bpk", codecs=["zstd"], key=bytes(32), new_key=None, threads=2, progress=show)


def failing(path: Path) -> None:
    try:
        binpickle.load(path, trusted=())
    except errors.UntrustedError as error:
        refused: Sequence[object] = error.refused
        print(error.module, error.qualname, error.offset, refused)
    except errors.LimitError as error:
        print(error.limit)
    except errors.CodecError as error:
        print(error.chunk, error.codec_id)
    except errors.IntegrityError as error:
        print(error.chunk, error.buffers)
    except (errors.FormatError, errors.AuthenticationError, errors.BinPickleError) as error:
        print(error.file)


def wrapping(obj: object, target: PathOrWritable, codecs: CodecsLike, key: KeyLike, progress: Progress) -> None:
    """Functions of users pass the arguments on by the types that `binpickle.types` exports."""
    binpickle.dump(obj, target, codecs=codecs, key=key, progress=progress)


def unwrapping(source: PathOrReadable, mmap_mode: MmapMode, trusted: Trusted) -> object:
    """See `wrapping`."""
    loaded: object = binpickle.load(source, mmap_mode=mmap_mode, trusted=trusted)
    return loaded


def found_wrong(obj: object, path: Path, text: TextIO, stream: BinaryIO) -> None:
    """A type checker finds each of these calls wrong: mypy refuses an `ignore` that is not needed."""
    binpickle.dump(path, obj)  # type: ignore[arg-type]
    binpickle.dump(obj, text)  # type: ignore[arg-type]
    binpickle.dump(obj, path, codecs=7)  # type: ignore[arg-type]
    binpickle.dump(obj, path, codecs=["zstd", 7])  # type: ignore[list-item]
    binpickle.dump(obj, path, key="secret")  # type: ignore[arg-type]
    binpickle.dump(obj, path, metadata={"size": 3})  # type: ignore[dict-item]
    binpickle.dump(obj, path, pickler=pickle.dumps)  # type: ignore[arg-type]
    binpickle.dump(obj, path, progress=print_done)  # type: ignore[arg-type]
    binpickle.dumps(obj, exclusive=True)  # type: ignore[call-arg]
    binpickle.load(text)  # type: ignore[arg-type]
    binpickle.load(bytearray(b"bytes of a file"))  # type: ignore[arg-type]
    binpickle.load(path, mmap_mode="w")  # type: ignore[arg-type]
    binpickle.load(path, mmap_mode="r", prefetch=3)  # type: ignore[arg-type]
    binpickle.load(path, trusted=Ridge)  # type: ignore[arg-type]
    binpickle.load(path, trusted=[7])  # type: ignore[list-item]
    binpickle.load(path, limits=1 << 30)  # type: ignore[arg-type]
    binpickle.loads("model.bpk")  # type: ignore[arg-type]
    binpickle.loads(stream)  # type: ignore[arg-type]
    binpickle.inspect(path, key=7)  # type: ignore[arg-type]
    binpickle.file_info(7)  # type: ignore[arg-type]
    binpickle.BinPickleFile(path, mmap_mode=True)  # type: ignore[arg-type]
    binpickle.BinPickler.compressed(path, 9)  # type: ignore[arg-type]
    binpickle.repack(path, text)  # type: ignore[arg-type]
    binpickle.stage(obj, mappable="yes")  # type: ignore[arg-type]
    binpickle.stage(obj).restage(obj, mappable=True)  # type: ignore[call-arg]
    binpickle.register_codec("zstd")  # type: ignore[arg-type]


def print_done(done: int) -> None:
    """What takes too few arguments to report progress."""


async def found_wrong_in_an_event_loop(obj: object, path: Path, text: TextIO) -> None:
    """See `found_wrong`."""
    await binpickle.adump(obj, 7)  # type: ignore[arg-type]
    await binpickle.adump(obj, path, limiter=4)  # type: ignore[arg-type]
    await binpickle.astage(obj, into=obj)  # type: ignore[arg-type]
    await binpickle.aload(text)  # type: ignore[arg-type]
    await binpickle.aload(path, mmap_mode="w")  # type: ignore[arg-type]
