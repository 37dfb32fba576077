"""The commands of a developer, one verb a session: `nox -s demo`, `nox -s tests`, `nox -l` for all of them.

Rule: a session makes its own environment from `pyproject.toml`, and needs nothing set up beforehand.
"""

import os
import shutil
import sys

import nox

nox.needs_version = ">=2025.2.9"

PROJECT = nox.project.load_toml("pyproject.toml")
PYTHONS = nox.project.python_versions(PROJECT)
COMING_PYTHONS = ["3.14", "3.14t"]  # not promised yet: their tests may fail

# One worker for each core. `tests/conftest.py` keeps the tests that share a cluster in one worker.
IN_PARALLEL = ["-n", "logical", "--maxprocesses", "8", "--dist", "loadgroup"]


def install(session: nox.Session, group: str) -> None:
    """Install BinPickle and one of its dependency groups."""
    # Without this option uv installs a wheel from its cache, although the sources have changed since.
    rebuild = ["--reinstall-package=binpickle"] if session.venv_backend == "uv" else []
    session.install(*rebuild, ".", *nox.project.dependency_groups(PROJECT, group))


@nox.session(default=False)
def demo(session: nox.Session) -> None:
    """Show what BinPickle is for, with numbers measured on the spot, in under a minute."""
    install(session, "demo")
    session.run("python", "examples/demo.py", *session.posargs)


@nox.session
def tests(session: nox.Session) -> None:
    """Run all tests in parallel on the Python that runs nox, or pytest with the arguments given after `--`."""
    install(session, "tests")
    # The long runs are as long as in CI on one Python only.
    env = {"BINPICKLE_BRIEF": "1"} if session.python else {}
    session.run("pytest", *(session.posargs or IN_PARALLEL), env=env)


for version in PYTHONS + COMING_PYTHONS:
    # The default is the standard library's venv, because virtualenv no longer supports the oldest of these versions.
    backend = os.environ.get("NOX_DEFAULT_VENV_BACKEND", "venv")
    nox.session(tests.func, python=version, name=f"tests-{version}", venv_backend=backend, default=False)


@nox.session(default=False)
def coverage(session: nox.Session) -> None:
    """Measure the lines and branches of both packages that the tests run."""
    install(session, "coverage")
    session.run("coverage", "erase")
    env = {"BINPICKLE_BRIEF": "1"}  # the rest of the long runs reaches no further line
    session.run("coverage", "run", "-m", "pytest", *(session.posargs or IN_PARALLEL), env=env)
    session.run("coverage", "combine", "--quiet")
    session.run("coverage", "report")


@nox.session
def lint(session: nox.Session) -> None:
    """Check the style, the names and the docstrings of the code, and its layout."""
    session.install(*nox.project.dependency_groups(PROJECT, "lint"))
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")


@nox.session
def types(session: nox.Session) -> None:
    """Check the types of both packages, and of the public interface as users call it."""
    install(session, "types")
    session.run("mypy")


@nox.session
def docs(session: nox.Session) -> None:
    """Run the code of README and docs, then build the pages."""
    install(session, "docs")
    session.run("python", "-m", "pytest", "-p", "docs.codeblocks", "README.md", "docs")
    session.run("sphinx-build", "-q", "-W", "--keep-going", "docs", "docs/_build")


@nox.session(default=False)
def bench(session: nox.Session) -> None:
    """Compare speed and memory with the peers, in a few minutes by default."""
    install(session, "bench")
    session.run("python", "-m", "benchmarks", *session.posargs)


@nox.session
def cross(session: nox.Session) -> None:
    """Load files of NumPy 1 under NumPy 2, and files of NumPy 2 under NumPy 1."""
    if sys.version_info >= (3, 13):
        session.skip("NumPy 1 has no wheels for Python 3.13 and newer: run nox with an older Python")
    session.install(".")
    folder = session.create_tmp()
    for release, others in [("1", ""), ("2", "1"), ("1", "2")]:
        session.install(f"numpy=={release}.*")
        if others:
            session.run("python", "tests/cross/read.py", f"{folder}/{others}.bpk")
        session.run("python", "tests/cross/write.py", f"{folder}/{release}.bpk")


@nox.session(default=False)
def torch(session: nox.Session) -> None:
    """Test tensors of torch and arrays of jax and astropy, which are too large to be installed for each change."""
    install(session, "torch")
    pickling, trust = ("test_torch", "test_libraries"), ("test_guards_torch", "test_trust_torch")
    own = [*(f"tests/pickling/{name}.py" for name in pickling), *(f"tests/trust/{name}.py" for name in trust)]
    session.run("pytest", "-n", "0", *(session.posargs or own))
    if not session.posargs:
        session.run("python", "-m", "pytest", "-p", "docs.codeblocks", "docs/torch.md")


@nox.session(default=False)
def foreign(session: nox.Session) -> None:
    """Run the pickle tests of NumPy, pandas and others with BinPickle in pickle's place, in some ten minutes."""
    install(session, "foreign")
    session.run("python", "-m", "foreign", *session.posargs, env={"PYTHONPATH": "tests"})


@nox.session(name="oldest-dask")
def oldest_dask(session: nox.Session) -> None:
    """Test `binpickle_dask` with the oldest release of dask that it supports."""
    install(session, "tests")
    wanted = PROJECT["project"]["optional-dependencies"]["dask"]
    session.install(*(requirement.replace(">=", "==") + ".*" for requirement in wanted))
    session.run("pytest", *IN_PARALLEL, "tests/dask")


@nox.session(default=False)
def fuzz(session: nox.Session) -> None:
    """Change files and pickle streams at random, make hostile ones, and read them in every safe way, for 90 minutes."""
    install(session, "tests")
    session.run("python", "-m", "reliability", "fuzz", *(session.posargs or ["--seconds", "1800"]))
    session.run("python", "-m", "reliability", "page")


@nox.session(default=False)
def mutants(session: nox.Session) -> None:
    """Change the code at random, one change at a time, and say which changes no test notices."""
    install(session, "tests")
    session.run("python", "-m", "reliability", "mutants", *session.posargs)
    session.run("python", "-m", "reliability", "page")


@nox.session(default=False)
def crash(session: nox.Session) -> None:
    """Kill writers ten thousand times, and read files while other processes replace them."""
    install(session, "fuzz")
    session.run("python", "-m", "reliability", "crash", *session.posargs)
    session.run("python", "-m", "reliability", "page")


@nox.session(default=False)
def build(session: nox.Session) -> None:
    """Build the files of a release into `dist`, and check them; `-- v1.0.0` also compares the version with that tag."""
    session.install(*nox.project.dependency_groups(PROJECT, "build"))
    shutil.rmtree("dist", ignore_errors=True)
    session.run("python", "-m", "build")
    session.run("twine", "check", "--strict", "dist/*")
    for tag in session.posargs:
        version = tag[1:] if tag.startswith("v") else tag
        if not os.path.exists(f"dist/binpickle-{version}-py3-none-any.whl"):
            session.error(f"the tag {tag} is not the version in binpickle/__init__.py")
