"""Files that people give to `load` by mistake, told apart by their first bytes.

Rule: one table says what each kind of file is, and what its reader can do. It only makes errors clearer: a file that is
not in it is refused, too.
"""

from __future__ import annotations

__all__ = ["LOOK_AT", "describe"]

LOOK_AT = 64
"""How many of the first bytes tell the kind of a file."""

_PACKED = "if it holds a .bpk, decompress that, or pass the file object of {}"
_SENT = "if a server sent it in place of the file, it says why; get the file again"

# What a file is: the bytes that it may begin with, and what to do. Text is compared in lower case and without blanks.
_KINDS = {
    "a Git LFS pointer, which stands for the file": ((b"versionhttps://git-lfs",), "get the file with git lfs pull"),
    "an HTML page": ((b"<!doctypehtml", b"<html", b"<head"), _SENT),
    "an XML document": ((b"<?xml", b"<error"), _SENT),
    "a JSON document": ((b'{"', b"{}", b'["', b"[{", b"[["), _SENT),
    "a gzip file": ((b"\x1f\x8b",), _PACKED.format("gzip.open")),
    "a bzip2 file": ((b"BZh",), _PACKED.format("bz2.open")),
    "an xz file": ((b"\xfd7zXZ\0",), _PACKED.format("lzma.open")),
    "a zstd file": ((b"\x28\xb5\x2f\xfd",), _PACKED.format("its library")),
    "an lz4 file": ((b"\x04\x22\x4d\x18",), _PACKED.format("its library")),
    "a zlib stream, as joblib writes": ((b"x\x01", b"x\x5e", b"x\x9c", b"x\xda"), "load it with joblib"),
    "a zip file, as numpy.savez and torch.save write": (
        (b"PK\x03\x04", b"PK\x05\x06"),
        "load it with its library, or extract the .bpk in it",
    ),
    "a pickle, as pickle and joblib write": (
        (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"),
        "load it with these, and dump the object with binpickle",
    ),
    "an array of numpy.save": ((b"\x93NUMPY",), "load it with numpy.load"),
    "an HDF5 file": ((b"\x89HDF\r\n\x1a\n",), "load it with h5py, or with the library that wrote it"),
    "a Parquet file": ((b"PAR1",), "load it with pandas.read_parquet"),
    "an Arrow or Feather file": ((b"ARROW1", b"FEA1"), "load it with pandas.read_feather"),
}
_HEADER_FOLLOWS = slice(8, 10)  # safetensors begin with the length of a JSON document, of 8 bytes
_ENOUGH = 16


def describe(start: bytes) -> str:
    """Return what a file is and what to do about it, after "not a BinPickle file"; an empty string if nobody knows.

    Args:
        start: the first bytes of the file, at most `LOOK_AT` of them.
    """
    if not start:
        return ": it is empty, as its writer or a copy failed; get it again"
    if len(start) >= _ENOUGH and not any(start):
        return ": it begins with zeros, as a copy or the disk failed; get it again"
    if start[_HEADER_FOLLOWS] == b'{"':
        return " but one of safetensors: load it with safetensors"
    text = b"".join(start.split()).lower()
    if text.startswith(b"\xef\xbb\xbf"):  # the mark of UTF-8
        text = text[3:]
    for what, (starts, advice) in _KINDS.items():
        if start.startswith(starts) or text.startswith(starts):
            return f" but {what}: {advice}"
    return ""
