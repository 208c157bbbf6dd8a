"""One thing that `doctor` finds, whoever of its parts does."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

Severity = Literal["error", "warning"]


class Complaint(Struct, frozen=True, kw_only=True):
    """One thing that is missing or wrong, and what to do about it."""

    code: str
    level: Severity
    where: str
    message: str
    fix: str


def complaint(code: str, where: str, message: str, fix: str, *, level: Severity = "error") -> Complaint:
    """A finding under a rule of `flows.doctor`."""
    return Complaint(code=code, level=level, where=where, message=message, fix=fix)
