"""The internal names of `binpickle` that tests need, so that moving a module changes this file alone."""

from __future__ import annotations

from binpickle import keys
from binpickle.aio.hops import Work
from binpickle.cli import entry
from binpickle.codecs import parameters, table
from binpickle.codecs.auto import choose, encode_best
from binpickle.codecs.byteshuffle import shuffle, unshuffle
from binpickle.codecs.chain import (
    RAW,
    chain_for,
    chain_from_specs,
    decode,
    decode_pieces,
    encode,
    parse_codecs,
    register_codec,
    stream_chain,
)
from binpickle.codecs.table import CODECS, NEVER
from binpickle.files import atomic as atomic_module
from binpickle.files import linux as linux_module
from binpickle.files import mounts, pagecache
from binpickle.files import temporary as temporary_module
from binpickle.files.folder import Folder
from binpickle.files.source import BytesSource, DescriptorSource, FileSource, Source
from binpickle.files.spool import Spool
from binpickle.files.systemcalls import REFUSALS
from binpickle.files.target import open_sink
from binpickle.format import checksums, header, shapes
from binpickle.format.checksums import ALGORITHMS
from binpickle.format.columns import exact_sums, pack_column, unpack_column
from binpickle.format.contents import Checksum, Contents, Kind
from binpickle.format.dtypes import dtype_from_spec, dtype_spec
from binpickle.format.header import (
    ALIGN_FROM,
    ALIGNMENT,
    CHUNK_BYTES,
    HEADER,
    LARGE,
    MAX_ENCODED_CHUNK,
    NATIVE_ORDER,
    PAGE,
    SHARE_BELOW,
    TRAILER,
    VERSION,
    Flags,
    Header,
    Trailer,
)
from binpickle.format.legacy import parse as parse_of_legacy
from binpickle.format.placement import find_placement
from binpickle.format.read_index import check_index, check_trailer
from binpickle.format.read_index import parse as parse_of_read_index
from binpickle.format.runs import Piece, Runs, packed
from binpickle.format.text import MAX_EMPTY_ITEMS, check_text
from binpickle.format.views import View, view_of
from binpickle.format.write_index import IndexBuilder
from binpickle.keys import Keys
from binpickle.limits import RESTRICTED_LIMITS, Limits
from binpickle.outline import Node, Outline, escape, outline, quick_limits
from binpickle.pickling import arrays, renames
from binpickle.pickling.arrays import IN_BAND_BELOW
from binpickle.pickling.out_of_band import OutOfBand
from binpickle.pickling.pickler import Pickling
from binpickle.pickling.protocol import pickle
from binpickle.reading import environment, limiting, prefetching, ranges
from binpickle.reading.filereader import FileReader
from binpickle.reading.memory import SLAB_BYTES
from binpickle.reading.pages import Memory, allocate
from binpickle.reading.partial import PartialRead
from binpickle.reading.recent import Recent
from binpickle.reading.small import load_small
from binpickle.remote import retrying
from binpickle.remote.fetching import Fetcher, Window, merge
from binpickle.remote.objects import ObjectInfo, redacted, redacted_text
from binpickle.remote.obstore import translated_options
from binpickle.remote.source import EDGE
from binpickle.show import text
from binpickle.threads.available import available_memory
from binpickle.threads.cgroups import cpu_quota, memory_left
from binpickle.threads.cpus import has_idle_cpu, usable_cpus
from binpickle.threads.crew import Cancelled, Crew, Job, Pipeline, exhaust
from binpickle.trust.sets import uses
from binpickle.writing import filewriter as filewriter_module
from binpickle.writing import plan as plan_module
from binpickle.writing import staged as staged_module
from binpickle.writing import stream as stream_module
from binpickle.writing.chunk import AUTO
from binpickle.writing.options import DumpOptions
from binpickle.writing.plan import Plan, plan_buffers

__all__ = [
    "atomic_module",
    "checksums",
    "header",
    "limiting",
    "shapes",
    "keys",
    "linux_module",
    "mounts",
    "pagecache",
    "prefetching",
    "ranges",
    "open_sink",
    "ALGORITHMS",
    "ALIGNMENT",
    "ALIGN_FROM",
    "AUTO",
    "CHUNK_BYTES",
    "Cancelled",
    "Checksum",
    "Contents",
    "Crew",
    "DumpOptions",
    "Flags",
    "Folder",
    "HEADER",
    "Header",
    "IndexBuilder",
    "Job",
    "Keys",
    "Kind",
    "LARGE",
    "Limits",
    "Memory",
    "MAX_EMPTY_ITEMS",
    "MAX_ENCODED_CHUNK",
    "NATIVE_ORDER",
    "NEVER",
    "Node",
    "OutOfBand",
    "Outline",
    "PAGE",
    "Pickling",
    "Pipeline",
    "Plan",
    "RAW",
    "REFUSALS",
    "RESTRICTED_LIMITS",
    "CODECS",
    "SHARE_BELOW",
    "SLAB_BYTES",
    "Spool",
    "TRAILER",
    "Trailer",
    "BytesSource",
    "DescriptorSource",
    "FileReader",
    "FileSource",
    "PartialRead",
    "Piece",
    "Runs",
    "Source",
    "View",
    "packed",
    "view_of",
    "Recent",
    "load_small",
    "VERSION",
    "Work",
    "allocate",
    "parameters",
    "arrays",
    "available_memory",
    "chain_for",
    "chain_from_specs",
    "check_index",
    "check_text",
    "check_trailer",
    "choose",
    "encode_best",
    "cpu_quota",
    "decode",
    "decode_pieces",
    "table",
    "dtype_from_spec",
    "dtype_spec",
    "encode",
    "escape",
    "entry",
    "environment",
    "exact_sums",
    "exhaust",
    "memory_left",
    "filewriter_module",
    "find_placement",
    "has_idle_cpu",
    "pack_column",
    "parse_codecs",
    "outline",
    "parse_of_legacy",
    "parse_of_read_index",
    "pickle",
    "plan_buffers",
    "plan_module",
    "staged_module",
    "IN_BAND_BELOW",
    "quick_limits",
    "register_codec",
    "renames",
    "shuffle",
    "stream_chain",
    "stream_module",
    "text",
    "unpack_column",
    "unshuffle",
    "usable_cpus",
    "uses",
    "EDGE",
    "Fetcher",
    "ObjectInfo",
    "Window",
    "merge",
    "redacted",
    "redacted_text",
    "retrying",
    "translated_options",
    "temporary_module",
]
