"""Which stages the check has, what they need on the machine, and what a run was not asked to do."""

from __future__ import annotations

import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Final

from scripts._lib import bootstrap, clients, redis
from scripts._lib.bootstrap import ROOT, VENV
from scripts._lib.stages import Stage, Tally, run_stages

TOOLS: Final = ("browser", "postgres", "node", "redis", "systemd")
# Tool → names of its program, Debian package. PostgreSQL is a locked dependency, Node comes with the clients.
PROGRAMS: Final = {
    "browser": (("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"), "chromium"),
    "redis": (redis.PROGRAMS, redis.DEBIAN_PACKAGE),
    "systemd": (("systemd-analyze",), "systemd"),
}
LONG_STAGE_SECONDS: Final = 90 * 60
_TESTS_AT_ONCE: Final = 4
"""Stages of tests wait for browsers, timers and other programs over half of their time: four keep two cores busy."""
_BIN: Final = VENV / "bin"
SEED: Final = 20261128
"""Decides the order of the check's tests: two runs of one commit are alike. A full run takes another each time."""


def check_stages() -> list[Stage]:
    """Everything that reads the code without running it."""
    return [
        Stage("format", (str(_BIN / "ruff"), "format", "--check", ".")),
        Stage("lint", (str(_BIN / "ruff"), "check", "--output-format=concise", ".")),
        Stage("imports", (str(_BIN / "lint-imports"), "--no-logo")),
        Stage("dependencies", (str(_BIN / "deptry"), "--no-ansi", "reseller_kit")),
        Stage("types", (str(_BIN / "mypy"), "--no-error-summary")),
    ]


def scan_stages() -> list[Stage]:
    """What looks for weaknesses alone; each installs itself when it is not there."""
    module = (str(_BIN / "python"), "-m", "scripts._lib.scanners")
    return [Stage(name, (*module, name)) for name in ("bandit", "semgrep")]


def test_stages(mode: str, left_out: frozenset[str]) -> list[Stage]:
    """The tests of a mode ("fast", "default" or "full") but the long ones; the longest stages begin first."""
    marks = ["not slow", *(f"not {tool}" for tool in TOOLS if tool in left_out)]
    if mode == "fast":
        # Fewer examples, not fewer properties.
        few = ("--hypothesis-profile=fast",)
        marks.append("not thorough")
        pure = ("tests/unit/core", "tests/unit/wire")
        apart = tuple(f"--ignore={folder}" for folder in pure)
        return [
            _pytest("unit-pure", *pure, marks=marks, options=few),
            _pytest("unit", "tests/unit", marks=marks, options=(*few, *apart)),
        ]
    stages = [
        _pytest("postgres", "tests/integration", marks=[*marks, "postgres"]),
        _pytest("e2e-a", *_files("e2e", "[a-l]"), "tests/e2e/clients", marks=[*marks, "not postgres"]),
        _pytest("browser-a", *_files("browser", "[a-l]"), marks=marks),
        _pytest("e2e-m", *_files("e2e", "[m-z]"), marks=[*marks, "not postgres"]),
        _pytest("sqlite", "tests/integration", marks=[*marks, "not postgres"]),
        _pytest("browser-m", *_files("browser", "[m-z]"), marks=marks),
        _pytest("postgres-e2e", "tests/e2e", marks=[*marks, "postgres"]),
        _pytest("faults", "tests/faults", marks=marks),
        _pytest("unit", "tests/unit", marks=marks),
    ]
    return [stage for stage in stages if stage.name.partition("-")[0] not in left_out]


def long_stages(left_out: frozenset[str]) -> list[Stage]:
    """What only a full run does, alone on the machine because it measures."""
    marks = ["slow", *(f"not {tool}" for tool in TOOLS if tool in left_out)]
    stages = [replace(_pytest("slow", "tests", marks=marks), seconds=LONG_STAGE_SECONDS)]
    mutate = (str(_BIN / "python"), str(ROOT / "scripts" / "mutate"), "--jobs=2")
    stages.append(Stage("mutations", mutate, seconds=LONG_STAGE_SECONDS))
    bench = ROOT / "scripts" / "bench"
    if bench.exists() and "--check" in bench.read_text(encoding="utf-8"):
        stages.append(Stage("bench", (str(_BIN / "python"), str(bench), "--check")))
    return stages


