"""A small web service that saves its state while it answers, and takes a new state as an upload.

Run it with `uvicorn --app-dir examples service:app`. It counts hits in a million bins:

    curl -X POST localhost:8000/bins/7          count a hit
    curl localhost:8000/bins/7                  show the hits of a bin
    curl -T counts.bpk localhost:8000/counts    continue with other counts

The service saves the counts every ten seconds and at the end, and begins with the counts that were saved last.
"""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from typing import Any, AsyncIterator

import anyio
import numpy as np
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

import binpickle

BINS = 1_000_000
FILE = anyio.Path(os.environ.get("SERVICE_FILE", "counts.bpk"))
SECONDS = float(os.environ.get("SERVICE_SECONDS", "10"))
# How much an upload may ask for. The service stops receiving an upload that exceeds `stored_bytes`.
LIMITS = binpickle.Limits(stored_bytes=32 << 20, decoded_bytes=32 << 20, buffers=10)

counts = np.zeros(BINS, np.int64)


async def count_hit(request: Request) -> JSONResponse:
    """Count a hit, without waiting for a save."""
    counts[request.path_params["bin"] % BINS] += 1
    return JSONResponse(None)


async def show_hits(request: Request) -> JSONResponse:
    """Return how many hits a bin had."""
    return JSONResponse(int(counts[request.path_params["bin"] % BINS]))


async def take_counts(request: Request) -> JSONResponse:
    """Continue with the counts of an upload. Anybody may send one, so it may run no code: `trusted=()`."""
    global counts
    try:
        uploaded = await binpickle.aload(request.stream(), trusted=(), limits=LIMITS)
    except binpickle.LimitError as error:
        return JSONResponse(str(error), 413)
    except binpickle.BinPickleError as error:
        return JSONResponse(str(error), 400)
    if not is_counts(uploaded):
        return JSONResponse(f"not {BINS} counts", 422)
    counts = uploaded
    return JSONResponse(None)


def is_counts(obj: Any) -> bool:
    """Return whether a loaded object is an array of counts for this service."""
    return type(obj) is np.ndarray and obj.shape == (BINS,) and obj.dtype == np.int64


async def save() -> None:
    """Save a copy of the counts, since requests change the counts meanwhile."""
    await binpickle.adump(counts.copy(), FILE, durable=True)


async def save_repeatedly() -> None:
    while True:
        await anyio.sleep(SECONDS)
        await save()


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    """Load the counts that were saved last, save repeatedly, and save once more at the end."""
    global counts
    if await FILE.exists():
        counts = await binpickle.aload(FILE)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(save_repeatedly)
        yield
        tasks.cancel_scope.cancel()  # a save that is cancelled leaves the file of the previous save
    await save()


app = Starlette(
    lifespan=lifespan,
    routes=[
        Route("/bins/{bin:int}", count_hit, methods=["POST"]),
        Route("/bins/{bin:int}", show_hits),
        Route("/counts", take_counts, methods=["PUT"]),
    ],
)
