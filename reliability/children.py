"""Run functions in forked children, so that a crash of the process becomes a result.

Rule: the child returns JSON, and never returns into its parent's code.
"""

from __future__ import annotations

import faulthandler
import gc
import json
import os
import signal
import traceback
from typing import Any, Callable

from .targets import Broken

__all__ = ["in_child"]


def in_child(run: Callable[[], Any]) -> Any:
    """Run a function in a forked child, and return its result, which must be a value of JSON.

    Raises:
        Broken: the function raised an error, or a signal ended the child.
    """
    reading, writing = os.pipe()
    pid = os.fork()
    if not pid:
        _run(run, writing)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        said = json.loads(pipe.read() or b"{}")
    status = os.waitpid(pid, 0)[1]
    if os.WIFSIGNALED(status):
        raise Broken(f"ended by {signal.Signals(os.WTERMSIG(status)).name}")
    if "value" not in said:
        raise Broken(said.get("why", f"exit status {status}"))
    return said["value"]


def _run(run: Callable[[], Any], writing: int) -> None:
    faulthandler.disable()  # a signal is a result here, so its traceback is noise
    gc.freeze()  # collecting the parent's objects would copy their pages, and count as time of the function
    try:
        said = {"value": run()}
    except BaseException:
        said = {"why": traceback.format_exc(limit=-4)}
    try:
        os.write(writing, json.dumps(said).encode()[: 60 << 10])
    finally:
        os._exit(0)
