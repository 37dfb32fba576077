"""The commands, each a function of its arguments that writes to stdout and returns the exit code.

Rule: what a command has to show goes to stdout through a `Screen`, bars and failures go to stderr, and what it cannot
do it raises.
"""

from __future__ import annotations

import os
import sys
from typing import Any, Mapping, Sequence

import binpickle
from binpickle import BinPickleError, BinPickleFile

from ..keys import read_key
from ..show.facts import BUFFER_COLUMNS, TOTAL_COLUMNS, as_json, buffer_row, facts, pieces, total_rows
from ..show.text import count_text, json_text, nbytes_text, share_text, shorten
from .failures import error_text, print_error
from .folders import find_errors, folder_facts, folder_json
from .keys import folder_arguments, key_arguments, key_context
from .plain_screen import Screen
from .screen import open_screen, progress_bar

__all__ = ["extract_stream", "info", "repack", "verify"]

# More than this is not read by anybody; `--all` and `--json` are for those who search.
_ROWS = 20
_MOST_NAMED = 200  # characters of names in one line on stderr


def info(
    file: str,
    in_json: bool = False,
    every: bool = False,
    key_files: Sequence[str] | None = None,
    context: str | None = None,
) -> int:
    """Show what is in a file and what takes the room.

    Args:
        file: path of a file, or of a folder that `binpickle_dask` wrote.
        in_json: as JSON, for programs; all buffers.
        every: all buffers and all metadata, however many.
        key_files: paths of keys that the file must be sealed with one of.
        context: what the seal was made for.
    """
    if os.path.isdir(file):
        _show_folder(file, folder_arguments(key_files, context), in_json)
        return 0
    sealing = key_arguments(key_files, context)
    with BinPickleFile(file, **sealing) as opened:
        if in_json:
            print(json_text(as_json(file, opened)))
        else:
            _show(open_screen(sys.stdout), file, opened, every, authenticated=bool(sealing))
    return 0


def _show_folder(folder: str, sealing: Mapping[str, Any], in_json: bool) -> None:
    if in_json:
        print(json_text(folder_json(folder, sealing)))
    else:
        open_screen(sys.stdout).facts(folder_facts(folder, sealing))


def _show(screen: Screen, path: str, opened: BinPickleFile, every: bool, authenticated: bool) -> None:
    summary, buffers = opened.summary, opened.buffers
    count = summary.buffers.count
    screen.facts([*facts(path, opened, authenticated), *_metadata(opened, every)])
    screen.drawing(pieces(opened))
    numbers = summary.largest(count if every else _ROWS)
    if numbers:
        screen.table(BUFFER_COLUMNS, [buffer_row(n, buffers[n]) for n in numbers])
    if count > len(numbers):
        rest = max(0, summary.buffers.stored_nbytes - int(summary.stored[numbers].sum()))
        screen.line(f"... and {count - len(numbers):,} more, stored in {nbytes_text(rest)}; --all shows them")
    if count > _ROWS:
        for title, rows in [("codecs", total_rows(summary.by_codecs)), ("dtype", total_rows(summary.by_dtype))]:
            screen.table([title, *TOTAL_COLUMNS], rows if every else rows[:_ROWS])
            if len(rows) > _ROWS and not every:
                screen.line(f"... and {len(rows) - _ROWS:,} more; --all shows them")


def _metadata(opened: BinPickleFile, every: bool) -> list[tuple[str, str]]:
    found = [("metadata", f"{name}: {text}") for name, text in opened.metadata.items()]
    if every or len(found) <= _ROWS:
        return found
    return [*found[:_ROWS], ("", f"... and {len(found) - _ROWS:,} more; --all shows them")]


