"""The page on security is whole, and the tests and rules that it names exist."""

from __future__ import annotations

import ast
import re
from functools import cache

import pytest

from scripts._lib import scanners
from scripts._lib.bootstrap import ROOT

PAGE = (ROOT / "docs" / "security.md").read_text()
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", PAGE)))
ROW = re.compile(r"^\| (V\d+\.\d+\.\d+)(?: – (V\d+\.\d+\.\d+))? \|[^|]+\| ([^|]+) \| (.+) \|$", re.MULTILINE)
CHAPTERS_OF_LEVEL_1 = {1: 8, 2: 4, 3: 8, 4: 2, 5: 4, 6: 13, 7: 6, 8: 4, 9: 4, 10: 5, 11: 3, 12: 3, 13: 1, 14: 2, 15: 3}
"""How many requirements of level 1 each chapter of ASVS 5.0.0 has."""


@cache
def functions(path: str) -> frozenset[str]:
    tree = ast.parse((ROOT / path).read_text())
    return frozenset(n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef))


def level_1() -> dict[str, tuple[str, str]]:
    """Number → (state, what shows it)."""
    section = PAGE.partition(", level 1\n")[2].partition("\n## ")[0]
    found: dict[str, tuple[str, str]] = {}
    for first, last, state, shown in ROW.findall(section):
        stem, _, begin = first.rpartition(".")
        end = int((last or first).rpartition(".")[2])
        found |= {f"{stem}.{number}": (state, shown) for number in range(int(begin), end + 1)}
    return found


def test_every_requirement_of_level_1_has_its_line() -> None:
    counted = dict.fromkeys(CHAPTERS_OF_LEVEL_1, 0)
    for number in level_1():
        counted[int(number[1:].partition(".")[0])] += 1
    assert counted == CHAPTERS_OF_LEVEL_1


def test_every_line_has_a_state_and_says_what_shows_it() -> None:
    for number, (state, shown) in level_1().items():
        assert state in {"met", "met in part", "not met", "not ours"}, number
        assert shown.strip(), number


@pytest.mark.parametrize(("path", "name"), NAMED)
def test_a_named_test_exists(path: str, name: str) -> None:
    assert (ROOT / path).is_file()
    assert not name or name in functions(path)


def test_rules_that_are_named_exist() -> None:
    rules = set(re.findall(r"- id: ([\w-]+)", scanners.RULES.read_text()))
    named = re.findall(r"semgrep's rules? `([\w-]+)`(?: and `([\w-]+)`)?", PAGE)
    assert {rule for pair in named for rule in pair if rule} <= rules


def test_cases_of_others_are_listed() -> None:
    section = PAGE.partition("## What others got wrong\n")[2].partition("\n## ")[0]
    numbers = {int(number) for number in re.findall(r"^\| (\d+) \|", section, re.MULTILINE)}
    assert numbers | {8, 13} == set(range(1, 21))
