"""A pytest plugin that runs the Python of README and docs: `pytest -p docs.codeblocks README.md docs`.

Rule: each page is one program, run from top to bottom in an empty folder. A block with prompts (`>>>`) must show what
it prints.
"""

import os
import tempfile
from doctest import ELLIPSIS
from pathlib import Path

from sybil import Sybil
from sybil.parsers.myst import PythonCodeBlockParser

__all__ = ["pytest_collect_file"]


def enter_folder(namespace):
    """Go to a new empty folder."""
    namespace["_back"], namespace["_folder"] = os.getcwd(), tempfile.TemporaryDirectory()
    os.chdir(namespace["_folder"].name)


def leave_folder(namespace):
    """Go back, and remove the folder with the files that the page wrote."""
    os.chdir(namespace["_back"])
    namespace["_folder"].cleanup()


pytest_collect_file = Sybil(
    parsers=[PythonCodeBlockParser(doctest_optionflags=ELLIPSIS)],
    path=str(Path(__file__).parents[1]),
    patterns=["*.md"],
    setup=enter_folder,
    teardown=leave_folder,
).pytest()
