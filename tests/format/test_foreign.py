"""Files of other kinds: the error says what the file is, and what to do."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import pickle
import zipfile
import zlib
from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest
from common import each

import binpickle


def written(write: Callable[[io.BytesIO], Any]) -> bytes:
    file = io.BytesIO()
    write(file)
    return file.getvalue()


DATA = binpickle.dumps([1, 2])
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 12345\n"
SAFETENSORS = (40).to_bytes(8, "little") + b'{"weight":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}'

FOREIGN = {
    "nothing": (b"", "it is empty.* get it again"),
    "zeros": (bytes(5000), "begins with zeros.* get it again"),
    "Git LFS": (POINTER, "a Git LFS pointer.* git lfs pull"),
    "HTML": (b"<!DOCTYPE html><html><body>404</body></html>", "an HTML page: .* get the file again"),
    "HTML after blanks": (b"\n\n  <!doctype  HTML>\n", "an HTML page"),
    "HTML without a type": (b"<HTML lang='en'>", "an HTML page"),
    "XML": (b"\xef\xbb\xbf<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>", "an XML document"),
    "JSON": (b'{\n  "message": "Not Found"\n}\n', "a JSON document"),
    "short JSON": (b"{}", "a JSON document"),
    "list of JSON": (b"[[1, 2]]", "a JSON document"),
    "gzip": (gzip.compress(DATA), "a gzip file: .* gzip.open"),
    "bzip2": (bz2.compress(DATA), "a bzip2 file: .* bz2.open"),
    "xz": (lzma.compress(DATA), "an xz file: .* lzma.open"),
    "zstd": (b"\x28\xb5\x2f\xfd\x04\x00\x01\x00\x00\x99\xe9\xd8\x51", "a zstd file: .* decompress"),
    "lz4": (b"\x04\x22\x4d\x18\x64\x40\xa7\x00\x00\x00\x00\x05\x5d", "an lz4 file: .* decompress"),
    "zip": (written(lambda file: zipfile.ZipFile(file, "w").close()), "a zip file"),
    "numpy.savez": (written(lambda file: np.savez(file, a=np.arange(3))), "a zip file, as numpy.savez"),
    "numpy.save": (written(lambda file: np.save(file, np.arange(3))), "load it with numpy.load"),
    "safetensors": (SAFETENSORS, "safetensors"),
    "HDF5": (b"\x89HDF\r\n\x1a\n\x00", "an HDF5 file: .* h5py"),
    "Parquet": (b"PAR1\x15\x04\x15", "pandas.read_parquet"),
    "Arrow": (b"ARROW1\0\0", "pandas.read_feather"),
    "unknown": (b"something else", "it begins with b'some', not b'BPCK'"),
}
FOREIGN.update({f"zlib {n}": (zlib.compress(DATA, n), "load it with joblib") for n in (0, 3, 6, 9)})
FOREIGN.update(
    {
        f"pickle {n}": (pickle.dumps([1], n), "a pickle, .* dump the object with")
        for n in range(2, pickle.HIGHEST_PROTOCOL + 1)
    }
)


@each(FOREIGN, "data", "message")
def test_foreign(data: bytes, message: str, tmp_path: Path) -> None:
    """What is not a BinPickle file is called by its name, with what to do, and with the path of the file."""
    path = tmp_path / "a.bpk"
    path.write_bytes(data)
    for read in (binpickle.load, binpickle.BinPickleFile, binpickle.inspect):
        with pytest.raises(binpickle.FormatError, match=f"not a BinPickle file.*{message}") as caught:
            read(path)
        assert caught.value.file == str(path)
    with pytest.raises(binpickle.FormatError, match=message):
        binpickle.loads(data)
    with pytest.raises(binpickle.FormatError, match=message):
        binpickle.load(io.BufferedReader(io.BytesIO(data)))  # type: ignore[arg-type]
    assert binpickle.file_info(path).status is binpickle.FileStatus.INVALID


def test_folder(tmp_path: Path) -> None:
    """A folder is no file: the error of the operating system says what to do."""
    with pytest.raises(IsADirectoryError, match=r"give a file in it, or binpickle_dask\.load"):
        binpickle.load(tmp_path)
