"""Runs the stages of a check, some at a time, prints one line each, and adds up their tests.

Knows nothing of which stages there are; scripts/_lib/suite.py does.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
import threading
import time
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from scripts._lib.bootstrap import ROOT
from scripts._lib.memory import in_memory

STAGE_SECONDS: Final = 25 * 60
_PRINTING: Final = threading.Lock()


@dataclass(frozen=True)
class Stage:
    """One program to run from the repository's root. `tests`: it is pytest, and its tests count.

    It is ended after `seconds`.
    """

    name: str
    command: tuple[str, ...]
    tests: bool = False
    seconds: int = STAGE_SECONDS


@dataclass(frozen=True)
class Tally:
    """Tests by outcome. A stage without tests that fails counts as one failure."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def plus(self, other: Tally) -> Tally:
        """Both together."""
        return Tally(self.passed + other.passed, self.failed + other.failed, self.skipped + other.skipped)

    def line(self) -> str:
        """As in "12 passed, 0 failed", with skipped ones only when there are any."""
        skipped = f", {self.skipped} skipped" if self.skipped else ""
        return f"{self.passed} passed, {self.failed} failed{skipped}"


@dataclass(frozen=True)
class Outcome:
    """How a stage ended."""

    stage: Stage
    ok: bool
    tally: Tally
    seconds: float
    cpu_seconds: float
    output: str


def run_stages(stages: Sequence[Stage], *, at_once: int = 2) -> list[Outcome]:
    """Run all stages, begun in this order; print each as it ends.

    Ctrl-C or SIGTERM ends what is running, with everything that it started.
    """
    running: set[int] = set()
    previous = signal.signal(signal.SIGTERM, signal.default_int_handler)
    with ThreadPoolExecutor(max_workers=at_once) as pool:
        futures = [pool.submit(_run, stage, running) for stage in stages]
        try:
            return [future.result() for future in futures]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for group in tuple(running):
                _signal_group(group, signal.SIGTERM)
            raise
        finally:
            signal.signal(signal.SIGTERM, previous)


def _run(stage: Stage, running: set[int]) -> Outcome:
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="stage-", dir=in_memory()) as scratch:
        report = Path(scratch) / "report.xml"
        options = (f"--basetemp={scratch}/tests", f"--junitxml={report}") if stage.tests else ()
        ended = _communicate([*stage.command, *options], running, stage.seconds)
        tally = _read_report(report) if stage.tests else Tally()
    ok = ended.code == 0 and not tally.failed
    if not ok and not tally.failed:
        tally = tally.plus(Tally(failed=1))
    outcome = Outcome(stage, ok, tally, time.monotonic() - started, ended.cpu_seconds, ended.output)
    _print(outcome)
    return outcome


@dataclass(frozen=True)
class _Ended:
    """A program that is over. `cpu_seconds` counts its children too, those that it waited for."""

    code: int
    output: str
    cpu_seconds: float


def _communicate(command: Sequence[str], running: set[int], seconds: int) -> _Ended:
    """Run a program to its end. One that takes too long is ended with everything that it started."""
    # Where Python is told to keep no compiled modules, each process that a test starts would compile the product anew.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    overdue = threading.Event()

    def end() -> None:
        overdue.set()
        _signal_group(process.pid, signal.SIGKILL)

    running.add(process.pid)
    timer = threading.Timer(seconds, end)
    timer.start()
    try:
        with process.stdout as printed:  # type: ignore[union-attr]  # it was asked for
            output = printed.read()
        _, status, used = os.wait4(process.pid, 0)
    finally:
        timer.cancel()
        running.discard(process.pid)
    process.returncode = os.waitstatus_to_exitcode(status)
    code, output = (124, f"{output}\nended after {seconds} s") if overdue.is_set() else (process.returncode, output)
    return _Ended(code, output, used.ru_utime + used.ru_stime)


def _signal_group(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, number)


def _read_report(path: Path) -> Tally:
    """The counts of a JUnit file. A run that ended before it wrote one has no counts: the caller sees its exit code."""
    try:
        suites = ET.parse(path).getroot().iter("testsuite")  # noqa: S314  # pytest wrote it a moment ago
    except (OSError, ET.ParseError):
        return Tally()
    total = Tally()
    for suite in suites:
        count = {name: int(suite.get(name, "0")) for name in ("tests", "failures", "errors", "skipped")}
        failed = count["failures"] + count["errors"]
        total = total.plus(Tally(max(0, count["tests"] - failed - count["skipped"]), failed, count["skipped"]))
    return total


def _print(outcome: Outcome) -> None:
    mark = "ok  " if outcome.ok else "FAIL"
    counts = f"  {outcome.tally.line()}" if outcome.stage.tests else ""
    with _PRINTING:
        print(
            f"{mark}  {outcome.stage.name:<12} {outcome.seconds:6.1f} s {outcome.cpu_seconds:6.1f} s cpu{counts}",
            flush=True,
        )
        if not outcome.ok:
            print(f"{outcome.output.rstrip()}\n", flush=True)
