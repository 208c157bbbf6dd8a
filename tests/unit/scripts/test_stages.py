from __future__ import annotations

import sys

import pytest

from scripts._lib.stages import Stage, Tally, run_lanes


def make_stage(code: str, *, name: str = "sample", tests: bool = False) -> Stage:
    return Stage(name, (sys.executable, "-c", code), tests=tests)


def make_test_stage(report: str, *, exit_code: int = 0) -> Stage:
    """A program that leaves the report where pytest would, then ends."""
    code = f"import sys; open(sys.argv[-1].partition('=')[2], 'w').write({report!r}); sys.exit({exit_code})"
    return make_stage(code, tests=True)


def test_a_clean_stage_counts_nothing_and_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    (outcome,) = run_lanes([[make_stage("print('noise')")]])
    assert outcome.ok
    assert outcome.tally == Tally()
    assert "noise" not in capsys.readouterr().out


def test_a_failing_stage_counts_one_and_shows_its_output(capsys: pytest.CaptureFixture[str]) -> None:
    (outcome,) = run_lanes([[make_stage("print('what went wrong'); raise SystemExit(3)")]])
    assert not outcome.ok
    assert outcome.tally == Tally(failed=1)
    assert "what went wrong" in capsys.readouterr().out


def test_tests_are_counted_from_the_report() -> None:
    report = '<testsuites><testsuite tests="9" failures="2" errors="1" skipped="3"/></testsuites>'
    (outcome,) = run_lanes([[make_test_stage(report, exit_code=1)]])
    assert outcome.tally == Tally(passed=3, failed=3, skipped=3)
    assert outcome.tally.line() == "3 passed, 3 failed, 3 skipped"


def test_a_test_run_that_breaks_off_without_a_report_is_a_failure() -> None:
    (outcome,) = run_lanes([[make_stage("raise SystemExit(5)", tests=True)]])
    assert outcome.tally == Tally(failed=1)


def test_a_report_with_failures_beats_an_exit_code_of_zero() -> None:
    (outcome,) = run_lanes([[make_test_stage('<testsuite tests="1" failures="1" errors="0" skipped="0"/>')]])
    assert not outcome.ok


def test_every_lane_runs_to_its_end_even_after_a_failure() -> None:
    bad, good = make_stage("raise SystemExit(1)", name="bad"), make_stage("", name="good")
    outcomes = run_lanes([[bad, good], [good]])
    assert [(outcome.stage.name, outcome.ok) for outcome in outcomes] == [
        ("bad", False),
        ("good", True),
        ("good", True),
    ]
