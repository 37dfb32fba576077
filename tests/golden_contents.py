"""Expected contents of the golden files, built again from nothing but a name and keyword arguments, and a strict
comparison.

No pickle, no random-number library: every number comes from a fixed integer hash
(splitmix64), so the result is the same on every numpy and Python version. Works on Python 3.7 and later.
"""

import datetime
import decimal
import fractions
import pickle
import struct
import uuid
from collections import OrderedDict, deque

import numpy as np

try:
    PickleBuffer = pickle.PickleBuffer
except AttributeError:  # Python 3.7: the backport
    from pickle5 import PickleBuffer  # type: ignore


# --------------------------------------------------------------------------- numbers


def u64(n, seed=0):
    "n pseudo-random unsigned 64-bit integers (splitmix64)."
    x = np.arange(1, n + 1, dtype="u8") + np.array(seed * 1000003, dtype="u8")
    x = x * np.array(0x9E3779B97F4A7C15, dtype="u8")
    x ^= x >> np.array(30, dtype="u8")
    x *= np.array(0xBF58476D1CE4E5B9, dtype="u8")
    x ^= x >> np.array(27, dtype="u8")
    x *= np.array(0x94D049BB133111EB, dtype="u8")
    x ^= x >> np.array(31, dtype="u8")
    return x.astype("<u8")


def ints(n, seed=0, lo=0, hi=1000, dtype="<i8"):
    "integers in [lo, hi)"
    v = (u64(n, seed) % np.array(hi - lo, dtype="u8")).astype("i8") + lo
    return v.astype(dtype)


def floats(n, seed=0):
    "doubles in [0, 1), exact multiples of 2**-53"
    return ((u64(n, seed) >> np.array(11, dtype="u8")).astype("f8") * 2.0**-53).astype("<f8")


