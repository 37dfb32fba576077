"""The plugins that workers and nannies run.

Rule: no class of dask is changed, only attributes of one worker or nanny, and `teardown` restores all of them. If an
attribute is not as this release expects, that feature stays off, and `off` names it.
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

Undo = Callable[[], Any]
# The types of distributed do not know the private attributes that are used here.
Nanny = Any
Worker = Any

NAME = "binpickle-mapped"


class _Switches:
    """Features that are switched on one by one, and off together."""

    def __init__(self) -> None:
        self.off: list[str] = []
        self._undo: list[Undo] = []

    def switch_on(self, feature: str, switch: Callable[[], Undo]) -> None:
        """Switch a feature on, and remember how to undo it. A feature that cannot be switched on goes to `off`."""
        try:
            self._undo.append(switch())
        except (AttributeError, KeyError, TypeError) as error:
            self.off.append(f"{feature} ({error})")

    def switch_off(self) -> None:
        """Undo all features, the last one first."""
        while self._undo:
            self._undo.pop()()


class MappedWorkerPlugin(WorkerPlugin):
    """Makes a worker send and spill mapped chunks as references, and not count their memory.

    Attributes:
        name: the name under which distributed knows the plugin.
        off: the features that this release of distributed does not allow, each with the reason.
    """

    name = NAME

    def __init__(self, by_reference: bool, memory: bool):
        self._by_reference = by_reference
        self._memory = memory
        self._switches = _Switches()

    @property
    def off(self) -> list[str]:
        """The features that could not be switched on, each with the reason."""
        return self._switches.off

    def setup(self, worker: Worker) -> None:
        """Switch on the features that were asked for."""
        self._switches = switches = _Switches()
        if self._by_reference:
            references.register()
            switches.switch_on("by_reference", partial(_ask_for_references, worker))
            switches.switch_on("spilling references", partial(_spill_references, worker))
            if not switches.off:
                switches.switch_on("small sizes", count_mapped_as_nothing)
        if self._memory:
            switches.switch_on("memory", partial(_measure_private, worker))

    def teardown(self, worker: Worker) -> None:
        """Restore all that `setup` changed."""
        self._switches.switch_off()


class MappedNannyPlugin(NannyPlugin):
    """Lets a nanny end its worker only for memory that the system cannot take back."""

    name = NAME
    restart = False

    def __init__(self) -> None:
        self._switches = _Switches()

    def setup(self, nanny: Nanny) -> None:
        """Switch the feature on."""
        self._switches = _Switches()
        self._switches.switch_on("memory of nannies", partial(_watch_private, nanny))

    def teardown(self, nanny: Nanny) -> None:
        """Restore all that `setup` changed."""
        self._switches.switch_off()


def _ask_for_references(worker: Worker) -> Undo:
    """Make a worker ask its peers for references, and prove that it sees the same files."""
    pool = worker.rpc
    before, arguments = pool.deserializers, dict(pool.connection_args)
    pool.deserializers = [references.FAMILY, *(before or ["dask", "pickle", "error", "msgpack"])]
    pool.connection_args["handshake_overrides"] = {**arguments.get("handshake_overrides", {}), **references.HANDSHAKE}
    pool.collect()  # closes connections that were opened without the handshake

    def undo() -> None:
        pool.deserializers = before
        pool.connection_args.clear()
        pool.connection_args.update(arguments)

    return undo


def _spill_references(worker: Worker) -> Undo:
    """Make a worker write references when it spills."""
    if isinstance(worker.data, dict):  # this worker does not spill
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


def _measure_private(worker: Worker) -> Undo:
    """Make a worker measure its memory without the pages of mapped files."""
    _need_linux()
    monitor = worker.monitor
    before = monitor.get_process_memory
    before()
    monitor.get_process_memory = private_memory
    return lambda: setattr(monitor, "get_process_memory", before)


def _watch_private(nanny: Nanny) -> Undo:
    """Call dask's own monitor only when the memory that the system cannot take back is over the limit."""
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
        except OSError:  # the worker has just ended
            return
        manager.memory_monitor(nanny)

    ours = PeriodicCallback(watch, manager.memory_monitor_interval * 1000)
    _exchange(nanny, before, ours)
    return partial(_exchange, nanny, ours, before)


def _exchange(nanny: Nanny, old: PeriodicCallback, new: PeriodicCallback) -> None:
    old.stop()
    nanny.periodic_callbacks["memory_monitor"] = new
    new.start()


def _need_linux() -> None:
    if not CAN_MEASURE:
        raise AttributeError("/proc does not count mapped pages apart on this system")
