"""Work in a forked child, so that what would end the process is a result.

Rule: the child gives back JSON, and never returns into its parent's code.
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
    """Return what a function returns in a child: a value that JSON knows.

    Raises:
        Broken: it raised something, or was ended by a signal.
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
    faulthandler.disable()  # a signal is a result here, and no news
    gc.freeze()  # to visit the parent's objects would copy their pages, and count as time that the work took
    try:
        said = {"value": run()}
    except BaseException:
        said = {"why": traceback.format_exc(limit=-4)}
    try:
        os.write(writing, json.dumps(said).encode()[: 60 << 10])
    finally:
        os._exit(0)
