"""Many threads and processes at once: dumps and loads do not disturb each other."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from common import ROOT, assert_same, each, leftovers, small_chunks

import binpickle

ARRAYS = [np.arange(3000.0), np.arange(5000, dtype="i4")[::-1], np.random.RandomState(0).rand(700), np.arange(100)]
OBJECT = {"arrays": ARRAYS, "text": "x" * 3000, "numbers": list(range(2000))}
CODECS: dict[str, Any] = {"auto": "auto", "raw": []}
CODECS.update({name: [name] for name in ("zstd", "lz4", "zlib", "gzip", "bz2", "lzma", "blosc", "crc32", "base64")})
CODECS["chain"] = [{"id": "shuffle", "elementsize": 4}, "zstd"]


@each(CODECS, "codecs")
def test_dumps_and_loads_at_once(codecs: Any, tmp_path: Path) -> None:
    """Threads that dump and load at once all get what one alone gets."""
    objects = [[OBJECT, np.full(1000 + 4 * n, n)] for n in range(12)]
    if codecs == CODECS["chain"]:
        objects = [[np.full(1000 + 4 * n, n), np.arange(5000.0)] for n in range(12)]
    with small_chunks():
        want = [binpickle.dumps(obj, codecs=codecs) for obj in objects]

        def work(n: int) -> None:
            path = tmp_path / f"{n}.bpk"
            binpickle.dump(objects[n], path, codecs=codecs, threads=1 + n % 3)
            assert path.read_bytes() == want[n]
            assert_same(binpickle.load(path, threads=1 + n % 2), objects[n])
            assert_same(binpickle.loads(want[n]), objects[n])

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(work, range(12)))
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize("mode", [None, "r"])
def test_one_open_file(mode: Any, tmp_path: Path) -> None:
    """Threads may read from one open file at once."""
    path = tmp_path / "a.bpk"
    with small_chunks():
        binpickle.dump(OBJECT, path, mappable=mode is not None)
    with open(path, "rb") as file:
        for source in (path, file):
            with binpickle.BinPickleFile(source, mmap_mode=mode) as opened:

                def work(n: int, opened: Any = opened) -> None:
                    assert_same(opened.load(threads=2), OBJECT, writeable=mode is None)
                    assert opened.array(n % 3).nbytes == ARRAYS[n % 3].nbytes
                    assert opened.find_errors() == []
                    assert opened.stream()[-1:] == b"."

                with ThreadPoolExecutor(8) as pool:
                    list(pool.map(work, range(16)))


REPLACER = """if True:
    import sys, numpy as np, binpickle
    path, n = sys.argv[1], 0
    while not sys.stdin.closed:
        n += 1
        binpickle.dump([n, np.full(100_000 + n % 7 * 1000, n)], path, durable=False, mappable=n % 2 == 0)
        if n == 1:
            print("ready", flush=True)
"""


@pytest.mark.skipif(os.name != "posix", reason="POSIX only: elsewhere a mapped file cannot be replaced")
@pytest.mark.filterwarnings("ignore:nothing of the file could be mapped")  # every other version
def test_readers_and_a_replacer(tmp_path: Path) -> None:
    """Whoever reads while another process replaces the file sees one version of it, whole, for as long as they look."""
    path = tmp_path / "a.bpk"
    command = [sys.executable, "-c", REPLACER, str(path)]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    seen: set[int] = set()
    with subprocess.Popen(command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as replacer:
        try:
            assert replacer.stdout is not None
            replacer.stdout.readline()
            end = time.monotonic() + 2
            kept: list[Any] = []

            def read(mode: Any) -> None:
                while time.monotonic() < end:
                    n, array = binpickle.load(path, mmap_mode=mode, verify=True)
                    assert len(array) == 100_000 + n % 7 * 1000
                    assert array[0] == array[-1] == n
                    seen.add(n)
                    if len(kept) < 20:
                        kept.append((n, array))

            with ThreadPoolExecutor(3) as pool:
                list(pool.map(read, [None, "r", "c"]))
        finally:
            replacer.kill()
    assert len(seen) > 3
    for n, array in kept:
        assert (array == n).all()


def test_two_writers(tmp_path: Path) -> None:
    """Of several writers to one path the last one wins, and a reader sees a whole file of one of them."""
    path = tmp_path / "a.bpk"
    binpickle.dump([0, np.zeros(9)], path)
    end = time.monotonic() + 1

    def write(n: int) -> None:
        while time.monotonic() < end:
            binpickle.dump([n, np.full(n * 1000, n)], path, durable=False)

    with ThreadPoolExecutor(3) as pool:
        writing = [pool.submit(write, n) for n in (1, 20, 300)]
        while time.monotonic() < end:
            n, array = binpickle.load(path)
            assert (len(array) == n * 1000 and (array == n).all()) or n == 0
        for one in writing:
            one.result()
    assert leftovers(tmp_path) == []
    assert os.listdir(tmp_path) == ["a.bpk"]


def test_blosc_in_any_thread() -> None:
    """Blosc gives the same bytes whichever thread dumps, and however many."""
    found = set()

    def work(threads: int) -> None:
        found.add(binpickle.dumps(np.arange(200_000.0), codecs=["blosc"], threads=threads))

    work(1)
    for threads in (1, 2, 4):
        other = threading.Thread(target=work, args=(threads,))
        other.start()
        other.join()
        work(threads)
    assert len(found) == 1
