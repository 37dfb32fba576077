"""What a developer runs, one verb a session: `nox -s demo`, `nox -s tests`, `nox -l` for all of them.

Rule: a session makes its own environment from `pyproject.toml`, and needs nothing set up beforehand.
"""

import sys

import nox

nox.needs_version = ">=2025.2.9"

PROJECT = nox.project.load_toml("pyproject.toml")


def install(session: nox.Session, group: str) -> None:
    """Install BinPickle and one of its dependency groups."""
    session.install(".", *nox.project.dependency_groups(PROJECT, group))


@nox.session(default=False)
def demo(session: nox.Session) -> None:
    """Show what BinPickle is for, with numbers measured on the spot, in under a minute."""
    install(session, "demo")
    session.run("python", "examples/demo.py", *session.posargs)


@nox.session
def tests(session: nox.Session) -> None:
    """Run the tests on the Python that runs nox; `tests-3.7` and so on, on another."""
    install(session, "tests")
    session.run("pytest", *session.posargs)


for version in nox.project.python_versions(PROJECT):
    # The standard library's venv, because virtualenv has given up the oldest of these versions.
    nox.session(tests.func, python=version, name=f"tests-{version}", venv_backend="venv", default=False)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and layout of the code."""
    session.install(*nox.project.dependency_groups(PROJECT, "lint"))
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")


@nox.session
def types(session: nox.Session) -> None:
    """Check the types of the package, and of the interface as its users see it."""
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
    """Measure against the peers, quickly by default."""
    install(session, "bench")
    session.run("python", "-m", "benchmarks", *session.posargs)


@nox.session
def cross(session: nox.Session) -> None:
    """Load under NumPy 2 what NumPy 1 wrote, and the reverse."""
    if sys.version_info >= (3, 13):
        session.skip("NumPy 1 is there for Python 3.12 and older only: run nox with one of these")
    session.install(".")
    folder = session.create_tmp()
    for release, others in [("1", ""), ("2", "1"), ("1", "2")]:
        session.install(f"numpy=={release}.*")
        if others:
            session.run("python", "tests/cross/read.py", f"{folder}/{others}.bpk")
        session.run("python", "tests/cross/write.py", f"{folder}/{release}.bpk")


@nox.session(name="oldest-dask")
def oldest_dask(session: nox.Session) -> None:
    """Test `binpickle_dask` with the oldest release of dask that it supports."""
    install(session, "tests")
    wanted = PROJECT["project"]["optional-dependencies"]["dask"]
    session.install(*(requirement.replace(">=", "==") + ".*" for requirement in wanted))
    session.run("pytest", "tests/dask")


@nox.session(default=False)
def fuzz(session: nox.Session) -> None:
    """Change files and pickle streams at random, for an hour, and look at them in every safe way."""
    install(session, "fuzz")
    session.run("python", "-m", "reliability", "fuzz", *(session.posargs or ["--seconds", "1800"]))
    session.run("python", "-m", "reliability", "page")


@nox.session(default=False)
def crash(session: nox.Session) -> None:
    """Kill writers ten thousand times, and read what others replace."""
    install(session, "fuzz")
    session.run("python", "-m", "reliability", "crash", *session.posargs)
    session.run("python", "-m", "reliability", "page")
