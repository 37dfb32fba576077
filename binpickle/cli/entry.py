"""The command `binpickle`: its arguments, and how every failure ends.

Rule: a failure is one line on stderr and an exit code that is not 0, never a traceback. The code is 1 for a file, 2 for
the arguments, 3 for a file that `inspect` cannot read, and 130 for Ctrl-C. Two failures print no line: 141 says that
nobody reads the output, and 128 + n that signal n ended the process.
"""

from __future__ import annotations

import argparse
import io
import os
import signal
import sys
import threading
from contextlib import contextmanager
from typing import Callable, Iterator, NoReturn, Sequence

import binpickle

from .commands import extract_stream, info, repack, verify
from .failures import error_text, print_error
from .inspect import inspect
from .parts import export, tree, warm

__all__ = ["main"]

_ENDING = [getattr(signal, name) for name in ["SIGHUP", "SIGTERM"] if hasattr(signal, name)]
_FAILED, _USAGE, _INTERRUPTED, _NO_READER = 1, 2, 130, 141


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: the words after the program's name; by default those of this process.

    Returns:
        The exit code.

    Raises:
        SystemExit: the arguments are wrong, or ask for help; or a signal ended the command.
    """
    if sys.stdout is None:  # the caller closed it, and the next file that is opened would get its number
        print_error("there is no standard output")
        return _FAILED
    try:
        with _ending_orderly():
            return _run(arguments)
    except KeyboardInterrupt:
        print_error("interrupted")
        return _INTERRUPTED
    except BrokenPipeError:  # the reader of a pipe has ended, as a pager does; nobody wants an error
        return _NO_READER
    except Exception as error:
        print_error(error_text(error))
        return _FAILED
    finally:
        _finish_output()


@contextmanager
def _ending_orderly() -> Iterator[None]:
    """Let a signal that would kill the process raise an exception instead, so that no temporary file is left.

    A signal that is handled or ignored already, as under nohup, keeps its handler.
    """
    in_main = threading.current_thread() is threading.main_thread()  # only this thread may set handlers
    numbers = [number for number in _ENDING if in_main and signal.getsignal(number) is signal.SIG_DFL]
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
        sys.stdout.reconfigure(errors="backslashreplace")  # as stderr does for characters that its encoding lacks
    parsed = vars(_parser().parse_args(arguments))
    command: Callable[..., int] = parsed.pop("command")
    code = command(**parsed)
    sys.stdout.flush()
    return code


def _finish_output() -> None:
    """Drop output that cannot be written, of which Python would complain in several lines when it exits."""
    try:
        sys.stdout.flush()
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


class _Parser(argparse.ArgumentParser):
    """Reports wrong arguments in one line."""

    def error(self, message: str) -> NoReturn:
        print_error(f"{message}; see {self.prog} --help")
        sys.exit(_USAGE)


def _parser() -> _Parser:
    parser = _Parser(
        prog="binpickle",
        description="Look into BinPickle files, check them, store them another way. No command runs code of a file.",
        epilog="Exit codes: 0 if all is well, 1 if a file is wrong, 2 if the arguments are wrong, "
        "3 if inspect cannot read a file.",
    )
    parser.add_argument("--version", action="version", version=binpickle.__version__)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_info(commands)
    _add_verify(commands)
    _add_inspect(commands)
    _add_tree(commands)
    _add_export(commands)
    _add_repack(commands)
    _add_warm(commands)
    _add_extract_stream(commands)
    return parser


def _add_info(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = _add(commands, "info", info, "show what is in a file and what takes the room, without unpickling it")
    parser.add_argument("file", metavar="FILE", help="a file, or a folder that binpickle_dask wrote")
    parser.add_argument("--json", dest="in_json", action="store_true", help="print JSON for programs, with all buffers")
    parser.add_argument("--all", dest="every", action="store_true", help="show all buffers, not only the largest")
    parser.add_argument(
        "--names", dest="insist", action="store_true", help="name the buffers, however long that takes for this file"
    )
    _add_key(parser)


def _add_verify(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = _add(commands, "verify", verify, "compare stored bytes with their checksums; exit 1 if a file is damaged")
    parser.add_argument("files", metavar="FILE", nargs="+", help="files, or folders of files or of binpickle_dask")
    parser.add_argument("--decode", action="store_true", help="decode what is stored, too, which takes longer")
    _add_key(parser)


def _add_inspect(commands: argparse._SubParsersAction[_Parser]) -> None:
    text = "show which names a file would import, importing none; exit 1 if one is not trusted, 3 if a file is damaged"
    parser = _add(commands, "inspect", inspect, text)
    parser.add_argument("file", metavar="FILE", help="a file; its pickle is read, and no object is made")
    parser.add_argument(
        "--trust",
        metavar="NAME",
        action="append",
        help="trust module:qualname, or a set: sklearn, scipy, pandas, pyarrow or torch; may be repeated",
    )
    parser.add_argument("--json", dest="in_json", action="store_true", help="print JSON for programs, with all names")
    parser.add_argument("--all", dest="every", action="store_true", help="show all trusted names, not only the first")
    _add_key(parser)


def _add_tree(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = _add(commands, "tree", tree, "show the outline of the object in a file: its parts, their names and sizes")
    parser.add_argument("file", metavar="FILE", help="a file; its pickle is read, and no object is made")
    _add_key(parser)


def _add_export(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = _add(commands, "export", export, "write one array of a file as .npy, reading nothing but this array")
    parser.add_argument("file", metavar="FILE", help="a file of any version")
    parser.add_argument("name", metavar="NAME", help="the name of the array, as info and tree show it")
    parser.add_argument("out", metavar="OUT.npy", help="a file, or - for the standard output")
    _add_key(parser)


def _add_repack(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = _add(commands, "repack", repack, "store an object another way, without unpickling it")
    parser.add_argument("source", metavar="SOURCE", help="a file of any version")
    parser.add_argument("target", metavar="TARGET", help="replaced if it exists, once the new file is complete")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--mappable", action="store_true", help="store buffers raw and aligned, to be mapped into memory")
    how.add_argument(
        "--codec",
        dest="codecs",
        metavar="ID[:LEVEL]",
        action="append",
        help="encode all buffers with this numcodecs codec, several in this order; by default each as suits it",
    )
    _add_key(parser)
    seal = parser.add_mutually_exclusive_group()
    seal.add_argument("--new-key-file", metavar="KEY", help="seal TARGET with the bytes of the file KEY")
    seal.add_argument("--unseal", action="store_true", help="leave TARGET without a seal")
    parser.add_argument("--new-context", metavar="TEXT", help="context to seal TARGET in; by default that of SOURCE")


def _add_warm(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = _add(commands, "warm", warm, "read a file into the page cache, for all who will read or map it")
    parser.add_argument("file", metavar="FILE", help="a file of any version")
    parser.add_argument("names", metavar="NAME", nargs="*", help="arrays, as info and tree name them; by default all")
    _add_key(parser)


def _add_extract_stream(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = _add(commands, "extract-stream", extract_stream, "write the pickle stream of a file, for scanners")
    parser.add_argument("file", metavar="FILE", help="a file of any version")
    parser.add_argument("out", metavar="OUT", help="a file, or - for the standard output")
    _add_key(parser)


def _add_key(parser: _Parser) -> None:
    parser.add_argument(
        "--key-file",
        dest="key_files",
        metavar="KEY",
        action="append",
        help="refuse a file that is not sealed with this key, the bytes of the file KEY; may be repeated",
    )
    parser.add_argument("--context", metavar="TEXT", help="the context that the file was sealed in")


def _add(commands: argparse._SubParsersAction[_Parser], name: str, command: Callable[..., int], text: str) -> _Parser:
    parser = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
    parser.set_defaults(command=command)
    return parser
