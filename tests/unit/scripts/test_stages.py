from __future__ import annotations

import sys
from pathlib import Path

import pytest

from scripts._lib.stages import Stage, Tally, run_stages


def make_stage(code: str, *, name: str = "sample", tests: bool = False) -> Stage:
    return Stage(name, (sys.executable, "-c", code), tests=tests)


def make_test_stage(report: str, *, exit_code: int = 0) -> Stage:
    """A program that leaves the report where pytest would, then ends."""
    code = f"import sys; open(sys.argv[-1].partition('=')[2], 'w').write({report!r}); sys.exit({exit_code})"
    return make_stage(code, tests=True)


def test_a_clean_stage_counts_nothing_and_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    (outcome,) = run_stages([make_stage("print('noise')")])
    assert outcome.ok
    assert outcome.tally == Tally()
    assert "noise" not in capsys.readouterr().out


def test_a_failing_stage_counts_one_and_shows_its_output(capsys: pytest.CaptureFixture[str]) -> None:
    (outcome,) = run_stages([make_stage("print('what went wrong'); raise SystemExit(3)")])
    assert not outcome.ok
    assert outcome.tally == Tally(failed=1)
    assert "what went wrong" in capsys.readouterr().out


def test_tests_are_counted_from_the_report() -> None:
    report = '<testsuites><testsuite tests="9" failures="2" errors="1" skipped="3"/></testsuites>'
    (outcome,) = run_stages([make_test_stage(report, exit_code=1)])
    assert outcome.tally == Tally(passed=3, failed=3, skipped=3)
    assert outcome.tally.line() == "3 passed, 3 failed, 3 skipped"


def test_a_test_run_that_breaks_off_without_a_report_is_a_failure() -> None:
    (outcome,) = run_stages([make_stage("raise SystemExit(5)", tests=True)])
    assert outcome.tally == Tally(failed=1)


def test_a_report_with_failures_beats_an_exit_code_of_zero() -> None:
    (outcome,) = run_stages([make_test_stage('<testsuite tests="1" failures="1" errors="0" skipped="0"/>')])
    assert not outcome.ok


def test_every_stage_runs_even_after_a_failure() -> None:
    bad, good = make_stage("raise SystemExit(1)", name="bad"), make_stage("", name="good")
    outcomes = run_stages([bad, good, good], at_once=1)
    assert [(outcome.stage.name, outcome.ok) for outcome in outcomes] == [
        ("bad", False),
        ("good", True),
        ("good", True),
    ]


def test_a_stage_keeps_compiled_modules_whatever_the_machine_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    (outcome,) = run_stages([make_stage("import sys; sys.exit(sys.dont_write_bytecode)")])
    assert outcome.ok


def test_stages_run_side_by_side(tmp_path: Path) -> None:
    # Each waits for the file of the other, so one after another they would never end well.
    wait = "import pathlib, time; {own}.touch(); end = time.monotonic() + 20\n"
    wait += "while not {other}.exists():\n    assert time.monotonic() < end; time.sleep(0.01)"
    paths = [f"pathlib.Path({str(tmp_path / name)!r})" for name in ("a", "b")]
    stages = [make_stage(wait.format(own=own, other=other)) for own, other in (paths, paths[::-1])]
    assert all(outcome.ok for outcome in run_stages(stages))
