from __future__ import annotations

import json

import click
import pytest

from reseller_kit.cli import failures
from reseller_kit.core import errors
from reseller_kit.settings import InvalidSetting


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.LedgerFault("x"), 1),
        (errors.ServiceUnavailable("x"), 1),
        (errors.InsufficientCredit("x"), 1),
        (errors.SchemaOutdated("x"), 1),
        (errors.InvalidRequest("x"), 2),
        (errors.InvalidAmount("x"), 2),
        (InvalidSetting("x"), 2),
        (click.UsageError("x"), 2),
        (errors.InvalidManifest("x"), 3),
        (errors.NotFound("x"), 4),
        (errors.ModelNotFound("x"), 4),
        (errors.Conflict("x"), 5),
        (errors.ConfirmationNeeded("x"), 8),
        (click.Abort(), 1),
        (OSError(13, "no"), 1),
    ],
)
def test_each_error_has_its_exit_code_and_one_json_document(
    error: Exception, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert failures.report(error, as_json=True) == code
    said = json.loads(capsys.readouterr().out)["error"]
    assert set(said) == {"code", "message", "fix", "details"}
    assert said["message"]


def test_people_read_the_message_and_the_fix_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    failures.report(errors.NotFound("There is no tenant 'x'.", fix="There is: aurora."), as_json=False)
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "Error: There is no tenant 'x'.\nFix:   There is: aurora.\n"


def test_findings_are_shown_with_file_and_line(capsys: pytest.CaptureFixture[str]) -> None:
    finding = {"file": "tenants.toml", "line": 7, "code": "RK102", "path": "a.b", "message": "No.", "fix": "Yes."}
    assert failures.report(errors.InvalidManifest("1 error.", details=[finding]), as_json=False) == 3
    assert "tenants.toml:7: error RK102 a.b\n  No.\n  Yes.\n" in capsys.readouterr().err


def test_what_should_not_happen_is_told_with_its_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    assert failures.report(ZeroDivisionError("1/0"), as_json=True) == 1
    out, err = capsys.readouterr()
    assert json.loads(out)["error"]["code"] == "internal_error"
    assert "ZeroDivisionError" in err


def test_a_file_that_cannot_be_used_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert failures.report(PermissionError(13, "Permission denied", "/etc/x"), as_json=True) == 1
    said = json.loads(capsys.readouterr().out)["error"]
    assert (said["code"], said["message"]) == ("file_unavailable", "/etc/x: Permission denied.")


def test_a_file_that_is_not_there_is_not_found(capsys: pytest.CaptureFixture[str]) -> None:
    assert failures.report(FileNotFoundError(2, "No such file or directory", "/nope"), as_json=True) == 4
    said = json.loads(capsys.readouterr().out)["error"]
    assert (said["code"], said["message"], said["fix"]) == (
        "not_found",
        "There is no file /nope.",
        "Correct the path.",
    )


def test_a_database_that_ends_under_a_command_is_no_error_that_should_not_happen(
    capsys: pytest.CaptureFixture[str],
) -> None:
    class AdminShutdownError(Exception):
        sqlstate = "57P01"

    assert failures.report(AdminShutdownError("terminating connection"), as_json=True) == 1
    said = json.loads(capsys.readouterr().out)["error"]
    assert (said["code"], said["message"]) == (
        "database_unavailable",
        "The database can't be used: terminating connection.",
    )


def test_a_database_that_is_away_is_told_without_its_statement(capsys: pytest.CaptureFixture[str]) -> None:
    class OperationalError(Exception):
        orig = OSError("unable to open database file")

    assert failures.report(OperationalError("(x) …\n[SQL: SELECT secret]"), as_json=True) == 1
    said = json.loads(capsys.readouterr().out)["error"]
    assert said["code"] == "database_unavailable"
    assert "unable to open database file" in said["message"]
    assert "SELECT" not in said["message"]
