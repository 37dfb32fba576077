"""The settings of the project agree with each other, and each test has a time limit.

Rule: settings are read as text, because the oldest Pythons read neither TOML nor YAML.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
NOXFILE = (ROOT / "noxfile.py").read_text(encoding="utf-8")
CHECKS = (ROOT / ".github/workflows/checks.yml").read_text(encoding="utf-8")
HOOKS = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")
CI = (ROOT / ".ci/run").read_text(encoding="utf-8")
PYTHONS = re.findall(r'"Programming Language :: Python :: (3\.\d+)"', PROJECT)
SESSIONS = {name.replace("_", "-") for name in re.findall(r"^def (\w+)\(session", NOXFILE, re.MULTILINE)}


def test_time_limit(pytestconfig: pytest.Config) -> None:
    """A test that hangs fails: pytest-timeout is installed, and a limit is set."""
    assert pytestconfig.pluginmanager.hasplugin("timeout")
    assert 0 < float(pytestconfig.getini("timeout")) <= 180


def test_hooks() -> None:
    """The hooks of pre-commit use the release of ruff that the session `lint` uses."""
    used = re.findall(r'"([a-z]+[<>=][^"]*)"', HOOKS)
    assert len(used) == 2
    assert [requirement for requirement in used if f'"{requirement}"' not in PROJECT] == []


def test_workflow_pythons() -> None:
    """The workflow tests each Python that the project promises, on Linux, macOS and Windows."""
    matrix = re.findall(r'"(3\.\d+)"', CHECKS.partition("python: [")[2].partition("]")[0])
    included = re.findall(r'\{ os: (\w+)[^,]*, python: "(3\.\d+t?)"', CHECKS)
    for system in ("ubuntu", "macos", "windows"):
        assert {*matrix, *(python for found, python in included if found == system)} >= set(PYTHONS)


def test_workflow_sessions() -> None:
    """The workflow and `.ci/run` name sessions that exist, and the workflow runs each session that `.ci/run` runs."""
    workflow = set(re.findall(r"[\w-]+", CHECKS.partition("session: [")[2].partition("]")[0]))
    script = set(re.findall(r"[\w-]+", CI.partition("for name in ")[2].partition(";")[0]))
    assert workflow | script <= SESSIONS
    assert script <= workflow