def raw(n, seed=0):
    "n bytes that do not compress"
    return u64((n + 7) // 8, seed).tobytes()[:n]


def words(n, seed=0):
    v = u64(n, seed)
    return ["w{:x}".format(int(x & np.array(0xFFFF, dtype="u8"))) for x in v]


# --------------------------------------------------------------------------- contents

CONTENTS = {}


def content(fn):
    CONTENTS[fn.__name__] = fn
    return fn


def build(name, args=None):
    return CONTENTS[name](**(args or {}))


@content
def none():
    return None


@content
def builtins_mix():
    "No out-of-band buffer at all."
    return {
        "ints": [0, -1, 255, 256, 65535, 2**31, -(2**63), 2**200, -(3**150)],
        "floats": [0.0, -0.0, 1.5, float("inf"), float("-inf"), float("nan"), 5e-324],
        "text": ["", "a", "\u00e9\u4e2d\U0001f40d", "x" * 300, "nul\x00inside"],
        "bytes": [b"", b"\x00\xff", bytes(range(256)) * 3],
        "bytearray": bytearray(b"abc\x00"),
        "flags": (True, False, None, Ellipsis),
        "sets": [{1, 2, 3}, frozenset(["a", "b"])],
        "complex": 3 - 4j,
        "range": range(3, 30, 4),
        "slice": slice(1, None, 2),
        "odict": OrderedDict([("z", 1), ("a", 2)]),
        "deque": deque([1, 2, 3], maxlen=5),
        "when": datetime.datetime(2021, 7, 14, 12, 30, 1, 5),
        "day": datetime.date(1999, 12, 31),
        "delta": datetime.timedelta(days=3, microseconds=7),
        "dec": decimal.Decimal("12.3400"),
        "frac": fractions.Fraction(22, 7),
        "uuid": uuid.UUID(int=0x12345678123456781234567812345678),
        (1, "tuple", None): {"nested": [[[]]]},
    }


@content
def int_array(n=1024, seed=1, dtype="<i4", hi=5000):
    return ints(n, seed, 0, hi, dtype)


@content
def float_array(n=1024, seed=2):
    return floats(n, seed)


@content
def smooth(n=4000, seed=3, dtype="<i8"):
    "a rising series: what a delta filter is for"
    return np.cumsum(ints(n, seed, 0, 9)).astype(dtype)


@content
def quarters(n=1000, seed=4):
    "doubles that are multiples of 0.25 (a fixed-scale filter keeps them exactly)"
    return ints(n, seed, 0, 4000).astype("<f8") * 0.25


@content
def single_precision(n=1000, seed=5):
    "doubles that single precision holds exactly"
    return floats(n, seed).astype("<f4").astype("<f8")


@content
def bools(n=1003, seed=6):
    return ints(n, seed, 0, 2, "<i8").astype("?")


@content
def several(n=500, seed=7):
    "the usual model: a dict of some arrays and scalars"
    return {
        "name": "model",
        "weights": floats(n * 3, seed).reshape(n, 3),
        "ids": ints(n, seed + 1, 0, 100000, "<i8"),
        "bias": floats(n, seed + 2).astype("<f4"),
        "flags": ints(n, seed + 3, 0, 2).astype("?"),
        "bytes": np.frombuffer(raw(n, seed + 4), dtype="u1").copy(),
        "params": {"rate": 0.1, "iters": 20, "tags": ["a", "b"]},
    }


@content
def many_small(count=300, seed=8):
    "many arrays of 0 to 16 elements, of differing types"
    out = []
    kinds = ["<i4", "<f8", "<u2", "<i8", "i1"]
    for i in range(count):
        out.append(ints(i % 17, seed + i, 0, 100, "<i8").astype(kinds[i % len(kinds)]))
    return out


@content
def equal_small(count=40, n=16, seed=9):
    "arrays all of one size (so that a missing or doubled buffer is not noticed by size)"
    return [ints(n, seed + i, 0, 1000, "<i4") for i in range(count)]


@content
def dict_of_arrays(count=1000, seed=10):
    return OrderedDict((f"key{i:04d}", ints(1 + i % 7, seed + i, 0, 255, "<u2")) for i in range(count))


@content
def layouts(seed=11):
    "orders, shapes, strides"
    base = floats(60, seed)
    return {
        "c2": base.reshape(6, 10).copy(),
        "f2": np.asfortranarray(base.reshape(6, 10)),
        "f3": np.asfortranarray(base.reshape(3, 4, 5)),
        "c4": base.reshape(3, 2, 5, 2).copy(),
        "scalar0d": np.array(2.5),
        "strided": base[::3].copy()[::-1],
        "transposed": base.reshape(5, 12).copy().T,
        "column": base.reshape(6, 10)[:, 2:3].copy(),
        "one": base[:1].copy(),
    }


@content
def empties(seed=12):
    "buffers of no bytes, in the company of some bytes"
    return [
        np.empty(0, "<f8"),
        np.empty((0, 5), "<i4"),
        np.empty((4, 0), "<i2"),
        floats(3, seed),
        np.empty(0, "u1"),
        b"",
        ints(5, seed),
        np.empty(0, "<c16"),
    ]


@content
def empties_1byte(seed=13):
    "as above, in one dimension (the old Blosc codec refuses empty arrays of several dimensions)"
    return [np.empty(0, "u1"), floats(3, seed), np.empty(0, "i1"), ints(5, seed), np.empty(0, "?")]


@content
def all_empty():
    return [np.empty(0, "<f8"), np.empty(0, "u1")]


@content
def scalar_kinds(seed=14):
    "every plain kind of element, both byte orders"
    out = OrderedDict()
    for dt in [
        "?",
        "i1",
        "u1",
        "<i2",
        ">i2",
        "<u2",
        "<i4",
        ">i4",
        "<u4",
        "<i8",
        ">i8",
        "<u8",
        "<f2",
        ">f2",
        "<f4",
        ">f4",
        "<f8",
        ">f8",
    ]:
        out[dt] = ints(37, seed, 0, 100, "<i8").astype(dt)
    out["<c8"] = (floats(9, seed) + 1j * floats(9, seed + 1)).astype("<c8")
    out["<c16"] = (floats(9, seed) - 1j * floats(9, seed + 1)).astype("<c16")
    out["S5"] = np.array([w.encode() for w in words(11, seed)], dtype="S5")
    out["<U5"] = np.array(words(11, seed), dtype="<U5")
    out["M8[s]"] = ints(7, seed, 0, 10**9).astype("M8[s]")
    out["m8[ms]"] = ints(7, seed, 0, 10**9).astype("m8[ms]")
    out["V3"] = np.frombuffer(raw(12, seed), dtype="V3").copy()
    special = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 5e-324])
    out["special"] = special
    out["numpy scalars"] = [np.float64(1.25), np.int32(-7), np.bool_(True), np.uint8(200)]
    return out


