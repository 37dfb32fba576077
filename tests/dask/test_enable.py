"""Mapped chunks on a cluster: which bytes travel, which bytes are spilled, and which count as memory."""

from __future__ import annotations

import gc
import importlib.util
import mmap
import operator
import pickle
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Iterator

import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from dask.sizeof import sizeof
from dask_internals import (
    CAN_MEASURE,
    SERIALIZERS,
    MappedNannyPlugin,
    MappedWorkerPlugin,
    Unreachable,
    count_mapped_as_nothing,
    find_place,
    private_memory,
    register,
    to_self,
)
from distributed import Client, KilledWorker, LocalCluster, wait
from distributed.protocol import deserialize, serialize

import binpickle_dask as bpd
from binpickle import FormatWarning, errors

N = 100_000
HAVE_ARROW = importlib.util.find_spec("pyarrow") is not None


@pytest.fixture(autouse=True)
def no_leaked_descriptors() -> None:
    """Allow descriptors that stay open (replaces the common fixture): clients open and close theirs at any time."""


@pytest.fixture
def store(tmp_path: Path) -> Any:
    """Return the opened folder of an array of two chunks."""
    bpd.to_bpk(da.arange(2 * N, chunks=N), tmp_path / "array", compute_kwargs={"scheduler": "synchronous"})
    return bpd.open_bpk(tmp_path / "array")


@pytest.fixture
def enabled(client: Any) -> Iterator[Any]:
    """Return a client whose workers handle mapped chunks."""
    bpd.enable(client)
    yield client
    bpd.disable(client)


def is_mapped(array: Any) -> bool:
    """Return whether an array lies in a mapped part."""
    return find_place(array.ctypes.data, 1) is not None


def sent(obj: Any, recipient: Any = None) -> tuple[Any, int]:
    """Serialize an object as for another worker; return the object that arrives, and the number of bytes sent."""
    register()
    header, frames = serialize(obj, serializers=SERIALIZERS, context=recipient or to_self())
    frames = [bytes(frame) for frame in frames]
    return (header, frames), len(pickle.dumps((header, frames)))


