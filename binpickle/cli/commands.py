"""The commands, each a function of its arguments that writes to stdout and returns the exit code.

Rule: a command shows its result on stdout, through a `Screen` or as JSON, and its bar on stderr. A command raises what
it cannot do; `entry` turns the exception into a line on stderr.
"""

from __future__ import annotations

import os
import sys
from typing import Any, Mapping, Sequence

import binpickle
from binpickle import BinPickleError, BinPickleFile, Limits

from ..keys import read_key
from ..show.facts import BUFFER_COLUMNS, TOTAL_COLUMNS, as_json, buffer_row, facts, pieces, total_rows
from ..show.text import LONGEST_FACT, count_text, json_pieces, json_text, nbytes_text, share_text, shorten
from .codecs import codec
from .failures import error_text, print_error
from .folders import contents, find_errors, folder_facts, folder_json
from .keys import folder_arguments, key_arguments, key_context
from .plain_screen import ROWS, Screen
from .screen import open_screen, progress_bar

__all__ = ["extract_stream", "info", "repack", "verify"]

_MOST_NAMED = 200  # characters of file names in one line on stderr


def info(
    file: str,
    in_json: bool = False,
    every: bool = False,
    insist: bool = False,
    key_files: Sequence[str] | None = None,
    context: str | None = None,
) -> int:
    """Show what is in a file and what takes the room.

    Args:
        file: path of a file, or of a folder that `binpickle_dask` wrote.
        in_json: print JSON for programs, with all buffers.
        every: show all buffers and all metadata, however many there are.
        insist: tell the names of the buffers, however long the pickle stream is.
        key_files: paths of keys; the file must be sealed with one of them.
        context: the context that the file was sealed in.
    """
    if os.path.isdir(file):
        sealing = folder_arguments(key_files, context)
        if in_json:
            print(json_text(folder_json(file, sealing)))
        else:
            open_screen(sys.stdout).facts(folder_facts(file, sealing))
        return 0
    sealing = key_arguments(key_files, context)
    with BinPickleFile(file, limits=Limits() if insist else None, **sealing) as opened:
        if in_json:
            whole = as_json(file, opened.summary, opened.buffers, opened.names, opened.names_problem)
            for piece in json_pieces(whole):
                print(piece, end="")
            print()
        else:
            _show(file, opened, every, authenticated=bool(sealing))
    return 0


def _show(path: str, opened: BinPickleFile, every: bool, authenticated: bool) -> None:
    screen, summary, buffers, names = open_screen(sys.stdout), opened.summary, opened.buffers, opened.names
    metadata = [("metadata", shorten(f"{name}: {text}", LONGEST_FACT)) for name, text in summary.metadata.items()]
    entries = metadata if every else metadata[:ROWS]
    screen.facts([*facts(path, summary, authenticated, opened.names_problem), *entries])
    screen.more(len(metadata) - len(entries))
    screen.drawing(pieces(summary, buffers, names))
    count = summary.buffers.count
    numbers = summary.largest(count if every else ROWS)
    if numbers:
        screen.table(BUFFER_COLUMNS, [buffer_row(n, buffers[n], names[n]) for n in numbers])
    rest = max(0, summary.buffers.stored_nbytes - int(summary.stored[numbers].sum()))
    screen.more(count - len(numbers), f", stored in {nbytes_text(rest)}")
    if count > ROWS:
        for title, rows in [("codecs", total_rows(summary.by_codecs)), ("dtype", total_rows(summary.by_dtype))]:
            shown = rows if every else rows[:ROWS]
            screen.table([title, *TOTAL_COLUMNS], shown)
            screen.more(len(rows) - len(shown))


def verify(
    files: Sequence[str],
    decode: bool = False,
    key_files: Sequence[str] | None = None,
    context: str | None = None,
) -> int:
    """Compare the stored bytes of files with their checksums.

    Args:
        files: paths of files, of folders that `binpickle_dask` wrote, or of folders that hold these.
        decode: decode what is stored, too.
        key_files: paths of keys; each file must be sealed with one of them.
        context: the context that the files were sealed in.

    Returns:
        1 if any file is damaged or cannot be read, else 0.
    """
    sealing = key_arguments(key_files, context)
    for_folders = folder_arguments(key_files, context)
    screen = open_screen(sys.stdout)
    paths = [path for file in files for path in (contents(file) if os.path.isdir(file) else [file])]
    bad = [
        path for path in paths if not _verify_one(screen, path, decode, for_folders if os.path.isdir(path) else sealing)
    ]
    if bad:
        verb = "is" if len(bad) == 1 else "are"
        names = shorten(", ".join(bad), _MOST_NAMED)
        print_error(f"{len(bad)} of {count_text(len(paths), 'file')} {verb} damaged or cannot be read: {names}")
    return 1 if bad else 0