def in_order(stages: list[Stage], seed: int) -> list[Stage]:
    """The same stages, their tests in the order that a seed gives."""
    return [replace(one, command=(*one.command, f"--randomly-seed={seed}")) if one.tests else one for one in stages]


def run_check() -> int:
    """scripts/check: exit code 0 when every stage is clean."""
    outcomes = run_stages(check_stages())
    return 0 if all(outcome.ok for outcome in outcomes) else 1


def run_tests(mode: str, without: frozenset[str], seed: int) -> int:
    """scripts/test: run a mode and print the closing line. Exit code 0 when nothing failed."""
    started = time.monotonic()
    left_out = frozenset(TOOLS) if mode == "fast" else without
    missing: dict[str, str] = {}
    if mode == "fast":
        code = [stage for stage in check_stages() if stage.name in {"format", "lint", "imports"}]
        outcomes = run_stages([*in_order(test_stages(mode, left_out), seed), *code])
    else:
        with ThreadPoolExecutor(1) as beside:
            # It mostly waits for the registry, and nothing that only reads the code needs any of it.
            installing = beside.submit(_install_tools, left_out)
            outcomes = run_stages([*check_stages(), *scan_stages()])
            missing = installing.result()
        stages = in_order(test_stages(mode, left_out | set(missing)), seed)
        outcomes += run_stages(stages, at_once=_TESTS_AT_ONCE)
    if mode == "full":
        outcomes += run_stages(in_order(long_stages(left_out | set(missing)), seed), at_once=1)
    total = Tally(failed=len(missing))
    for outcome in outcomes:
        total = total.plus(outcome.tally)
    cpu = sum(outcome.cpu_seconds for outcome in outcomes)
    took = f"{time.monotonic() - started:.0f} s, with {cpu:.0f} s of processors"
    print(f"{len(outcomes)} stages in {took}; --seed={seed}")
    for tool, problem in missing.items():
        print(f"FAIL  {tool}: {problem} (or leave it out: --without={tool})")
    print(closing_line(total, left_out), flush=True)
    return 1 if total.failed else 0


def closing_line(total: Tally, left_out: frozenset[str]) -> str:
    """The run's last line: the counts, then the tools that it was told to do without."""
    names = [tool for tool in TOOLS if tool in left_out]
    return total.line() + (f"; not run: {', '.join(names)}" if names else "")


def find_program(tool: str) -> Path | None:
    """The machine's program for a tool of `PROGRAMS`, or None."""
    names, _package = PROGRAMS[tool]
    found = next(filter(None, map(shutil.which, names)), None)
    return Path(found) if found else None


def _install_tools(left_out: frozenset[str]) -> dict[str, str]:
    """Install the programs that tests need; those that could not be installed, with the reason."""
    problems = {}
    if "node" not in left_out:
        try:
            clients.ensure()
        except bootstrap.SetupFailed as error:
            problems["node"] = str(error)
    for tool, (_names, package) in PROGRAMS.items():
        if tool in left_out or find_program(tool):
            continue
        try:
            bootstrap.install_debian(package)
        except bootstrap.SetupFailed as error:
            problems[tool] = str(error)
    return problems


def _files(folder: str, first: str) -> list[str]:
    """The files of tests/`folder` whose subject begins so: all in one stage could take longer than a stage may."""
    return sorted(str(path.relative_to(ROOT)) for path in (ROOT / "tests" / folder).glob(f"test_{first}*.py"))


def _pytest(name: str, *paths: str, marks: list[str], options: tuple[str, ...] = ()) -> Stage:
    command = (str(_BIN / "python"), "-m", "pytest", "--quiet", "--color=no", "-m", " and ".join(marks), *options)
    return Stage(name, (*command, *paths), tests=True)
