"""A pytest plugin that runs the Python of README and docs: `pytest -p docs.codeblocks README.md docs`.

Rule: each page is one program, which runs from top to bottom in an empty folder. A block with prompts (`>>>`) must show
its output. On the page of the command line, a block of shell commands (`$`) must show its output too. The blocks of a
page that needs torch are skipped where torch is not installed: `nox -s torch` runs them.
"""

import os
import re
import shlex
import subprocess
import sys
import tempfile
from doctest import ELLIPSIS, OutputChecker
from importlib.util import find_spec
from pathlib import Path

from sybil import Sybil
from sybil.parsers.myst import CodeBlockParser, PythonCodeBlockParser, SkipParser

__all__ = ["pytest_collect_file"]


def enter_folder(namespace):
    """Go to a new empty folder."""
    namespace["_back"], namespace["_folder"] = os.getcwd(), tempfile.TemporaryDirectory()
    os.chdir(namespace["_folder"].name)
    namespace["without"] = lambda module: find_spec(module) is None  # for the conditions of blocks to skip


def leave_folder(namespace):
    """Go back, and remove the folder with the files that the page wrote."""
    os.chdir(namespace["_back"])
    namespace["_folder"].cleanup()


def run_commands(example):
    """Run the commands of a block, and compare the output of each (stdout and stderr) with the page."""
    if Path(example.path).name != "cli.md":
        return None
    binpickle = f"{shlex.quote(sys.executable)} -m binpickle"
    for command, expected in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n?)*)", example.parsed, re.MULTILINE):
        ours = re.sub(r"\bbinpickle (?=[a-z-])", lambda _: f"{binpickle} ", command)
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        done = subprocess.run(ours, shell=True, text=True, check=False, **streams)
        if not OutputChecker().check_output(expected, done.stdout, ELLIPSIS):
            return f"{command}\n{done.stdout}"
    return None


pytest_collect_file = Sybil(
    parsers=[
        PythonCodeBlockParser(doctest_optionflags=ELLIPSIS),
        CodeBlockParser("console", run_commands),
        SkipParser(),
    ],
    path=str(Path(__file__).parents[1]),
    patterns=["*.md"],
    setup=enter_folder,
    teardown=leave_folder,
).pytest()
