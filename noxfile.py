"""What a developer runs, one verb a session: `nox -s demo`, `nox -s tests`, `nox -l` for all of them.

Rule: a session makes its own environment from `pyproject.toml`, and needs nothing set up beforehand.
"""

import nox

nox.needs_version = ">=2025.2.9"
nox.options.sessions = ["tests", "lint", "types", "docs"]

PROJECT = nox.project.load_toml("pyproject.toml")


def install(session: nox.Session, group: str) -> None:
    """Install BinPickle and one of its dependency groups."""
    session.install(".", *nox.project.dependency_groups(PROJECT, group))


@nox.session
def demo(session: nox.Session) -> None:
    """Show what BinPickle is for, with numbers measured on the spot (under a minute)."""
    install(session, "demo")
    session.run("python", "examples/demo.py", *session.posargs)


@nox.session
def tests(session: nox.Session) -> None:
    """Run the tests on the Python that runs nox, or on another: `nox -s tests-3.7`."""
    install(session, "tests")
    session.run("pytest", *session.posargs)


for version in nox.project.python_versions(PROJECT):
    nox.session(tests.func, python=version, name=f"tests-{version}")