@content
def structured(n=50, seed=15):
    dt = np.dtype([("id", "<i4"), ("pos", "<f8", (3,)), ("tag", "S4"), ("sub", [("a", "<u2"), ("b", "?")])])
    a = np.zeros(n, dt)
    a["id"] = ints(n, seed)
    a["pos"] = floats(n * 3, seed + 1).reshape(n, 3)
    a["tag"] = [w.encode()[:4] for w in words(n, seed)]
    a["sub"]["a"] = ints(n, seed + 2)
    a["sub"]["b"] = ints(n, seed + 3, 0, 2)
    aligned = np.zeros(5, np.dtype([("x", "i1"), ("y", "<f8")], align=True))
    aligned["x"] = ints(5, seed)
    aligned["y"] = floats(5, seed)
    return {"packed": a, "aligned": aligned}


@content
def object_arrays(seed=16):
    a = np.empty(6, object)
    a[:] = ["text", 7, None, (1, 2), {"k": [1]}, 2.5]
    b = np.empty((2, 2), object)
    b[0, 0] = ints(4, seed)
    b[0, 1] = "x"
    b[1, 0] = [floats(3, seed), b"raw"]
    b[1, 1] = None
    return {"flat": a, "with arrays": b, "plain": floats(20, seed)}


@content
def shared(seed=17):
    "one array twice, a view of it, a list that holds itself"
    a = ints(100, seed)
    loop = [1, a]
    loop.append(loop)
    return {"first": a, "again": a, "loop": loop, "pair": (a, [a])}


@content
def readonly(seed=18):
    a = floats(64, seed)
    a.setflags(write=False)
    b = ints(64, seed)
    return [a, b]


@content
def raw_buffers(seed=19):
    "bare PickleBuffer objects, which come back as some bytes-like object"
    return [
        PickleBuffer(raw(100, seed)),
        PickleBuffer(bytearray(raw(50, seed + 1))),
        PickleBuffer(b""),
        PickleBuffer(raw(4096, seed + 2)),
        "end",
    ]


@content
def nested(depth=60, seed=20):
    obj = {"leaf": floats(10, seed)}
    for i in range(depth):
        obj = {"level": i, "a": ints(i % 5, seed + i), "next": [obj]}
    return obj


@content
def noise(n=20000, seed=21):
    "does not compress"
    return np.frombuffer(raw(n, seed), dtype="u1").copy()


@content
def zeros(n=50000, dtype="<f8"):
    return np.zeros(n, dtype)


@content
def ramp(n=20000, dtype="<i8"):
    return (np.arange(n) * 3 + 7).astype(dtype)


@content
def ramps(n=5000, seed=22):
    return [
        np.arange(n).astype("<i8"),
        (np.arange(n) * 0.5).astype("<f8"),
        (np.arange(n) % 251).astype("u1"),
        (np.arange(n) % 1000).astype("<u2").reshape(-1, 10),
    ]


@content
def frame(n=200, seed=23):
    import pandas as pd

    cat = pd.Categorical.from_codes(ints(n, seed + 4, 0, 3).astype("i1"), ["lo", "mid", "hi"], ordered=True)
    cols = OrderedDict()
    cols["key"] = np.arange(n).astype("<i8")
    cols["count"] = ints(n, seed, 0, 1000)
    cols["score"] = floats(n, seed + 1)
    cols["small"] = floats(n, seed + 2).astype("<f4")
    cols["flag"] = ints(n, seed + 3, 0, 2).astype("?")
    df = pd.DataFrame(cols)
    df["cat"] = cat
    df["when"] = pd.Series(ints(n, seed + 5, 0, 10**9).astype("M8[s]").astype("M8[ns]"))
    df["text"] = pd.Series(words(n, seed + 6), dtype=object)
    return df


@content
def numeric_frame(n=300, seed=24):
    import pandas as pd

    cols = OrderedDict()
    cols["key"] = np.arange(n).astype("<i8")
    cols["count"] = ints(n, seed, 0, 1000)
    cols["score"] = floats(n, seed + 1)
    return pd.DataFrame(cols)


@content
def csr(rows=60, cols=40, seed=25):
    import scipy.sparse as sps

    dense = floats(rows * cols, seed).reshape(rows, cols)
    dense[dense < 0.9] = 0
    return sps.csr_matrix(dense)


# --------------------------------------------------------------------------- comparison