def verify(files: Sequence[str], key_files: Sequence[str] | None = None, context: str | None = None) -> int:
    """Compare the stored bytes of files with their checksums, decoding nothing.

    Args:
        files: paths of files, or of folders that `binpickle_dask` wrote.
        key_files: paths of keys that each file must be sealed with one of.
        context: what the seals were made for.

    Returns:
        1 if any is damaged or cannot be read, else 0.
    """
    sealing = key_arguments(key_files, context)
    for_folders = folder_arguments(key_files, context)
    screen = open_screen(sys.stdout)
    bad = [file for file in files if not _verify_one(screen, file, for_folders if os.path.isdir(file) else sealing)]
    if bad:
        verb = "is" if len(bad) == 1 else "are"
        names = shorten(", ".join(bad), _MOST_NAMED)
        print_error(f"{len(bad)} of {count_text(len(files), 'file')} {verb} damaged or cannot be read: {names}")
    return 1 if bad else 0


def _verify_one(screen: Screen, file: str, sealing: Mapping[str, Any]) -> bool:
    try:
        errors, sealed = _find_errors(file, sealing)
    except (BinPickleError, OSError, ImportError) as error:
        text = error_text(error)
        screen.line(text if text.startswith(file) else f"{file}: {text}")
        return False
    fine = "ok, but for its seal: no key was given" if sealed and not sealing else "ok"
    screen.line(f"{file}: {'damaged' if errors else fine}")
    for text in errors[:_ROWS]:
        screen.line(f"  {text}")
    if len(errors) > _ROWS:
        screen.line(f"  ... and {len(errors) - _ROWS:,} more")
    return not errors


def _find_errors(file: str, sealing: Mapping[str, Any]) -> tuple[list[str], bool]:
    """Return what is wrong with a file or folder, and whether it is a file with a seal."""
    with progress_bar(sys.stderr, file) as progress:
        if os.path.isdir(file):
            return find_errors(file, sealing, progress), False
        with BinPickleFile(file, **sealing) as opened:
            return opened.find_errors(progress=progress), opened.is_sealed


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
        target: path of the new file; may be the same.
        mappable: raw and aligned, to be mapped.
        codecs: ids of a codec chain, in encode order; by default each buffer gets what suits it.
        key_files: paths of keys that the source is sealed with one of; the first seals the target, too.
        context: what the source's seal was made for.
        new_key_file: path of another key to seal the target with.
        new_context: what to seal the target for; by default the same.
        unseal: leave the target without a seal.
    """
    if "-" in (source, target):
        raise ValueError("repack needs paths, and no pipes; a file of that name is ./-")
    sealing = key_arguments(key_files, context)
    if new_key_file is not None or unseal:
        sealing["new_key"] = None if new_key_file is None else read_key(new_key_file)
    if new_context is not None:
        if sealing.get("new_key", sealing.get("key")) is None:
            raise ValueError("--new-context says what to seal the target for, but it gets no seal")
        sealing["new_context"] = key_context(new_context)
    before = os.path.getsize(source)
    with progress_bar(sys.stderr, target) as progress:
        chain: Any = codecs or "auto"
        binpickle.repack(source, target, mappable=mappable, codecs=chain, progress=progress, **sealing)
    after = os.path.getsize(target)
    share = share_text(after, before)
    open_screen(sys.stdout).line(f"{target}: {nbytes_text(after)}, {share} of the {nbytes_text(before)} of {source}")
    return 0


def extract_stream(file: str, out: str, key_files: Sequence[str] | None = None, context: str | None = None) -> int:
    """Write the pickle stream of a file to another, for scanners.

    Args:
        file: path of the file.
        out: path to write to, or `-` for stdout.
        key_files: paths of keys that the file must be sealed with one of.
        context: what the seal was made for.
    """
    with BinPickleFile(file, **key_arguments(key_files, context)) as opened:
        stream = opened.stream()
    if not stream:
        raise ValueError(f"{file}: it holds no object, and so no pickle stream")
    if out == "-":
        if sys.stdout.isatty():
            raise ValueError("a pickle stream is not for terminals: redirect the output, or name a file")
        sys.stdout.buffer.write(stream)
        return 0
    if os.path.exists(out) and os.path.samefile(file, out):
        raise ValueError(f"{out}: it is the file to read from; name another one")
    with open(out, "wb") as file_out:
        file_out.write(stream)
    return 0
