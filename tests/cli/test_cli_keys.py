"""Key files on the command line: they check seals, they change seals, and a wrong key is refused."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from commandline import MODEL, Run

import binpickle

KEY, OTHER = bytes(range(32)), bytes(range(100, 140))
SEALED = "sealed.bpk --key-file key"


@pytest.fixture
def sealed(run: Run) -> str:
    """A sealed file, its key, another key, and files that are too short and too long for a key."""
    for name, data in [("key", KEY), ("other", OTHER), ("short", KEY[:31]), ("long", bytes(1 << 17))]:
        Path(name).write_bytes(data)
    binpickle.dump(MODEL, "sealed.bpk", codecs=["zstd"], key=KEY)
    binpickle.dump(MODEL, "bound.bpk", key=KEY, context="étude 7".encode())
    binpickle.dump(MODEL, "open.bpk")
    return "sealed.bpk"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (f"info {SEALED}", "seal\tgood"),
        ("info sealed.bpk", "there is one, which was not checked: no key was given"),
        ("info sealed.bpk --key-file other --key-file key", "good"),
        (f"verify {SEALED}", "sealed.bpk: ok\n"),
        ("verify sealed.bpk", "sealed.bpk: ok, but for its seal: no key was given"),
        (f"inspect {SEALED}", "seal\tgood"),
        ("inspect sealed.bpk", "there is one, which was not checked: no key was given"),
        ("info bound.bpk --key-file key --context étude_7", "good"),
        (f"warm {SEALED}", "sealed.bpk: "),
        (f"extract-stream {SEALED} out", ""),
        ("extract-stream bound.bpk out --key-file key --context étude_7", ""),
    ],
)
def test_good_seals(run: Run, sealed: str, arguments: str, words: str) -> None:
    """With the right key and context every command does its work, and says that the seal is good."""
    result = run(*(word.replace("_", " ") for word in arguments.split()))
    assert (result.code, result.err) == (0, "")
    assert words in result.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("{} sealed.bpk {out} --key-file other", "sealed.bpk: the seal is not by this key"),
        ("{} open.bpk {out} --key-file key", "open.bpk: the file is not sealed"),
        ("{} bound.bpk {out} --key-file key", "bound.bpk: the seal is not by this key"),
        ("{} bound.bpk {out} --key-file key --context étude", "bound.bpk: the seal is not by this key"),
        ("{} sealed.bpk {out} --key-file short", "a key must have at least 32 bytes"),
        ("{} sealed.bpk {out} --key-file long", "long: it is no key file"),
        ("{} sealed.bpk {out} --key-file nowhere", "nowhere: No such file or directory"),
        ("{} sealed.bpk {out} --context x", "--context is the context of a seal"),
    ],
)
@pytest.mark.parametrize("command", ["info", "inspect", "verify", "repack", "warm", "extract-stream"])
def test_refused(run: Run, sealed: str, command: str, arguments: str, words: str) -> None:
    """A missing or wrong seal, or a file that holds no key, ends every command before it writes a file."""
    before = sorted(os.listdir("."))
    out = "out" if command in ("repack", "extract-stream") else ""
    result = run(*arguments.format(command, out=out).split())
    assert result.code == (3 if command == "inspect" and "seal" in words and "--context is" not in words else 1)
    assert words in result.out + result.err
    assert result.err.count("\n") == 1
    assert sorted(os.listdir(".")) == before


@pytest.mark.parametrize(
    ("arguments", "key", "context"),
    [
        ("sealed.bpk --key-file key", KEY, b""),
        ("sealed.bpk --key-file key --key-file other", KEY, b""),
        ("sealed.bpk --key-file key --new-key-file other", OTHER, b""),
        ("bound.bpk --key-file key --context étude_7", KEY, "étude 7".encode()),
        ("bound.bpk --key-file key --context étude_7 --new-context b", KEY, b"b"),
        ("open.bpk --new-key-file other --new-context b", OTHER, b"b"),
        ("sealed.bpk --key-file key --unseal", None, b""),
    ],
)
def test_repack(run: Run, sealed: str, arguments: str, key: bytes | None, context: bytes) -> None:
    """`repack` keeps the seal, makes another seal with `--new-key-file`, and removes it with `--unseal`."""
    result = run("repack", *(word.replace("_", " ") for word in arguments.split()), "new.bpk")
    assert (result.code, result.err) == (0, "")
    assert binpickle.inspect("new.bpk").sealed == (key is not None)
    assert binpickle.load("new.bpk", key=key, context=context)["words"] == MODEL["words"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("sealed.bpk new.bpk", "the file is sealed: give its key"),
        ("sealed.bpk new.bpk --unseal", "the file is sealed: give its key"),
        ("sealed.bpk new.bpk --new-key-file other", "the file is sealed: give its key"),
        ("sealed.bpk new.bpk --key-file key --new-key-file short", "a key must have at least 32 bytes"),
        ("sealed.bpk new.bpk --key-file key --unseal --new-context x", "--new-context"),
        ("open.bpk new.bpk --new-context x", "--new-context"),
    ],
)
def test_repack_refused(run: Run, sealed: str, arguments: str, words: str) -> None:
    """`repack` without the key of a sealed file is refused, so that the seal is not lost."""
    result = run("repack", *arguments.split())
    assert result.code == 1
    assert words in result.err
    assert not os.path.exists("new.bpk")


def test_unseal_or_new_key(run: Run, sealed: str) -> None:
    """`--unseal` and `--new-key-file` exclude each other."""
    result = run("repack", "sealed.bpk", "new.bpk", "--unseal", "--new-key-file", "other")
    assert result.code == 2
    assert "not allowed with" in result.err


def test_json(run: Run, sealed: str) -> None:
    """JSON tells a seal that was checked from one that was not."""
    assert json.loads(run("inspect", "sealed.bpk", "--json").out)["authenticated"] is False
    assert json.loads(run("inspect", "sealed.bpk", "--key-file", "key", "--json").out)["authenticated"] is True
    assert json.loads(run("info", "sealed.bpk", "--key-file", "key", "--json").out)["sealed"] is True


def test_folder(run: Run, sealed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """For a folder the command passes on the paths of keys, which workers need."""
    os.mkdir("folder")
    opened: list[Any] = []

    def open_bpk(path: str, **options: Any) -> Any:
        opened.append((path, options))
        raise binpickle.AuthenticationError("not sealed")

    monkeypatch.setitem(sys.modules, "binpickle_dask.store", SimpleNamespace(open_bpk=open_bpk))
    for command in ("info", "verify"):
        result = run(command, "folder", "--key-file", "key", "--key-file", "other", "--context", "x")
        assert (result.code, "not sealed" in result.out + result.err) == (1, True)
    assert opened == [("folder", {"key": ["key", "other"], "context": b"x"})] * 2


def test_keys_not_shown(run: Run, sealed: str) -> None:
    """No message contains the bytes of a key."""
    Path("text").write_bytes(b"correct horse battery staple, and more")
    shown = [run(command, "sealed.bpk", "--key-file", "text") for command in ("info", "inspect", "verify")]
    assert not any("horse" in result.out + result.err for result in shown)
