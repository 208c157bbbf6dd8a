"""What scripts/native compiles, and how pip and `--version` hear of it. Compiles nothing."""

from __future__ import annotations

import sys
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import pytest
from click.testing import CliRunner

from reseller_kit.cli import root
from scripts._lib import native
from scripts._lib.bootstrap import ROOT


def test_every_module_that_is_compiled_is_there_and_named_once() -> None:
    missing = [module for module in native.MODULES if not (ROOT / native.PACKAGE / f"{module}.py").is_file()]
    assert missing == []
    assert len(set(native.MODULES)) == len(native.MODULES)


def test_pip_knows_of_what_was_made_once(tmp_path: Path) -> None:
    record = tmp_path / "reseller_kit-0.1.0.dist-info" / "RECORD"
    record.parent.mkdir()
    record.write_text("reseller_kit/web/cycle.py,sha256=x,1\n")
    made = [tmp_path / "reseller_kit" / "web" / f"cycle{native.SUFFIX}"]
    for _ in range(2):
        native._record(tmp_path, made)
    assert record.read_text().splitlines() == [
        "reseller_kit/web/cycle.py,sha256=x,1",
        f"reseller_kit/web/cycle{native.SUFFIX},,",
    ]


def test_a_module_that_cannot_be_compiled_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    with pytest.raises(native.NativeFailed, match="/no/such/python: No such file"):
        native.build(tmp_path, ["web/cycle"])


@pytest.mark.parametrize(("suffixes", "shown"), [([".py"], " (compiled)"), ([".none"], "")])
def test_the_version_says_whether_modules_are_compiled(
    suffixes: list[str], shown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(root, "EXTENSION_SUFFIXES", suffixes)
    assert root._how_it_runs() == shown


def test_a_checkout_is_not_compiled() -> None:
    found = [path for suffix in EXTENSION_SUFFIXES for path in (ROOT / native.PACKAGE).rglob(f"*{suffix}")]
    assert found == []
    assert "(compiled)" not in CliRunner().invoke(root.root, ["--version"]).output
