"""The plugins that workers and nannies run.

Rule: nothing of dask's classes is changed, only attributes of the one worker or nanny, and all is put back by
`teardown`. Where an attribute is not what it was when this was written, that feature stays off, and `off` says so.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Callable

from distributed.diagnostics.plugin import NannyPlugin, WorkerPlugin
from distributed.protocol.serialize import serialize_bytelist
from tornado.ioloop import PeriodicCallback

from . import references
from .accounting import CAN_MEASURE, private_memory
from .sizes import count_mapped_as_nothing

__all__ = ["NAME", "MappedNannyPlugin", "MappedWorkerPlugin"]

NAME = "binpickle-mapped"


class _Switches:
    """Features that are switched on one by one, and off together."""

    def __init__(self) -> None:
        self.off: list[str] = []
        self._undo: list[Callable[[], Any]] = []

    def switch_on(self, feature: str, switch: Callable[[], Callable[[], Any]]) -> None:
        """Switch a feature on, and remember how to undo it, or that it cannot be."""
        try:
            self._undo.append(switch())
        except (AttributeError, KeyError, TypeError) as error:
            self.off.append(f"{feature} ({error})")

    def switch_off(self) -> None:
        """Undo all, the last first."""
        while self._undo:
            self._undo.pop()()


class MappedWorkerPlugin(WorkerPlugin):
    """Makes a worker send and spill mapped chunks as references, and not count them.

    Attributes:
        name: under which distributed knows it.
        off: features that this release of distributed does not let us switch on, and why.
    """

    name = NAME

    def __init__(self, by_reference: bool, memory: bool):
        self._by_reference = by_reference
        self._memory = memory
        self._switches = _Switches()

    @property
    def off(self) -> list[str]:
        """Features that could not be switched on."""
        return self._switches.off

    def setup(self, worker: Any) -> None:
        """Switch on what was asked for."""
        self._switches = switches = _Switches()
        if self._by_reference:
            references.register()
            switches.switch_on("by_reference", partial(_ask_for_references, worker))
            switches.switch_on("spilling references", partial(_spill_references, worker))
            if not switches.off:
                switches.switch_on("small sizes", count_mapped_as_nothing)
        if self._memory:
            switches.switch_on("memory", partial(_measure_private, worker))

    def teardown(self, worker: Any) -> None:
        """Put back what `setup` changed."""
        self._switches.switch_off()


class MappedNannyPlugin(NannyPlugin):
    """Lets a nanny end its worker only for memory that cannot be taken back."""

    name = NAME
    restart = False

    def __init__(self) -> None:
        self._switches = _Switches()

    def setup(self, nanny: Any) -> None:
        """Switch it on."""
        self._switches = _Switches()
        self._switches.switch_on("memory of nannies", partial(_watch_private, nanny))

    def teardown(self, nanny: Any) -> None:
        """Put back what `setup` changed."""
        self._switches.switch_off()


def _ask_for_references(worker: Any) -> Callable[[], Any]:
    """Ask peers for references, and prove to them that they can be used."""
    pool = worker.rpc
    before, arguments = pool.deserializers, dict(pool.connection_args)
    pool.deserializers = [references.FAMILY, *(before or ["dask", "pickle", "error", "msgpack"])]
    pool.connection_args["handshake_overrides"] = {
        **arguments.get("handshake_overrides", {}),
        **references.HANDSHAKE,
    }
    pool.collect()  # connections that are open know nothing of it

    def undo() -> None:
        pool.deserializers = before
        pool.connection_args.clear()
        pool.connection_args.update(arguments)

    return undo


def _spill_references(worker: Any) -> Callable[[], Any]:
    if isinstance(worker.data, dict):  # it does not spill
        return lambda: None
    slow = worker.data._slow_uncached
    before = slow.dump
    slow.dump = partial(
        serialize_bytelist,
        compression=before.keywords["compression"],
        on_error="raise",
        serializers=references.SERIALIZERS,
        context=references.to_self(),
    )
    return lambda: setattr(slow, "dump", before)


def _measure_private(worker: Any) -> Callable[[], Any]:
    _need_linux()
    monitor = worker.monitor
    before = monitor.get_process_memory
    before()
    monitor.get_process_memory = private_memory
    return lambda: setattr(monitor, "get_process_memory", before)


def _watch_private(nanny: Any) -> Callable[[], Any]:
    """Ask dask's own monitor only when memory that cannot be taken back is over the limit."""
    _need_linux()
    manager = nanny.memory_manager
    if not manager.memory_limit or manager.memory_terminate_fraction is False:
        return lambda: None
    before = nanny.periodic_callbacks["memory_monitor"]
    limit = manager.memory_limit * manager.memory_terminate_fraction

    def watch() -> None:
        process = nanny.process and nanny.process.process
        try:
            if process is None or process.pid is None or private_memory(process.pid) <= limit:
                return
        except OSError:  # it has just ended
            return
        manager.memory_monitor(nanny)

    ours = PeriodicCallback(watch, manager.memory_monitor_interval * 1000)
    _exchange(nanny, before, ours)
    return partial(_exchange, nanny, ours, before)


def _exchange(nanny: Any, old: PeriodicCallback, new: PeriodicCallback) -> None:
    old.stop()
    nanny.periodic_callbacks["memory_monitor"] = new
    new.start()


def _need_linux() -> None:
    if not CAN_MEASURE:
        raise AttributeError("/proc does not tell mapped pages apart on this system")
