"""`astage`: the objects that `stage` gives, on an event loop that goes on, and what a cancellation leaves."""

from __future__ import annotations

import inspect
import threading
from typing import Any

import anyio
import anyio.from_thread
import anyio.lowlevel
import numpy as np
import pytest
from common import assert_same
from stepping import Stepped, left_busy

import binpickle
from binpickle import adump, astage, stage

pytestmark = pytest.mark.anyio

OBJ = {"a": np.arange(3_000_000), "views": [np.arange(9000)[n:] for n in range(3)], "small": np.arange(5)}
MANY = [np.full(3 << 20, n, np.uint8) for n in range(20)]


class Calling:
    """Calls a function when it is pickled."""

    def __init__(self, function: Any):
        self.function = function

    def __reduce_ex__(self, protocol: int) -> Any:
        self.function()
        return list, ()


def fail() -> None:
    raise RuntimeError("on purpose")


async def test_parameters() -> None:
    """The parameters are those of `stage`; `limiter` is in place of `threads`, and `into` of the method `restage`."""
    own, theirs = (dict(inspect.signature(function).parameters) for function in (astage, stage))
    del theirs["threads"], own["limiter"], own["into"]
    assert {name: (p.kind, p.default) for name, p in own.items()} == {
        name: (p.kind, p.default) for name, p in theirs.items()
    }


@pytest.mark.parametrize("options", [{}, {"mappable": True}, {"codecs": []}, {"digests": True}], ids=str)
@pytest.mark.parametrize("tokens", [1, 3])
async def test_same_file(options: Any, tokens: int, tmp_path: Any) -> None:
    """What `astage` gives is written as the object is written, also after the object has changed."""
    limiter = anyio.CapacityLimiter(tokens)
    want, want_many = binpickle.dumps(OBJ, **options), binpickle.dumps(MANY, **options)
    obj = {**OBJ, "a": OBJ["a"].copy()}
    staged = await astage(obj, limiter=limiter)
    obj["a"][:] = 7
    await adump(staged, tmp_path / "a.bpk", limiter=limiter, **options)
    assert (tmp_path / "a.bpk").read_bytes() == want
    assert await astage(MANY, into=staged) is staged
    assert binpickle.dumps(staged, **options) == want_many
    assert limiter.borrowed_tokens == 0


async def test_off_the_loop() -> None:
    """Pickling and copying run in other threads, under tokens of the limiter."""
    limiter = anyio.CapacityLimiter(1)
    seen: list[Any] = []
    await astage(Calling(lambda: seen.append((threading.current_thread(), limiter.borrowed_tokens))), limiter=limiter)
    assert {thread is threading.current_thread() for thread, _ in seen} == {False}
    assert {tokens for _, tokens in seen} == {1}


async def test_held_from_the_call_on(tmp_path: Any) -> None:
    """A dump that still waits for a thread keeps its staged object from being restaged."""
    limiter = anyio.CapacityLimiter(1)
    staged = await astage(OBJ)
    async with anyio.create_task_group() as group, limiter:
        group.start_soon(lambda: adump(staged, tmp_path / "a.bpk", limiter=limiter))
        while not limiter.statistics().tasks_waiting:
            await anyio.lowlevel.checkpoint()
        with pytest.raises(ValueError, match="a dump of this Staged object has not ended"):
            staged.restage(MANY)
        with pytest.raises(ValueError, match="a dump of this Staged object has not ended"):
            await astage(MANY, into=staged)
    staged.restage(MANY)
    assert (tmp_path / "a.bpk").read_bytes() == binpickle.dumps(OBJ)


async def test_closed_while_a_dump_waits(tmp_path: Any) -> None:
    """A dump that still waits for a thread writes its staged object although that is closed."""
    limiter = anyio.CapacityLimiter(1)
    async with anyio.create_task_group() as group, limiter:
        with await astage(OBJ) as staged:
            group.start_soon(lambda: adump(staged, tmp_path / "a.bpk", limiter=limiter))
            while not limiter.statistics().tasks_waiting:
                await anyio.lowlevel.checkpoint()
        assert staged.nbytes == 0
    assert (tmp_path / "a.bpk").read_bytes() == binpickle.dumps(OBJ)


