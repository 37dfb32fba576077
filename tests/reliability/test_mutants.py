"""A tool changes the code, one change at a time, and tells which changes no test notices."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

from reliability import mutants
from reliability.code_changes import Change, changed, changes_of

pytestmark = pytest.mark.skipif(sys.version_info < (3, 9), reason="Python 3.9 is the first that writes syntax trees")

SOURCE = '''"""A docstring with 7 and ==."""

from typing import Any

__all__ = ["check"]


def check(size: int = 3) -> Any:
    """Another one."""
    if size < 0 or size == 5:
        raise ValueError(f"{size + 1} is wrong")
    made = [size]
    made.append(not size)
    return made
'''
EXPECTED = {
    "size: int = (4)",
    "size: int = (2)",
    "if (size < 0 and size == 5):",
    "if (size <= 0) or size == 5:",
    "if (size > 0) or size == 5:",
    "if size < 0 or (size != 5):",
    "if size < (1) or size == 5:",
    "if size < 0 or size == (6):",
    "if (not (size < 0 or size == 5)):",
    "if (False):",
    "\n        pass\n    made",
    "\n    pass\n    made.append",
    "\n    pass\n    return made",
    "made.append((size))",
    "return None",
}


@pytest.fixture
def changes(tmp_path: Path) -> list[Change]:
    path = tmp_path / "binpickle" / "keys.py"
    path.parent.mkdir()
    path.write_text(SOURCE, encoding="utf-8")
    return changes_of(path, tmp_path)


def test_changes(changes: list[Change]) -> None:
    """Checks, operators, constants and statements are changed; docstrings, annotations, names and messages are not."""
    texts = [changed(SOURCE, change) for change in changes]
    for expected in EXPECTED:
        assert any(expected in text for text in texts), expected
    for text in texts:
        ast.parse(text)
        assert text != SOURCE
        assert text.startswith(SOURCE[: SOURCE.index("def check")])
        assert text.count('"""Another one."""') == 1
        assert 'f"{size + 1} is wrong"' in text or "        pass" in text


def test_change_says_where(changes: list[Change]) -> None:
    """A change says its module, its line, and both texts."""
    assert "binpickle/keys.py:10: a check less: size < 0 or size == 5 -> (False)" in map(str, changes)


def test_samples_repeat() -> None:
    """A seed gives the same changes again, another seed others; each area has some, and its tests are there."""
    root = mutants.ROOT
    for area, (_, tests) in mutants.AREAS.items():
        first, second, other = ([*mutants.sample(area, seed)][:20] for seed in (1, 1, 2))
        assert first == second
        assert first != other
        assert all(list(root.glob(name)) for name in tests if "noticed" not in name)


def test_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run tells which changes no test notices, and leaves the code as it was."""
    (tmp_path / "binpickle").mkdir()
    (tmp_path / "binpickle" / "__init__.py").touch()
    module = tmp_path / "binpickle" / "keys.py"
    module.write_text("def larger(number):\n    return number > 5\n\n\ndef unused():\n    return 1\n")
    test = tmp_path / "tests" / "test_larger.py"
    test.parent.mkdir()
    test.write_text(
        "from binpickle.keys import larger\n\ndef test(): assert larger(7) and larger(6) and not larger(5)\n"
    )
    monkeypatch.setattr(mutants, "ROOT", tmp_path)
    monkeypatch.setitem(mutants.AREAS, "seals", mutants.Area(("keys.py",), ("tests/test_*.py",)))
    before = module.read_text()
    run = mutants.change_code("seals", 0, 4, 600)
    assert run.tried == 4
    assert all("unused" in before.splitlines()[change.line - 2] for change in run.unnoticed)
    assert module.read_text() == before


def test_failing_tests_tell_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run does not begin if the tests fail without a change."""
    (tmp_path / "binpickle").mkdir()
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_wrong.py").write_text("def test(): assert False\n")
    monkeypatch.setattr(mutants, "ROOT", tmp_path)
    monkeypatch.setitem(mutants.AREAS, "seals", mutants.Area(("keys.py",), ("tests/test_*.py",)))
    with pytest.raises(RuntimeError, match="fail without any change"):
        mutants.change_code("seals", 0, 1, 60)
