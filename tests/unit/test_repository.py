"""Promises that the repository makes about itself: its programs, locks, limits and documents."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import reseller_kit
from scripts._lib import suite
from scripts._lib.bootstrap import ROOT
from scripts._lib.stages import Tally

PROGRAMS = sorted(path for path in (ROOT / "scripts").iterdir() if path.is_file() and path.suffix == "")
MODULES = sorted((ROOT / "reseller_kit").rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
LOCKS = ("runtime", "demo", "dev", "tools", "clients", "scanners")
MOST_LINES_OF_A_FILE = 400
MOST_LINES_OF_A_FUNCTION = 70


def pins(name: str) -> dict[str, str]:
    """Package → locked version."""
    text = (ROOT / "requirements" / f"{name}.lock").read_text()
    found = re.findall(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;\\]+)", text, re.MULTILINE)
    return {canonicalize_name(package): version for package, version in found}


def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def group(name: str) -> Iterator[str]:
    """The requirements of a dependency group with those that it includes."""
    for item in project()["dependency-groups"][name]:
        if isinstance(item, str):
            yield item
        else:
            yield from group(item["include-group"])


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.name)
def test_every_program_is_executable_and_documented(program: Path) -> None:
    assert program.stat().st_mode & 0o111
    assert program.read_text().startswith("#!/usr/bin/env python3\n")
    assert f"`scripts/{program.name}`" in (ROOT / "CONTRIBUTING.md").read_text()


@pytest.mark.parametrize("name", ["check", "demo", "fix", "lock", "test"])
def test_help_needs_no_environment_and_works_from_anywhere(name: str, tmp_path: Path) -> None:
    program = ROOT / "scripts" / name
    done = subprocess.run(
        [sys.executable, "-I", program, "--help"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0
    assert f"scripts/{name}" in done.stdout


@pytest.mark.parametrize("arguments", [["--without=coffee"], ["slow"], ["--verbose"]])
def test_wrong_arguments_end_with_two(arguments: list[str]) -> None:
    done = subprocess.run([sys.executable, ROOT / "scripts" / "test", *arguments], capture_output=True, check=False)
    assert done.returncode == 2


@pytest.mark.parametrize("name", LOCKS)
def test_every_locked_package_has_hashes(name: str) -> None:
    text = (ROOT / "requirements" / f"{name}.lock").read_text()
    entries = re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE)[1:]
    assert entries
    assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry] == []


@pytest.mark.parametrize(("smaller", "larger"), [("runtime", "demo"), ("demo", "dev")])
def test_each_lock_holds_the_smaller_one_at_the_same_versions(smaller: str, larger: str) -> None:
    assert pins(smaller).items() <= pins(larger).items()


@pytest.mark.parametrize(("lock", "source"), [("runtime", None), ("demo", "demo"), ("dev", "dev")])
def test_every_declared_dependency_is_locked_within_its_bounds(lock: str, source: str | None) -> None:
    declared = [*project()["project"]["dependencies"], *(group(source) if source else ())]
    locked = pins(lock)
    for requirement in map(Requirement, declared):
        assert locked[canonicalize_name(requirement.name)] in requirement.specifier, "run scripts/lock"


def test_every_test_belongs_to_a_stage() -> None:
    stages = suite.test_stages("default", frozenset())
    folders = {part for stage in stages for part in stage.command if part.startswith("tests/")}
    outside = [
        path.relative_to(ROOT)
        for path in TESTS
        if path.name.startswith("test_") and not any(path.is_relative_to(ROOT / folder) for folder in folders)
    ]
    assert outside == []


def test_a_seed_decides_the_order_of_every_test() -> None:
    for mode in ("fast", "default"):
        stages = suite.test_stages(mode, frozenset())
        assert all(stage.command[-1] == "--randomly-seed=7" for stage in suite.in_order(stages, 7))
    assert suite.in_order(suite.check_stages(), 7) == suite.check_stages()


def test_test_files_have_names_of_their_own() -> None:
    names = Counter(path.name for path in TESTS if path.name.startswith("test_"))
    assert [name for name, count in names.items() if count > 1] == []


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_modules_and_functions_stay_small(path: Path) -> None:
    # A migration is a list: cutting it in pieces would help nobody.
    if "migrations/versions" in path.as_posix():
        return
    text = path.read_text()
    functions = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    sizes = {node.name: (node.end_lineno or node.lineno) - node.lineno + 1 for node in functions}
    assert [name for name, size in sizes.items() if size > MOST_LINES_OF_A_FUNCTION] == []
    assert text.count("\n") <= MOST_LINES_OF_A_FILE


def test_a_version_is_the_same_wherever_it_stands() -> None:
    """In the package, in what is built, on the tag that it is released by, and in the changelog of that release."""
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert declared == reseller_kit.__version__
    asked = subprocess.run(["git", "tag", "--points-at", "HEAD"], cwd=ROOT, check=False, capture_output=True, text=True)
    tags = [tag for tag in asked.stdout.split() if re.fullmatch(r"v\d.*", tag)]
    assert tags in ([], [f"v{declared}"])
    assert not tags or f"\n## {declared}" in (ROOT / "CHANGELOG.md").read_text()


def test_decisions_are_numbered_without_gaps() -> None:
    numbers = sorted(int(path.name[:3]) for path in (ROOT / "docs" / "decisions").glob("[0-9]*.md"))
    assert numbers == list(range(1, len(numbers) + 1))


def test_the_closing_line_tells_counts_and_what_was_left_out() -> None:
    assert suite.closing_line(Tally(passed=12, failed=1), frozenset()) == "12 passed, 1 failed"
    line = suite.closing_line(Tally(passed=12), frozenset({"node", "browser"}))
    assert line == "12 passed, 0 failed; not run: browser, node"


@pytest.mark.parametrize("tool", suite.TOOLS)
def test_a_tool_that_is_left_out_is_used_by_no_stage(tool: str) -> None:
    stages = suite.test_stages("default", frozenset({tool}))
    assert tool not in [stage.name for stage in stages]
    for stage in stages:
        assert f"not {tool}" in stage.command[stage.command.index("-m", 3) + 1].split(" and ")