class Different(AssertionError):
    pass


def _bits(x):
    return struct.pack("<d", x)


def _raw_bytes(x):
    if isinstance(x, np.ndarray):
        return x.tobytes()
    if isinstance(x, (bytes, bytearray, memoryview, PickleBuffer)):
        return memoryview(x).tobytes()
    raise Different(f"{type(x)!r} is not bytes-like")


def same(got, want, where="obj", memo=None):
    "Raise Different unless got equals want: type, element type, order, shape, bits, sharing."
    memo = {} if memo is None else memo
    if isinstance(want, PickleBuffer):
        if _raw_bytes(got) != _raw_bytes(want):
            raise Different(f"{where}: raw buffer differs")
        return
    if isinstance(want, (list, dict, set, deque, np.ndarray)):
        if id(want) in memo:
            if memo[id(want)] is not got:
                raise Different(f"{where}: sharing lost")
            return
        memo[id(want)] = got
    mod = type(want).__module__.split(".")[0]
    if mod == "pandas":
        _same_frame(got, want, where)
        return
    if mod == "scipy":
        if type(got).__name__ != type(want).__name__ or got.shape != want.shape:
            raise Different(f"{where}: sparse type or shape")
        for part in ("data", "indices", "indptr"):
            same(getattr(got, part), getattr(want, part), where + "." + part, memo)
        return
    if type(got) is not type(want):
        raise Different(f"{where}: type {type(got).__name__}, not {type(want).__name__}")
    if isinstance(want, np.ndarray):
        if got.dtype != want.dtype or got.dtype.str != want.dtype.str:
            raise Different(f"{where}: dtype {got.dtype}, not {want.dtype}")
        if got.shape != want.shape:
            raise Different(f"{where}: shape {got.shape}, not {want.shape}")
        if want.flags.f_contiguous and not want.flags.c_contiguous and not got.flags.f_contiguous:
            raise Different(f"{where}: Fortran order lost")
        if want.dtype.hasobject:
            for i, (g, w) in enumerate(zip(got.ravel().tolist(), want.ravel().tolist())):
                same(g, w, f"{where}[{i}]", memo)
        elif got.tobytes() != want.tobytes():
            raise Different(f"{where}: values differ")
    elif isinstance(want, np.generic):
        if got.dtype != want.dtype or got.tobytes() != want.tobytes():
            raise Different(f"{where}: {got!r}, not {want!r}")
    elif isinstance(want, dict):
        if list(got.keys()) != list(want.keys()):
            raise Different(f"{where}: keys differ")
        for k in want:
            same(got[k], want[k], f"{where}[{k!r}]", memo)
    elif isinstance(want, (list, tuple, deque)):
        if len(got) != len(want):
            raise Different(f"{where}: {len(got)} items, not {len(want)}")
        for i, (g, w) in enumerate(zip(got, want)):
            same(g, w, f"{where}[{i}]", memo)
        if isinstance(want, deque) and got.maxlen != want.maxlen:
            raise Different(f"{where}: maxlen")
    elif isinstance(want, float):
        if _bits(got) != _bits(want):
            raise Different(f"{where}: {got!r}, not {want!r}")
    elif got != want:
        raise Different(f"{where}: {got!r}, not {want!r}")


def _same_frame(got, want, where):
    import pandas as pd

    if not isinstance(got, pd.DataFrame):
        raise Different(f"{where}: not a data frame")
    if list(got.columns) != list(want.columns) or list(got.index) != list(want.index):
        raise Different(f"{where}: labels differ")
    for c in want.columns:
        g, w = got[c], want[c]
        if isinstance(w.dtype, pd.CategoricalDtype):
            if (
                list(g.cat.categories) != list(w.cat.categories)
                or g.cat.ordered != w.cat.ordered
                or list(g.cat.codes) != list(w.cat.codes)
            ):
                raise Different(f"{where}[{c!r}]: categorical differs")
        elif w.dtype == object or c == "text":
            if list(g) != list(w):
                raise Different(f"{where}[{c!r}]: text differs")
        else:
            if g.dtype != w.dtype:
                raise Different(f"{where}[{c!r}]: dtype {g.dtype}, not {w.dtype}")
            if np.ascontiguousarray(g.to_numpy()).tobytes() != np.ascontiguousarray(w.to_numpy()).tobytes():
                raise Different(f"{where}[{c!r}]: values differ")
