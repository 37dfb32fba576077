"""The architecture: which folder or top-level module may import which, and what each may use besides.

A new folder is one word in `ORDER`. Imports below `if TYPE_CHECKING:` do not count, since they never run.
"""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from functools import lru_cache
from pathlib import Path
from typing import Iterator, NamedTuple

import pytest

import binpickle

SOURCES = Path(binpickle.__file__).parents[1]
PACKAGES = ("binpickle", "binpickle_dask")
FILES = [path for package in PACKAGES for path in sorted((SOURCES / package).rglob("*.py"))]

# Each unit, a folder or a top-level module, imports only from itself and from those before it.
ORDER = """
    errors limits types rebuild
    keys format codecs pickling trust outline
    files threads remote show writing reading
    write repacking file read inspection aio __init__ cli __main__
    dask:structure dask:folder dask:parts dask:kinds dask:store dask:saving dask:load dask:cluster dask:save
    dask:__init__
""".split()  # noqa: SIM905
# Bytes and values in, bytes and values out: these open no file and start no thread.
PURE = {"codecs", "errors", "format", "limits", "outline", "pickling", "rebuild", "show", "trust"}
# These use what every user of BinPickle can use, and of `show` what their screens need.
USERS = {"__main__", "cli", *(unit for unit in ORDER if unit.startswith("dask:"))}
PUBLIC = {"binpickle"} | {f"binpickle.{name}" for name in ("errors", "files", "format", "keys", "trust", "types")}
FACES = {"__init__", "__main__", "dask:__init__"}
MOST_UNITS, MOST_LEVELS, MOST_LINES = 32, 13, 300

FILES_AND_THREADS = {"_thread", "asyncio", "concurrent", "mmap", "multiprocessing", "os", "shutil", "socket"}
FILES_AND_THREADS |= {"subprocess", "tempfile", "threading"}
FOREIGN = {"dask", "distributed", "joblib", "pandas", "pyarrow", "scipy", "sklearn", "torch", "xarray"}
ANYIO = {"anyio", "sniffio"}


class Import(NamedTuple):
    """One name that a file imports: `from module import name`, or `import module` without a name."""

    module: str
    name: str

    @property
    def top(self) -> str:
        return self.module.split(".")[0]

    @property
    def unit(self) -> str:
        """The unit that this reaches, as named in `ORDER`; empty for other packages."""
        if self.top not in PACKAGES:
            return ""
        parts = [*self.module.split(".")[1:], self.name]
        first = parts[0] if len(parts) > 1 or is_module(self.top, parts[0]) else "__init__"
        return first if self.top == "binpickle" else f"dask:{first}"


def is_module(package: str, name: str) -> bool:
    return (SOURCES / package / f"{name}.py").is_file() or (SOURCES / package / name).is_dir() and name != ""


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)