def _verify_one(screen: Screen, file: str, decode: bool, sealing: Mapping[str, Any]) -> bool:
    """Check one file or folder, show the result, and return whether all is well."""
    try:
        errors, sealed = _find_errors(file, decode, sealing)
    except (BinPickleError, OSError, ImportError) as error:
        text = error_text(error)
        screen.line(text if text.startswith(file) else f"{file}: {text}")
        return False
    fine = "ok, but for its seal: no key was given" if sealed and not sealing else "ok"
    screen.line(f"{file}: {'damaged' if errors else fine}")
    for text in errors[:ROWS]:
        screen.line(f"  {text}")
    if len(errors) > ROWS:
        screen.line(f"  ... and {len(errors) - ROWS:,} more")
    return not errors


def _find_errors(file: str, decode: bool, sealing: Mapping[str, Any]) -> tuple[list[str], bool]:
    """Return the errors of a file or folder, in words, and whether it is a file with a seal."""
    with progress_bar(sys.stderr, file) as progress:
        if os.path.isdir(file):
            return find_errors(file, sealing, decode, progress), False
        with BinPickleFile(file, **sealing) as opened:
            return opened.find_errors(decode=decode, progress=progress), opened.is_sealed


def repack(
    source: str,
    target: str,
    mappable: bool = False,
    codecs: Sequence[str] | None = None,
    key_files: Sequence[str] | None = None,
    context: str | None = None,
    new_key_file: str | None = None,
    new_context: str | None = None,
    unseal: bool = False,
) -> int:
    """Store the object of a file another way, unpickling nothing.

    Args:
        source: path of the file.
        target: path of the new file; may be that of the source.
        mappable: store all buffers raw and aligned, so that they can be mapped.
        codecs: a codec chain in encode order, each codec as `codecs.codec` takes it; by default each buffer gets the
            codecs that suit it.
        key_files: paths of keys; the source must be sealed with one of them, and the first seals the target.
        context: the context that the source was sealed in.
        new_key_file: path of another key, which seals the target.
        new_context: the context to seal the target in; by default that of the source.
        unseal: leave the target without a seal.
    """
    if "-" in (source, target):
        raise ValueError("repack reads and writes files, not pipes; a file of that name is ./-")
    sealing = key_arguments(key_files, context)
    if new_key_file is not None or unseal:
        sealing["new_key"] = None if new_key_file is None else read_key(new_key_file)
    if new_context is not None:
        if sealing.get("new_key", sealing.get("key")) is None:
            raise ValueError("--new-context is the context of a seal, but the target gets no seal")
        sealing["new_context"] = key_context(new_context)
    chain = [codec(text) for text in codecs or ()]
    before = binpickle.file_info(source).size
    with progress_bar(sys.stderr, target) as progress:
        binpickle.repack(source, target, mappable=mappable, codecs=chain or "auto", progress=progress, **sealing)
    after = binpickle.file_info(target).size
    share = share_text(after, before)
    open_screen(sys.stdout).line(f"{target}: {nbytes_text(after)}, {share} of the {nbytes_text(before)} of {source}")
    return 0


def extract_stream(file: str, out: str, key_files: Sequence[str] | None = None, context: str | None = None) -> int:
    """Write the pickle stream of a file to another file, for scanners.

    Args:
        file: path of the file.
        out: path to write to, or `-` for stdout.
        key_files: paths of keys; the file must be sealed with one of them.
        context: the context that the file was sealed in.
    """
    with BinPickleFile(file, **key_arguments(key_files, context)) as opened:
        stream = opened.stream()
    if not stream:
        raise ValueError(f"{file}: the file holds no object, and so no pickle stream")
    if out == "-":
        if sys.stdout.isatty():
            raise ValueError("a pickle stream is not for terminals: redirect the output, or name a file")
        sys.stdout.buffer.write(stream)
        return 0
    if os.path.exists(out) and os.path.samefile(file, out):
        raise ValueError(f"{out}: this is the file to read from; name another file to write to")
    with open(out, "wb") as file_out:
        file_out.write(stream)
    return 0
