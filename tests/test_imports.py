"""Who may import whom, which keeps the format index kinds free of files and threads, and `import binpickle` quick.

A new module is one word in `LEVELS`. Imports below `if TYPE_CHECKING:` do not count, since they never run.
"""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from pathlib import Path
from typing import Iterator, NamedTuple

import pytest

import binpickle

PACKAGE = Path(binpickle.__file__).parent

# A module imports from its own level and those above it. The first three are pure: bytes and values in and out.
LEVELS = [
    "errors",
    "contents renames",
    """
    allowlist byteshuffle checksums choose codecs columns decoders dtypes format html index kinds layout legacy
    legacy_fields meter overview pickling plan rebuild reducers regions seal steps trust words
    """,
    "cpus crew sink source",
    "assemble container filewriter loading streaming summary tables",
    "info opened read repack write",
    "aio inspection",
    "__init__",
    "__main__ cli commands failures folders keyfiles rich_terminal terminal vetting",
]
PURE = set(" ".join(LEVELS[:3]).split())
# What the command line is made of. Besides these it knows the public names only. Of these `binpickle_dask` reads keys.
COMMAND_LINE = {*LEVELS[-1].split(), "overview", "words"}
FILES_AND_THREADS = {"_thread", "asyncio", "concurrent", "mmap", "multiprocessing", "os", "shutil", "socket"}
FILES_AND_THREADS |= {"subprocess", "tempfile", "threading"}
FOREIGN = {"dask", "distributed", "joblib", "pandas", "pyarrow", "scipy", "sklearn", "torch", "xarray"}
ANYIO = {"anyio", "sniffio"}
PUBLIC_MODULES = {"binpickle", "binpickle.errors", "binpickle.trust"}


class Import(NamedTuple):
    """One name that a file imports: `from module import name`, or `import module` without a name."""

    module: str
    name: str

    @property
    def top(self) -> str:
        return self.module.split(".")[0]

    @property
    def part(self) -> str:
        """The module of binpickle that this reaches, as named in `LEVELS`; empty for other packages."""
        if self.top != "binpickle":
            return ""
        parts = self.module.split(".")[1:]
        return parts[0] if parts else self.name if is_module(self.name) else "__init__"


def is_module(name: str) -> bool:
    return (PACKAGE / f"{name}.py").is_file() or (PACKAGE / name / "__init__.py").is_file()


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)


def running_nodes(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes below this one that run, functions' bodies included."""
    for child in ast.iter_child_nodes(node):
        if not is_type_checking(child):
            yield child
            yield from running_nodes(child)


def imports(path: Path) -> Iterator[Import]:
    """What a file of one of the packages imports, relative names made absolute."""
    folder = list(path.relative_to(PACKAGE.parent).parts[:-1])
    for node in running_nodes(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = folder[: len(folder) - node.level + 1] if node.level else []
            module = ".".join(base + [node.module] * bool(node.module))
            yield from (Import(module, alias.name) for alias in node.names)


def defined_names(node: ast.AST) -> Iterator[str]:
    """The public functions and classes that a module defines at its top, `if` and `try` included."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.If, ast.Try)):
            yield from defined_names(child)
        elif isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) and child.name[0] != "_":
            yield child.name


def part_of(path: Path) -> str:
    """The word in `LEVELS` that stands for a file of binpickle."""
    return path.relative_to(PACKAGE).parts[0].replace(".py", "")


def level(part: str) -> int:
    return next(number for number, words in enumerate(LEVELS) if part in words.split())


def names(module: str) -> set[str]:
    """The public names of a module of binpickle."""
    return set(importlib.import_module(module).__all__)


# A folder's small files are sealed by the code that seals files: there is one for keys, not two.
SHARED = {Import("binpickle.seal", "Keys")}

FILES = sorted(PACKAGE.rglob("*.py"))
DASK_FILES = sorted((PACKAGE.parent / "binpickle_dask").rglob("*.py"))
USERS = [path for path in FILES if part_of(path) in COMMAND_LINE] + DASK_FILES


def each(paths: list[Path]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("path", paths, ids=[str(path.relative_to(PACKAGE.parent)) for path in paths])


@each(FILES)
def test_level_known(path: Path) -> None:
    """Every module has its place in the table of levels."""
    assert part_of(path) in " ".join(LEVELS).split(), "add the module to its level"


@each(FILES)
def test_direction(path: Path) -> None:
    """No module imports from a level below its own in the table."""
    own = level(part_of(path))
    assert [found for found in imports(path) if found.part and level(found.part) > own] == []


@each([path for path in FILES if part_of(path) in PURE])
def test_pure(path: Path) -> None:
    """What knows the format opens no file and starts no thread."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    opened = [node.lineno for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id == "open"]
    assert [found for found in imports(path) if found.top in FILES_AND_THREADS] == []
    assert opened == []


@each(FILES)
def test_foreign(path: Path) -> None:
    """BinPickle imports none of the libraries whose objects it stores, and only `aio` imports anyio."""
    refused = FOREIGN if part_of(path) == "aio" else FOREIGN | ANYIO
    assert [found for found in imports(path) if found.top in refused] == []


@each(USERS)
def test_public_only(path: Path) -> None:
    """The command line and the dask integration use nothing of BinPickle that its users cannot, but keys."""
    theirs = [found for found in imports(path) if found.top == "binpickle" and found.part not in COMMAND_LINE]
    private = [
        found
        for found in theirs
        if found not in SHARED
        and f"{found.module}.{found.name}" not in PUBLIC_MODULES
        and (found.module not in PUBLIC_MODULES or found.name not in {"", "__version__", *names(found.module)})
    ]
    assert private == []


@each([path for path in FILES if path.name != "__main__.py"])
def test_all(path: Path) -> None:
    """`__all__` has every public function and class that the module defines, once, and nothing that is not there."""
    if path.name == "rich_terminal.py":
        pytest.importorskip("rich")
    dotted = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
    module = importlib.import_module(dotted.replace(".__init__", ""))
    assert len(set(module.__all__)) == len(module.__all__)
    assert set(defined_names(ast.parse(path.read_text(encoding="utf-8")))) <= set(module.__all__)
    assert all(hasattr(module, name) for name in module.__all__)


def test_import_light() -> None:
    """`import binpickle` imports neither anyio nor another large library that not every program needs."""
    code = "import sys, numpy, numcodecs, binpickle; print(*sys.modules)"
    imported = subprocess.check_output([sys.executable, "-c", code]).decode().split()
    assert {*ANYIO, *FOREIGN, "rich"} & set(imported) == set()
