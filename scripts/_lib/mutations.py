"""Seeded bugs: applies each of `tests/mutations/*.toml` to a copy of the code and runs the tests that must notice it.

Never touches the repository itself. A list's `tests` are stages, tried in order until one of them fails. The files that
a list names under `sweep` have each of their operators changed as well, but for what it says `changes_nothing`.
"""

from __future__ import annotations

import os
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from scripts._lib.bootstrap import ROOT
from scripts._lib.sweep import slips

FOLDER: Final = ROOT / "tests" / "mutations"
COPIED: Final = ("reseller_kit", "tests", "scripts", "themes", "docs", "pyproject.toml", "tenants.example.toml")
STAGE_SECONDS: Final = 600
"""A bug that makes a test hang is noticed too."""
_PYTEST: Final = ("-m", "pytest", "-q", "-x", "--no-header", "-p", "no:cacheprovider", "--hypothesis-profile=mutants")
ANYWHERE: Final = "not postgres and not slow and not browser and not node"

Stages = tuple[tuple[str, ...], ...]


class StaleMutation(Exception):
    """The code that a mutation changes is not there any more."""


@dataclass(frozen=True)
class Mutation:
    """One bug: in `file`, `old` becomes `new`. `bug` is what it would be called in an incident report."""

    area: str
    bug: str
    file: str
    old: str
    new: str
    tests: Stages
    marks: str = ANYWHERE
    """Which of the tests' marks count."""

    def apply(self, text: str) -> str:
        """The file with the bug. Raises StaleMutation unless `old` occurs exactly once."""
        count = text.count(self.old)
        if count != 1:
            raise StaleMutation(f"{self.area}: {self.bug!r}: its old text occurs {count} times in {self.file}")
        return text.replace(self.old, self.new)


@dataclass(frozen=True)
class Verdict:
    """What became of a mutation. `by`: the stage that noticed it, None for a survivor."""

    mutation: Mutation
    by: str | None
    seconds: float


def load(folder: Path = FOLDER) -> list[Mutation]:
    """Every mutation, in the order of the lists."""
    found = []
    for path in sorted(folder.glob("*.toml")):
        document = tomllib.loads(path.read_text(encoding="utf-8"))
        stages = tuple(tuple(stage) for stage in document["tests"])
        marks = document.get("marks", ANYWHERE)
        found += [Mutation(area=path.stem, tests=stages, marks=marks, **row) for row in document["mutation"]]
        idle = {(row["file"], row["before"], row["after"]) for row in document.get("changes_nothing", ())}
        for file in document.get("sweep", ()):
            found += _swept(path.stem, file, stages, idle)
    return found


def _swept(area: str, file: str, stages: Stages, idle: set[tuple[str, str, str]]) -> list[Mutation]:
    """Each operator of a file, changed by itself."""
    source = (ROOT / file).read_text(encoding="utf-8")
    return [
        Mutation(
            area=area,
            bug=f"line {slip.line}: {slip.before}  →  {slip.after}",
            file=file,
            old=source,
            new=slip.text,
            tests=stages,
        )
        for slip in slips(source)
        if (file, slip.before, slip.after) not in idle
    ]


def run(mutations: Sequence[Mutation], *, jobs: int, stages: Stages | None = None) -> list[Verdict]:
    """Judge each; print a line as each ends. `stages` instead of those that the lists name."""
    chosen = [(mutation, stages or mutation.tests) for mutation in mutations]
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder, ThreadPoolExecutor(jobs) as pool:
        copies: queue.SimpleQueue[Path] = queue.SimpleQueue()
        for number in range(jobs):
            copies.put(_copy(Path(folder) / str(number)))
        for marks, stage in sorted({(mutation.marks, stage) for mutation, wanted in chosen for stage in wanted}):
            if _fails(Path(folder) / "0", stage, marks):
                raise SystemExit(f"{' '.join(stage)} fails without any mutation; repair that first")
        return list(pool.map(lambda pair: _judge(pair[0], pair[1], copies), chosen))


def table(verdicts: Sequence[Verdict]) -> str:
    """Killed and survived by area, then each survivor."""
    lines = [f"{'AREA':<10} {'KILLED':>7} {'SURVIVED':>9}"]
    for area in sorted({verdict.mutation.area for verdict in verdicts}):
        mine = [verdict for verdict in verdicts if verdict.mutation.area == area]
        killed = sum(verdict.by is not None for verdict in mine)
        lines.append(f"{area:<10} {killed:>7} {len(mine) - killed:>9}")
    survivors = [verdict.mutation for verdict in verdicts if verdict.by is None]
    lines += [f"SURVIVED  {mutation.file}: {mutation.bug}" for mutation in survivors]
    return "\n".join(lines)


def _copy(target: Path) -> Path:
    target.mkdir()
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, target / name, ignore=shutil.ignore_patterns("__pycache__", "*.db"))
        else:
            shutil.copy2(source, target / name)
    return target


def _judge(mutation: Mutation, stages: Stages, copies: queue.SimpleQueue[Path]) -> Verdict:
    copy = copies.get()
    started = time.monotonic()
    path = copy / mutation.file
    original = path.read_text(encoding="utf-8")
    try:
        _write(path, mutation.apply(original))
        by = _first(stages, lambda stage: _fails(copy, stage, mutation.marks))
    finally:
        _write(path, original)
        copies.put(copy)
    verdict = Verdict(mutation, None if by is None else " ".join(by), time.monotonic() - started)
    mark = "killed  " if verdict.by else "SURVIVED"
    print(f"{mark} {verdict.seconds:6.1f} s  {mutation.file}: {mutation.bug}", flush=True)
    return verdict


def _first(stages: Stages, fails: Callable[[tuple[str, ...]], bool]) -> tuple[str, ...] | None:
    return next((stage for stage in stages if fails(stage)), None)


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    # Compiled files are told apart by whole seconds and sizes: two mutations of one second could be taken for one.
    for compiled in (path.parent / "__pycache__").glob(f"{path.stem}.*.pyc"):
        compiled.unlink()


def _fails(copy: Path, stage: tuple[str, ...], marks: str) -> bool:
    """Whether these tests notice something. Exit code 1 is a failed test, 2 a module that does not even load."""
    environment = {**os.environ, "PYTHONPATH": str(copy)}
    process = subprocess.Popen(
        [sys.executable, *_PYTEST, "-m", marks, f"--basetemp={copy / 'tmp'}", *stage],
        cwd=copy,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=STAGE_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return True
    if process.returncode not in {0, 1, 2}:
        raise SystemExit(f"pytest ended with {process.returncode} for {' '.join(stage)}:\n{output[-2000:]}")
    return process.returncode != 0
