"""Which stages the check has, what they need on the machine, and what a run was not asked to do."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Final

from scripts._lib import bootstrap
from scripts._lib.bootstrap import ROOT, VENV
from scripts._lib.stages import Stage, Tally, run_stages

TOOLS: Final = ("browser", "postgres", "node")
CHROMIUM_NAMES: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_BIN: Final = VENV / "bin"


def check_stages() -> list[Stage]:
    """Everything that reads the code without running it."""
    return [
        Stage("format", (str(_BIN / "ruff"), "format", "--check", ".")),
        Stage("lint", (str(_BIN / "ruff"), "check", "--output-format=concise", ".")),
        Stage("imports", (str(_BIN / "lint-imports"), "--no-logo")),
        Stage("dependencies", (str(_BIN / "deptry"), "--no-ansi", "reseller_kit")),
        Stage("types", (str(_BIN / "mypy"), "--no-error-summary")),
    ]


def test_stages(mode: str, without: frozenset[str]) -> list[Stage]:
    """The tests of a mode ("fast", "default" or "full") but the long ones; the longest stages begin first."""
    if mode == "fast":
        # Fewer examples, not fewer properties.
        few = ("--hypothesis-profile=fast",)
        return [
            _pytest("sqlite", "tests/integration", marks="not postgres and not thorough", options=few),
            _pytest("unit", "tests/unit", marks="not thorough", options=few),
            _pytest("e2e", "tests/e2e", marks="not postgres and not thorough"),
        ]
    stages = [
        _pytest("postgres", "tests/integration", "tests/e2e", marks="postgres"),
        _pytest("sqlite", "tests/integration", marks="not postgres"),
        _pytest("e2e", "tests/e2e", marks="not postgres"),
        _pytest("browser", "tests/browser"),
        _pytest("unit", "tests/unit"),
    ]
    return [stage for stage in stages if stage.name not in without]


def long_stages() -> list[Stage]:
    """What only a full run does, alone on the machine because it measures."""
    slow = [_pytest("slow", "tests", marks="slow", slow=True)]
    bench = ROOT / "scripts" / "bench"
    if bench.exists() and "--check" in bench.read_text(encoding="utf-8"):
        slow.append(Stage("bench", (str(_BIN / "python"), str(bench), "--check")))
    return slow


def run_check() -> int:
    """scripts/check: exit code 0 when every stage is clean."""
    outcomes = run_stages(check_stages())
    return 0 if all(outcome.ok for outcome in outcomes) else 1


def run_tests(mode: str, without: frozenset[str]) -> int:
    """scripts/test: run a mode and print the closing line. Exit code 0 when nothing failed."""
    started = time.monotonic()
    problems = _install_tools(mode, without)
    outcomes = run_stages([*check_stages(), *test_stages(mode, without)])
    if mode == "full":
        outcomes += run_stages(long_stages(), at_once=1)
    total = Tally(failed=len(problems))
    for outcome in outcomes:
        total = total.plus(outcome.tally)
    print(f"{len(outcomes)} stages in {time.monotonic() - started:.0f} s")
    for problem in problems:
        print(f"FAIL  {problem}")
    print(closing_line(total, mode, without), flush=True)
    return 1 if total.failed else 0


def closing_line(total: Tally, mode: str, without: frozenset[str]) -> str:
    """The run's last line: the counts, then the tools that it was told to leave out."""
    left_out = without | {"postgres", "browser"} if mode == "fast" else without
    names = [name for name in TOOLS if name in left_out]
    return total.line() + (f"; not run: {', '.join(names)}" if names else "")


def find_chromium() -> Path | None:
    """The machine's Chromium or Chrome, or None."""
    found = next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)
    return Path(found) if found else None


def _install_tools(mode: str, without: frozenset[str]) -> list[str]:
    """Install what the mode needs. What cannot be installed is a failure, told now and again at the end."""
    if mode == "fast" or "browser" in without or find_chromium():
        return []
    try:
        bootstrap.install_debian("chromium")
    except bootstrap.SetupFailed as error:
        problem = f"browser: {error} (or leave it out with --without=browser)"
        print(f"FAIL  {problem}", flush=True)
        return [problem]
    return []


def _pytest(name: str, *paths: str, marks: str = "", slow: bool = False, options: tuple[str, ...] = ()) -> Stage:
    expression = " and ".join(filter(None, [marks, "" if slow else "not slow"]))
    present = tuple(path for path in paths if (ROOT / path).exists())
    command = (str(_BIN / "python"), "-m", "pytest", "--quiet", "--color=no", "-m", expression, *options, *present)
    return Stage(name, command, tests=True)
