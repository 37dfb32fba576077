"""The command `binpickle`: its arguments, and how every failure ends.

Rule: it uses the public interface only. A failure is one line on stderr and an exit code that is not 0, never a
traceback: 1 for a file, 2 for the arguments, 130 for Ctrl-C. Without a line end 141, when nobody reads the output, and
128 + n for a signal that asks to end.
"""

from __future__ import annotations

import argparse
import io
import os
import signal
import sys
import threading
from contextlib import contextmanager
from typing import Any, Callable, Iterator, NoReturn, Sequence

import binpickle

from .commands import extract_stream, info, repack, verify
from .failures import error_text, print_error
from .inspect import inspect

__all__ = ["main"]

_ENDING = [getattr(signal, name) for name in ["SIGHUP", "SIGTERM"] if hasattr(signal, name)]
_FAILED, _USAGE, _INTERRUPTED, _NO_READER = 1, 2, 130, 141


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: without the program's name; by default those of this process.

    Returns:
        The exit code.

    Raises:
        SystemExit: the arguments are wrong, or ask for help.
    """
    if sys.stdout is None:  # closed by whoever started this: a file that is opened would take its number
        print_error("there is no standard output")
        return _FAILED
    try:
        with _ending_orderly():
            return _run(arguments)
    except KeyboardInterrupt:
        print_error("interrupted")
        return _INTERRUPTED
    except BrokenPipeError:  # as when a pager is left: nothing that anybody wants to read of
        return _NO_READER
    except Exception as error:
        print_error(error_text(error))
        return _FAILED
    finally:
        _finish_output()


@contextmanager
def _ending_orderly() -> Iterator[None]:
    """Let a signal that would kill the process end it as an exception does, leaving no temporary file.

    Those that are handled or ignored already, as under nohup, stay so.
    """
    own = threading.current_thread() is threading.main_thread()
    numbers = [number for number in _ENDING if own and signal.getsignal(number) is signal.SIG_DFL]
    for number in numbers:
        signal.signal(number, _end)
    try:
        yield
    finally:
        for number in numbers:
            signal.signal(number, signal.SIG_DFL)


def _end(number: int, _: object) -> NoReturn:
    sys.exit(128 + number)


def _run(arguments: Sequence[str] | None) -> int:
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # as stderr does with what its encoding has not
    parsed = vars(_parser().parse_args(arguments))
    command: Callable[..., int] = parsed.pop("command")
    code = command(**parsed)
    sys.stdout.flush()
    return code


def _finish_output() -> None:
    """Drop what cannot be written any more, or Python would say so, in several lines, when it ends."""
    try:
        sys.stdout.flush()
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


class _Parser(argparse.ArgumentParser):
    """Says what is wrong with the arguments in one line."""

    def error(self, message: str) -> NoReturn:
        print_error(f"{message}; see {self.prog} --help")
        sys.exit(_USAGE)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="binpickle",
        description="Look into BinPickle files, check them, store them another way. Nothing in a file is run.",
        epilog="Exit codes: 0 if all is well, 1 if something is wrong with a file, 2 if it is with the arguments.",
    )
    parser.add_argument("--version", action="version", version=binpickle.__version__)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_info(commands)
    _add_verify(commands)
    _add_inspect(commands)
    _add_repack(commands)
    _add_extract_stream(commands)
    return parser


def _add_info(commands: Any) -> None:
    parser = _add(commands, "info", info, "show what is in a file and what takes the room; nothing is unpickled")
    parser.add_argument("file", metavar="FILE", help="a file, or a folder that binpickle_dask wrote")
    parser.add_argument("--json", dest="in_json", action="store_true", help="as JSON, for programs; all buffers")
    parser.add_argument("--all", dest="every", action="store_true", help="all buffers, not only the largest")
    _add_key(parser)


def _add_verify(commands: Any) -> None:
    parser = _add(commands, "verify", verify, "compare stored bytes with their checksums; exit 1 if any is damaged")
    parser.add_argument("files", metavar="FILE", nargs="+", help="files, or folders that binpickle_dask wrote")
    _add_key(parser)


def _add_inspect(commands: Any) -> None:
    text = "show what a file would import; nothing is imported; exit 1 if something is not trusted"
    parser = _add(commands, "inspect", inspect, text)
    parser.add_argument("file", metavar="FILE", help="a file; its pickle is followed, and nothing is made of it")
    parser.add_argument(
        "--trust",
        metavar="NAME",
        action="append",
        help="module:qualname, or sklearn, scipy or pandas for what comes with BinPickle; may be given several times",
    )
    parser.add_argument("--json", dest="in_json", action="store_true", help="as JSON, for programs; all names")
    parser.add_argument("--all", dest="every", action="store_true", help="all names that are trusted, too")
    _add_key(parser)


def _add_repack(commands: Any) -> None:
    parser = _add(commands, "repack", repack, "store an object another way; nothing is unpickled")
    parser.add_argument("source", metavar="SOURCE", help="a file of any version")
    parser.add_argument("target", metavar="TARGET", help="replaced if it exists, once the new file is complete")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--mappable", action="store_true", help="raw and aligned, to be mapped into memory")
    how.add_argument(
        "--codec",
        dest="codecs",
        metavar="ID",
        action="append",
        help="a numcodecs codec for all buffers, several in encode order; without it each buffer gets what suits it",
    )
    _add_key(parser)
    seal = parser.add_mutually_exclusive_group()
    seal.add_argument("--new-key-file", metavar="KEY", help="seal the target with the bytes of this file")
    seal.add_argument("--unseal", action="store_true", help="leave the target without a seal")
    parser.add_argument("--new-context", metavar="TEXT", help="seal the target for this; without it for the same")


def _add_extract_stream(commands: Any) -> None:
    parser = _add(commands, "extract-stream", extract_stream, "write the pickle stream of a file, for scanners")
    parser.add_argument("file", metavar="FILE", help="a file of any version")
    parser.add_argument("out", metavar="OUT", help="a file, or - for the standard output")
    _add_key(parser)


def _add_key(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--key-file",
        dest="key_files",
        metavar="KEY",
        action="append",
        help="refuse what is not sealed with the bytes of this file; several may be given, one key a file",
    )
    parser.add_argument("--context", metavar="TEXT", help="what the seal was made for")


def _add(commands: Any, name: str, command: Callable[..., int], text: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
    parser.set_defaults(command=command)
    return parser
