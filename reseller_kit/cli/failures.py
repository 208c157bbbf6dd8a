"""Errors as the command line tells them: an exit code and a message. The only place that maps one to the other."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Mapping
from typing import Any, Final

import click

from ..core.errors import (
    ConfirmationNeeded,
    Conflict,
    InvalidManifest,
    InvalidRequest,
    KitError,
    NotFound,
    ServiceUnavailable,
)
from ..settings import InvalidSetting
from .output import print_json

DONE: Final = 0
FAILED: Final = 1
USAGE: Final = 2
INVALID_CONFIGURATION: Final = 3
NOT_FOUND: Final = 4
CONFLICT: Final = 5
FINDINGS: Final = 6
CHANGES_PENDING: Final = 7
CONFIRMATION_NEEDED: Final = 8

EXIT_CODES: Final[Mapping[type[KitError], int]] = {
    InvalidManifest: INVALID_CONFIGURATION,
    InvalidRequest: USAGE,
    InvalidSetting: USAGE,
    NotFound: NOT_FOUND,
    Conflict: CONFLICT,
    ConfirmationNeeded: CONFIRMATION_NEEDED,
}
"""By the nearest class in the error tree; whatever is not named here has failed."""

_DATABASE_FIX: Final = "See whether it runs, and whether RESELLER_KIT_DATABASE_URL is right."
_DATABASE_ERRORS: Final = frozenset({"OperationalError", "DatabaseError", "InterfaceError", "NotSupportedError"})


def exit_code(error: KitError) -> int:
    """The exit code of an error raised on purpose."""
    return next((EXIT_CODES[kind] for kind in type(error).__mro__ if kind in EXIT_CODES), FAILED)


def report(error: BaseException, *, as_json: bool) -> int:
    """Tell an error in the form asked for; the exit code."""
    if isinstance(error, KitError):
        _tell(error.code, error.message, _fix(error), error.details, as_json=as_json)
        return exit_code(error)
    if isinstance(error, click.UsageError):
        _tell_usage(error, as_json=as_json)
        return USAGE
    if isinstance(error, click.ClickException):
        _tell("failed", error.format_message(), "", [], as_json=as_json)
        return FAILED
    if isinstance(error, click.Abort):
        _tell("aborted", "Stopped before it was done.", "", [], as_json=as_json)
        return FAILED
    if isinstance(error, FileNotFoundError) and error.filename is not None:
        _tell("not_found", f"There is no file {error.filename}.", "Correct the path.", [], as_json=as_json)
        return NOT_FOUND
    if isinstance(error, OSError) and error.filename is not None:
        fix = "Correct the path, or its permissions."
        _tell("file_unavailable", f"{error.filename}: {error.strerror}.", fix, [], as_json=as_json)
        return FAILED
    if _is_database_error(error):
        told = f"The database can't be used: {_first_line(error)}."
        _tell("database_unavailable", told, _DATABASE_FIX, [], as_json=as_json)
        return FAILED
    traceback.print_exception(error, file=sys.stderr)
    message = f"An error that should not happen: {type(error).__name__}."
    _tell("internal_error", message, "Please report it with the traceback above.", [], as_json=as_json)
    return FAILED


def _tell(code: str, message: str, fix: str, details: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        print_json({"error": {"code": code, "message": message, "fix": fix, "details": details}})
        return
    click.echo(f"Error: {message}", err=True)
    for detail in details:
        click.echo(_detail_line(detail), err=True)
    if fix:
        click.echo(f"Fix:   {fix}", err=True)


def _detail_line(detail: dict[str, Any]) -> str:
    """A finding as FILE:LINE: error CODE path, what is wrong, how to fix it; other details as they are."""
    if not {"file", "line", "code", "message"} <= detail.keys():
        return "  " + ", ".join(f"{name}: {value}" for name, value in detail.items())
    level, path = detail.get("level", "error"), detail.get("path", "")
    lines = [f"{detail['file']}:{detail['line']}: {level} {detail['code']} {path}".rstrip(), f"  {detail['message']}"]
    if detail.get("fix"):
        lines.append(f"  {detail['fix']}")
    return "\n".join(lines)


def _tell_usage(error: click.UsageError, *, as_json: bool) -> None:
    message = error.format_message()
    if as_json:
        path = error.ctx.command_path if error.ctx else "reseller-kit"
        _tell("usage", message, f"See: {path} --help", [], as_json=True)
    elif isinstance(error, click.exceptions.NoArgsIsHelpError):
        click.echo(message, err=True)
    else:
        error.show()


def _fix(error: KitError) -> str:
    """The error's own advice; for a database that was away, what the driver said."""
    cause = error.__cause__
    if isinstance(error, ServiceUnavailable) and not error.fix and cause is not None:
        return f"The database said: {_first_line(cause)}."
    return error.fix


def _is_database_error(error: BaseException) -> bool:
    if isinstance(error, OSError) or type(error).__name__ in _DATABASE_ERRORS:
        return True
    from ..db.ledger import is_away  # what a command that succeeds never needs

    return isinstance(error, Exception) and is_away(error)


def _first_line(error: BaseException) -> str:
    said = str(getattr(error, "orig", None) or error).strip()
    return (said.splitlines() or [type(error).__name__])[0].rstrip(".")