VIEWS = {
    "whole": lambda array: array,
    "slice": lambda array: array[10 : N // 2],
    "reshaped": lambda array: array.reshape(100, -1),
    "Fortran order": lambda array: array.reshape(100, -1).T,
    "other dtype": lambda array: array.view("u1"),
    "strided": lambda array: array[::2],
    "backwards": lambda array: array[::-3],
    "a corner": lambda array: array.reshape(100, -1)[5:50, 100:300],
    "repeated": lambda array: np.broadcast_to(array[: N // 2, None], (N // 2, 4)),
    "list": lambda array: [array, array[: N // 2]],
}


@pytest.mark.parametrize("name", VIEWS)
def test_by_reference(name: str, store: Any) -> None:
    """A mapped array and its views are sent as references, and arrive mapped."""
    obj = VIEWS[name](store.part(0))
    (header, frames), nbytes = sent(obj)
    back = deserialize(header, frames)
    assert nbytes < 2000
    for one, other in zip(*([x] if isinstance(x, np.ndarray) else x for x in (obj, back))):
        assert is_mapped(other)
        np.testing.assert_array_equal(one, other, strict=True)


NUMBERS = pd.DataFrame(np.random.default_rng(0).random((N, 4)), columns=list("abcd"))
TEXTS = pd.Series([f"text {i}" for i in range(N)])
FRAMES: dict[str, Any] = {
    "numbers": NUMBERS,
    "dates": pd.DataFrame({"at": pd.date_range("2000", periods=N, freq="s"), "n": np.arange(N)}),
    "texts": pd.DataFrame({"text": TEXTS.astype("string[pyarrow]"), "n": np.arange(N)}) if HAVE_ARROW else NUMBERS,
    "column of text": TEXTS.astype("string[pyarrow]") if HAVE_ARROW else NUMBERS,
    "column": NUMBERS["a"],
}


@pytest.mark.parametrize("name", FRAMES)
def test_frame_by_reference(name: str, tmp_path: Path) -> None:
    """A frame, and a column of text that pyarrow holds, are sent as references."""
    frame = FRAMES[name]
    bpd.to_bpk(dd.from_pandas(frame, npartitions=1), tmp_path, compute_kwargs={"scheduler": "synchronous"})
    part = bpd.open_bpk(tmp_path).part(0)
    (header, frames), nbytes = sent(part)
    back = deserialize(header, frames)
    assert nbytes < 4000
    assert type(back) is type(frame)
    assert back.equals(part)
    assert (back.dtypes == part.dtypes) if frame.ndim == 1 else (back.dtypes == part.dtypes).all()


def test_frame_of_bytes(tmp_path: Path) -> None:
    """Columns of a frame that are not mapped travel beside the mapped ones, and stay writable."""
    bpd.to_bpk(dd.from_pandas(NUMBERS, npartitions=1), tmp_path, compute_kwargs={"scheduler": "synchronous"})
    frame = bpd.open_bpk(tmp_path).part(0).assign(own=1.5, thing=np.full(N, None))
    (header, frames), nbytes = sent(frame)
    back = deserialize(header, frames)
    assert 8 * N < nbytes < 32 * N
    assert back.equals(frame)
    back.loc[:, "own"] += 1
    assert back["own"].sum() == 2.5 * N


@pytest.mark.parametrize(
    ("case", "change"),
    [
        ("strided heap", lambda array: array.copy()[::2]),
        ("heap", lambda array: array.copy()),
        ("small", lambda array: array[:10]),
        ("part heap", lambda array: {"a": array.copy(), "b": array}),
    ],
)
def test_bytes(case: str, change: Any, store: Any) -> None:
    """Memory that is not a large piece of a mapped file is sent as bytes."""
    obj = change(store.part(0))
    (header, frames), _ = sent(obj)
    back = deserialize(header, frames)
    for one, other in zip(*(x.values() if isinstance(x, dict) else [x] for x in (obj, back))):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("recipient", [{}, {"recipient": {}}, {"recipient": {"bpk": "another host"}}], ids=str)
def test_others_get_bytes(recipient: Any, store: Any) -> None:
    """A receiver that does not prove that it sees the same files gets bytes."""
    (header, _), nbytes = sent(store.part(0), recipient or {"recipient": None})
    assert header["serializer"] == "dask"
    assert nbytes > 8 * N


def test_copy_on_write_by_bytes(store: Any) -> None:
    """Copy-on-write memory, which may have changed, is sent as bytes."""
    array = store.part(0, mmap_mode="c")
    array[0] = -1
    (header, frames), _ = sent(array)
    assert deserialize(header, frames)[0] == -1


@pytest.mark.parametrize("change", ["deleted", "replaced"])
def test_file_changed_before(change: str, store: Any) -> None:
    """If the file is deleted or replaced while it is mapped, the mapped bytes are sent."""
    array = store.part(0)
    (path,) = Path(store.path).rglob("c.0.bpk")
    data = path.read_bytes()
    path.unlink()
    if change == "replaced":
        path.write_bytes(data)
    (header, frames), nbytes = sent(array)
    assert nbytes > 8 * N
    assert deserialize(header, frames).sum() == N * (N - 1) // 2


USES = [len, iter, list, np.sum, abs, bool, float, operator.neg, lambda x: x[0], lambda x: x + 1, lambda x: 1 - x]
USES += [lambda x: x.shape, lambda x: x @ x, lambda x: np.ones(2) * x, lambda x: x == 1, lambda x: pd.Series(x)]


@pytest.mark.parametrize("use", USES)
def test_unreachable(use: Any, store: Any) -> None:
    """A reference to a file that cannot be mapped arrives without an error, and raises the error at every use."""
    (header, frames), _ = sent(store.part(0))
    path, signature, *rest = header["places"][0]
    header["places"] = [(path + "x", (0, 0, 0, 0), *rest)]
    back = pickle.loads(pickle.dumps(deserialize(header, frames)))
    assert isinstance(back, Unreachable)
    assert "c.0.bpkx" in repr(back)
    assert sizeof(back) < 1000
    with pytest.raises(errors.PartError, match=r"c\.0\.bpkx.*host"):
        use(back)


def test_worker_to_worker(enabled: Any, store: Any) -> None:
    """A chunk arrives mapped on another worker, and as memory at the client."""
    first, second = enabled.scheduler_info()["workers"]
    part = enabled.submit(bpd.open_bpk(store.path).part, 0, workers=[first])
    assert enabled.submit(is_mapped, part, workers=[second]).result()
    assert part.result().sum() == N * (N - 1) // 2


def test_spilled(enabled: Any, store: Any) -> None:
    """A reference is spilled, and the chunk comes back mapped."""
    (first, *_) = enabled.scheduler_info()["workers"]
    part = enabled.submit(bpd.open_bpk(store.path).part, 1, workers=[first])
    wait(part)
    assert enabled.run(spill, part.key, workers=[first])[first] < 2000
    assert enabled.submit(is_mapped, part, workers=[first]).result()


def spill(key: str, dask_worker: Any) -> int:
    """Spill all chunks of a worker; return the size of the file for a key."""
    while dask_worker.data.fast and dask_worker.data.evict() != -1:
        pass
    assert key in dask_worker.data.disk
    return int(dask_worker.data.spilled_total.disk)


def test_retired(enabled: Any, store: Any) -> None:
    """Moving the chunks of a worker to another worker moves references."""
    enabled.amm.stop()  # the memory manager of dask would drop the second replica, every two seconds
    first, second = enabled.scheduler_info()["workers"]
    part = enabled.submit(bpd.open_bpk(store.path).part, 0, workers=[first], allow_other_workers=True)
    wait(part)
    enabled.replicate(part, n=2)
    assert set(enabled.who_has(part)[part.key]) == {first, second}
    assert all(enabled.run(holds_mapped, part.key).values())


def holds_mapped(key: str, dask_worker: Any) -> bool:
    """Return whether a worker holds the chunk of a key, mapped."""
    return is_mapped(dask_worker.data[key])


def test_sizes(enabled: Any, store: Any) -> None:
    """The scheduler counts a mapped chunk as small while this is enabled, and in full afterwards."""
    part = bpd.open_bpk(store.path).part
    small, large = enabled.submit(part, 0), enabled.submit(np.ones, N)
    wait([small, large])
    nbytes = enabled.run_on_scheduler(lambda dask_scheduler: {k: t.nbytes for k, t in dask_scheduler.tasks.items()})
    assert nbytes[small.key] < 1000 < 8 * N <= nbytes[large.key]
    bpd.disable(enabled)
    assert set(enabled.run(size_of_mapped, store.path).values()) == {8 * N}


@pytest.mark.parametrize("name", FRAMES)
def test_frame_sizes(name: str, tmp_path: Path) -> None:
    """Of a frame, only memory that is not mapped has a size."""
    frame = FRAMES[name]
    bpd.to_bpk(dd.from_pandas(frame, npartitions=1), tmp_path, compute_kwargs={"scheduler": "synchronous"})
    part = bpd.open_bpk(tmp_path).part(0)
    before = sizeof(frame)
    undo = count_mapped_as_nothing()
    try:
        assert sizeof(part) < 4000 < 8 * N < sizeof(frame)
        assert sizeof(frame) == before
        if part.ndim == 2:
            assert 8 * N <= sizeof(part.assign(own=1.5)) < 8 * N + 8000
            assert sizeof(part[:10].assign(own="a")) < 8000
    finally:
        undo()
    assert sizeof(part) > 8 * N


def test_sizes_shared(store: Any) -> None:
    """Workers that share a process share the replacement: it is undone when the last of them has ended."""
    part = store.part(0)
    first, second = count_mapped_as_nothing(), count_mapped_as_nothing()
    first()
    first()
    assert sizeof(part) < 1000
    second()
    assert sizeof(part) == 8 * N


def test_sizes_without_pandas(tmp_path: Path) -> None:
    """pandas is not imported for the sizes; frames that come later are measured all the same."""
    frame = dd.from_pandas(NUMBERS, npartitions=1)
    bpd.to_bpk(frame, tmp_path, compute_kwargs={"scheduler": "synchronous"})
    code = f"""
import sys
from dask.sizeof import sizeof
from binpickle_dask.cluster.sizes import count_mapped_as_nothing
from binpickle_dask.store import open_bpk
undo = count_mapped_as_nothing()
assert "pandas" not in sys.modules
part = open_bpk({str(tmp_path)!r}).part(0)
assert sizeof(part) < 4000
undo()
assert sizeof(part) > {8 * N}
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def size_of_mapped(path: str) -> int:
    """Return the size that dask computes for a mapped chunk."""
    return int(sizeof(bpd.open_bpk(path).part(0)))


def test_guarded() -> None:
    """A worker with unexpected attributes is left unchanged, and the features that are off are named."""
    plugin = MappedWorkerPlugin(True, True)
    plugin.setup(SimpleNamespace(rpc=SimpleNamespace(), data=object(), monitor=None))
    assert [feature.split(" (")[0] for feature in plugin.off] == ["by_reference", "spilling references", "memory"]
    plugin.teardown(SimpleNamespace())
    nanny = MappedNannyPlugin()
    nanny.setup(SimpleNamespace())
    nanny.teardown(SimpleNamespace())


def test_warned(client: Any) -> None:
    """The caller of `enable` is warned once of the features that are off."""
    client.run(lambda dask_worker: setattr(dask_worker.monitor, "get_process_memory", None))
    try:
        with pytest.warns(FormatWarning, match="memory") as caught:
            bpd.enable(client)
        assert len(caught) == 1
    finally:
        bpd.disable(client)
        client.run(lambda dask_worker: delattr(dask_worker.monitor, "get_process_memory"))


@pytest.mark.skipif(not CAN_MEASURE, reason="Linux tells mapped pages apart")
def test_private_memory(tmp_path: Path) -> None:
    """Pages of mapped files do not count as private memory; memory of the process does."""
    size = 50_000_000
    bpd.to_bpk(da.arange(size // 8, chunks=-1), tmp_path, compute_kwargs={"scheduler": "synchronous"})
    gc.collect()  # what is freed later must not make up for what is taken
    before = private_memory()
    part = bpd.open_bpk(tmp_path).part(0)
    assert part.sum() > 0
    assert private_memory() - before < size // 2
    before = private_memory()
    own = mmap.mmap(-1, size)  # what the allocator gave out before may be in memory still
    own.write(b"x" * size)
    assert private_memory() - before > size // 2


@pytest.mark.skipif(not CAN_MEASURE, reason="Linux tells mapped pages apart")
def test_memory_limit(tmp_path: Path) -> None:
    """A worker may map more than its memory limit, and is still ended for private memory."""
    limit = 350_000_000
    bpd.to_bpk(da.arange(2 * limit // 8, chunks=-1), tmp_path, compute_kwargs={"scheduler": "synchronous"})
    with LocalCluster(
        n_workers=1,
        threads_per_worker=1,
        memory_limit=limit,
        dashboard_address=":0",
        scheduler_kwargs={"allowed_failures": 0},
    ) as cluster, Client(cluster) as client:
        bpd.enable(client)
        assert client.submit(map_and_wait, str(tmp_path)).result() == 0
        with pytest.raises(KilledWorker):
            client.submit(fill_and_wait, limit // 8).result()


def map_and_wait(path: str) -> int:
    """Map a part, touch all of it, and give the nanny time to notice."""
    import time

    part = bpd.open_bpk(path).part(0)
    total = int(part.min())
    time.sleep(1)
    return total + int(part.min())


def fill_and_wait(n: int) -> None:
    """Take private memory, and give the nanny time to notice."""
    import time

    held = np.arange(n)
    time.sleep(20)
    held.sum()
