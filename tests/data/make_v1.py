"""Writes `v1-more/`: files of format version 1, of kinds that `golden/` lacks, and a manifest of the same form.

Run in an environment of its own, since the release that wrote version 1 and this library share a name::

    pip install binpickle==0.3.4 blosc "numcodecs<0.13" "numpy<2"    # Python 3.8 to 3.11
    python tests/data/make_v1.py

The files are kept in the repository; written again they differ where a codec's output does.
"""

from __future__ import annotations

import hashlib
import json
import pathlib
import sys

import numpy as np

import binpickle
from binpickle.codecs import GZ, NC, Blosc, Chain, Null

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

import golden_contents  # noqa: E402
import legacy_files  # noqa: E402


def for_arrays(*codecs):
    """Return a codec function that uses a chain for arrays and nothing for the pickle stream, which has any length."""

    def choose(buffer):
        stream = isinstance(buffer, memoryview)
        return None if stream else Chain(codecs)

    return choose


def by_size(buffer):
    """Return another codec for each of several sizes, so that entries of one file differ."""
    nbytes = memoryview(buffer).nbytes
    if nbytes == 0 or nbytes % 4 == 2:
        return None
    if nbytes % 8 == 0:
        return [NC(id="shuffle", elementsize=8), NC(id="zstd", level=1)]
    return GZ(1) if nbytes % 2 else NC(id="lz4")


MAPPABLE = {"mappable": True}

# file, content, its arguments, arguments of `dump`
FILES = [
    ("blosc-lz4hc-raw", "ramps", {"n": 500}, {"codec": Blosc("lz4hc", 0, 0)}),
    ("blosc-zlib-bitshuffle", "ramps", {"n": 500}, {"codec": Blosc("zlib", 6, 2)}),
    ("blosc-uneven-blocks", "scalar_kinds", {}, {"codec": Blosc("zstd", 3, 1, 100)}),
    ("chain-blosc-gz", "ramps", {"n": 500}, {"codec": Chain([Blosc("lz4", 5, 1), GZ(9)])}),
    ("chain-null-only", "readonly", {}, {"codec": Chain([Null(), Chain([])])}),
    ("different-codecs", "many_small", {"count": 60}, {"codec": by_size}),
    ("function-none", "shared", {}, {"codec": lambda buffer: None}),
    ("gz-0", "equal_small", {}, {"codec": GZ(0)}),
    ("gz-all-empty", "all_empty", {}, {}),
    ("gz-dict-of-arrays", "dict_of_arrays", {"count": 60}, {}),
    ("gz-layouts", "layouts", {}, {}),
    ("gz-nested", "nested", {"depth": 30}, {}),
    ("gz-none", "none", {}, {}),
    ("gz-objects", "object_arrays", {}, {}),
    ("gz-raw-buffers", "raw_buffers", {}, {}),
    ("gz-scalar-kinds", "scalar_kinds", {}, {}),
    ("gz-zeros", "zeros", {}, {}),
    ("mappable-objects", "object_arrays", {}, MAPPABLE),
    ("mappable-raw-buffers", "raw_buffers", {}, MAPPABLE),
    ("name-gz", "several", {"n": 50}, {"codec": "gz"}),
    ("nc-adler32", "int_array", {"n": 100}, {"codec": NC(id="adler32")}),
    (
        "nc-astype",
        "single_precision",
        {},
        {"codec": for_arrays(NC(id="astype", encode_dtype="<f4", decode_dtype="<f8"))},
    ),
    ("nc-base64", "int_array", {"n": 100}, {"codec": NC(id="base64")}),
    ("nc-blosc", "ramps", {"n": 500}, {"codec": NC(id="blosc", cname="lz4", clevel=5, shuffle=2)}),
    ("nc-bz2", "several", {"n": 50}, {"codec": NC(id="bz2", level=9)}),
    ("nc-crc32", "int_array", {"n": 100}, {"codec": NC(id="crc32")}),
    ("nc-delta-int4", "smooth", {"n": 1000, "dtype": "<i4"}, {"codec": for_arrays(NC(id="delta", dtype="<i4"), GZ(5))}),
    (
        "nc-fixedscaleoffset",
        "quarters",
        {},
        {"codec": for_arrays(NC(id="fixedscaleoffset", offset=0, scale=4, dtype="<f8", astype="<u2"), GZ(9))},
    ),
    ("nc-fletcher32", "int_array", {"n": 100}, {"codec": NC(id="fletcher32")}),
    ("nc-gzip", "several", {"n": 50}, {"codec": NC(id="gzip", level=5)}),
    ("nc-jenkins", "int_array", {"n": 100}, {"codec": NC(id="jenkins_lookup3")}),
    ("nc-lzma-xz", "several", {"n": 50}, {"codec": NC(id="lzma")}),
    (
        "nc-lzma-raw",
        "int_array",
        {},
        {"codec": NC(id="lzma", format=3, filters=[{"id": 3, "dist": 4}, {"id": 0x21, "preset": 1}])},
    ),
    ("nc-msgpack2", "int_array", {"n": 100}, {"codec": for_arrays(NC(id="msgpack2"), GZ(9))}),
    ("nc-packbits", "bools", {}, {"codec": for_arrays(NC(id="packbits"))}),
    (
        "nc-shuffle-zstd",
        "ramp",
        {"n": 2000},
        {"codec": for_arrays(NC(id="shuffle", elementsize=8), NC(id="zstd", level=3))},
    ),
    ("nc-zlib", "several", {"n": 50}, {"codec": NC(id="zlib", level=6)}),
]


def write(folder, name, content, arguments, options):
    """Write one file and return its record."""
    path = folder / f"{name}.bpk"
    binpickle.dump(golden_contents.build(content, arguments), str(path), **options)
    data = path.read_bytes()
    index = legacy_files.unpack_index(data)
    codecs = {json.dumps(entry["codec"]) for entry in index}
    return {
        "args": arguments,
        "buffer_bytes": [entry["dec_length"] for entry in index],
        "codecs_used": sorted(codecs),
        "content": content,
        "entries": len(index),
        "file": path.relative_to(folder).as_posix(),
        "flags": 0,
        "made_mappable": options.get("mappable", False),
        "needs": {"numpy": "1.16"},
        "no_codec_anywhere": codecs <= {"null"},
        "no_object": False,
        "sha256": hashlib.sha256(data).hexdigest(),
        "size": len(data),
        "trailer": 16,
        "version": 1,
    }


def main():
    folder = HERE / "v1-more"
    folder.mkdir(exist_ok=True)
    records = [write(folder, *row) for row in FILES]
    (folder / "manifest.json").write_text(json.dumps(records, indent=1, sort_keys=True) + "\n")
    total = sum(record["size"] for record in records)
    print(f"{len(records)} files, {total} bytes, with binpickle 0.3.4 and NumPy {np.__version__}")


if __name__ == "__main__":
    main()