def running_nodes(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes below this one that run, functions' bodies included."""
    for child in ast.iter_child_nodes(node):
        if not is_type_checking(child):
            yield child
            yield from running_nodes(child)


@lru_cache(maxsize=None)
def imports(path: Path) -> list[Import]:
    """What a file of one of the packages imports, relative names made absolute."""
    folder = list(path.relative_to(SOURCES).parts[:-1])
    found = []
    for node in running_nodes(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [Import(alias.name, "") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = folder[: len(folder) - node.level + 1] if node.level else []
            module = ".".join(base + [node.module] * bool(node.module))
            found += [Import(module, alias.name) for alias in node.names]
    return found


def unit_of(path: Path) -> str:
    """The word in `ORDER` that stands for a file."""
    package, first = path.relative_to(SOURCES).with_suffix("").parts[:2]
    return first if package == "binpickle" else f"dask:{first}"


@lru_cache(maxsize=None)
def level(unit: str) -> int:
    """On which level of imports a unit stands: one above the highest that it imports."""
    below = {found.unit for path in FILES if unit_of(path) == unit for found in imports(path)} - {"", unit}
    return 1 + max((level(other) for other in below if ORDER.index(other) < ORDER.index(unit)), default=0)


def defined_names(node: ast.AST) -> Iterator[str]:
    """The public functions and classes that a module defines at its top, `if` and `try` included."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.If, ast.Try)):
            yield from defined_names(child)
        elif isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) and child.name[0] != "_":
            yield child.name


def module_at(path: Path) -> str:
    return ".".join(path.relative_to(SOURCES).with_suffix("").parts).replace(".__init__", "")


def lines_of_code(path: Path) -> int:
    """The lines of a module that hold code: no comment, no docstring, no blank line."""
    text = path.read_text(encoding="utf-8")
    prose: set[int] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            prose.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    lines = enumerate(text.splitlines(), 1)
    return sum(1 for n, line in lines if n not in prose and line.strip() and not line.strip().startswith("#"))


def each(paths: list[Path]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("path", paths, ids=[str(path.relative_to(SOURCES)) for path in paths])


@each(FILES)
def test_direction(path: Path) -> None:
    """A unit imports only units before it, so that there is no circle and no import upward."""
    own = ORDER.index(unit_of(path))
    assert [found for found in imports(path) if found.unit and ORDER.index(found.unit) > own] == []


def test_picture_is_small() -> None:
    """Both packages together stay a picture that one can hold in mind: few units, on few levels."""
    units = {unit_of(path) for path in FILES}
    assert units == set(ORDER)
    assert len(units - FACES) <= MOST_UNITS
    assert max(level(unit) for unit in units - FACES) <= MOST_LEVELS


@pytest.mark.skipif(sys.version_info < (3, 8), reason="the parser of Python 3.7 does not say where docstrings end")
@each(FILES)
def test_modules_are_short(path: Path) -> None:
    """No module has more than 300 lines of code."""
    assert lines_of_code(path) <= MOST_LINES


@each([path for path in FILES if unit_of(path) in PURE])
def test_pure(path: Path) -> None:
    """A pure unit opens no file and starts no thread."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    opened = [node.lineno for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id == "open"]
    assert [found for found in imports(path) if found.top in FILES_AND_THREADS] == []
    assert opened == []


@each([path for path in FILES if not unit_of(path).startswith("dask:")])
def test_foreign(path: Path) -> None:
    """BinPickle imports none of the libraries whose objects it stores, and only `aio` imports anyio."""
    refused = FOREIGN if unit_of(path) == "aio" else FOREIGN | ANYIO
    assert [found for found in imports(path) if found.top in refused] == []


@each([path for path in FILES if unit_of(path) in USERS])
def test_public_only(path: Path) -> None:
    """The command line and the dask integration use only names of BinPickle that its users can use."""
    theirs = [found for found in imports(path) if found.top == "binpickle" and found.unit not in {"cli", "show"}]
    private = [
        found
        for found in theirs
        if f"{found.module}.{found.name}" not in PUBLIC
        and (found.module not in PUBLIC or found.name not in {"", "__version__", *public_names(found.module)})
    ]
    assert private == []


def public_names(module: str) -> set[str]:
    return set(importlib.import_module(module).__all__)


@each([path for path in FILES if path.name != "__main__.py"])
def test_all(path: Path) -> None:
    """`__all__` has every public function and class that the module defines, once, and nothing that is not there."""
    names = set(defined_names(ast.parse(path.read_text(encoding="utf-8"))))
    if path.name == "rich_screen.py":
        pytest.importorskip("rich")
    if path.is_relative_to(SOURCES / "binpickle_dask") if sys.version_info >= (3, 9) else "_dask" in str(path):
        pytest.importorskip("distributed")
    module = importlib.import_module(module_at(path))
    listed = getattr(module, "__all__", [])
    assert len(set(listed)) == len(listed)
    assert names <= set(listed)
    assert all(hasattr(module, name) for name in listed)


def test_names_of_submodules() -> None:
    """No submodule has the name of a function or class that its package exports: one would hide the other."""
    exported: dict[Path, set[str]] = {}
    for path in FILES:
        if path.name == "__init__.py":
            exported[path.parent] = public_names(module_at(path)) if is_importable(path) else set()
    clashes = [path for path in FILES if path.stem in exported.get(path.parent, set())]
    clashes += [folder for folder in exported if folder.name in exported.get(folder.parent, set()) - {"trust"}]
    assert clashes == []


def is_importable(path: Path) -> bool:
    return hasattr(importlib.import_module(module_at(path)), "__all__") if "dask" not in str(path) else False


def test_import_light() -> None:
    """`import binpickle` imports neither anyio nor another large library that not every program needs."""
    code = "import sys, numpy, numcodecs, binpickle; print(*sys.modules)"
    imported = subprocess.check_output([sys.executable, "-c", code]).decode().split()
    assert {*ANYIO, *FOREIGN, "rich"} & set(imported) == set()