async def test_several_dumps(tmp_path: Any) -> None:
    """Several calls write one staged object at the same time."""
    staged = await astage(OBJ)
    async with anyio.create_task_group() as group:
        for n in range(4):
            group.start_soon(lambda n=n: adump(obj=staged, file=tmp_path / str(n), codecs="lz4"))
    assert {path.read_bytes() for path in tmp_path.iterdir()} == {binpickle.dumps(OBJ, codecs="lz4")}


async def test_empty(tmp_path: Any) -> None:
    """`adump` refuses a closed object, and options that contradict it, before anything is written."""
    staged = await astage(OBJ, mappable=False)
    with pytest.raises(ValueError, match="staged with mappable=False"):
        await adump(staged, tmp_path / "a.bpk", mappable=True)
    staged.close()
    with pytest.raises(ValueError, match="is empty, it was closed"):
        await adump(staged, tmp_path / "a.bpk")
    assert list(tmp_path.iterdir()) == []


async def test_unpicklable() -> None:
    """An object that cannot be pickled raises its own error, and leaves what was staged before."""
    staged = await astage(OBJ)
    with pytest.raises(RuntimeError, match="on purpose"):
        await astage([OBJ, Calling(fail)], into=staged)
    assert binpickle.dumps(staged) == binpickle.dumps(OBJ)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"into": []}, TypeError, "into must be a Staged object, not list"),
        ({"into": stage(1), "mappable": False}, ValueError, "into keeps the mappable and pickler"),
        ({"limiter": 3}, TypeError, "limiter must be an anyio.CapacityLimiter"),
        ({"mappable": 3}, TypeError, "mappable must be True, False or None"),
    ],
    ids=str,
)
async def test_wrong_arguments(arguments: Any, error: type[Exception], message: str) -> None:
    """Wrong arguments are refused before the object is pickled."""
    with pytest.raises(error, match=message):
        await astage(Calling(fail), **arguments)


async def test_cancelled_everywhere() -> None:
    """Cancelled anywhere, it leaves `into` with its old content, the new one, or empty; always it can be restaged."""
    limiter = anyio.CapacityLimiter(2)
    contents = [binpickle.dumps(obj, codecs=[]) for obj in (OBJ, MANY)]
    await astage(OBJ, limiter=limiter)
    staged, done, n = stage(OBJ), False, 0
    while not done:
        staged.restage(OBJ)
        with anyio.CancelScope() as scope:
            await Stepped(astage(MANY, limiter=limiter, into=staged), {n: lambda _, scope=scope: scope.cancel()})
            done = True
        assert left_busy() == []
        assert limiter.borrowed_tokens == 0
        assert staged.nbytes == 0 or binpickle.dumps(staged, codecs=[]) in contents
        n += 1
    assert n > 1


async def test_cancelled_while_copying(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cancellation during the copying takes effect within a few pieces, and empties `into`."""
    staged, copied = stage(OBJ), []
    copy = np.copyto

    def copyto(target: Any, source: Any) -> None:
        copied.append(source.nbytes)
        if len(copied) == 2:
            anyio.from_thread.run_sync(scope.cancel)
        copy(target, source)

    monkeypatch.setattr(np, "copyto", copyto)
    with anyio.CancelScope() as scope:
        await astage(MANY, into=staged, limiter=anyio.CapacityLimiter(1))
    monkeypatch.undo()
    assert scope.cancel_called
    assert len(copied) < len(MANY)
    with pytest.raises(ValueError, match="is empty, the last restage did not end"):
        binpickle.dumps(staged)
    assert_same(binpickle.loads(binpickle.dumps(await astage(OBJ, into=staged))), OBJ)
