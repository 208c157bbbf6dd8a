"""The table of money invariants in docs/proof.md is whole, and the tests that it names exist."""

from __future__ import annotations

import ast
import re

import pytest

from scripts._lib.bootstrap import ROOT

ROW = re.compile(r"^\| (\d+) \| [^|`]+ \| (.+) \|$", re.MULTILINE)


def rows() -> dict[int, str]:
    """Number → tests, of the section on invariants."""
    text = (ROOT / "docs" / "proof.md").read_text()
    section = text.partition("## Invariants\n")[2].partition("\n## ")[0]
    return {int(number): tests for number, tests in ROW.findall(section)}


def test_every_invariant_is_listed_once() -> None:
    assert list(rows()) == list(range(1, 18))


@pytest.mark.parametrize("number", range(1, 18))
def test_the_tests_of_an_invariant_exist(number: int) -> None:
    named = re.findall(r"`([\w/]+\.py)::(\w+)`", rows()[number])
    assert named, "name its tests in docs/proof.md"
    for path, name in named:
        tree = ast.parse((ROOT / path).read_text())
        functions = [node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
        assert name in functions, f"{path} has no {name}"
